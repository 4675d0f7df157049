//! Where new blocks go, what is known of them once they are there, and why there is none.

use std::path::Path;
use std::sync::Arc;

use tsdb::BlockId;
use tsdb::Corruption;
use tsdb::block::{BlockMeta, BlockWriteError};
use tsdb::chunk::ChunkError;
use tsdb::fs::Fs;

/// Where a new block goes.
#[derive(Debug, Clone)]
pub struct Target<'a> {
    /// The disk.
    pub fs: Arc<dyn Fs>,
    /// The folder in which the block gets its folder; scratch files lie beside it and are gone in the end.
    pub parent: &'a Path,
    /// Its ID.
    pub id: BlockId,
    /// How many bytes may be in memory at once, as far as that can be chosen; what does not fit goes to scratch files.
    pub memory_bytes: u64,
}

/// A block that was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// What stands in its meta.json on disk: the counts are those of what was written.
    pub meta: BlockMeta,
    /// The largest entry of the index, bytes; `index_stats` in the metadata that Thanos adds.
    pub series_max_bytes: u64,
    /// The largest chunk, bytes.
    pub chunk_max_bytes: u64,
}

/// A block that cannot be read, so that nothing can be made of it.
#[derive(Debug, thiserror::Error)]
#[error("block {block}")]
pub struct SourceError {
    /// The block.
    pub block: BlockId,
    /// What is wrong.
    #[source]
    pub reason: SourceFault,
}

/// What is wrong with a block that is read.
#[derive(Debug, thiserror::Error)]
pub enum SourceFault {
    /// A file is damaged.
    #[error(transparent)]
    Damaged(#[from] Corruption),
    /// A chunk is: its place, its length or its checksum.
    #[error("a chunk of series {labels}")]
    Unreadable {
        /// The series.
        labels: String,
        /// What is wrong with it.
        #[source]
        source: Box<Corruption>,
    },
    /// A chunk is, under a checksum that is right.
    #[error("a chunk of series {labels}")]
    Chunk {
        /// The series.
        labels: String,
        /// What is wrong with it.
        #[source]
        source: ChunkError,
    },
    /// The series are not in the order of their labels, one is there twice, or has a label twice.
    #[error("series {labels}: {rule}")]
    Series {
        /// The series.
        labels: String,
        /// The rule that it breaks.
        rule: &'static str,
    },
}

/// Why there is no new block. Nothing is left of the attempt.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A source cannot be read, and is the one to be set aside.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The new block cannot be written: the disk, or the limits of the format.
    #[error("the new block cannot be written")]
    Target(#[from] BlockWriteError),
}
