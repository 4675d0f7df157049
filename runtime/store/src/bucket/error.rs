//! What can go wrong while one block is read, and how that is said to a caller.

use std::error::Error;
use std::fmt::Write;

use block::index_header::IndexHeaderError;
use budget::BudgetExceeded;
use objstore::BucketError;
use tonic::{Code, Status};
use tsdb::Corruption;
use tsdb::chunk::ChunkError;

use super::limits::LimitExceeded;

/// A block that could not be read. The texts of the steps and of limits are Thanos'.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    /// A step of the work.
    #[error("{step}")]
    In {
        /// Thanos' words for the step.
        step: &'static str,
        #[source]
        source: Box<ReadError>,
    },
    #[error(transparent)]
    Bucket(#[from] BucketError),
    #[error(transparent)]
    Header(#[from] IndexHeaderError),
    #[error(transparent)]
    Corrupt(#[from] Corruption),
    #[error("chunk {chunk}")]
    Chunk {
        /// Where it lies, as in `000001:8`.
        chunk: tsdb::index::ChunkRef,
        #[source]
        source: ChunkError,
    },
    /// The store has been told to stop here. The words are those of a status, by which a querier finds the code again.
    #[error("rpc error: code = ResourceExhausted desc = {0}")]
    Limit(#[from] LimitExceeded),
    #[error("rpc error: code = ResourceExhausted desc = {0}")]
    Budget(#[from] BudgetExceeded),
    #[error("aggregate {0} does not exist")]
    NoAggregate(&'static str),
    #[error("unsupported chunk encoding {0}")]
    Encoding(u8),
    /// Somebody panicked, or the process is ending.
    #[error("the work was broken off")]
    Stopped,
}

impl ReadError {
    /// The error as one of a step.
    pub(super) fn during(self, step: &'static str) -> Self {
        ReadError::In { step, source: Box::new(self) }
    }

    /// The status whose text begins with `what`; `otherwise` is the code of everything that is no limit.
    pub(super) fn status(&self, what: &str, otherwise: Code) -> Status {
        let mut text = what.to_owned();
        let mut cause: Option<&(dyn Error + 'static)> = Some(self);
        while let Some(error) = cause {
            let separator = if text.is_empty() { "" } else { ": " };
            // Writing to a text cannot fail.
            let _ = write!(text, "{separator}{error}");
            // What says that there is no room says it with its cause.
            let whole = error.downcast_ref::<ReadError>();
            cause = match whole {
                Some(ReadError::Limit(_) | ReadError::Budget(_)) => None,
                _ => error.source(),
            };
        }
        Status::new(if self.is_limit() { Code::ResourceExhausted } else { otherwise }, text)
    }

    fn is_limit(&self) -> bool {
        match self {
            ReadError::In { source, .. } => source.is_limit(),
            ReadError::Limit(_) | ReadError::Budget(_) => true,
            _ => false,
        }
    }
}

/// Adds the step to an error.
pub(super) trait During<T> {
    fn during(self, step: &'static str) -> Result<T, ReadError>;
}

impl<T, E: Into<ReadError>> During<T> for Result<T, E> {
    fn during(self, step: &'static str) -> Result<T, ReadError> {
        self.map_err(|error| error.into().during(step))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bucket::limits::Limit;

    #[test]
    fn a_status_tells_the_whole_way() {
        let limit = Limit::new(4, prometheus_client::metrics::counter::Counter::default());
        let refused = limit.reserve(5, "exceeded series limit").unwrap_err();
        let status = ReadError::from(refused).status("fetch postings for block X", Code::Aborted);
        assert_eq!(status.code(), Code::ResourceExhausted);
        assert_eq!(
            status.message(),
            "fetch postings for block X: rpc error: code = ResourceExhausted desc = exceeded series limit: limit 4 violated (got 5)"
        );
        let error = ReadError::NoAggregate("min").during("populate chunk").during("load chunks");
        let status = error.status("receive series from X", Code::Unknown);
        assert_eq!(
            (status.code(), status.message()),
            (
                Code::Unknown,
                "receive series from X: load chunks: populate chunk: aggregate min does not exist"
            )
        );
    }
}
