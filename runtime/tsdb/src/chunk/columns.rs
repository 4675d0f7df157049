//! Decoded samples, column by column; made to be used again for the next chunk.

use prom_model::{FloatHistogram, Histogram, Span, is_stale};

use super::CounterReset;

/// Whether a decoder insists that timestamps rise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Each timestamp must be later than the one before; everything that Prometheus stores in a block is so.
    Rising,
    /// Whatever stands there, as in the aggregate `counter` of a downsampled chunk, which repeats its last timestamp.
    Any,
}

/// Float samples.
///
/// Decoders append, so that the chunks of a series can lie behind one another; after an error the columns are as before.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Columns {
    /// Milliseconds since the epoch.
    pub timestamps: Vec<i64>,
    /// As many as there are timestamps.
    pub values: Vec<f64>,
    /// When counting began, milliseconds since the epoch, 0 where it is unknown. Empty as long as no chunk with start
    /// timestamps was decoded, else as many as there are timestamps.
    pub start_timestamps: Vec<i64>,
}

impl Columns {
    /// How many samples there are.
    pub const fn len(&self) -> usize {
        self.timestamps.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.timestamps.is_empty()
    }

    /// Forgets the samples, keeps the memory.
    pub fn clear(&mut self) {
        self.truncate(0);
        self.start_timestamps.clear();
    }

    /// The samples, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (i64, f64)> + '_ {
        self.timestamps.iter().copied().zip(self.values.iter().copied())
    }

    pub(super) fn truncate(&mut self, length: usize) {
        self.timestamps.truncate(length);
        self.values.truncate(length);
        self.start_timestamps.truncate(length);
    }
}

/// What a decoder found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decoded {
    /// How many samples the chunk has.
    pub samples: usize,
    /// The distance in milliseconds between any two neighbours, where it is always the same and there are two.
    pub interval: Option<i64>,
}

/// The buckets that all histograms of a chunk share.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HistogramLayout {
    /// The width of the buckets.
    pub schema: i32,
    /// Where the zero bucket ends.
    pub zero_threshold: f64,
    /// Which buckets of positive observations there are.
    pub positive_spans: Vec<Span>,
    /// Which buckets of negative observations there are.
    pub negative_spans: Vec<Span>,
    /// The bounds of custom buckets.
    pub custom_values: Vec<f64>,
    pub(super) positive_buckets: usize,
    pub(super) negative_buckets: usize,
}

/// Histogram samples of one chunk; `N` is `u64` for whole observations, `f64` for floats.
///
/// Decoders replace what was there; after an error nothing is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HistogramColumns<N> {
    /// The buckets.
    pub layout: HistogramLayout,
    /// What the header says about a counter reset before the chunk.
    pub counter_reset: CounterReset,
    /// Milliseconds since the epoch.
    pub timestamps: Vec<i64>,
    /// When counting began, milliseconds since the epoch, 0 where it is unknown; empty in encodings that do not say.
    pub start_timestamps: Vec<i64>,
    /// Observations in all.
    pub counts: Vec<N>,
    /// Observations in the zero bucket.
    pub zero_counts: Vec<N>,
    /// The sums of the observations. Stale markers, which can only be the last samples, have their value here and 0 above.
    pub sums: Vec<f64>,
    /// The counts of the buckets, not differences: for each sample that is no stale marker first the positive, then the
    /// negative ones. Whole numbers are those of `Histogram` as 64 bits, so that a bucket that fell below 0 is not lost.
    pub buckets: Vec<N>,
}

impl<N: Copy> HistogramColumns<N> {
    /// How many samples there are.
    pub const fn len(&self) -> usize {
        self.timestamps.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.timestamps.is_empty()
    }

    /// Forgets the samples, keeps the memory.
    pub fn clear(&mut self) {
        self.layout.positive_spans.clear();
        self.layout.negative_spans.clear();
        self.layout.custom_values.clear();
        (self.layout.positive_buckets, self.layout.negative_buckets) = (0, 0);
        self.timestamps.clear();
        self.start_timestamps.clear();
        self.counts.clear();
        self.zero_counts.clear();
        self.sums.clear();
        self.buckets.clear();
    }

    /// The counts of the positive and of the negative buckets of the sample at `position`; both are empty in a stale marker.
    pub fn row(&self, position: usize) -> (&[N], &[N]) {
        let width = self.layout.positive_buckets + self.layout.negative_buckets;
        let start = position.saturating_mul(width);
        let row = self.buckets.get(start..start.saturating_add(width)).unwrap_or_default();
        row.split_at_checked(self.layout.positive_buckets).unwrap_or_default()
    }
}

impl HistogramColumns<u64> {
    /// The sample at `position`, or `None` behind the last.
    pub fn get(&self, position: usize) -> Option<(i64, Histogram)> {
        let timestamp = *self.timestamps.get(position)?;
        let sum = *self.sums.get(position)?;
        if is_stale(sum) {
            return Some((timestamp, Histogram::stale()));
        }
        let (positive, negative) = self.row(position);
        let histogram = Histogram {
            counter_reset_hint: self.counter_reset.hint(position),
            schema: self.layout.schema,
            zero_threshold: self.layout.zero_threshold,
            zero_count: *self.zero_counts.get(position)?,
            count: *self.counts.get(position)?,
            sum,
            positive_spans: self.layout.positive_spans.clone(),
            negative_spans: self.layout.negative_spans.clone(),
            positive_buckets: deltas(positive),
            negative_buckets: deltas(negative),
            custom_values: self.layout.custom_values.clone(),
        };
        Some((timestamp, histogram))
    }

    /// The samples, in order.
    pub fn iter(&self) -> impl Iterator<Item = (i64, Histogram)> + '_ {
        (0..self.len()).map_while(|position| self.get(position))
    }
}

impl HistogramColumns<f64> {
    /// The sample at `position`, or `None` behind the last.
    pub fn get(&self, position: usize) -> Option<(i64, FloatHistogram)> {
        let timestamp = *self.timestamps.get(position)?;
        let sum = *self.sums.get(position)?;
        if is_stale(sum) {
            return Some((timestamp, FloatHistogram::stale()));
        }
        let (positive, negative) = self.row(position);
        let histogram = FloatHistogram {
            counter_reset_hint: self.counter_reset.hint(position),
            schema: self.layout.schema,
            zero_threshold: self.layout.zero_threshold,
            zero_count: *self.zero_counts.get(position)?,
            count: *self.counts.get(position)?,
            sum,
            positive_spans: self.layout.positive_spans.clone(),
            negative_spans: self.layout.negative_spans.clone(),
            positive_buckets: positive.to_vec(),
            negative_buckets: negative.to_vec(),
            custom_values: self.layout.custom_values.clone(),
        };
        Some((timestamp, histogram))
    }

    /// The samples, in order.
    pub fn iter(&self) -> impl Iterator<Item = (i64, FloatHistogram)> + '_ {
        (0..self.len()).map_while(|position| self.get(position))
    }
}

fn deltas(counts: &[u64]) -> Vec<i64> {
    let differences = counts.iter().scan(0u64, |before, count| {
        let delta = count.wrapping_sub(*before) as i64;
        *before = *count;
        Some(delta)
    });
    differences.collect()
}
