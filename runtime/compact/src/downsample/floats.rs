//! Windows of raw floats.
//!
//! The chunk's counter begins with the first raw value, at its own time, and repeats the time of its last window with the last raw
//! value, so that whoever reads the chunks of a series one after the other sees a reset between two of them.

use tsdb::chunk::XorEncoder;

use super::made::{Made, WINDOWS_MAX};
use super::window::{batches, window_end};

/// Makes chunks of raw floats; one serves all series.
#[derive(Debug, Default)]
pub(super) struct FloatMaker {
    windows: Windows,
    encoder: XorEncoder,
    /// The samples of a batch that are numbers, where some are not.
    times: Vec<i64>,
    values: Vec<f64>,
}

/// The windows of a chunk, column by column.
#[derive(Debug, Default)]
struct Windows {
    /// The time of the first sample, the ends of the windows, the end of the last once more.
    times: Vec<i64>,
    counts: Vec<f64>,
    sums: Vec<f64>,
    mins: Vec<f64>,
    maxs: Vec<f64>,
    /// As many as there are times.
    counters: Vec<f64>,
}

impl FloatMaker {
    /// Makes chunks of a run of samples whose times do not fall. Gives how many samples they stand for.
    pub(super) fn make(
        &mut self,
        times: &[i64],
        values: &[f64],
        some_no_number: bool,
        length: i64,
        into: &mut Made,
    ) -> u64 {
        let mut taken = 0;
        for batch in batches(times, length) {
            let (Some(times), Some(values)) = (times.get(batch.clone()), values.get(batch)) else { break };
            if !some_no_number {
                taken += times.len();
                self.batch(times, values, length, into);
                continue;
            }
            let (mut number_times, mut numbers) =
                (std::mem::take(&mut self.times), std::mem::take(&mut self.values));
            number_times.clear();
            numbers.clear();
            for (time, value) in times.iter().zip(values).filter(|(_, value)| !value.is_nan()) {
                number_times.push(*time);
                numbers.push(*value);
            }
            taken += numbers.len();
            self.batch(&number_times, &numbers, length, into);
            (self.times, self.values) = (number_times, numbers);
        }
        taken as u64
    }

    fn batch(&mut self, mut times: &[i64], mut values: &[f64], length: i64, into: &mut Made) {
        while !times.is_empty() {
            let folded = self.windows.fold(times, values, length);
            self.windows.encode(&mut self.encoder, into);
            (times, values) =
                (times.get(folded..).unwrap_or_default(), values.get(folded..).unwrap_or_default());
        }
    }
}

/// A counter without its resets.
#[derive(Debug, Clone, Copy)]
pub(super) struct Running {
    pub(super) total: f64,
    /// The value to which the next is compared.
    pub(super) last: f64,
}

impl Running {
    pub(super) const fn begin(value: f64) -> Self {
        Running { total: value, last: value }
    }

    /// What becomes of it when `first` is added is what [`Running::begin`] makes of it.
    pub(super) const fn before(first: f64) -> Self {
        // Nothing is changed by -0, and as a fall the value is added as it is; only infinity is below nothing.
        let last = if first == f64::INFINITY { f64::NEG_INFINITY } else { f64::INFINITY };
        Running { total: -0.0, last }
    }

    #[inline(always)]
    pub(super) fn add(&mut self, value: f64) {
        self.total += if value < self.last { value } else { value - self.last };
        self.last = value;
    }
}

impl Windows {
    /// Aggregates samples, up to as many windows as a chunk may have; gives how many samples those are.
    fn fold(&mut self, times: &[i64], values: &[f64], length: i64) -> usize {
        for column in [&mut self.counts, &mut self.sums, &mut self.mins, &mut self.maxs, &mut self.counters] {
            column.clear();
        }
        self.times.clear();
        let Some(((first_time, first_value), last_time)) =
            times.first().zip(values.first()).zip(times.last())
        else {
            return times.len();
        };
        self.times.push(*first_time);
        self.counters.push(*first_value);
        let mut counter = Running::before(*first_value);
        let (mut left, mut folded, mut last_value) = (values, 0usize, *first_value);
        let mut whole_end = window_end(*first_time, length);
        while let Some(ahead) = times.get(folded..)
            && let Some(first) = ahead.first()
            && self.counts.len() < WINDOWS_MAX
        {
            if *first > whole_end {
                // Most windows follow one another, and a division takes as long as all the rest of a window.
                let next = whole_end.saturating_add(length);
                whole_end = if *first <= next { next } else { window_end(*first, length) };
            }
            // The last window ends with the batch: the next one may begin in the same window.
            let end = whole_end.min(*last_time);
            let samples = ahead.iter().take_while(|time| **time <= end).count().max(1);
            let Some((window, behind)) = left.split_at_checked(samples) else { break };
            let (mut sum, mut min, mut max) = (0.0, f64::MAX, -f64::MAX);
            for value in window {
                sum += *value;
                min = if *value < min { *value } else { min };
                max = if *value > max { *value } else { max };
                counter.add(*value);
            }
            self.times.push(end);
            self.counts.push(samples as f64);
            self.sums.push(sum);
            self.mins.push(min);
            self.maxs.push(max);
            self.counters.push(counter.total);
            last_value = window.last().copied().unwrap_or(last_value);
            folded += samples;
            left = behind;
        }
        self.times.extend(self.times.last().copied());
        self.counters.push(last_value);
        folded
    }

    fn encode(&self, encoder: &mut XorEncoder, into: &mut Made) {
        let ends = self.times.get(1..self.times.len().saturating_sub(1)).unwrap_or_default();
        let Some((first, last)) = ends.first().copied().zip(ends.last().copied()) else { return };
        let mut chunk = into.begin();
        chunk.push_four(encoder, ends, [&self.counts, &self.sums, &self.mins, &self.maxs]);
        chunk.push_counter(encoder, &self.times, &self.counters, first, last);
        chunk.finish();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_begins_with_its_first_value_to_the_bit() {
        for first in [0.0, -0.0, 1.5, -7.0, f64::MAX, f64::INFINITY, f64::NEG_INFINITY, 5e-324] {
            let mut counter = Running::before(first);
            counter.add(first);
            let begun = Running::begin(first);
            assert_eq!(
                (counter.total.to_bits(), counter.last.to_bits()),
                (begun.total.to_bits(), begun.last.to_bits()),
                "{first}"
            );
        }
    }
}
