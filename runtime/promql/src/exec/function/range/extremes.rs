//! `min_over_time`, `max_over_time` and the times of the extremes. A queue of candidates goes along with the range, so that each
//! sample is looked at twice, not once per range.

use std::array::from_fn;

use super::RangeFunction;
use super::lanes::{Eight, Running, each_range};
use super::window::{put_floats, say_if_ignored};
use crate::exec::range::{RangeArgs, RangeSeries};
use crate::{Column, QueryError};

/// `min_over_time`, `max_over_time`, `ts_of_min_over_time`, `ts_of_max_over_time`
pub(super) struct Extreme<const IS_MAX: bool> {
    /// Whether its time is wanted: of equal values the last. Of their values it is the first, which matters for zeros.
    pub(super) is_time: bool,
}

impl<const IS_MAX: bool> RangeFunction for Extreme<IS_MAX> {
    fn evaluate(
        &self,
        series: &mut RangeSeries<'_>,
        args: &RangeArgs,
        out: &mut Column,
    ) -> Result<(), QueryError> {
        let (times, values) = (series.samples.timestamps.as_slice(), series.samples.values.as_slice());
        if self.is_time {
            let mut queue = Queue::new(|value, best| if IS_MAX { value >= best } else { value <= best });
            put_floats(&series.windows.floats, out, |_, from, to| {
                let at = queue.best(values, from, to).map_or(to - 1, |(at, _)| at as usize);
                times.get(at).map(|time| *time as f64 / 1000.0)
            });
        } else if is_scanned(&series.windows.floats, values.len()) {
            each_range::<Best<IS_MAX>, Eight, 1, 8>(
                series.control,
                &series.windows.floats,
                values,
                |_| (),
                |step, _, [best]| {
                    out.set_float(step, best);
                },
            );
        } else {
            let mut queue = Queue::new(|value, best| if IS_MAX { value > best } else { value < best });
            put_floats(&series.windows.floats, out, |_, from, to| {
                Some(queue.best(values, from, to).map_or(f64::NAN, |(_, value)| value))
            });
        }
        say_if_ignored(series, args.range_span);
        Ok(())
    }
}

/// Up to so many looks per sample ranges are scanned; the queue pays above.
const LOOKS_MAX: usize = 24;

fn is_scanned(windows: &[(u32, u32)], samples: usize) -> bool {
    windows.iter().map(|(from, to)| (to - from) as usize).sum::<usize>() / LOOKS_MAX <= samples
}

/// The best value so far; NaN only where there is no other.
struct Best<const IS_MAX: bool>;

impl<const IS_MAX: bool> Running<1> for Best<IS_MAX> {
    type Sample = f64;
    type Context = ();

    #[inline(always)]
    fn add<const N: usize, const CAREFUL: bool>(
        [best]: &mut [[f64; N]; 1],
        _: &[(); N],
        count: f64,
        values: [f64; N],
    ) {
        if count == 1.0 {
            *best = values;
            return;
        }
        *best = from_fn(|lane| {
            let (value, best) = (values[lane], best[lane]);
            let beats = if IS_MAX { value > best } else { value < best };
            if beats | best.is_nan() { value } else { best }
        });
    }
}

/// The samples of a range that no later one beats, the best first. NaNs are never among them.
struct Queue<B> {
    /// Indexes and values; those before `front` are gone.
    candidates: Vec<(u32, f64)>,
    front: usize,
    next: usize,
    /// Whether the first value comes before the second.
    beats: B,
}

impl<B: Fn(f64, f64) -> bool> Queue<B> {
    fn new(beats: B) -> Self {
        Queue { candidates: Vec::new(), front: 0, next: 0, beats }
    }

    /// The best sample of a range that begins and ends no earlier than the one before; `None` where all are NaN.
    #[inline]
    fn best(&mut self, values: &[f64], from: usize, to: usize) -> Option<(u32, f64)> {
        if from >= self.next {
            self.candidates.clear();
            self.front = 0;
            self.next = from;
        }
        for (at, value) in (self.next as u32..).zip(values.get(self.next..to).unwrap_or(&[])) {
            if value.is_nan() {
                continue;
            }
            let kept = self.candidates.get(self.front..).unwrap_or(&[]);
            let beaten = kept.iter().rev().take_while(|(_, last)| (self.beats)(*value, *last)).count();
            self.candidates.truncate(self.candidates.len() - beaten);
            self.candidates.push((at, *value));
        }
        self.next = to;
        while self.candidates.get(self.front).is_some_and(|(at, _)| (*at as usize) < from) {
            self.front += 1;
        }
        self.candidates.get(self.front).copied()
    }
}
