//! Blocks whose samples are in another block.

use std::collections::BTreeMap;

use async_trait::async_trait;
use tsdb::BlockId;

use super::{Filter, Round};
use crate::fetcher::{BlockState, View};
use crate::group_key;
use crate::meta::Meta;

/// Hides blocks that were made from a part of what another block of the same group was made from.
///
/// Of blocks made from the same sources the oldest stays. A block that does not say what it was made from covers nothing and
/// is covered by nothing: it would otherwise be taken for a part of every other.
#[derive(Debug, Clone, Copy, Default)]
pub struct Duplicates;

#[async_trait]
impl Filter for Duplicates {
    async fn apply(&self, _: &Round<'_>, view: &mut View) {
        let mut groups: BTreeMap<String, Vec<&Meta>> = BTreeMap::new();
        for meta in view.metas.values() {
            groups.entry(group_key(&meta.thanos)).or_default().push(meta);
        }
        let hidden: Vec<BlockId> = groups.into_values().flat_map(covered).collect();
        for block in hidden {
            view.drop_block(block, BlockState::Duplicate);
        }
    }
}

/// Whether everything that `part` was made from is also in what `whole` was made from; `false` for a `part` that does not say.
pub fn is_covered(part: &[BlockId], whole: &[BlockId]) -> bool {
    !part.is_empty() && part.iter().all(|source| whole.contains(source))
}

fn covered(mut group: Vec<&Meta>) -> Vec<BlockId> {
    group.sort_by_key(|meta| (std::cmp::Reverse(meta.block.compaction.sources.len()), meta.id()));
    // Which of the blocks that stay were made from a source: only those can cover a block that was.
    let mut made_from: BTreeMap<BlockId, Vec<&Meta>> = BTreeMap::new();
    let mut covered = Vec::new();
    for meta in group {
        let sources = &meta.block.compaction.sources;
        let candidates = sources.first().and_then(|first| made_from.get(first));
        let mut candidates = candidates.into_iter().flatten();
        if candidates.any(|whole| is_covered(sources, &whole.block.compaction.sources)) {
            covered.push(meta.id());
            continue;
        }
        for source in sources {
            made_from.entry(*source).or_default().push(meta);
        }
    }
    covered
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tsdb::block::BlockMeta;

    use super::*;
    use crate::meta::Thanos;

    fn id(number: u128) -> BlockId {
        BlockId::new(0, number)
    }

    proptest! {
        /// Said in another way: a block is hidden when another was made from more, or from the same and is older.
        #[test]
        fn hidden_is_what_another_holds(groups in proptest::collection::vec(proptest::collection::btree_set(0u128..6, 0..5), 0..12)) {
            let metas: Vec<Meta> = groups.iter().enumerate().map(|(at, sources)| {
                let mut block = BlockMeta::new(id(100 + at as u128), 0, 1);
                block.compaction.sources = sources.iter().map(|source| id(*source)).collect();
                Meta { block, thanos: Thanos::default() }
            }).collect();
            let mut expected: Vec<BlockId> = Vec::new();
            for (at, part) in groups.iter().enumerate() {
                let holds = |(other, whole): (usize, &std::collections::BTreeSet<u128>)| {
                    other != at && part.is_subset(whole) && (whole.len() > part.len() || other < at)
                };
                if !part.is_empty() && groups.iter().enumerate().any(holds) {
                    expected.push(id(100 + at as u128));
                }
            }
            let mut found = covered(metas.iter().collect());
            found.sort();
            prop_assert_eq!(found, expected);
        }
    }
}
