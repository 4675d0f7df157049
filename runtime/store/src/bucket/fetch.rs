//! Ranged reads of an object: which ranges are read together, and the bytes that came.

use std::ops::Range;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{StreamExt, TryStreamExt};
use objstore::{Bucket, BucketError};

/// Gaps of up to so many bytes are read along: they take less time than another request.
const GAP_CHEAP: u64 = 64 << 10;
/// Larger gaps up to this one are read along as long as no more than [`WASTE_MAX`] times what is wanted is read.
const GAP_MAX: u64 = 512 << 10;
const WASTE_MAX: u64 = 4;
/// One request reads no more, so that long ranges arrive in parallel.
const PART_BYTES: u64 = 8 << 20;
/// So many requests of one step are under way at the same time.
const PARALLEL: usize = 16;

/// Joins ranges that ascend by their starts into those that are to be read. A range is never divided, unless it alone is longer
/// than a request.
pub(super) fn join(ranges: impl IntoIterator<Item = Range<u64>>) -> Vec<Range<u64>> {
    let mut joined: Vec<Range<u64>> = Vec::new();
    let mut wanted = 0u64;
    for range in ranges {
        if range.is_empty() {
            continue;
        }
        if let Some(last) = joined.last_mut() {
            let gap = range.start.saturating_sub(last.end);
            let end = range.end.max(last.end);
            let (whole, useful) = (end - last.start, wanted + (end - last.end).min(range.end - range.start));
            let worth = gap <= GAP_CHEAP || (gap <= GAP_MAX && whole <= useful.saturating_mul(WASTE_MAX));
            if range.start < last.end || (worth && whole <= PART_BYTES) {
                last.end = end;
                wanted = useful;
                continue;
            }
        }
        wanted = range.end - range.start;
        joined.push(range);
    }
    joined
}

/// How many bytes these ranges have.
pub(super) fn total(ranges: &[Range<u64>]) -> u64 {
    ranges.iter().map(|range| range.end.saturating_sub(range.start)).sum()
}

/// Bytes of an object, piece by piece; pieces ascend and do not overlap.
#[derive(Debug, Default)]
pub(super) struct Fetched {
    pieces: Vec<(u64, Bytes)>,
}

impl Fetched {
    /// Adds a piece; the caller calls [`Fetched::sort`] when all are there.
    pub(super) fn push(&mut self, offset: u64, bytes: Bytes) {
        self.pieces.push((offset, bytes));
    }

    /// Brings the pieces into order, and cuts off each what pieces before it have: a page that was known may lie in a gap that was
    /// read along.
    pub(super) fn sort(&mut self) {
        self.pieces.sort_by_key(|(offset, bytes)| (*offset, std::cmp::Reverse(bytes.len())));
        let mut covered = 0u64;
        self.pieces.retain_mut(|(offset, bytes)| {
            let end = *offset + bytes.len() as u64;
            let known = covered.saturating_sub(*offset);
            if known > 0 {
                let known = usize::try_from(known).unwrap_or(usize::MAX).min(bytes.len());
                let _ = bytes.split_to(known);
                *offset += known as u64;
            }
            covered = covered.max(end);
            !bytes.is_empty()
        });
    }

    /// The piece in which an offset lies, and how many bytes of it come before.
    pub(super) fn piece(&self, offset: u64) -> Option<(&Bytes, usize)> {
        self.at(offset).map(|(_, bytes, skip)| (bytes, skip))
    }

    fn at(&self, offset: u64) -> Option<(usize, &Bytes, usize)> {
        let at = self.pieces.partition_point(|(start, _)| *start <= offset).checked_sub(1)?;
        let (start, bytes) = self.pieces.get(at)?;
        let skip = usize::try_from(offset - start).ok().filter(|skip| *skip < bytes.len())?;
        Some((at, bytes, skip))
    }

    /// Exactly the bytes of a range, copied together where they lie in pieces that follow each other.
    pub(super) fn range(&self, range: Range<u64>) -> Option<Bytes> {
        let length = usize::try_from(range.end.checked_sub(range.start)?).ok()?;
        let (mut at, first, skip) = self.at(range.start)?;
        if first.len() - skip >= length {
            return Some(first.slice(skip..skip + length));
        }
        let mut whole = Vec::with_capacity(length);
        whole.extend_from_slice(first.get(skip..)?);
        while whole.len() < length {
            at += 1;
            let (start, bytes) = self.pieces.get(at)?;
            if *start != range.start + whole.len() as u64 {
                return None;
            }
            let missing = length - whole.len();
            whole.extend_from_slice(bytes.get(..missing.min(bytes.len())).unwrap_or(bytes));
        }
        Some(whole.into())
    }
}

/// Reads ranges of an object in parallel. A piece is shorter than its range only where the object ends.
pub(super) async fn fetch(
    bucket: &dyn Bucket,
    name: &str,
    ranges: &[Range<u64>],
) -> Result<Fetched, BucketError> {
    let parts = ranges.iter().flat_map(|range| {
        let end = range.end;
        let starts = (range.start..end).step_by(PART_BYTES as usize);
        starts.map(move |start| start..end.min(start.saturating_add(PART_BYTES)))
    });
    // Boxed, as the compiler cannot tell of closures with borrows in streams that they may be sent.
    let read = |part: Range<u64>| -> BoxFuture<'_, Result<(u64, Bytes), BucketError>> {
        Box::pin(async move {
            let bytes = bucket.get_range(name, part.start, part.end - part.start).await?;
            Ok((part.start, bytes))
        })
    };
    let reads: Vec<_> = parts.map(read).collect();
    let pieces: Vec<(u64, Bytes)> = futures::stream::iter(reads).buffered(PARALLEL).try_collect().await?;
    Ok(Fetched { pieces })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::single_range_in_vec_init, reason = "these are lists of ranges")]
    fn small_gaps_are_read_along_and_waste_is_bounded() {
        let k = 1u64 << 10;
        for (ranges, expect) in [
            (vec![0..10, 10..20], vec![0..20]),
            (vec![0..10, 5..20, 6..7], vec![0..20]),
            (vec![0..10, 60 * k..61 * k], vec![0..61 * k]),
            (vec![0..10, 100 * k..101 * k], vec![0..10, 100 * k..101 * k]),
            (vec![0..100 * k, 300 * k..400 * k], vec![0..400 * k]),
            (vec![0..1000 * k, 1600 * k..1700 * k], vec![0..1000 * k, 1600 * k..1700 * k]),
            (vec![0..8192 * k, 8192 * k..8193 * k], vec![0..8192 * k, 8192 * k..8193 * k]),
            (vec![], vec![]),
            (vec![7..7], vec![]),
        ] {
            assert_eq!(join(ranges.clone()), expect, "{ranges:?}");
        }
    }

    #[test]
    fn ranges_are_put_together_over_pieces() {
        let mut fetched = Fetched::default();
        // The last two lie in what others have, or reach out of it.
        for (offset, text) in [(20u64, "ghij"), (10, "abc"), (13, "def"), (11, "b"), (22, "ijkl")] {
            fetched.push(offset, Bytes::from_static(text.as_bytes()));
        }
        fetched.sort();
        for (range, expect) in [
            (10..12, Some("ab")),
            (12..15, Some("cde")),
            (10..16, Some("abcdef")),
            (15..21, None),
            (9..11, None),
            (20..24, Some("ghij")),
            (23..26, Some("jkl")),
            (12..13, Some("c")),
            (23..27, None),
        ] {
            assert_eq!(fetched.range(range.clone()).as_deref(), expect.map(str::as_bytes), "{range:?}");
        }
    }
}
