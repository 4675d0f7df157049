//! Writes a block anew where that loses no sample, and puts it into the bucket in place of the old one.

use std::path::Path;
use std::sync::Arc;

use block::{BlockId, HashFunc, IndexStats, Meta, Source, Upload, UploadError, Uploaded};
use error_kind::{ErrorKind, Kind};
use objstore::Bucket;
use prom_model::Clock;
use tsdb::block::{ProblemKind, RepairError};
use tsdb::fs::Fs;

use super::inspect::Inspected;
use crate::blocking::aside;
use crate::lease::Fence;
use crate::verify::{Account, Provenance, SourceRead};

/// Why a block was not repaired. The old one is as it was.
#[derive(Debug, thiserror::Error)]
pub enum RepairFailure {
    /// The new block could not be written.
    #[error("block {block} is not repaired")]
    Write {
        /// The block.
        block: BlockId,
        /// Why.
        #[source]
        source: RepairError,
    },
    /// The new block would not have all samples.
    #[error("block {block} has {before} samples, repaired it would have {after}")]
    Samples {
        /// The block.
        block: BlockId,
        /// How many it has.
        before: u64,
        /// How many the new block would have.
        after: u64,
    },
    /// The new block could not be put into the bucket.
    #[error(transparent)]
    Upload(#[from] UploadError),
    /// The work was stopped.
    #[error("block {block} is not repaired")]
    Stopped {
        /// The block.
        block: BlockId,
        /// What was said.
        #[source]
        source: std::io::Error,
    },
}

impl RepairFailure {
    /// Whether the block cannot be repaired, so that trying again changes nothing.
    pub(crate) const fn is_final(&self) -> bool {
        matches!(
            self,
            RepairFailure::Samples { .. }
                | RepairFailure::Write { source: RepairError::Lossy(_) | RepairError::Read(_), .. }
        )
    }
}

impl Kind for RepairFailure {
    fn kind(&self) -> ErrorKind {
        match self {
            RepairFailure::Write { .. } | RepairFailure::Stopped { .. } => ErrorKind::Unavailable,
            RepairFailure::Samples { .. } => ErrorKind::Corrupt,
            RepairFailure::Upload(error) => error.kind(),
        }
    }
}

/// How a repaired block is made.
#[derive(Debug)]
pub(crate) struct Repair<'a> {
    pub(crate) bucket: &'a dyn Bucket,
    pub(crate) fs: &'a Arc<dyn Fs>,
    pub(crate) clock: &'a dyn Clock,
    /// The folder in which the new block gets its folder.
    pub(crate) parent: &'a Path,
    /// The name of the new block.
    pub(crate) id: BlockId,
    pub(crate) hash_func: HashFunc,
    pub(crate) concurrency: usize,
    /// By which right it is made.
    pub(crate) fence: Option<Fence>,
}

/// Writes the block again and uploads it; `None` where no sample is left. The new block names itself among its sources beside
/// those of the old one, so that the old one counts as held by it everywhere.
pub(crate) async fn repair(inspected: Inspected, repair: &Repair<'_>) -> Result<Option<Meta>, RepairFailure> {
    let Inspected { meta, files, examination, .. } = inspected;
    let (block, id) = (meta.id(), repair.id);
    let before = examination.counts.samples;
    let fewer_is_right = examination.problems.has(ProblemKind::ChunkDuplicate);
    let (fs, parent, old) = (Arc::clone(repair.fs), repair.parent.to_owned(), meta.block.clone());
    let written = aside(move || tsdb::block::repair(&files, &old, &examination, fs, &parent, id)).await;
    let written = written.map_err(|source| RepairFailure::Stopped { block, source })?;
    let written = written.map_err(|source| RepairFailure::Write { block, source })?;
    let after = written.as_ref().map_or(0, |written| written.stats.num_samples);
    if after > before || (after < before && !fewer_is_right) {
        return Err(RepairFailure::Samples { block, before, after });
    }
    let Some(mut written) = written else { return Ok(None) };
    written.compaction.sources.push(id);
    written.compaction.sources.sort_unstable();
    written.compaction.sources.dedup();
    let mut read = SourceRead::new(&meta.block, before);
    // The old range may be none.
    (read.min_time, read.max_time) = (written.min_time, written.max_time);
    let duplicates = before.saturating_sub(after);
    let account = Account { read: vec![read], duplicates, written: after, ..Account::default() };
    let mut repaired = Meta { block: written, thanos: meta.thanos };
    Provenance { block: id, fence: repair.fence.clone(), account: Some(account) }
        .write_to(&mut repaired.thanos);
    repaired.thanos.source = Source::CompactorRepair;
    repaired.thanos.index_stats = IndexStats::default();
    let upload = Upload {
        bucket: repair.bucket,
        fs: repair.fs,
        folder: repair.parent.join(id.to_string()),
        meta: repaired.clone(),
        clock: repair.clock,
        hash_func: repair.hash_func,
        concurrency: repair.concurrency,
    };
    Ok(Some(match upload.run().await? {
        Uploaded::Done(meta) => *meta,
        Uploaded::AlreadyThere => repaired,
    }))
}
