//! Quantiles and fractions of native histograms.

use prom_model::{FloatHistogram, Span, bucket_bounds, go_math};

use crate::{Bits, Column};

/// A bucket of a histogram.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Place {
    /// Of negative observations, by its index.
    Negative(i64),
    /// The zero bucket.
    Zero,
    /// Of positive observations, by its index.
    Positive(i64),
}

impl Place {
    /// Where it begins and ends; no bucket reaches into the zero bucket.
    pub(crate) fn bounds(self, histogram: &FloatHistogram) -> (f64, f64) {
        let zero = histogram.zero_threshold;
        let bounds = |index| {
            bucket_bounds(index, histogram.schema, &histogram.custom_values).unwrap_or((f64::NAN, f64::NAN))
        };
        let (lower, upper) = match self {
            Place::Zero => return (-zero, zero),
            Place::Positive(index) => bounds(index),
            Place::Negative(index) => {
                let (lower, upper) = bounds(index);
                (-upper, -lower)
            }
        };
        if upper < 0.0 && upper > -zero {
            (lower, -zero)
        } else if lower > 0.0 && lower < zero {
            (zero, upper)
        } else {
            (lower, upper)
        }
    }
}

/// The buckets with their counts from the lowest observations to the highest; the zero bucket where it has observations.
pub(crate) fn rising(histogram: &FloatHistogram) -> impl Iterator<Item = (Place, f64)> {
    let negative = backwards(&histogram.negative_spans, &histogram.negative_buckets);
    negative
        .map(|(index, count)| (Place::Negative(index), count))
        .chain(zero(histogram))
        .chain(histogram.positive().map(|(index, count)| (Place::Positive(index), count)))
}

fn zero(histogram: &FloatHistogram) -> Option<(Place, f64)> {
    (histogram.zero_count > 0.0).then_some((Place::Zero, histogram.zero_count))
}

/// Indexes and counts, the last bucket first.
fn backwards<'h>(spans: &'h [Span], counts: &'h [f64]) -> impl Iterator<Item = (i64, f64)> + 'h {
    let mut end: i64 = spans.iter().map(|span| i64::from(span.offset) + i64::from(span.length)).sum();
    let indexes = spans.iter().rev().flat_map(move |span| {
        let last = end;
        end -= i64::from(span.length) + i64::from(span.offset);
        (last - i64::from(span.length)..last).rev()
    });
    indexes.zip(counts.iter().rev().copied())
}

/// Puts a float in the place of each histogram for which there is one; all other values go.
pub(crate) fn to_floats(column: &mut Column, mut number: impl FnMut(usize, &FloatHistogram) -> Option<f64>) {
    let mut present = Bits::new(column.len());
    let mut values = vec![0.0; column.len()];
    for (step, histogram) in column.histograms() {
        if let Some(value) = number(step, histogram) {
            present.insert(step);
            if let Some(slot) = values.get_mut(step) {
                *slot = value;
            }
        }
    }
    column.drop_histograms();
    let (floats, there) = column.floats_mut();
    floats.copy_from_slice(&values);
    *there = present;
}

/// What observations of NaN did to a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NanObservations {
    /// None, as far as one can see.
    None,
    /// There is no result.
    NoResult,
    /// They count, so the result is higher than that of the others, or lower.
    Skew,
}

/// The quantile of a native histogram.
pub(crate) fn quantile(q: f64, histogram: &FloatHistogram) -> (f64, NanObservations) {
    let plain = |value: f64| (value, NanObservations::None);
    if q < 0.0 {
        return plain(f64::NEG_INFINITY);
    }
    if q > 1.0 {
        return plain(f64::INFINITY);
    }
    if histogram.count == 0.0 || q.is_nan() {
        return plain(f64::NAN);
    }
    if histogram.sum.is_nan() {
        // NaN observations are in no bucket, so that only a walk from below meets the right one.
        let rank = q * histogram.count;
        let mut buckets = rising(histogram);
        let mut found = Found { total: 0.0, bucket: None };
        for (place, count) in buckets.by_ref() {
            if found.add(place, count, rank) {
                break;
            }
        }
        return found.interpolate(rank, |total, count| rank - (total - count), buckets, histogram);
    }
    let rest = std::iter::empty();
    if q < 0.5 {
        let rank = q * histogram.count;
        let found = find(rank, true, histogram);
        found.interpolate(rank, |total, count| rank - (total - count), rest, histogram)
    } else {
        let rank = (1.0 - q) * histogram.count;
        let found = find(rank, false, histogram);
        found.interpolate(rank, |total, _| total - rank, rest, histogram)
    }
}

