//! Whether blocks of a coarser resolution hold what a block holds.

use std::collections::BTreeSet;

use block::Meta;
use tsdb::BlockId;

use super::sources_of;

/// What coarser blocks do not hold of a block.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Gap {
    /// The ranges of time that no coarser block has, milliseconds, ends exclusive.
    pub ranges: Vec<(i64, i64)>,
    /// What the block was made from and no coarser block that shares time with it was.
    pub sources: Vec<BlockId>,
}

impl Gap {
    /// Whether everything is held.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty() && self.sources.is_empty()
    }
}

/// What `coarser` blocks of the same group do not hold of a block.
pub(super) fn gap<'a>(meta: &Meta, coarser: impl Iterator<Item = &'a Meta>) -> Gap {
    let (from, to) = (meta.block.min_time, meta.block.max_time);
    let touching: Vec<&Meta> =
        coarser.filter(|other| other.block.min_time < to && from < other.block.max_time).collect();
    let mut ranges: Vec<(i64, i64)> =
        touching.iter().map(|other| (other.block.min_time, other.block.max_time)).collect();
    ranges.sort_unstable();
    let mut gap = Gap::default();
    let mut covered_to = from;
    for (start, end) in ranges {
        if start > covered_to {
            gap.ranges.push((covered_to, start));
        }
        covered_to = covered_to.max(end);
    }
    if covered_to < to {
        gap.ranges.push((covered_to, to));
    }
    let held: BTreeSet<BlockId> =
        touching.iter().flat_map(|other| other.block.compaction.sources.iter().copied()).collect();
    gap.sources = sources_of(&meta.block).iter().filter(|source| !held.contains(source)).copied().collect();
    gap
}
