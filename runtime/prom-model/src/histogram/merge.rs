//! The buckets of one histogram added to those of another.

use super::arithmetic::neumaier_add;
use super::{BucketIndexes, FloatHistogram, Span, bucket_bounds};

/// How buckets are added.
pub(super) struct Merge {
    /// The schema of both sides; `None` for custom buckets.
    pub(super) schema: Option<i32>,
    /// Added buckets that end at or below this lie in the zero bucket, which has their counts already.
    pub(super) threshold: f64,
    /// Whether they are subtracted.
    pub(super) negative: bool,
}

/// The buckets to be added.
pub(super) struct Addend<'a> {
    spans: &'a [Span],
    counts: &'a [f64],
    /// By how many steps of the schema they are finer.
    shift: u32,
    /// Whether merging them to the coarser schema is compensated too.
    compensated: bool,
}

impl<'a> Addend<'a> {
    pub(super) fn new(spans: &'a [Span], counts: &'a [f64], shift: u32, compensated: bool) -> Self {
        Addend { spans, counts, shift, compensated }
    }
}

/// The index of the bucket of a schema coarser by `shift` that holds the bucket.
pub(super) fn coarser(index: i64, shift: u32) -> i64 {
    (index.saturating_sub(1) >> shift.min(62)) + 1
}

impl Merge {
    /// Adds buckets; those that are missing appear. `lost` has the compensation of each bucket, and then sums are compensated.
    pub(super) fn add(
        &self,
        spans: &mut Vec<Span>,
        counts: &mut Vec<f64>,
        lost: Option<&mut Vec<f64>>,
        addend: Addend<'_>,
    ) {
        if addend.counts.is_empty() {
            return;
        }
        let signed = |value: f64| if self.negative { -value } else { value };
        let first = BucketIndexes::new(addend.spans).next().unwrap_or(0);
        let starts_above = !self.is_in_zero_bucket(coarser(first, addend.shift));
        if addend.shift == 0 && starts_above && *spans == addend.spans && counts.len() == addend.counts.len()
        {
            // The same buckets on both sides: nothing moves.
            match lost {
                Some(lost) => {
                    for ((count, lost), added) in counts.iter_mut().zip(lost.iter_mut()).zip(addend.counts) {
                        (*count, *lost) = neumaier_add(signed(*added), *count, *lost);
                    }
                }
                None => {
                    for (count, added) in counts.iter_mut().zip(addend.counts) {
                        *count += signed(*added);
                    }
                }
            }
            return;
        }
        let mut added: Vec<(i64, f64, f64)> = Vec::with_capacity(addend.counts.len());
        for (index, count) in BucketIndexes::new(addend.spans).zip(addend.counts) {
            let index = coarser(index, addend.shift);
            match added.last_mut() {
                Some((last, sum, lost)) if *last == index && addend.shift > 0 => {
                    if addend.compensated {
                        (*sum, *lost) = neumaier_add(*count, *sum, *lost);
                        (*sum, *lost) = neumaier_add(0.0, *sum, *lost);
                    } else {
                        *sum += *count;
                    }
                }
                _ => added.push((index, *count, 0.0)),
            }
        }
        let skipped = added.iter().take_while(|(index, ..)| self.is_in_zero_bucket(*index)).count();
        let added =
            added.into_iter().skip(skipped).map(|(index, count, lost)| (index, signed(count), signed(lost)));
        interleave(spans, counts, lost, added);
    }

    fn is_in_zero_bucket(&self, index: i64) -> bool {
        let Some(schema) = self.schema else { return false };
        bucket_bounds(index, schema, &[]).is_some_and(|(_, upper)| upper <= self.threshold)
    }
}

/// Walks over both sides by index.
fn interleave(
    spans: &mut Vec<Span>,
    counts: &mut Vec<f64>,
    lost: Option<&mut Vec<f64>>,
    added: impl Iterator<Item = (i64, f64, f64)>,
) {
    let mut layout = Layout::default();
    let mut new_counts = Vec::with_capacity(counts.len());
    let mut new_lost = Vec::with_capacity(counts.len());
    let old_lost: &[f64] = lost.as_deref().map_or(&[], Vec::as_slice);
    let mut old = BucketIndexes::new(spans).zip(counts.iter().copied()).enumerate().peekable();
    let mut added = added.peekable();
    loop {
        let (index, count, lost_here) = match (old.peek(), added.peek()) {
            (None, None) => break,
            (Some((at, (index, count))), next) if next.is_none_or(|(other, ..)| index < other) => {
                let known = (*index, *count, old_lost.get(*at).copied().unwrap_or(0.0));
                old.next();
                known
            }
            (Some((at, (index, count))), Some((other, more, more_lost))) if index == other => {
                let both = if lost.is_some() {
                    let mut sum = neumaier_add(*more, *count, old_lost.get(*at).copied().unwrap_or(0.0));
                    if *more_lost != 0.0 {
                        sum = neumaier_add(*more_lost, sum.0, sum.1);
                    }
                    (*index, sum.0, sum.1)
                } else {
                    (*index, count + more, 0.0)
                };
                old.next();
                added.next();
                both
            }
            (_, Some(next)) => {
                let next = *next;
                added.next();
                next
            }
            (Some(_), None) => break,
        };
        layout.push(index);
        new_counts.push(count);
        new_lost.push(lost_here);
    }
    drop(old);
    *spans = layout.spans;
    *counts = new_counts;
    if let Some(lost) = lost {
        *lost = new_lost;
    }
}

