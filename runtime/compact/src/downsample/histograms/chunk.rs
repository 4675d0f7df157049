//! An aggregate chunk of histograms, window by window.

use prom_model::FloatHistogram;
use tsdb::chunk::{Aggregate, Appended, Encoding, FloatHistogramAppender, XorEncoder};

use crate::downsample::made::{Made, WINDOWS_MAX};

/// The windows so far.
#[derive(Debug, Default)]
pub(super) struct HistogramChunk {
    times: Vec<i64>,
    counts: Vec<f64>,
    /// The sums and the counters, once there is one of each.
    histograms: Option<(FloatHistogramAppender, FloatHistogramAppender)>,
    /// The schema and the zero bucket of all sums, and of all counters.
    buckets: [(i32, f64); 2],
}

impl HistogramChunk {
    /// Appends a window. Where its histograms do not fit behind the others, these are a chunk and it begins the next one.
    pub(super) fn push(
        &mut self,
        time: i64,
        count: f64,
        sum: &FloatHistogram,
        counter: &FloatHistogram,
        encoder: &mut XorEncoder,
        into: &mut Made,
    ) {
        let buckets = [sum, counter].map(|histogram| (histogram.schema, histogram.zero_threshold));
        let appended = match &mut self.histograms {
            Some((sums, counters)) if self.times.len() < WINDOWS_MAX && self.buckets == buckets => {
                // Sums are gauges and fit always.
                !matches!(counters.append(time, counter), Appended::Cut(_))
                    && !matches!(sums.append(time, sum), Appended::Cut(_))
            }
            _ => false,
        };
        if !appended {
            std::mem::take(self).finish(encoder, into);
            let begin = |histogram: &FloatHistogram| {
                let first = FloatHistogramAppender::begin(None, time, histogram);
                // As if it went on after itself: of the counter it is known that there was no reset.
                FloatHistogramAppender::begin(Some(&first), time, histogram)
            };
            self.histograms = Some((begin(sum), begin(counter)));
            self.buckets = buckets;
        }
        self.times.push(time);
        self.counts.push(count);
    }

    /// Adds the chunk to those that were made, unless it has no windows.
    pub(super) fn finish(self, encoder: &mut XorEncoder, into: &mut Made) {
        let Some((sums, counters)) = self.histograms else { return };
        let Some((first, last)) = self.times.first().copied().zip(self.times.last().copied()) else { return };
        let mut chunk = into.begin();
        chunk.push_floats(Aggregate::Count, encoder, &self.times, &self.counts);
        chunk.push(Aggregate::Sum, Encoding::FloatHistogram, sums.bytes(), first, last);
        chunk.push(Aggregate::Counter, Encoding::FloatHistogram, counters.bytes(), first, last);
        chunk.finish();
    }
}
