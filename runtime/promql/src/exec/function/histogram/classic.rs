//! Quantiles and fractions of classic histograms: cumulative counts at upper bounds.

use std::cmp::Ordering;

use super::native::Ranks;

/// A bucket of a classic histogram.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ClassicBucket {
    /// Its label `le`.
    pub(crate) upper: f64,
    /// The observations up to it.
    pub(crate) count: f64,
}

/// Buckets whose counts fell and were lifted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Lifted {
    /// The lowest and the highest bound of such a bucket.
    pub(crate) bounds: (f64, f64),
    /// The most that was missing.
    pub(crate) max_diff: f64,
}

/// Counts that differ by less, relatively, are taken for equal.
const TOLERANCE: f64 = 1e-12;

/// The order of upper bounds; NaN comes last.
pub(super) fn by_bound(left: f64, right: f64) -> Ordering {
    left.partial_cmp(&right).unwrap_or_else(|| left.is_nan().cmp(&right.is_nan()))
}

/// The quantile, and what had to be mended in counts that fall. The buckets are sorted and mended where they stand, as in
/// Prometheus: a second quantile finds them so, and what was left over of those with the same bound, behind the others.
pub(crate) fn quantile(q: f64, buckets: &mut [ClassicBucket]) -> (f64, Option<Lifted>) {
    if q.is_nan() {
        return (f64::NAN, None);
    }
    if q < 0.0 {
        return (f64::NEG_INFINITY, None);
    }
    if q > 1.0 {
        return (f64::INFINITY, None);
    }
    let Some(buckets) = complete(buckets) else { return (f64::NAN, None) };
    let lifted = lift(buckets);
    let value = match buckets {
        [.., before, last] if last.count != 0.0 => interpolated(q * last.count, before.upper, buckets),
        _ => f64::NAN,
    };
    (value, lifted)
}

fn interpolated(rank: f64, last_finite: f64, buckets: &[ClassicBucket]) -> f64 {
    let at = search(buckets.len() - 1, |at| buckets.get(at).is_some_and(|bucket| bucket.count >= rank));
    let Some(bucket) = buckets.get(at) else { return f64::NAN };
    if at == buckets.len() - 1 {
        return last_finite;
    }
    if at == 0 && bucket.upper <= 0.0 {
        return bucket.upper;
    }
    let (start, count, rank) = match at.checked_sub(1).and_then(|before| buckets.get(before)) {
        Some(before) => (before.upper, bucket.count - before.count, rank - before.count),
        None => (0.0, bucket.count, rank),
    };
    start + (bucket.upper - start) * (rank / count)
}

/// The first of `count` places for which `holds` says so, by halving; `count` if there is none.
fn search(count: usize, holds: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle) { high = middle } else { low = middle + 1 }
    }
    low
}

/// The fraction of the observations between two bounds.
pub(crate) fn fraction(lower: f64, upper: f64, buckets: &mut [ClassicBucket]) -> f64 {
    let Some(buckets) = complete(buckets) else { return f64::NAN };
    let total = buckets.last().map_or(0.0, |last| last.count);
    if total == 0.0 || lower.is_nan() || upper.is_nan() {
        return f64::NAN;
    }
    if lower >= upper {
        return 0.0;
    }
    let mut start =
        if buckets.first().is_some_and(|first| first.upper <= 0.0) { f64::NEG_INFINITY } else { 0.0 };
    let mut rank = 0.0;
    let mut ranks = Ranks::new(lower, upper);
    for bucket in buckets.iter() {
        let below = |value: f64| {
            // A bucket without beginning cannot be divided.
            if start == f64::NEG_INFINITY {
                bucket.count
            } else {
                rank + (bucket.count - rank) * (value - start) / (bucket.upper - start)
            }
        };
        if ranks.bucket(start, bucket.upper, rank, below) {
            break;
        }
        rank = bucket.count;
        start = bucket.upper;
    }
    ranks.observations(total) / total
}

/// Sorts by bound and adds up what has the same bound; `None` where the highest bound is not infinity.
fn complete(buckets: &mut [ClassicBucket]) -> Option<&mut [ClassicBucket]> {
    if buckets.is_sorted_by(|left, right| left.upper < right.upper) {
        return if buckets.last()?.upper == f64::INFINITY { Some(buckets) } else { None };
    }
    if !buckets.is_sorted_by(|left, right| by_bound(left.upper, right.upper).is_le()) {
        buckets.sort_by(|left, right| by_bound(left.upper, right.upper));
    }
    if buckets.last()?.upper != f64::INFINITY {
        return None;
    }
    let mut last = *buckets.first()?;
    let mut kept = 0;
    for at in 1..buckets.len() {
        let Some(bucket) = buckets.get(at).copied() else { break };
        if bucket.upper == last.upper {
            last.count += bucket.count;
            continue;
        }
        if let Some(slot) = buckets.get_mut(kept) {
            *slot = last;
        }
        last = bucket;
        kept += 1;
    }
    if let Some(slot) = buckets.get_mut(kept) {
        *slot = last;
    }
    buckets.get_mut(..=kept)
}

/// Lifts counts that are below that of a lower bound, and evens out differences that come from rounding.
fn lift(buckets: &mut [ClassicBucket]) -> Option<Lifted> {
    let mut lifted: Option<Lifted> = None;
    let mut buckets = buckets.iter_mut();
    let mut before = buckets.next()?.count;
    for bucket in buckets {
        let count = bucket.count;
        if count == before {
            continue;
        }
        if almost_equal(before, count) {
            bucket.count = before;
        } else if count < before {
            bucket.count = before;
            let known =
                lifted.get_or_insert(Lifted { bounds: (f64::INFINITY, f64::NEG_INFINITY), max_diff: 0.0 });
            if bucket.upper < known.bounds.0 {
                known.bounds.0 = bucket.upper;
            }
            if bucket.upper > known.bounds.1 {
                known.bounds.1 = bucket.upper;
            }
            if before - count > known.max_diff {
                known.max_diff = before - count;
            }
        } else {
            before = count;
        }
    }
    lifted
}

/// Whether two numbers differ by less than the tolerance, in relation to their sum. Stale markers are equal only to each other.
fn almost_equal(left: f64, right: f64) -> bool {
    let (sum, difference) = (left.abs() + right.abs(), (left - right).abs());
    // Far from the tolerance, and without a division.
    if difference > sum * (TOLERANCE * 10.0) && sum >= f64::MIN_POSITIVE {
        return false;
    }
    if prom_model::is_stale(left) || prom_model::is_stale(right) {
        return prom_model::is_stale(left) && prom_model::is_stale(right);
    }
    if left.is_nan() && right.is_nan() || left == right {
        return true;
    }
    if left == 0.0 || right == 0.0 || sum < f64::MIN_POSITIVE {
        return difference < TOLERANCE * f64::MIN_POSITIVE;
    }
    difference / sum.min(f64::MAX) < TOLERANCE
}
