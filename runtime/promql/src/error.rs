//! Why a query has no answer.

use error_kind::{ErrorKind, Kind};
use promql_syntax::ParseError;

use crate::{BudgetExceeded, SourceError};

/// What a query can fail with. The texts are Prometheus' own wherever it has one for the case.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The text is no query; the errors have their places in it.
    #[error("{}", parse_text(.query, .errors))]
    Parse {
        /// The text.
        query: String,
        /// What is wrong with it.
        errors: Vec<ParseError>,
    },
    /// The query cannot be evaluated over the steps asked for.
    #[error("{0}")]
    Invalid(String),
    /// Evaluation came upon something that has no answer.
    #[error("{0}")]
    Execution(String),
    /// The query has more samples in flight than `--query.max-samples` allows.
    #[error("query processing would load too many samples into memory in query execution")]
    TooManySamples,
    /// The query would hold more memory than it may.
    #[error("query execution would use too much memory")]
    Memory(#[from] BudgetExceeded),
    /// The deadline has passed.
    #[error("query timed out in expression evaluation")]
    TimedOut,
    /// The caller has gone away.
    #[error("query was canceled in expression evaluation")]
    Cancelled,
    /// Storage failed.
    #[error("expanding series")]
    Storage(#[from] SourceError),
}

fn parse_text(query: &str, errors: &[ParseError]) -> String {
    errors.first().map(|error| error.located(query)).unwrap_or_default()
}

impl QueryError {
    pub(crate) fn execution(text: impl Into<String>) -> Self {
        QueryError::Execution(text.into())
    }
}

impl Kind for QueryError {
    fn kind(&self) -> ErrorKind {
        match self {
            QueryError::Parse { .. } | QueryError::Invalid(_) | QueryError::Execution(_) => {
                ErrorKind::InvalidArgument
            }
            QueryError::TooManySamples | QueryError::Memory(_) => ErrorKind::ResourceExhausted,
            QueryError::TimedOut => ErrorKind::Timeout,
            QueryError::Cancelled => ErrorKind::Canceled,
            QueryError::Storage(error) => error.kind(),
        }
    }
}
