//! Windows of native histograms: how many there were, their sum, and the counter without its resets.
//!
//! Within a chunk all buckets have the coarsest schema and the widest zero bucket of its samples. Histograms with custom buckets
//! have the bounds in common: where these change, a new chunk begins. So it does between counters and gauges.

mod buckets;
mod chunk;
mod totals;

use prom_model::{CUSTOM_BUCKETS_SCHEMA, CounterResetHint, FloatHistogram};
use tsdb::chunk::{
    Aggregate, AggregateChunk, ChunkError, CounterReset, Encoding, HistogramColumns, Order, XorEncoder,
    decode_float_histograms,
};
use tsdb::corruption::Fault;

use super::aggregates::DIFFERENT_TIMES;
use super::kept::Kept;
use super::made::Made;
use super::window::{batches, window_end};
use buckets::CommonBuckets;
use chunk::HistogramChunk;
use totals::Totals;

/// What histograms have to have in common to become windows of one chunk.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Family {
    gauge: bool,
    /// Of custom buckets.
    bounds: Option<Vec<f64>>,
}

impl Family {
    fn of(columns: &HistogramColumns<f64>) -> Self {
        let custom = columns.layout.schema == CUSTOM_BUCKETS_SCHEMA;
        Family {
            gauge: columns.counter_reset == CounterReset::Gauge,
            bounds: custom.then(|| columns.layout.custom_values.clone()),
        }
    }
}

/// A sample and its time.
type Sample = (i64, FloatHistogram);

/// Makes chunks of histograms; one serves all series.
#[derive(Debug, Default)]
pub(super) struct HistogramMaker {
    columns: HistogramColumns<f64>,
    encoder: XorEncoder,
    batch: Vec<Sample>,
}

/// A chunk of histograms as it is stored.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stored<'a> {
    pub(super) encoding: Encoding,
    pub(super) data: &'a [u8],
}

impl HistogramMaker {
    /// Decodes a chunk for the times of its samples that are kept, which are appended. Gives what they have in common; `None` where
    /// none is kept.
    ///
    /// # Errors
    /// What is wrong with the chunk.
    pub(super) fn times(
        &mut self,
        chunk: Stored<'_>,
        kept: &mut Kept<'_>,
        into: &mut Vec<i64>,
    ) -> Result<Option<Family>, ChunkError> {
        let before = into.len();
        self.each(chunk, kept, |time, _, _| into.push(time))?;
        Ok((into.len() > before).then(|| Family::of(&self.columns)))
    }

    /// Hands the samples of a chunk that are kept to `take`: time, columns, place in the columns.
    fn each(
        &mut self,
        chunk: Stored<'_>,
        kept: &mut Kept<'_>,
        mut take: impl FnMut(i64, &HistogramColumns<f64>, usize),
    ) -> Result<(), ChunkError> {
        decode_float_histograms(chunk.encoding, chunk.data, Order::Any, &mut self.columns)?;
        kept.begin_chunk();
        for (place, (time, sum)) in self.columns.timestamps.iter().zip(&self.columns.sums).enumerate() {
            if !prom_model::is_stale(*sum) && kept.takes(*time) {
                take(*time, &self.columns, place);
            }
        }
        Ok(())
    }

