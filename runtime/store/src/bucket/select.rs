//! Which blocks a call is for: external labels, time, resolution.

use std::sync::Arc;

use prom_model::{Labels, Matcher};

use super::block::Block;

/// The resolutions that Thanos knows, coarsest first, milliseconds.
pub(super) const RESOLUTIONS: [i64; 3] = [3_600_000, 300_000, 0];

/// The blocks of one set of external labels, by resolution.
#[derive(Debug, Clone, Default)]
pub(super) struct BlockSet {
    pub(super) labels: Labels,
    /// For each of [`RESOLUTIONS`] its blocks, sorted by begin and end.
    blocks: [Vec<Arc<Block>>; 3],
}

impl BlockSet {
    pub(super) fn new(labels: Labels) -> Self {
        BlockSet { labels, ..BlockSet::default() }
    }

    /// Adds a block of these labels; `false` where its resolution is unknown.
    pub(super) fn add(&mut self, block: Arc<Block>) -> bool {
        let level = RESOLUTIONS.iter().position(|known| *known == block.resolution());
        let Some(blocks) = level.and_then(|level| self.blocks.get_mut(level)) else { return false };
        let key = |block: &Block| (block.min_time(), block.max_time(), block.id);
        let at = blocks.partition_point(|known| key(known) < key(&block));
        blocks.insert(at, block);
        true
    }

    /// The blocks that have samples from `min` to `max`, both included: of the coarsest resolution that is allowed, and where it
    /// has none, of the next finer one, and so on. `wanted` leaves out blocks, but not the time that they cover.
    pub(super) fn covering(
        &self,
        min: i64,
        max: i64,
        resolution_max: i64,
        wanted: &dyn Fn(&Block) -> bool,
    ) -> Vec<Arc<Block>> {
        let mut found = Vec::new();
        self.cover(min, max, resolution_max, wanted, &mut found);
        found
    }

    fn cover(
        &self,
        min: i64,
        max: i64,
        resolution_max: i64,
        wanted: &dyn Fn(&Block) -> bool,
        found: &mut Vec<Arc<Block>>,
    ) {
        if min > max {
            return;
        }
        let level = RESOLUTIONS.iter().position(|resolution| *resolution <= resolution_max);
        let Some(blocks) = level.and_then(|level| self.blocks.get(level)) else { return };
        let finer = level.and_then(|level| RESOLUTIONS.get(level + 1)).copied();
        let mut start = min;
        for block in blocks {
            // A block ends before its `max_time`.
            if block.max_time() <= min {
                continue;
            }
            if block.min_time() > max {
                break;
            }
            if let Some(finer) = finer {
                self.cover(start, block.min_time().saturating_sub(1), finer, wanted, found);
            }
            if wanted(block) {
                found.push(Arc::clone(block));
            }
            start = block.max_time();
        }
        if let Some(finer) = finer {
            self.cover(start, max, finer, wanted, found);
        }
    }
}

/// The matchers that are left for the series of a block with these external labels; `None` where one says no to the block.
pub(super) fn without_external(matchers: &[Matcher], external: &Labels) -> Option<Vec<Matcher>> {
    let mut left = Vec::with_capacity(matchers.len());
    for matcher in matchers {
        match external.get(matcher.name()).filter(|value| !value.is_empty()) {
            None => left.push(matcher.clone()),
            Some(value) if matcher.matches(value) => {}
            Some(_) => return None,
        }
    }
    Some(left)
}
