//! Windows of floats made of narrower ones: each aggregate by itself, chunk by chunk, so that the ends of a counter's chunks, which
//! are raw values, stay what they are.

use tsdb::chunk::{
    Aggregate, AggregateChunk, ChunkError, Columns, Order, SubChunk, XorEncoder, decode_floats,
};

use tsdb::corruption::Fault;

use super::floats::Running;
use super::kept::Kept;
use super::made::{ChunkInParts, Made, WINDOWS_MAX};
use super::window::window_end;

/// What is wrong with an aggregate chunk of which the aggregates do not stand for the same windows.
pub(super) const DIFFERENT_TIMES: Fault = Fault::Rule("aggregates of one chunk have different times");

/// How many windows of five minutes an hour has.
const FULL: usize = 12;

/// Makes chunks of aggregate chunks of floats; one serves all series.
#[derive(Debug, Default)]
pub(super) struct AggregateMaker {
    narrow: Columns,
    counter: Columns,
    windows: Windows,
    times: Vec<i64>,
    values: Vec<f64>,
    /// Count, sum, minimum and maximum of the wide windows.
    wide: [Vec<f64>; 4],
    encoder: XorEncoder,
}

/// Which narrow windows become which wide ones.
#[derive(Debug, Default)]
struct Windows {
    /// The times of the narrow ones.
    narrow: Vec<i64>,
    /// The ends of the wide ones; the last ends with the last narrow one.
    ends: Vec<i64>,
    /// How many narrow ones are in each.
    sizes: Vec<usize>,
}

impl Windows {
    /// Divides narrow windows that end at these times.
    fn divide(&mut self, times: &[i64], length: i64) {
        if self.narrow == times {
            return;
        }
        self.narrow.clear();
        self.narrow.extend_from_slice(times);
        self.ends.clear();
        self.sizes.clear();
        let Some(last) = times.last() else { return };
        let mut left = times;
        while let Some(first) = left.first() {
            // A chunk has no room for more: its last window takes all that is left.
            let end = if self.ends.len() + 1 < WINDOWS_MAX { window_end(*first, length) } else { *last };
            let end = end.min(*last);
            let size = left.iter().take_while(|time| **time <= end).count().max(1);
            self.ends.push(end);
            self.sizes.push(size);
            left = left.get(size..).unwrap_or_default();
        }
    }