/// A bucket that was walked to.
struct Found {
    /// The observations on the way, with its own.
    total: f64,
    /// The bucket and its count; `None` where there is no bucket at all.
    bucket: Option<(Place, f64)>,
}

impl Found {
    /// Goes on to a bucket; whether the rank lies in it.
    fn add(&mut self, place: Place, count: f64, rank: f64) -> bool {
        self.total += count;
        self.bucket = Some((place, count));
        count != 0.0 && self.total >= rank
    }

    /// Interpolates in the bucket. `inside` makes the rank within it of the observations up to its end and of its own; `rest`
    /// are the buckets behind it where NaN observations are looked for.
    fn interpolate(
        self,
        rank: f64,
        inside: impl FnOnce(f64, f64) -> f64,
        rest: impl Iterator<Item = (Place, f64)>,
        histogram: &FloatHistogram,
    ) -> (f64, NanObservations) {
        let plain = |value: f64| (value, NanObservations::None);
        let (mut lower, mut upper) = self.bucket.map_or((0.0, 0.0), |(place, _)| place.bounds(histogram));
        let mut count = self.bucket.map_or(0.0, |(_, count)| count);
        let custom = histogram.uses_custom_buckets();
        if !custom {
            let is_zero = lower < 0.0 && upper > 0.0;
            (lower, upper) = zero_at_the_end(lower, upper, is_zero, histogram);
        } else if lower == f64::NEG_INFINITY {
            if upper <= 0.0 {
                return plain(upper);
            }
            lower = 0.0;
        } else if upper == f64::INFINITY {
            return plain(lower);
        }
        let mut total = if self.total > histogram.count { histogram.count } else { self.total };
        if total < rank {
            let has_nan = histogram.sum.is_nan();
            return if has_nan { (f64::NAN, NanObservations::NoResult) } else { plain(upper) };
        }
        let rank = inside(total, count);
        // Prometheus looks at the buckets that are left to learn whether observations are in none, and then interpolates in the
        // last one it saw.
        for (place, more) in rest {
            total += more;
            (lower, upper) = place.bounds(histogram);
            count = more;
        }
        let skewed = histogram.sum.is_nan() && total < histogram.count;
        let nan = if skewed { NanObservations::Skew } else { NanObservations::None };
        let part = rank / count;
        if custom || lower <= 0.0 && upper >= 0.0 {
            return (lower + (upper - lower) * part, nan);
        }
        let (low, high) = (go_math::log2(lower.abs()), go_math::log2(upper.abs()));
        if lower > 0.0 {
            (go_math::exp2(low + (high - low) * part), nan)
        } else {
            (-go_math::exp2(high + (low - high) * (1.0 - part)), nan)
        }
    }
}

/// Walks to the bucket of a rank, from the lowest or from the highest one. Indexes are looked up for the last bucket only.
fn find(rank: f64, from_below: bool, histogram: &FloatHistogram) -> Found {
    let (negative, positive) = (&histogram.negative_buckets, &histogram.positive_buckets);
    let (first, last) = if from_below { (negative, positive) } else { (positive, negative) };
    let place = |is_first: bool, at: usize| {
        if is_first == from_below {
            Place::Negative(index_of(&histogram.negative_spans, at))
        } else {
            Place::Positive(index_of(&histogram.positive_spans, at))
        }
    };
    let mut total = 0.0;
    let mut enough = |count: f64| {
        total += count;
        count != 0.0 && total >= rank
    };
    let found = if let Some(at) = first.iter().rposition(|count| enough(*count)) {
        Some((true, at))
    } else if histogram.zero_count > 0.0 && enough(histogram.zero_count) {
        return Found { total, bucket: Some((Place::Zero, histogram.zero_count)) };
    } else {
        last.iter().position(|count| enough(*count)).map(|at| (false, at))
    };
    // Where no bucket is enough, it is the last one.
    let ends = || {
        if !last.is_empty() {
            Some((false, last.len() - 1))
        } else if histogram.zero_count > 0.0 || first.is_empty() {
            None
        } else {
            Some((true, 0))
        }
    };
    let bucket = match found.or_else(ends) {
        Some((is_first, at)) => {
            let counts = if is_first { first } else { last };
            Some((place(is_first, at), counts.get(at).copied().unwrap_or(0.0)))
        }
        None => (histogram.zero_count > 0.0).then_some((Place::Zero, histogram.zero_count)),
    };
    Found { total, bucket }
}

