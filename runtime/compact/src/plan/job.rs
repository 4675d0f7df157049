//! A compaction as a value: from which blocks, and what the new one says of itself.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use block::{Downsample, Meta, Resolution, Source, Thanos, layout};
use serde_json::{Map, Value};
use tsdb::BlockId;
use tsdb::block::{BlockMeta, BlockStats, Compaction};

use super::Group;
use crate::lineage::sources_of;

/// What it means that sources of a job share time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Overlapping {
    /// They do not.
    No,
    /// They are declared to be replicas or parts of each other (vertical compaction): they are merged whatever is in them.
    Declared,
    /// Nobody said so: they are merged if where both have a series, all samples of one are also in the other.
    IfEqual,
}

/// Blocks that are to become one.
#[derive(Debug, Clone)]
pub struct Job {
    /// The key of the group.
    pub group: String,
    /// The group in words.
    pub group_words: String,
    /// The external labels of the new block.
    pub labels: BTreeMap<String, String>,
    /// The resolution of all of them.
    pub resolution: Resolution,
    /// The blocks, sorted by the start of their range of time.
    pub sources: Vec<Arc<Meta>>,
    /// Whether they share time.
    pub overlapping: Overlapping,
    /// The extensions of the new block.
    pub extensions: Value,
}

/// Prometheus' words for blocks of which it matters what kind of samples they have.
const FROM_OUT_OF_ORDER: &str = "from-out-of-order";
const KEPT_HINTS: [&str; 2] = ["from-selected-series", "from-stale-series"];

impl Job {
    pub(super) fn new(group: &Group, sources: Vec<Arc<Meta>>, overlapping: Overlapping) -> Self {
        Job {
            group: group.key.clone(),
            group_words: group.words(),
            labels: group.labels.clone(),
            resolution: group.resolution,
            sources,
            overlapping,
            extensions: group.extensions(),
        }
    }

    /// The range of time of the new block, milliseconds, the end exclusive.
    pub fn range(&self) -> (i64, i64) {
        let starts = self.sources.iter().map(|meta| meta.block.min_time);
        let ends = self.sources.iter().map(|meta| meta.block.max_time);
        (starts.min().unwrap_or(0), ends.max().unwrap_or(0))
    }

    /// The level of the new block: one more than the highest of its sources.
    pub fn level(&self) -> i64 {
        let levels = self.sources.iter().map(|meta| meta.block.compaction.level);
        levels.max().unwrap_or(0).max(0).saturating_add(1)
    }

    /// The IDs of the sources.
    pub fn source_ids(&self) -> Vec<BlockId> {
        self.sources.iter().map(|meta| meta.id()).collect()
    }

    /// How many bytes the sources have, as far as their meta.json tells.
    pub fn source_bytes(&self) -> u64 {
        self.sources.iter().map(|meta| block_bytes(meta)).fold(0, u64::saturating_add)
    }

    /// What the new block says of itself, as Prometheus writes it, but for the counts.
    pub fn output(&self, id: BlockId) -> BlockMeta {
        let (min_time, max_time) = self.range();
        // A block that does not say what it was made from is its own source.
        let made_from = self.sources.iter().flat_map(|meta| sources_of(&meta.block).into_owned());
        let sources: BTreeSet<BlockId> = made_from.collect();
        BlockMeta {
            ulid: id,
            min_time,
            max_time,
            stats: BlockStats::default(),
            compaction: Compaction {
                level: self.level(),
                sources: sources.into_iter().collect(),
                parents: self.sources.iter().map(|meta| meta.block.description()).collect(),
                hints: self.hints(),
                ..Compaction::default()
            },
            version: 1,
            extra: Map::new(),
        }
    }

    /// What Thanos adds to it.
    pub fn thanos(&self) -> Thanos {
        Thanos {
            labels: self.labels.clone(),
            downsample: Downsample { resolution: self.resolution, extra: Map::new() },
            source: Source::Compactor,
            extensions: self.extensions.clone(),
            ..Thanos::default()
        }
    }

    /// A hint that samples came out of order is true of the whole only if it is of all; the others if it is of any.
    fn hints(&self) -> Vec<String> {
        let has =
            |meta: &Arc<Meta>, hint: &str| meta.block.compaction.hints.iter().any(|known| known == hint);
        let kept = KEPT_HINTS.iter().filter(|hint| self.sources.iter().any(|meta| has(meta, hint)));
        let mut hints: Vec<String> = kept.map(|hint| (*hint).to_owned()).collect();
        if !self.sources.is_empty() && self.sources.iter().all(|meta| has(meta, FROM_OUT_OF_ORDER)) {
            hints.push(FROM_OUT_OF_ORDER.to_owned());
        }
        hints.sort();
        hints
    }
}

/// How many bytes a block has, as far as its meta.json tells.
pub(crate) fn block_bytes(meta: &Meta) -> u64 {
    meta.thanos.files.iter().map(|file| file.size_bytes).fold(0, u64::saturating_add)
}

/// How many bytes its index has, as far as its meta.json tells.
pub(crate) fn index_bytes(meta: &Meta) -> Option<u64> {
    let index = meta.thanos.files.iter().find(|file| file.rel_path == layout::INDEX);
    index.map(|file| file.size_bytes).filter(|size| *size > 0)
}