    /// Appends what `add` makes of the values of each wide window, beginning with `start`.
    #[inline(always)]
    fn fold(&self, values: &[f64], start: f64, add: impl Fn(f64, f64) -> f64, into: &mut Vec<f64>) {
        let mut left = values;
        for size in &self.sizes {
            let Some((window, behind)) = left.split_at_checked(*size) else { return };
            let add = |folded, value: &f64| add(folded, *value);
            // A loop of a known length is not guessed at.
            let folded = match window.try_into() {
                Ok::<&[f64; FULL], _>(full) => full.iter().fold(start, add),
                Err(_) => window.iter().fold(start, add),
            };
            into.push(folded);
            left = behind;
        }
    }
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
        into: &mut Made,
    ) -> Result<u64, (usize, ChunkError)> {
        let mut made = into.begin();
        let mut samples = 0.0;
        // So many have the same windows as the count and wait to be encoded together with it.
        let mut waiting = Some(0usize);
        for aggregate in [Aggregate::Count, Aggregate::Sum, Aggregate::Min, Aggregate::Max] {
            self.narrow.clear();
            let mut kept = kept;
            for (number, chunk) in chunks.iter().enumerate() {
                let Some(part) = chunk.get(aggregate) else { continue };
                let start = self.narrow.len();
                let read = kept.floats(part.encoding, part.data, &mut self.narrow);
                read.map_err(|error| (number, part.place(error)))?;
                let of_chunk = start..self.narrow.len();
                let counted = aggregate == Aggregate::Count
                    || self.windows.narrow.get(of_chunk.clone()) == self.narrow.timestamps.get(of_chunk);
                if !counted {
                    return Err((number, ChunkError { at: part.at, fault: DIFFERENT_TIMES }));
                }
            }
            let (times, values) = (&self.narrow.timestamps, &self.narrow.values);
            if aggregate != Aggregate::Count
                && self.windows.narrow != *times
                && let Some(waiting) = waiting.take()
            {
                // This one, or all that are left, are not there for all windows.
                for (aggregate, wide) in Aggregate::ALL.into_iter().zip(&self.wide).take(waiting) {
                    made.push_floats(aggregate, &mut self.encoder, &self.windows.ends, wide);
                }
            }
            if values.is_empty() && aggregate != Aggregate::Count {
                continue;
            }
            self.windows.divide(times, length);
            let Some(wide) = self.wide.get_mut(aggregate as usize) else { continue };
            wide.clear();
            match aggregate {
                Aggregate::Min => self.windows.fold(values, f64::MAX, lower, wide),
                Aggregate::Max => self.windows.fold(values, -f64::MAX, higher, wide),
                _ => self.windows.fold(values, 0.0, |sum, value| sum + value, wide),
            }
            if aggregate == Aggregate::Count {
                samples = values.iter().sum::<f64>();
            }
            match &mut waiting {
                Some(waiting) => *waiting += 1,
                None => made.push_floats(aggregate, &mut self.encoder, &self.windows.ends, wide),
            }
        }
        if waiting == Some(4) {
            let wide = self.wide.each_ref().map(Vec::as_slice);
            made.push_four(&mut self.encoder, &self.windows.ends, wide);
        }
        self.counter(chunks, kept, length, &mut made)?;
        made.finish();
        Ok(samples as u64)
    }

    fn counter(
        &mut self,
        chunks: &[AggregateChunk<'_>],
        kept: Kept<'_>,
        length: i64,
        made: &mut ChunkInParts<'_>,
    ) -> Result<(), (usize, ChunkError)> {
        let mut whole = Counter::new(kept);
        self.counter.clear();
        for (number, chunk) in chunks.iter().enumerate() {
            let Some(part) = chunk.get(Aggregate::Counter) else { continue };
            self.narrow.clear();
            let read = whole.read(part, &mut self.narrow, &mut self.counter);
            read.map_err(|error| (number, part.place(error)))?;
            // A counter that is no number any more has fewer windows, but none has more.
            if self.counter.timestamps.last() > self.windows.narrow.last() {
                return Err((number, ChunkError { at: part.at, fault: DIFFERENT_TIMES }));
            }
        }
        let (times, totals) = (&self.counter.timestamps, &self.counter.values);
        let Some((first_time, first)) = times.first().zip(totals.first()) else { return Ok(()) };
        self.windows.divide(times, length);
        let Some((first_end, last_end)) =
            self.windows.ends.first().copied().zip(self.windows.ends.last().copied())
        else {
            return Ok(());
        };
        self.values.clear();
        self.values.push(*first);
        // Resets are gone; what is added up again is rounded as if they were not.
        let mut running = Running::begin(*first);
        let (mut left, mut behind_first) = (totals.as_slice(), 1usize);
        for size in &self.windows.sizes {
            let Some((window, behind)) = left.split_at_checked(*size) else { break };
            // The first sample sets the counter and adds nothing to it.
            window.iter().skip(std::mem::take(&mut behind_first)).for_each(|total| running.add(*total));
            self.values.push(running.total);
            left = behind;
        }
        self.values.push(whole.last_value);
        self.times.clear();
        self.times.push(*first_time);
        self.times.extend_from_slice(&self.windows.ends);
        self.times.push(last_end);
        made.push_counter(&mut self.encoder, &self.times, &self.values, first_end, last_end);
        Ok(())
    }
}

fn lower(min: f64, value: f64) -> f64 {
    if value < min { value } else { min }
}

fn higher(max: f64, value: f64) -> f64 {
    if value > max { value } else { max }
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
        let at_once = self.read_rising(scratch, into);
        for (time, value) in scratch.iter().skip(at_once).filter(|(_, value)| !value.is_nan()) {
            if self.kept.is_deleted(time) {
                continue;
            }
            match (&mut self.running, self.kept.last()) {
                (Some(running), Some(last)) if time == last => {
                    // The last raw value: with it begins what comes next.
                    running.last = value;
                    self.last_value = value;
                    continue;
                }
                (_, Some(last)) if time <= last => continue,
                (Some(running), _) => running.add(value),
                (running, _) => *running = Some(Running::begin(value)),
            }
            self.kept.go_to(time);
            self.last_value = value;
            into.timestamps.push(time);
            into.values.extend(self.running.map(|running| running.total));
        }
        Ok(())
    }

    /// Appends the totals of the samples at the beginning of a chunk up to where the time does not rise, if all of them count; gives
    /// how many those are. That is all but the last, nearly always.
    fn read_rising(&mut self, samples: &Columns, into: &mut Columns) -> usize {
        let (times, values) = (samples.timestamps.as_slice(), samples.values.as_slice());
        let Some((first_time, first)) = times.first().zip(values.first()) else { return 0 };
        if self.kept.last().is_some_and(|last| *first_time <= last)
            || !self.kept.deleted().is_empty()
            || values.iter().fold(false, |some, value| some | value.is_nan())
        {
            return 0;
        }
        let later = times.iter().zip(times.iter().skip(1)).take_while(|(time, next)| time < next).count();
        let rising = later + 1;
        let (times, values) =
            (times.get(..rising).unwrap_or_default(), values.get(..rising).unwrap_or_default());
        let mut running = self.running.unwrap_or(Running::before(*first));
        into.timestamps.extend_from_slice(times);
        into.values.extend(values.iter().map(|value| {
            running.add(*value);
            running.total
        }));
        self.running = Some(running);
        if let Some((time, value)) = times.last().zip(values.last()) {
            self.kept.go_to(*time);
            self.last_value = *value;
        }
        rising
    }
}