    /// Makes chunks of a run of raw samples, whose times are `times`. Only a batch of them is in memory. Gives how many samples the
    /// chunks stand for.
    ///
    /// # Errors
    /// What is wrong with a chunk, and its number in the run.
    pub(super) fn make(
        &mut self,
        times: &[i64],
        chunks: &[Stored<'_>],
        mut kept: Kept<'_>,
        length: i64,
        into: &mut Made,
    ) -> Result<u64, (usize, ChunkError)> {
        let mut ends = batches(times, length).map(|batch| batch.end);
        let mut end = ends.next().unwrap_or(times.len());
        let (mut seen, mut taken) = (0usize, 0u64);
        let mut batch = std::mem::take(&mut self.batch);
        let mut finished: Vec<Vec<Sample>> = Vec::new();
        for (number, chunk) in chunks.iter().enumerate() {
            let mut begins = true;
            self.each(*chunk, &mut kept, |_, columns, place| {
                if let Some(mut sample) = columns.get(place).filter(|(_, histogram)| !histogram.sum.is_nan())
                {
                    if begins {
                        begin_chunk(&mut sample.1);
                    }
                    begins = false;
                    batch.push(sample);
                }
                seen += 1;
                if seen == end {
                    finished.push(std::mem::take(&mut batch));
                    end = ends.next().unwrap_or(times.len());
                }
            })
            .map_err(|error| (number, error))?;
            for mut samples in finished.drain(..) {
                taken += samples.len() as u64;
                self.raw_batch(&samples, length, into);
                samples.clear();
                if batch.capacity() == 0 {
                    batch = samples;
                }
            }
        }
        batch.clear();
        self.batch = batch;
        Ok(taken)
    }

    fn raw_batch(&mut self, samples: &[Sample], length: i64, into: &mut Made) {
        let Some((last, _)) = samples.last() else { return };
        let mut totals = Totals::new(CommonBuckets::of(samples));
        let mut chunk = HistogramChunk::default();
        let mut left = samples;
        while let Some((first, _)) = left.first() {
            let end = window_end(*first, length).min(*last);
            let count = left.iter().take_while(|(time, _)| *time <= end).count().max(1);
            let Some((window, behind)) = left.split_at_checked(count) else { break };
            totals.begin_window();
            for (_, histogram) in window {
                totals.add(histogram);
            }
            if let (Some(sum), Some(counter)) = (totals.sum(), totals.counter()) {
                chunk.push(end, count as f64, sum, counter, &mut self.encoder, into);
            }
            left = behind;
        }
        chunk.finish(&mut self.encoder, into);
    }

    /// What the histograms of an aggregate chunk have in common; `None` where it has floats.
    ///
    /// # Errors
    /// What is wrong with the chunk.
    pub(super) fn family_of_windows(
        &mut self,
        chunk: &AggregateChunk<'_>,
    ) -> Result<Option<Family>, ChunkError> {
        let Some(counter) = chunk.get(Aggregate::Counter).filter(|counter| counter.encoding.is_histogram())
        else {
            return Ok(None);
        };
        let decoded = decode_float_histograms(counter.encoding, counter.data, Order::Any, &mut self.columns);
        decoded.map_err(|error| counter.place(error))?;
        Ok(Some(Family::of(&self.columns)))
    }

    /// Makes one chunk, or more where they do not fit into one, of several chunks of narrower windows. Windows that end at `floor`
    /// or before are left out.
    ///
    /// # Errors
    /// What is wrong with a chunk, and its number: also [`Fault::Rule`] where its aggregates have different times.
    pub(super) fn of_windows(
        &mut self,
        chunks: &[AggregateChunk<'_>],
        mut kept: Kept<'_>,
        length: i64,
        into: &mut Made,
    ) -> Result<u64, (usize, ChunkError)> {
        let mut windows = Narrow::default();
        for (number, chunk) in chunks.iter().enumerate() {
            self.narrow(chunk, &mut kept, &mut windows).map_err(|error| (number, error))?;
        }
        let Narrow { counts, sums, counters } = windows;
        let Some((last, _)) = counters.last() else { return Ok(0) };
        let mut sum_totals = CommonBuckets::of(&sums);
        let mut totals = Totals::new(CommonBuckets::of(&counters));
        let mut chunk = HistogramChunk::default();
        let mut taken = 0.0;
        let mut at = 0usize;
        while let Some((first, _)) = counters.get(at) {
            let end = window_end(*first, length).min(*last);
            let left = counters.get(at..).unwrap_or_default();
            let next = at + left.iter().take_while(|(time, _)| *time <= end).count().max(1);
            for (_, histogram) in counters.get(at..next).unwrap_or_default() {
                totals.count(histogram);
            }
            let sum = sum_totals.sum(sums.get(at..next).unwrap_or_default());
            let count = counts.get(at..next).unwrap_or_default().iter().fold(0.0, |sum, count| sum + count);
            taken += count;
            if let (Some(sum), Some(counter)) = (sum, totals.counter()) {
                chunk.push(end, count, &sum, counter, &mut self.encoder, into);
            }
            at = next;
        }
        chunk.finish(&mut self.encoder, into);
        Ok(taken as u64)
    }

    /// Appends the windows of a chunk that are kept.
    fn narrow(
        &mut self,
        chunk: &AggregateChunk<'_>,
        kept: &mut Kept<'_>,
        into: &mut Narrow,
    ) -> Result<(), ChunkError> {
        let absent = |aggregate: Aggregate| {
            chunk.get(aggregate).ok_or(ChunkError { at: 0, fault: Fault::Rule("an aggregate is missing") })
        };
        let (count, sum, counter) =
            (absent(Aggregate::Count)?, absent(Aggregate::Sum)?, absent(Aggregate::Counter)?);
        let mut times = Vec::new();
        let before = *kept;
        let counted = self.each(
            Stored { encoding: counter.encoding, data: counter.data },
            kept,
            |time, columns, place| {
                let mut sample = columns.get(place);
                if let Some((_, histogram)) = sample.as_mut().filter(|_| times.is_empty()) {
                    begin_chunk(histogram);
                }
                times.push(time);
                into.counters.extend(sample);
            },
        );
        counted.map_err(|error| counter.place(error))?;
        let differs = |at: usize| ChunkError { at, fault: DIFFERENT_TIMES };
        let mut same = before;
        let mut sum_times = Vec::with_capacity(times.len());
        let summed = self.each(
            Stored { encoding: sum.encoding, data: sum.data },
            &mut same,
            |time, columns, place| {
                sum_times.push(time);
                into.sums.extend(columns.get(place));
            },
        );
        summed.map_err(|error| sum.place(error))?;
        let mut columns = tsdb::chunk::Columns::default();
        let mut same = before;
        same.floats(count.encoding, count.data, &mut columns).map_err(|error| count.place(error))?;
        if sum_times != times {
            return Err(differs(sum.at));
        }
        if columns.timestamps != times {
            return Err(differs(count.at));
        }
        into.counts.append(&mut columns.values);
        Ok(())
    }
}

/// The first sample of a chunk that is kept: that there was no reset is said of those before it in the chunk, which are gone.
fn begin_chunk(histogram: &mut FloatHistogram) {
    if histogram.counter_reset_hint == CounterResetHint::NotCounterReset {
        histogram.counter_reset_hint = CounterResetHint::Unknown;
    }
}

/// Windows that become wider ones.
#[derive(Debug, Default)]
struct Narrow {
    counts: Vec<f64>,
    sums: Vec<Sample>,
    counters: Vec<Sample>,
}
