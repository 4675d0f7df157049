//! The rules by which blocks are chosen: Prometheus', without its disk, with blocks that are left out.

use std::collections::BTreeSet;

use block::Meta;
use tsdb::BlockId;

/// The share of deleted series from which on a large block is written anew for their sake.
const TOMBSTONES_MAX: f64 = 0.05;

/// The blocks that are to become one; `blocks` sorted by their start. Empty where there is nothing to do.
pub(super) fn select<'a>(ranges: &[i64], excluded: &BTreeSet<BlockId>, blocks: &[&'a Meta]) -> Vec<&'a Meta> {
    let mut included: Vec<&Meta> =
        blocks.iter().copied().filter(|meta| !excluded.contains(&meta.id())).collect();
    let overlapping = overlapping(&included);
    if !overlapping.is_empty() {
        return overlapping;
    }
    // The newest block may still get companions of its size.
    let Some((newest, earlier)) = blocks.split_last() else { return Vec::new() };
    if !excluded.contains(&newest.id()) {
        included.pop();
    }
    let leveled = leveled(ranges, excluded, earlier);
    if !leveled.is_empty() {
        return leveled;
    }
    with_tombstones(ranges, &included).into_iter().collect()
}

/// The first blocks that share time with each other.
pub(super) fn overlapping<'a>(blocks: &[&'a Meta]) -> Vec<&'a Meta> {
    let mut found: Vec<&Meta> = Vec::new();
    let Some(first) = blocks.first() else { return found };
    let mut end = first.block.max_time;
    for (before, meta) in blocks.iter().zip(blocks.iter().skip(1)) {
        if meta.block.min_time < end {
            if found.is_empty() {
                found.push(before);
            }
            found.push(meta);
        } else if !found.is_empty() {
            break;
        }
        end = end.max(meta.block.max_time);
    }
    found
}

/// The first aligned range of a level that is full, or will get no more blocks.
fn leveled<'a>(ranges: &[i64], excluded: &BTreeSet<BlockId>, blocks: &[&'a Meta]) -> Vec<&'a Meta> {
    let Some(newest) = blocks.last() else { return Vec::new() };
    let high_time = newest.block.min_time;
    for range in ranges.iter().skip(1) {
        for part in split_by_range(blocks, *range) {
            if part.iter().any(|meta| meta.block.compaction.failed) || part.len() < 2 {
                continue;
            }
            let (Some(first), Some(last)) = (part.first(), part.last()) else { continue };
            let (start, end) = (first.block.min_time, last.block.max_time);
            if end.saturating_sub(start) != *range && end > high_time {
                continue;
            }
            // Blocks on both sides of one that is left out are not joined: that would leave a hole in the new block.
            let mut runs = part.split(|meta| excluded.contains(&meta.id()));
            if let Some(run) = runs.find(|run| run.len() > 1) {
                return run.to_vec();
            }
        }
    }
    Vec::new()
}

/// The blocks that lie in one aligned range each: `0..30` has `0..10` and `10..20`, `30..60` has `50..60`.
fn split_by_range<'a, 'b>(blocks: &'b [&'a Meta], range: i64) -> Vec<&'b [&'a Meta]> {
    let mut parts = Vec::new();
    let mut rest = blocks;
    while let Some(first) = rest.first() {
        let start = first.block.min_time.div_euclid(range).saturating_mul(range);
        let end = start.saturating_add(range);
        let fitting = rest.iter().take_while(|meta| meta.block.max_time <= end).count();
        // A block that fits into no range, by its place or its length, is passed over.
        let (part, after) = rest.split_at(fitting.max(1));
        if fitting > 0 {
            parts.push(part);
        }
        rest = after;
    }
    parts
}

/// The newest of the large blocks of which more than a twentieth was deleted.
fn with_tombstones<'a>(ranges: &[i64], blocks: &[&'a Meta]) -> Option<&'a Meta> {
    let large = *ranges.get(ranges.len() / 2)?;
    let length = |meta: &Meta| meta.block.max_time.saturating_sub(meta.block.min_time);
    let mut newest_first = blocks.iter().rev().copied().take_while(|meta| length(meta) >= large);
    newest_first.find(|meta| {
        let stats = &meta.block.stats;
        stats.num_tombstones as f64 / stats.num_series.saturating_add(1) as f64 > TOMBSTONES_MAX
    })
}
