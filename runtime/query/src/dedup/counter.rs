//! Counters without their resets, over raw chunks and over downsampled ones.
//!
//! A chunk of the aggregate `counter` begins with the first raw value of its windows and repeats its last time with the last
//! raw value, so that a reset between two chunks is seen. See `tsdb/docs/chunks.md`.

use std::sync::Arc;

use prom_model::FloatHistogram;

use super::column::Column;

/// Adds up what a counter has counted, over the chunks of one replica in their order.
#[derive(Debug, Default)]
pub(super) struct Total {
    started: bool,
    /// The time of the last sample, 0 before there is one.
    last_time: i64,
    /// Its raw value, or what a chunk says is the true last one.
    last_value: f64,
    total: f64,
    /// The last time that was given.
    given: Option<i64>,
}

impl Total {
    /// Takes the floats of a chunk; gives those that are not earlier than `floor`.
    pub(super) fn floats(&mut self, times: &[i64], values: &[f64], floor: i64, into: &mut Column) {
        for (time, value) in times.iter().zip(values) {
            self.float(*time, *value, floor, into);
        }
    }

    /// The same where they stand, if their times rise: possible where all of them count. `false`: they do not, and nothing has
    /// happened.
    pub(super) fn raise(&mut self, times: &[i64], values: &mut [f64]) -> bool {
        let (Some(first), Some(last)) = (times.first(), times.last()) else { return true };
        let follows =
            (!self.started || *first > self.last_time) && self.given.is_none_or(|given| *first > given);
        let counts = values.iter().fold(true, |counts, value| counts & !value.is_nan());
        if !(follows && counts) {
            return false;
        }
        let mut rest = values.iter_mut();
        if !self.started
            && let Some(value) = rest.next()
        {
            (self.started, self.last_value, self.total) = (true, *value, *value);
        }
        let (mut before, mut total) = (self.last_value, self.total);
        for value in rest {
            total += if *value >= before { *value - before } else { *value };
            before = *value;
            *value = total;
        }
        (self.last_value, self.total) = (before, total);
        (self.last_time, self.given) = (*last, Some(*last));
        true
    }

    fn float(&mut self, time: i64, value: f64, floor: i64, into: &mut Column) {
        if value.is_nan() {
            return;
        }
        if !self.started {
            self.started = true;
            self.total = value;
        } else if time > self.last_time {
            self.total += if value >= self.last_value { value - self.last_value } else { value };
        } else {
            if time == self.last_time {
                self.last_value = value;
            }
            return;
        }
        (self.last_time, self.last_value) = (time, value);
        if self.gives(time, floor) {
            into.push_float(time, self.total);
        }
    }

    /// Takes a histogram: histograms keep their resets.
    pub(super) fn histogram(&mut self, time: i64, histogram: FloatHistogram, floor: i64, into: &mut Column) {
        self.last_time = time;
        if self.gives(time, floor) {
            into.push_histogram(time, Arc::new(histogram));
        }
    }

    fn gives(&mut self, time: i64, floor: i64) -> bool {
        let later = self.given.is_none_or(|given| time > given);
        if later {
            self.given = Some(time);
        }
        later && time >= floor
    }
}
