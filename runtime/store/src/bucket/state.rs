//! Which blocks are served, at one point in time.

use std::collections::BTreeMap;
use std::sync::Arc;

use ::block::View;
use tsdb::BlockId;

use super::block::Block;
use super::select::BlockSet;

/// Never changed: a call sees the same blocks from its begin to its end.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) blocks: BTreeMap<BlockId, Arc<Block>>,
    /// By their labels.
    pub(super) sets: Vec<BlockSet>,
    /// What was seen of the bucket.
    pub(super) view: Arc<View>,
}

impl State {
    /// Sorts blocks into sets. Those of an unknown resolution belong to none.
    pub(super) fn new(blocks: BTreeMap<BlockId, Arc<Block>>, view: View) -> Self {
        let mut sets: BTreeMap<prom_model::Labels, BlockSet> = BTreeMap::new();
        for block in blocks.values() {
            let set = sets.entry(block.external.clone());
            set.or_insert_with(|| BlockSet::new(block.external.clone())).add(Arc::clone(block));
        }
        State { blocks, sets: sets.into_values().collect(), view: Arc::new(view) }
    }
}
