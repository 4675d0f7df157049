//! Why there is no lease, or no more.

use error_kind::{ErrorKind, Kind};
use objstore::BucketError;

/// Why a compactor does not begin.
#[derive(Debug, thiserror::Error)]
pub enum EnterError {
    /// The store's answer.
    #[error("other compactors cannot be looked for")]
    Bucket(#[from] BucketError),
    /// Another compactor works on the bucket, and the two could not keep out of each other's way.
    #[error(
        "compactor {other} works on {bucket}, last seen {seconds} s ago, and the store cannot write under a condition \
         (`If-None-Match: *`): two compactors would do the same work and delete each other's blocks; stop one of them, or \
         wait until the other has been silent for {silence} s"
    )]
    NotAlone {
        /// The bucket.
        bucket: String,
        /// The other one.
        other: String,
        /// How long ago it was seen.
        seconds: i64,
        /// After how long it counts as gone.
        silence: i64,
    },
}

/// Why there is no lease, or no more.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// The store's answer. Nothing is known, so nothing may be marked or deleted.
    #[error("the lease of {claim} cannot be looked at")]
    Bucket {
        /// What was claimed.
        claim: String,
        /// The store's answer.
        #[source]
        source: BucketError,
    },
    /// The lease ran out, and others may work on the same by now. Whatever was made under it is not to be used, and nothing
    /// may be marked or deleted.
    #[error("the lease of {claim} is lost: {why}")]
    Lost {
        /// What was claimed.
        claim: String,
        /// How that is known.
        why: &'static str,
    },
}

impl LeaseError {
    /// Whether the lease is gone for good.
    pub const fn is_lost(&self) -> bool {
        matches!(self, LeaseError::Lost { .. })
    }
}

impl Kind for EnterError {
    fn kind(&self) -> ErrorKind {
        match self {
            EnterError::Bucket(error) => error.kind(),
            EnterError::NotAlone { .. } => ErrorKind::Conflict,
        }
    }
}

impl Kind for LeaseError {
    fn kind(&self) -> ErrorKind {
        match self {
            LeaseError::Bucket { source, .. } => source.kind(),
            LeaseError::Lost { .. } => ErrorKind::Conflict,
        }
    }
}
