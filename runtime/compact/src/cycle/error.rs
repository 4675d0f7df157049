//! What can go wrong in a cycle, other than a damaged block.

use std::io;

use block::{BlockId, DownloadError, FetchError, MarkError, StoreTimeError, UploadError};
use error_kind::{ErrorKind, Kind, kind_of_io};
use objstore::BucketError;

use crate::WriteError;
use crate::lease::{LeaseError, TooWide};
use crate::plan::Halt;
use crate::quarantine::{InspectError, RepairFailure};
use crate::verify::{NotInBucket, WhyNot};

/// Why a job did not end. Its blocks are as they were, and it is tried again later.
#[derive(Debug, thiserror::Error)]
pub enum JobFailure {
    /// The store's answer.
    #[error("the bucket failed")]
    Bucket(#[from] BucketError),
    /// A source could not be brought here.
    #[error(transparent)]
    Download(#[from] DownloadError),
    /// A block that seemed damaged could not be looked at.
    #[error(transparent)]
    Inspect(#[from] InspectError),
    /// A damaged block could not be written anew.
    #[error(transparent)]
    Repair(#[from] RepairFailure),
    /// The new block could not be written.
    #[error("the new block is not written")]
    Write(#[source] WriteError),
    /// The disk refused, or the work was stopped.
    #[error("the work on the disk failed")]
    Disk(#[source] io::Error),
    /// The new block does not hold what its sources hold, and these are sound: a defect of ours. It is not uploaded.
    #[error("what was made of {sources} sound blocks is not sound: {difference}")]
    Output {
        /// How many sources it was made of.
        sources: usize,
        /// What is wrong.
        difference: String,
    },
    /// The new block could not be put into the bucket.
    #[error(transparent)]
    Upload(#[from] UploadError),
    /// The new block is in the bucket, but not as it was sent; its sources stay.
    #[error(transparent)]
    NotInBucket(#[from] NotInBucket),
    /// A mark could not be written.
    #[error(transparent)]
    Mark(#[from] MarkError),
    /// The new block does not stand for a source, which stays.
    #[error("block {block} stays beside the block that was made of it")]
    NotCovered {
        /// The source.
        block: BlockId,
        /// Why.
        #[source]
        source: WhyNot,
    },
    /// The right to do the work is not known to be ours any more; nothing was marked or deleted since.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// The job would take more than all jobs together may. It is left until it may take more; other jobs go on.
    #[error("the job takes {needs} bytes of {what}, and may take {has}")]
    OverBudget {
        /// Memory or disk.
        what: &'static str,
        /// How many bytes it takes at most.
        needs: u64,
        /// How many there are.
        has: u64,
    },
    /// Thanos halts here, and it was asked to halt where Thanos does.
    #[error(transparent)]
    Halt(#[from] Halt),
    /// The blocks span more time than can be claimed.
    #[error("the blocks span more time than any block may have")]
    TooWide(#[source] TooWide),
}

impl JobFailure {
    /// Whether the disk is full, or as full as it may be.
    pub fn is_out_of_space(&self) -> bool {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(self);
        while let Some(error) = cause {
            if let Some(error) = error.downcast_ref::<io::Error>()
                && matches!(
                    error.kind(),
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
                )
            {
                return true;
            }
            cause = error.source();
        }
        false
    }
}

impl Kind for JobFailure {
    fn kind(&self) -> ErrorKind {
        match self {
            _ if self.is_out_of_space() => ErrorKind::ResourceExhausted,
            JobFailure::Bucket(error) => error.kind(),
            JobFailure::Download(error) => error.kind(),
            JobFailure::Inspect(error) => error.kind(),
            JobFailure::Repair(error) => error.kind(),
            JobFailure::Write(_) => ErrorKind::Unavailable,
            JobFailure::Disk(error) => kind_of_io(error),
            JobFailure::Output { .. } => ErrorKind::Internal,
            JobFailure::Upload(error) => error.kind(),
            JobFailure::NotInBucket(error) => error.kind(),
            JobFailure::NotCovered { .. } => ErrorKind::Conflict,
            JobFailure::Lease(error) => error.kind(),
            JobFailure::Halt(_) => ErrorKind::Conflict,
            JobFailure::OverBudget { .. } => ErrorKind::ResourceExhausted,
            JobFailure::TooWide(_) => ErrorKind::InvalidArgument,
            JobFailure::Mark(error) => error.kind(),
        }
    }
}

/// Why a queue did not do all of its work.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// The blocks are not known.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The ages of objects are not known, so nothing may be deleted.
    #[error(transparent)]
    StoreTime(#[from] StoreTimeError),
    /// The disk refused.
    #[error("the data directory cannot be prepared")]
    Disk(#[source] io::Error),
    /// The queue cannot be had for this compactor alone.
    #[error("the queue cannot be claimed")]
    Claim(#[source] Box<JobFailure>),
    /// Thanos halts here, and it was asked to halt where Thanos does.
    #[error(transparent)]
    Halt(#[from] Halt),
}

impl Kind for QueueError {
    fn kind(&self) -> ErrorKind {
        match self {
            QueueError::Fetch(error) => error.kind(),
            QueueError::StoreTime(error) => error.kind(),
            QueueError::Disk(error) => kind_of_io(error),
            QueueError::Claim(error) => error.kind(),
            QueueError::Halt(_) => ErrorKind::Conflict,
        }
    }
}
