//! Which blocks of a bucket are to be downsampled, and to what.

use std::collections::BTreeSet;

use block::{BlockId, Meta, Resolution};

/// The range of time that a block of raw samples has at least before it is downsampled, milliseconds: 40 hours.
pub const RAW_RANGE_MIN: i64 = 40 * 3_600_000;
/// The range of time that a block of a resolution of five minutes has at least, milliseconds: ten days.
pub const FIVE_MINUTES_RANGE_MIN: i64 = 10 * 24 * 3_600_000;

/// A block that is to be downsampled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// The block.
    pub block: BlockId,
    /// The resolution that the new block gets: five minutes for a block of raw samples, an hour for one of five minutes.
    pub to: Resolution,
}

/// The blocks that are to be downsampled next, in the order of their IDs: those that are long enough and of whose sources one is
/// in no block of the next resolution yet. `metas` are all blocks that are seen, of all groups; of those that `is_excluded`
/// (marked as not to be downsampled, or for deletion) none is chosen, but what they hold needs no other block.
///
/// A block of a resolution that is none of Thanos' is left alone. Blocks that become due by what is made of others are found by
/// the next call, with metadata read anew.
pub fn select<'a>(
    metas: impl IntoIterator<Item = &'a Meta>,
    is_excluded: impl Fn(BlockId) -> bool,
) -> Vec<Due> {
    let mut blocks: Vec<&Meta> = metas.into_iter().collect();
    blocks.sort_by_key(|meta| meta.id());
    let of = |resolution: Resolution| -> BTreeSet<BlockId> {
        let held = blocks.iter().filter(|meta| meta.thanos.downsample.resolution == resolution);
        held.flat_map(|meta| meta.block.compaction.sources.iter().copied()).collect()
    };
    let (five_minutes, one_hour) = (of(Resolution::FIVE_MINUTES), of(Resolution::ONE_HOUR));
    let due = |meta: &&Meta| {
        let (to, range_min, held) = match meta.thanos.downsample.resolution {
            Resolution::RAW => (Resolution::FIVE_MINUTES, RAW_RANGE_MIN, &five_minutes),
            Resolution::FIVE_MINUTES => (Resolution::ONE_HOUR, FIVE_MINUTES_RANGE_MIN, &one_hour),
            _ => return None,
        };
        let is_long = meta.block.max_time.saturating_sub(meta.block.min_time) >= range_min;
        let is_held = sources(meta).iter().all(|source| held.contains(source));
        (is_long && !is_held && !is_excluded(meta.id())).then_some(Due { block: meta.id(), to })
    };
    blocks.iter().filter_map(due).collect()
}

/// The blocks whose samples are in this one; a block that does not say it is its own source, and the one that is made of it says
/// so.
pub(super) fn sources(meta: &Meta) -> Vec<BlockId> {
    match meta.block.compaction.sources.as_slice() {
        [] => vec![meta.id()],
        sources => sources.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use tsdb::block::BlockMeta;

    use super::*;
    use block::Thanos;

    const HOUR: i64 = 3_600_000;

    fn id(number: u128) -> BlockId {
        BlockId::new(0, number)
    }

    fn meta(number: u128, hours: i64, resolution: Resolution, sources: &[u128]) -> Meta {
        let mut block = BlockMeta::new(id(number), 0, hours * HOUR);
        block.compaction.sources = sources.iter().map(|source| id(*source)).collect();
        let mut thanos = Thanos::default();
        thanos.downsample.resolution = resolution;
        Meta { block, thanos }
    }

    fn due(metas: &[Meta], excluded: u128) -> Vec<(u128, i64)> {
        let found = select(metas, |block| block == id(excluded));
        found.into_iter().map(|due| (due.block.as_u128(), due.to.0)).collect()
    }

    #[test]
    fn long_blocks_are_due_until_all_their_sources_are_downsampled() {
        let raw = |number, hours, sources: &[u128]| meta(number, hours, Resolution::RAW, sources);
        let fine = |number, hours, sources: &[u128]| meta(number, hours, Resolution::FIVE_MINUTES, sources);
        let blocks = [raw(9, 40, &[1, 2]), raw(8, 39, &[3]), raw(7, 300, &[4, 5])];
        assert_eq!(due(&blocks, 0), [(7, 300_000), (9, 300_000)]);
        assert_eq!(due(&blocks, 7), [(9, 300_000)]);
        let some = [raw(9, 40, &[1, 2]), fine(10, 40, &[1])];
        assert_eq!(due(&some, 0), [(9, 300_000)]);
        // Two blocks hold it together; one of them is not to be downsampled further, and holds its samples all the same.
        let all = [raw(9, 40, &[1, 2]), fine(10, 240, &[1]), fine(11, 240, &[2])];
        assert_eq!(due(&all, 10), [(11, 3_600_000)]);
        let coarse = [fine(10, 240, &[1]), meta(12, 240, Resolution::ONE_HOUR, &[1]), fine(11, 239, &[2])];
        assert_eq!(due(&coarse, 0), []);
        assert_eq!(due(&[meta(1, 500, Resolution(7), &[1])], 0), []);
    }

    #[test]
    fn a_block_that_names_no_sources_is_its_own() {
        let raw = meta(9, 40, Resolution::RAW, &[]);
        assert_eq!(due(std::slice::from_ref(&raw), 0), [(9, 300_000)]);
        assert_eq!(due(&[raw, meta(10, 40, Resolution::FIVE_MINUTES, &[9])], 0), []);
    }
}
