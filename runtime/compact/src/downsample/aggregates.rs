//! Windows of floats made of narrower ones: each aggregate by itself, chunk by chunk, so that the ends of a counter's chunks, which
//! are raw values, stay what they are.

use tsdb::chunk::{
    Aggregate, AggregateChunk, ChunkError, Columns, Order, SubChunk, XorEncoder, decode_floats,
};

use super::floats::Running;
use super::kept::Kept;
use super::made::{ChunkInParts, MadeChunk, WINDOWS_MAX};
use super::window::window_end;

/// Makes chunks of aggregate chunks of floats; one serves all series.
#[derive(Debug, Default)]
pub(super) struct AggregateMaker {
    narrow: Columns,
    counter: Columns,
    times: Vec<i64>,
    values: Vec<f64>,
    encoder: XorEncoder,
}

impl AggregateMaker {
    /// Makes one chunk of several chunks of narrower windows. Gives how many samples it stands for.
    ///
    /// # Errors
    /// What is wrong with a chunk, and its number.
    pub(super) fn make(
        &mut self,
        chunks: &[AggregateChunk<'_>],
        kept: Kept<'_>,
        length: i64,
        into: &mut Vec<MadeChunk>,
    ) -> Result<u64, (usize, ChunkError)> {
        let mut made = ChunkInParts::default();
        let mut samples = 0.0;
        for aggregate in [Aggregate::Count, Aggregate::Sum, Aggregate::Min, Aggregate::Max] {
            self.narrow.clear();
            let mut kept = kept;
            for (number, chunk) in chunks.iter().enumerate() {
                let Some(part) = chunk.get(aggregate) else { continue };
                let read = kept.floats(part.encoding, part.data, &mut self.narrow);
                read.map_err(|error| (number, part.place(error)))?;
            }
            let (times, values) = (&self.narrow.timestamps, &self.narrow.values);
            self.times.clear();
            self.values.clear();
            let (times_out, values_out) = (&mut self.times, &mut self.values);
            match aggregate {
                Aggregate::Min => fold(times, values, length, times_out, values_out, f64::MAX, lower),
                Aggregate::Max => fold(times, values, length, times_out, values_out, -f64::MAX, higher),
                _ => fold(times, values, length, times_out, values_out, 0.0, |sum, value| sum + value),
            }
            if aggregate == Aggregate::Count {
                samples = values.iter().sum::<f64>();
            }
            made.push_floats(aggregate, &mut self.encoder, &self.times, &self.values);
        }
        self.counter(chunks, kept, length, &mut made)?;
        into.extend(made.finish());
        Ok(samples as u64)
    }

    fn counter(
        &mut self,
        chunks: &[AggregateChunk<'_>],
        kept: Kept<'_>,
        length: i64,
        made: &mut ChunkInParts,
    ) -> Result<(), (usize, ChunkError)> {
        let mut whole = Counter::new(kept);
        self.counter.clear();
        for (number, chunk) in chunks.iter().enumerate() {
            let Some(part) = chunk.get(Aggregate::Counter) else { continue };
            self.narrow.clear();
            whole
                .read(part, &mut self.narrow, &mut self.counter)
                .map_err(|error| (number, part.place(error)))?;
        }
        let (times, totals) = (&self.counter.timestamps, &self.counter.values);
        let Some((first_time, first)) = times.first().zip(totals.first()) else { return Ok(()) };
        self.times.clear();
        self.values.clear();
        self.times.push(*first_time);
        self.values.push(*first);
        // Resets are gone; what is added up again is rounded as if they were not.
        let mut running: Option<Running> = None;
        let add = |_: f64, value: f64| match &mut running {
            Some(running) => {
                running.add(value);
                running.total
            }
            None => running.insert(Running::begin(value)).total,
        };
        fold(times, totals, length, &mut self.times, &mut self.values, 0.0, add);
        let (Some(first), Some(last)) = (self.times.get(1).copied(), self.times.last().copied()) else {
            return Ok(());
        };
        self.times.push(last);
        self.values.push(whole.last_value);
        made.push_counter(&mut self.encoder, &self.times, &self.values, first, last);
        Ok(())
    }
}

fn lower(min: f64, value: f64) -> f64 {
    if value < min { value } else { min }
}

fn higher(max: f64, value: f64) -> f64 {
    if value > max { value } else { max }
}

/// Appends for each window its end and what `add` makes of its values, beginning with `start`; the last window ends with the last
/// value.
fn fold(
    times: &[i64],
    values: &[f64],
    length: i64,
    times_out: &mut Vec<i64>,
    values_out: &mut Vec<f64>,
    start: f64,
    mut add: impl FnMut(f64, f64) -> f64,
) {
    let Some(last) = times.last() else { return };
    let (mut end, mut folded, mut windows) = (None, start, 0usize);
    for (time, value) in times.iter().zip(values) {
        if end.is_none_or(|end| *time > end) {
            if let Some(end) = end {
                times_out.push(end);
                values_out.push(folded);
            }
            folded = start;
            windows += 1;
            // A chunk has no room for more: its last window takes all that is left.
            let next = if windows < WINDOWS_MAX { window_end(*time, length) } else { *last };
            end = Some(next.min(*last));
        }
        folded = add(folded, *value);
    }
    times_out.extend(end);
    values_out.push(folded);
}

/// A counter over several chunks, each of which begins with a raw value and repeats its last time with one. It does not go back in
/// time, and what is no number is left out.
#[derive(Debug)]
struct Counter<'a> {
    kept: Kept<'a>,
    running: Option<Running>,
    last_value: f64,
}

impl<'a> Counter<'a> {
    const fn new(kept: Kept<'a>) -> Self {
        Counter { kept, running: None, last_value: 0.0 }
    }

    /// Appends the totals of a chunk.
    fn read(
        &mut self,
        part: SubChunk<'_>,
        scratch: &mut Columns,
        into: &mut Columns,
    ) -> Result<(), ChunkError> {
        decode_floats(part.encoding, part.data, Order::Any, scratch)?;
        for (time, value) in scratch.iter().filter(|(_, value)| !value.is_nan()) {
            if self.kept.last() == Some(time) && self.running.is_some() {
                // The last raw value: with it begins what comes next.
                if !self.kept.is_deleted(time) {
                    self.last_value = value;
                    if let Some(running) = &mut self.running {
                        running.last = value;
                    }
                }
                continue;
            }
            self.kept.begin_chunk();
            if !self.kept.takes(time) {
                continue;
            }
            let running = match &mut self.running {
                Some(running) => {
                    running.add(value);
                    running
                }
                None => self.running.insert(Running::begin(value)),
            };
            self.last_value = value;
            into.timestamps.push(time);
            into.values.push(running.total);
        }
        Ok(())
    }
}
