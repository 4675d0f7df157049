//! What is known of a bucket after a look through it.

use std::collections::BTreeMap;
use std::sync::Arc;

use error_kind::{ErrorKind, Kind};
use objstore::BucketError;
use prom_model::TimestampMs;
use tsdb::BlockId;

use crate::marker::{DeletionMark, FoundMark, MarkError, NoCompactMark, NoDownsampleMark};
use crate::meta::{Meta, MetaError};

/// The blocks of a bucket as filters left them.
#[derive(Debug, Default)]
pub struct View {
    /// The blocks that are to be seen. A filter may have taken labels away from them.
    pub metas: BTreeMap<BlockId, Arc<Meta>>,
    /// Blocks without a meta.json: not yet wholly uploaded, or half deleted.
    pub partial: BTreeMap<BlockId, Partial>,
    /// Blocks that a filter took away, and why.
    pub dropped: BTreeMap<BlockId, BlockState>,
    /// What is wrong with single blocks. A block whose mark cannot be read is still in `metas`.
    pub errors: Vec<(BlockId, Arc<BlockError>)>,
    /// The deletion marks of all blocks, also of partial and hidden ones.
    pub deletion_marks: BTreeMap<BlockId, FoundMark<DeletionMark>>,
    /// The blocks that are not to be compacted.
    pub no_compact_marks: BTreeMap<BlockId, NoCompactMark>,
    /// The blocks that are not to be downsampled.
    pub no_downsample_marks: BTreeMap<BlockId, NoDownsampleMark>,
    /// How many blocks had labels taken away.
    pub(crate) without_replica_labels: usize,
}

impl View {
    /// Whether nothing failed: what is not in the view is not in the bucket, or hidden on purpose.
    pub fn is_complete(&self) -> bool {
        self.errors.is_empty()
    }

    /// Takes a block out of sight.
    pub(crate) fn drop_block(&mut self, block: BlockId, state: BlockState) {
        if self.metas.remove(&block).is_some() {
            self.dropped.insert(block, state);
        }
    }
}

/// What is known of a block without a meta.json.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partial {
    /// When its newest object was written, by the store's clock; `None` where the listing does not tell.
    pub newest: Option<TimestampMs>,
}

/// What became of a block in a look through the bucket; the label `state` of `thanos_blocks_meta_synced`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum BlockState {
    /// Its meta.json is no metadata.
    CorruptedMeta,
    /// It has no meta.json.
    NoMeta,
    /// It is seen.
    Loaded,
    /// It is younger than the consistency delay.
    TooFresh,
    /// It could not be read.
    Failed,
    /// Its external labels belong to another shard.
    LabelExcluded,
    /// It lies outside of the range of time.
    TimeExcluded,
    /// Another block holds the same samples.
    Duplicate,
    /// It is about to be deleted.
    MarkedForDeletion,
    /// It is not to be compacted.
    MarkedForNoCompact,
    /// It is not to be downsampled.
    MarkedForNoDownsample,
    /// It is read from another bucket, as Parquet.
    ParquetMigrated,
}

impl BlockState {
    /// All states.
    pub const ALL: [BlockState; 12] = [
        BlockState::CorruptedMeta,
        BlockState::NoMeta,
        BlockState::Loaded,
        BlockState::TooFresh,
        BlockState::Failed,
        BlockState::LabelExcluded,
        BlockState::TimeExcluded,
        BlockState::Duplicate,
        BlockState::MarkedForDeletion,
        BlockState::MarkedForNoCompact,
        BlockState::MarkedForNoDownsample,
        BlockState::ParquetMigrated,
    ];

    /// The word in the metric.
    pub const fn as_str(self) -> &'static str {
        match self {
            BlockState::CorruptedMeta => "corrupted-meta-json",
            BlockState::NoMeta => "no-meta-json",
            BlockState::Loaded => "loaded",
            BlockState::TooFresh => "too-fresh",
            BlockState::Failed => "failed",
            BlockState::LabelExcluded => "label-excluded",
            BlockState::TimeExcluded => "time-excluded",
            BlockState::Duplicate => "duplicate",
            BlockState::MarkedForDeletion => "marked-for-deletion",
            BlockState::MarkedForNoCompact => "marked-for-no-compact",
            BlockState::MarkedForNoDownsample => "marked-for-no-downsample",
            BlockState::ParquetMigrated => "parquet-migrated",
        }
    }
}

/// What is wrong with one block.
#[derive(Debug, thiserror::Error)]
pub enum BlockError {
    /// It has no meta.json.
    #[error("no meta.json")]
    NoMeta,
    /// Its meta.json cannot be used.
    #[error(transparent)]
    Meta(#[from] MetaError),
    /// One of its marks cannot be used.
    #[error(transparent)]
    Mark(#[from] MarkError),
    /// The store's answer.
    #[error("meta.json cannot be read")]
    Bucket(#[source] Arc<BucketError>),
}

impl Kind for BlockError {
    fn kind(&self) -> ErrorKind {
        match self {
            BlockError::NoMeta => ErrorKind::NotFound,
            BlockError::Meta(error) => error.kind(),
            BlockError::Mark(error) => error.kind(),
            BlockError::Bucket(error) => error.kind(),
        }
    }
}
