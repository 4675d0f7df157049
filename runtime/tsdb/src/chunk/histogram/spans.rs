//! How the buckets of a histogram relate to those of the chunk to which it is to be appended.

use prom_model::{BucketIndexes, Span};

/// What has to happen on one side, positive or negative, before a histogram fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Difference {
    /// The histogram has buckets that the chunk has not: the chunk is to be written anew.
    pub(super) chunk_lacks: bool,
    /// The chunk has buckets that the histogram has not: the histogram gets them, empty.
    pub(super) sample_lacks: bool,
}

/// Compares the buckets of a counter's chunk, with the counts of its last sample, with those of the next. `None` is a counter
/// reset: a count fell, or a bucket that was in use is gone.
pub(super) fn compare_counter<N: PartialOrd + Default>(
    chunk: impl Iterator<Item = (i64, N)>,
    sample: impl Iterator<Item = (i64, N)>,
) -> Option<Difference> {
    let mut difference = Difference::default();
    let (mut chunk, mut sample) = (chunk.peekable(), sample.peekable());
    loop {
        let (in_chunk, in_sample) = match (chunk.peek(), sample.peek()) {
            (None, None) => return Some(difference),
            (Some((left, _)), Some((right, _))) => (left <= right, left >= right),
            (left, right) => (left.is_some(), right.is_some()),
        };
        let before = if in_chunk { chunk.next() } else { None };
        let after = if in_sample { sample.next() } else { None };
        match (before, after) {
            (Some((_, before)), Some((_, after))) if before > after => return None,
            (Some((_, before)), None) if before != N::default() => return None,
            (Some(_), None) => difference.sample_lacks = true,
            (None, Some(_)) => difference.chunk_lacks = true,
            _ => {}
        }
    }
}

/// Compares the buckets of a gauge's chunk with those of the next sample.
pub(super) fn compare_gauge(chunk: &[Span], sample: &[Span]) -> Difference {
    let indexes = |spans| BucketIndexes::new(spans).map(|index| (index, 0u8));
    compare_counter(indexes(chunk), indexes(sample)).unwrap_or_default()
}

/// Spans for the buckets of both, as long as possible.
pub(super) fn union(left: &[Span], right: &[Span]) -> Vec<Span> {
    let (mut left, mut right) = (BucketIndexes::new(left).peekable(), BucketIndexes::new(right).peekable());
    let mut spans: Vec<Span> = Vec::new();
    let mut last = 0i64;
    loop {
        let index = match (left.peek(), right.peek()) {
            (None, None) => return spans,
            (Some(one), Some(other)) if one <= other => {
                if one == other {
                    right.next();
                }
                left.next()
            }
            (Some(_), None) => left.next(),
            _ => right.next(),
        };
        let Some(index) = index else { return spans };
        match spans.last_mut() {
            Some(span) if index == last + 1 => span.length += 1,
            before => {
                let offset = if before.is_some() { index - last - 1 } else { index };
                let offset = offset.clamp(i32::MIN.into(), i32::MAX.into()) as i32;
                spans.push(Span { offset, length: 1 });
            }
        }
        last = index;
    }
}

/// The counts for the buckets of `to`, in its order; those that `counts` has not are 0.
pub(super) fn spread<N: Copy + Default>(counts: impl Iterator<Item = (i64, N)>, to: &[Span]) -> Vec<N> {
    let mut counts = counts.peekable();
    let fitting = BucketIndexes::new(to).map(|index| {
        while counts.next_if(|(before, _)| *before < index).is_some() {}
        counts.next_if(|(same, _)| *same == index).map_or(N::default(), |(_, count)| count)
    });
    fitting.collect()
}

/// The differences between neighbours.
pub(super) fn to_deltas(counts: &[i64]) -> Vec<i64> {
    let mut before = 0i64;
    counts.iter().map(|count| count.wrapping_sub(std::mem::replace(&mut before, *count))).collect()
}
