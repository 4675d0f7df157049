//! `quantile_over_time` and `mad_over_time`: the values of a range in order.

use std::cmp::Ordering;

use super::RangeFunction;
use super::window::{put_floats, say_if_ignored};
use crate::control::Breaks;
use crate::exec::aggregate::{quantile_of, quantile_of_ranks};
use crate::exec::range::{RangeArgs, RangeSeries};
use crate::{Annotation, Column, QueryError};

/// `quantile_over_time`
pub(super) struct Quantile;

impl RangeFunction for Quantile {
    fn evaluate(
        &self,
        series: &mut RangeSeries<'_>,
        args: &RangeArgs,
        out: &mut Column,
    ) -> Result<(), QueryError> {
        let values = series.samples.values.as_slice();
        let mut sorted = Sorted::default();
        let mut breaks = Breaks::new(series.control);
        // A quantile that is none is said once, as long as it stays the same.
        let mut bad: Option<f64> = None;
        put_floats(&series.windows.floats, out, |step, from, to| {
            if !breaks.goes_on(to - from) {
                return None;
            }
            let quantile = args.param(0, step);
            if !(0.0..=1.0).contains(&quantile) && bad.is_none_or(|said| said.to_bits() != quantile.to_bits())
            {
                series.annotations.add(Annotation::invalid_quantile(quantile, args.param_span));
                bad = Some(quantile);
            }
            sorted.advance(values, from, to);
            Some(sorted.quantile(quantile))
        });
        say_if_ignored(series, args.param_span);
        Ok(())
    }
}

/// `mad_over_time`: the median distance to the median.
pub(super) struct MedianDeviation;

impl RangeFunction for MedianDeviation {
    fn evaluate(
        &self,
        series: &mut RangeSeries<'_>,
        args: &RangeArgs,
        out: &mut Column,
    ) -> Result<(), QueryError> {
        let values = series.samples.values.as_slice();
        let mut sorted = Sorted::default();
        let mut distances = Vec::new();
        let mut breaks = Breaks::new(series.control);
        put_floats(&series.windows.floats, out, |_, from, to| {
            if !breaks.goes_on(to - from) {
                return None;
            }
            sorted.advance(values, from, to);
            Some(median_distance(&sorted, &mut distances))
        });
        say_if_ignored(series, args.range_span);
        Ok(())
    }
}

/// The median distance of the values to their median; NaN where one of them is.
fn median_distance(sorted: &Sorted, distances: &mut Vec<f64>) -> f64 {
    if sorted.nans > 0 {
        return f64::NAN;
    }
    let values = sorted.values.as_slice();
    let median = sorted.quantile(0.5);
    if !median.is_finite() {
        // Distances between infinities are not in order.
        distances.clear();
        distances.extend(values.iter().map(|value| (value - median).abs()));
        return quantile_of(0.5, distances);
    }
    // Distances grow to both sides, so that no list of them is needed.
    let (below, above) = values.split_at(values.partition_point(|value| *value < median));
    let left = |at: usize| {
        below.len().checked_sub(at + 1).and_then(|at| below.get(at)).map(|value| (value - median).abs())
    };
    let right = |at: usize| above.get(at).map(|value| (value - median).abs());
    quantile_of_ranks(0.5, values.len(), |rank| {
        // How many of those before the rank lie below: fewer are not enough as long as the next one is nearer than what the
        // other side would have to give instead.
        let (mut least, mut most) = (rank.saturating_sub(above.len()), rank.min(below.len()));
        while least < most {
            let middle = (least + most) / 2;
            if left(middle) < right(rank - middle - 1) {
                least = middle + 1;
            } else {
                most = middle;
            }
        }
        match (left(least), right(rank - least)) {
            (Some(left), Some(right)) => left.min(right),
            (left, right) => left.or(right).unwrap_or(f64::NAN),
        }
    })
}

/// The values of a range in order, kept as the range goes on.
#[derive(Default)]
struct Sorted {
    /// Those that are no NaN.
    values: Vec<f64>,
    /// How many are; they are the smallest.
    nans: usize,
    from: usize,
    to: usize,
}

impl Sorted {
    fn quantile(&self, quantile: f64) -> f64 {
        quantile_of_ranks(quantile, self.nans + self.values.len(), |rank| {
            let value = rank.checked_sub(self.nans).and_then(|at| self.values.get(at));
            value.copied().unwrap_or(f64::NAN)
        })
    }

    /// Goes on to a range that begins and ends no earlier than the one before.
    fn advance(&mut self, values: &[f64], from: usize, to: usize) {
        let changes = from.min(self.to).saturating_sub(self.from) + to.saturating_sub(self.to);
        if from >= self.to || changes > (to - from) / 2 {
            let range = values.get(from..to).unwrap_or(&[]);
            self.values.clear();
            self.values.extend(range.iter().filter(|value| !value.is_nan()));
            self.nans = range.len() - self.values.len();
            self.values.sort_by(|a, b| a.partial_cmp(b).unwrap_or(Ordering::Equal));
        } else {
            let gone = values.get(self.from..from).unwrap_or(&[]).iter();
            let come = values.get(self.to..to).unwrap_or(&[]).iter();
            self.nans -= gone.clone().filter(|value| value.is_nan()).count();
            self.nans += come.clone().filter(|value| value.is_nan()).count();
            let (mut gone, mut come) =
                (gone.filter(|value| !value.is_nan()), come.filter(|value| !value.is_nan()));
            loop {
                match (gone.next(), come.next()) {
                    (Some(old), Some(new)) => self.replace(*old, *new),
                    (Some(old), None) => {
                        let at = self.below(*old);
                        if at < self.values.len() {
                            self.values.remove(at);
                        }
                    }
                    (None, Some(new)) => self.values.insert(self.up_to(*new), *new),
                    (None, None) => break,
                }
            }
        }
        (self.from, self.to) = (from, to);
    }

    /// Equal values stand in the order of their times, as a sort would leave them: the first of them is the one that goes, and
    /// the one that comes is the last.
    fn replace(&mut self, old: f64, new: f64) {
        let (old_at, new_at) = (self.below(old), self.up_to(new));
        if old_at < new_at {
            self.values.copy_within(old_at + 1..new_at, old_at);
            if let Some(place) = self.values.get_mut(new_at - 1) {
                *place = new;
            }
        } else if old_at < self.values.len() {
            self.values.copy_within(new_at..old_at, new_at + 1);
            if let Some(place) = self.values.get_mut(new_at) {
                *place = new;
            }
        }
    }

    /// How many values are smaller.
    fn below(&self, value: f64) -> usize {
        self.count(|other| other < value)
    }

    /// How many values are smaller or equal.
    fn up_to(&self, value: f64) -> usize {
        self.count(|other| other <= value)
    }

    /// How many values, from the smallest on, are so. A few are counted, which needs no guess about where it ends.
    fn count(&self, is_before: impl Fn(f64) -> bool) -> usize {
        if self.values.len() <= COUNTED_MAX {
            self.values.iter().map(|other| usize::from(is_before(*other))).sum()
        } else {
            self.values.partition_point(|other| is_before(*other))
        }
    }
}

const COUNTED_MAX: usize = 64;