/// The index of the bucket whose count is at a place.
fn index_of(spans: &[Span], mut at: usize) -> i64 {
    let mut next = 0i64;
    for span in spans {
        next = next.saturating_add(i64::from(span.offset));
        if at < span.length as usize {
            return next.saturating_add(at as i64);
        }
        at -= span.length as usize;
        next = next.saturating_add(i64::from(span.length));
    }
    i64::MAX
}

/// A zero bucket ends at 0 where all other buckets are on one side of it.
fn zero_at_the_end(lower: f64, upper: f64, is_zero: bool, histogram: &FloatHistogram) -> (f64, f64) {
    let (negative, positive) = (&histogram.negative_buckets, &histogram.positive_buckets);
    match (is_zero, negative.is_empty(), positive.is_empty()) {
        (true, true, false) => (0.0, upper),
        (true, false, true) => (lower, 0.0),
        _ => (lower, upper),
    }
}

/// The fraction of the observations between two bounds, and whether NaN observations are in none.
pub(crate) fn fraction(lower: f64, upper: f64, histogram: &FloatHistogram) -> (f64, NanObservations) {
    if histogram.count == 0.0 || lower.is_nan() || upper.is_nan() {
        return (f64::NAN, NanObservations::None);
    }
    if lower >= upper {
        return (0.0, NanObservations::None);
    }
    let custom = histogram.uses_custom_buckets();
    let (mut total, mut rank) = (0.0, 0.0);
    let mut ranks = Ranks::new(lower, upper);
    let mut buckets = rising(histogram);
    for (place, count) in buckets.by_ref() {
        total += count;
        let (start, end) = place.bounds(histogram);
        let is_zero = start <= 0.0 && end >= 0.0;
        let (start, end) = zero_at_the_end(start, end, is_zero, histogram);
        let below = |value: f64| {
            if !(custom || is_zero) {
                let [low, high, at] = [start, end, value].map(|bound| go_math::log2(bound.abs()));
                let part =
                    if value > 0.0 { (at - low) / (high - low) } else { 1.0 - (at - high) / (low - high) };
                return rank + count * part;
            }
            // A bucket without beginning cannot be divided.
            if start == f64::NEG_INFINITY { count } else { rank + count * ((value - start) / (end - start)) }
        };
        if ranks.bucket(start, end, rank, below) {
            break;
        }
        rank += count;
    }
    let mut nan = NanObservations::None;
    if histogram.sum.is_nan() {
        total = buckets.fold(total, |sum, (_, count)| sum + count);
        if total < histogram.count {
            nan = NanObservations::Skew;
        }
    } else {
        total = histogram.count;
    }
    (ranks.observations(total) / histogram.count, nan)
}

/// How many observations lie below each of two bounds.
pub(super) struct Ranks {
    bounds: [f64; 2],
    ranks: [Option<f64>; 2],
}

impl Ranks {
    pub(super) fn new(lower: f64, upper: f64) -> Self {
        Ranks { bounds: [lower, upper], ranks: [None; 2] }
    }

    /// Looks at a bucket, of which `before` observations lie below and `below(value)` below a value in it. True once both
    /// ranks are known.
    pub(super) fn bucket(&mut self, start: f64, end: f64, before: f64, below: impl Fn(f64) -> f64) -> bool {
        for (bound, rank) in self.bounds.into_iter().zip(&mut self.ranks) {
            if rank.is_some() {
                continue;
            }
            if start >= bound {
                *rank = Some(before);
            } else if end > bound {
                *rank = Some(below(bound));
            }
        }
        self.ranks.iter().all(Option::is_some)
    }

    /// How many of `total` observations lie between the bounds.
    pub(super) fn observations(&self, total: f64) -> f64 {
        let [lower, upper] = self.ranks.map(|rank| match rank {
            Some(rank) if rank > total => total,
            Some(rank) => rank,
            None => total,
        });
        upper - lower
    }
}