/// Makes spans of rising indexes.
#[derive(Default)]
pub(super) struct Layout {
    pub(super) spans: Vec<Span>,
    next: i64,
}

impl Layout {
    pub(super) fn push(&mut self, index: i64) {
        match self.spans.last_mut() {
            Some(span) if index == self.next => span.length += 1,
            _ => {
                let offset = index.saturating_sub(self.next).clamp(i32::MIN.into(), i32::MAX.into());
                self.spans.push(Span { offset: offset as i32, length: 1 });
            }
        }
        self.next = index.saturating_add(1);
    }
}

/// Merges buckets to a schema coarser by `shift`, with their compensations if there are any.
pub(super) fn coarsen(spans: &mut Vec<Span>, counts: &mut Vec<f64>, lost: Option<&mut Vec<f64>>, shift: u32) {
    let mut layout = Layout::default();
    let mut merged: Vec<f64> = Vec::with_capacity(counts.len());
    let mut merged_lost: Vec<f64> = Vec::with_capacity(counts.len());
    let old_lost: &[f64] = lost.as_deref().map_or(&[], Vec::as_slice);
    let mut last = None;
    for (at, (index, count)) in BucketIndexes::new(spans).zip(counts.iter()).enumerate() {
        let index = coarser(index, shift);
        let lost_here = old_lost.get(at).copied().unwrap_or(0.0);
        match (merged.last_mut(), merged_lost.last_mut()) {
            (Some(sum), Some(sum_lost)) if last == Some(index) => {
                if lost.is_some() {
                    (*sum, *sum_lost) = neumaier_add(*count, *sum, *sum_lost);
                    (*sum, *sum_lost) = neumaier_add(lost_here, *sum, *sum_lost);
                } else {
                    *sum += *count;
                }
            }
            _ => {
                layout.push(index);
                merged.push(*count);
                merged_lost.push(lost_here);
                last = Some(index);
            }
        }
    }
    *spans = layout.spans;
    *counts = merged;
    if let Some(lost) = lost {
        *lost = merged_lost;
    }
}

/// The bounds that are in both lists.
pub(super) fn intersection(one: &[f64], other: &[f64]) -> Vec<f64> {
    let mut both = Vec::new();
    let (mut left, mut right) = (one.iter().peekable(), other.iter().peekable());
    while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
        if a == b {
            both.push(**a);
            left.next();
            right.next();
        } else if a < b {
            left.next();
        } else {
            right.next();
        }
    }
    both
}

/// Adds histograms whose custom bounds differ: both are brought to the bounds that both have. Sums are compensated always.
pub(super) fn add_custom(
    into: &mut FloatHistogram,
    other: &FloatHistogram,
    mut compensation: Option<&mut FloatHistogram>,
    negative: bool,
) {
    let bounds = into.intersect_bounds(other);
    let mut sums = vec![(0.0, 0.0); bounds.len() + 1];
    let lost: &[f64] = compensation.as_deref().map_or(&[], |lost| lost.positive_buckets.as_slice());
    roll_up(into, Some(lost), &bounds, false, &mut sums);
    roll_up(other, None, &bounds, negative, &mut sums);
    let mut layout = Layout::default();
    let (mut counts, mut new_lost) = (Vec::new(), Vec::new());
    for (index, (sum, lost)) in sums.into_iter().enumerate().filter(|(_, sum)| *sum != (0.0, 0.0)) {
        layout.push(index as i64);
        counts.push(sum);
        new_lost.push(lost);
    }
    into.positive_spans = layout.spans;
    into.positive_buckets = counts;
    into.custom_values = bounds;
    if let Some(compensation) = &mut compensation {
        compensation.positive_buckets = new_lost;
        into.give_layout(compensation);
    }
}

fn roll_up(
    histogram: &FloatHistogram,
    lost: Option<&[f64]>,
    bounds: &[f64],
    negative: bool,
    sums: &mut [(f64, f64)],
) {
    let last = sums.len().saturating_sub(1);
    for (at, (index, count)) in histogram.positive().enumerate() {
        let upper = usize::try_from(index).ok().and_then(|index| histogram.custom_values.get(index));
        let target = upper.map_or(last, |upper| bounds.partition_point(|bound| bound < upper));
        let Some((sum, compensation)) = sums.get_mut(target) else { continue };
        let count = if negative { -count } else { count };
        (*sum, *compensation) = neumaier_add(count, *sum, *compensation);
        if let Some(lost) = lost.and_then(|lost| lost.get(at)) {
            (*sum, *compensation) = neumaier_add(*lost, *sum, *compensation);
        }
    }
}
