//! Failures of stores as failures of storage.

use std::fmt;

use budget::BudgetExceeded;
use error_kind::{ErrorKind, Kind};
use promql::SourceError;
use query::PieceError;
use tonic::{Code, Status};

/// A call of the StoreAPI has failed, in the words that Thanos has for it.
#[derive(Debug, Clone)]
pub struct StoreFailure {
    call: &'static str,
    status: Status,
}

impl StoreFailure {
    /// What the stores answered to a call.
    pub fn status(&self) -> &Status {
        &self.status
    }

    pub(super) const fn new(call: &'static str, status: Status) -> Self {
        StoreFailure { call, status }
    }
}

impl fmt::Display for StoreFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (call, code, text) = (self.call, code_name(self.status.code()), self.status.message());
        write!(f, "proxy {call}(): rpc error: code = {code} desc = {text}")
    }
}

impl std::error::Error for StoreFailure {}

impl Kind for StoreFailure {
    fn kind(&self) -> ErrorKind {
        match self.status.code() {
            Code::InvalidArgument | Code::OutOfRange | Code::FailedPrecondition => ErrorKind::InvalidArgument,
            Code::NotFound => ErrorKind::NotFound,
            Code::AlreadyExists => ErrorKind::Conflict,
            Code::PermissionDenied | Code::Unauthenticated => ErrorKind::AccessDenied,
            Code::Unavailable | Code::Aborted => ErrorKind::Unavailable,
            Code::DataLoss => ErrorKind::Corrupt,
            Code::DeadlineExceeded => ErrorKind::Timeout,
            Code::Cancelled => ErrorKind::Canceled,
            Code::ResourceExhausted => ErrorKind::ResourceExhausted,
            Code::Ok | Code::Unknown | Code::Unimplemented | Code::Internal => ErrorKind::Internal,
        }
    }
}

impl From<StoreFailure> for SourceError {
    fn from(failure: StoreFailure) -> Self {
        let kind = failure.kind();
        SourceError::new(failure, kind)
    }
}

/// The name that Go's gRPC prints.
const fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "Canceled",
        Code::Unknown => "Unknown",
        Code::InvalidArgument => "InvalidArgument",
        Code::DeadlineExceeded => "DeadlineExceeded",
        Code::NotFound => "NotFound",
        Code::AlreadyExists => "AlreadyExists",
        Code::PermissionDenied => "PermissionDenied",
        Code::ResourceExhausted => "ResourceExhausted",
        Code::FailedPrecondition => "FailedPrecondition",
        Code::Aborted => "Aborted",
        Code::OutOfRange => "OutOfRange",
        Code::Unimplemented => "Unimplemented",
        Code::Internal => "Internal",
        Code::Unavailable => "Unavailable",
        Code::DataLoss => "DataLoss",
        Code::Unauthenticated => "Unauthenticated",
    }
}

pub(super) fn exhausted(exceeded: BudgetExceeded) -> SourceError {
    SourceError::new(exceeded, ErrorKind::ResourceExhausted)
}

pub(super) fn unreadable(error: PieceError) -> SourceError {
    SourceError::new(error, ErrorKind::Corrupt)
}
