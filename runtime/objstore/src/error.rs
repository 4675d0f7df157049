//! What can go wrong with a bucket, as decisions that a caller can take.

use std::time::Duration;

use error_kind::{ErrorKind, Kind};

/// The cause as the provider's client gave it, with secrets taken out.
pub type Cause = Box<dyn std::error::Error + Send + Sync + 'static>;

/// An operation on a bucket that failed.
#[derive(Debug, thiserror::Error)]
pub enum BucketError {
    /// No object of this name.
    #[error("{name}: no such object")]
    NotFound {
        /// The object.
        name: String,
    },
    /// An object of this name is there, and it was to be made.
    #[error("{name}: the object exists")]
    AlreadyExists {
        /// The object.
        name: String,
    },
    /// The credentials do not allow it.
    #[error("{name}: access denied")]
    AccessDenied {
        /// The object, or the bucket.
        name: String,
        /// The store's answer.
        #[source]
        source: Cause,
    },
    /// The bucket itself is not there.
    #[error("{bucket}: no such bucket")]
    NoSuchBucket {
        /// The bucket.
        bucket: String,
        /// The store's answer.
        #[source]
        source: Cause,
    },
    /// The store does not take the request, and will not take it later: a wrong region, a malformed setting.
    #[error("{name}: the store refuses the request ({status})")]
    Refused {
        /// The object.
        name: String,
        /// The HTTP status.
        status: u16,
        /// The store's answer.
        #[source]
        source: Cause,
    },
    /// The store asks for patience: 429, 503 SlowDown and the like.
    #[error("{name}: the store asks to slow down")]
    Throttled {
        /// The object.
        name: String,
        /// `Retry-After`, where it was given.
        retry_after: Option<Duration>,
        /// The store's answer.
        #[source]
        source: Cause,
    },
    /// The store did not answer, or with an error of its own. Whether a write was done is unknown.
    #[error("{name}: the store failed")]
    Unavailable {
        /// The object.
        name: String,
        /// The store's answer, or the failure of the connection.
        #[source]
        source: Cause,
    },
    /// Not done within its time.
    #[error("{name}: not done within {limit:?}")]
    Timeout {
        /// The object.
        name: String,
        /// The time that it had.
        limit: Duration,
    },
    /// Another number of bytes came than was announced: fewer, or more.
    #[error("{name}: {got} of {expected} bytes at offset {offset}")]
    ShortRead {
        /// The object.
        name: String,
        /// Where the read began.
        offset: u64,
        /// How many bytes were announced.
        expected: u64,
        /// How many came; reading ended at the first that was too many.
        got: u64,
    },
    /// Somebody wrote the object anew while it was read.
    #[error("{name}: it changed while it was read")]
    Changed {
        /// The object.
        name: String,
    },
    /// An object that is larger than what its reader takes into memory.
    #[error("{name}: {size} bytes are more than the {limit} that are read at once")]
    TooLarge {
        /// The object.
        name: String,
        /// Its bytes.
        size: u64,
        /// What the reader takes.
        limit: u64,
    },
    /// A read that begins at or behind the end.
    #[error("{name}: offset {offset} is not inside its {size} bytes")]
    OutOfRange {
        /// The object.
        name: String,
        /// Where the read was to begin.
        offset: u64,
        /// The size of the object.
        size: u64,
    },
    /// A name that no object can have.
    #[error("{name:?}: not the name of an object: {rule}")]
    InvalidName {
        /// The name.
        name: String,
        /// Which rule it breaks.
        rule: &'static str,
    },
    /// The store cannot do this.
    #[error("{what} is not supported by {bucket}")]
    NotSupported {
        /// The bucket.
        bucket: String,
        /// What was asked for.
        what: &'static str,
    },
    /// What was to be written could not be read.
    #[error("{name}: its source cannot be read")]
    Source {
        /// The object.
        name: String,
        /// What the disk says.
        #[source]
        source: std::io::Error,
    },
}

impl BucketError {
    /// Whether the same call may succeed a moment later.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            BucketError::Throttled { .. }
                | BucketError::Unavailable { .. }
                | BucketError::Timeout { .. }
                | BucketError::ShortRead { .. }
        )
    }

    /// Whether the object is not there.
    pub const fn is_not_found(&self) -> bool {
        matches!(self, BucketError::NotFound { .. })
    }
}

impl Kind for BucketError {
    fn kind(&self) -> ErrorKind {
        match self {
            BucketError::NotFound { .. } | BucketError::NoSuchBucket { .. } => ErrorKind::NotFound,
            BucketError::AlreadyExists { .. } | BucketError::Changed { .. } => ErrorKind::Conflict,
            BucketError::AccessDenied { .. } => ErrorKind::AccessDenied,
            BucketError::Throttled { .. }
            | BucketError::Unavailable { .. }
            | BucketError::ShortRead { .. }
            | BucketError::Source { .. } => ErrorKind::Unavailable,
            BucketError::Timeout { .. } => ErrorKind::Timeout,
            BucketError::TooLarge { .. } => ErrorKind::ResourceExhausted,
            BucketError::OutOfRange { .. }
            | BucketError::InvalidName { .. }
            | BucketError::Refused { .. }
            | BucketError::NotSupported { .. } => ErrorKind::InvalidArgument,
        }
    }
}
