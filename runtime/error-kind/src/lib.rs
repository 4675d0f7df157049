//! What kind of failure an error is, so that one place can turn any of them into a status.
//!
//! Libraries have an error type per operation. What leaves a process (an HTTP status, a gRPC code, an exit code, the
//! decision to try again) needs one word only. An error type says its word by implementing [`Kind`]; [`kind_of`] finds the
//! word in a chain of causes.

use std::error::Error;

/// The kinds of failure that callers tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ErrorKind {
    /// The caller asked for something that makes no sense; asking again is of no use.
    InvalidArgument,
    /// What was named is not there.
    NotFound,
    /// What was to be made is there already, or was changed by somebody else meanwhile.
    Conflict,
    /// The caller may not do this.
    AccessDenied,
    /// A peer or a disk did not do its part; the same call may work later.
    Unavailable,
    /// Stored bytes are damaged.
    Corrupt,
    /// It took too long.
    Timeout,
    /// The caller gave up.
    Canceled,
    /// A limit or a budget is used up.
    ResourceExhausted,
    /// A defect of ours.
    Internal,
}

impl ErrorKind {
    /// Whether the same call may succeed a moment later without anybody doing anything.
    pub const fn is_transient(self) -> bool {
        matches!(self, ErrorKind::Unavailable | ErrorKind::Timeout)
    }
}

/// An error that knows its kind.
pub trait Kind: Error {
    /// The kind of this failure.
    fn kind(&self) -> ErrorKind;
}

/// The kind of the first error in the chain of causes that `kind` recognises; [`ErrorKind::Internal`] where none does.
///
/// `kind` tries to downcast: the crate that answers for a process lists there the error types of the crates it uses.
pub fn kind_of(
    error: &(dyn Error + 'static),
    kind: impl Fn(&(dyn Error + 'static)) -> Option<ErrorKind>,
) -> ErrorKind {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(kind) = kind(error) {
            return kind;
        }
        next = error.source();
    }
    ErrorKind::Internal
}

/// The kind of a failure of the operating system.
pub fn kind_of_io(error: &std::io::Error) -> ErrorKind {
    use std::io::ErrorKind as Io;
    match error.kind() {
        Io::NotFound => ErrorKind::NotFound,
        Io::PermissionDenied | Io::ReadOnlyFilesystem => ErrorKind::AccessDenied,
        Io::AlreadyExists => ErrorKind::Conflict,
        Io::InvalidData | Io::UnexpectedEof => ErrorKind::Corrupt,
        Io::InvalidInput => ErrorKind::InvalidArgument,
        Io::TimedOut => ErrorKind::Timeout,
        Io::StorageFull | Io::QuotaExceeded | Io::OutOfMemory | Io::FileTooLarge => {
            ErrorKind::ResourceExhausted
        }
        _ => ErrorKind::Unavailable,
    }
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use super::*;

    #[derive(Debug)]
    struct Wrapped(std::io::Error);

    impl fmt::Display for Wrapped {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("reading the index")
        }
    }

    impl Error for Wrapped {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }

    #[test]
    fn the_kind_is_found_below_other_errors() {
        let look = |error: &(dyn Error + 'static)| error.downcast_ref::<std::io::Error>().map(kind_of_io);
        let full = Wrapped(std::io::Error::from(std::io::ErrorKind::StorageFull));
        assert_eq!(kind_of(&full, look), ErrorKind::ResourceExhausted);
        assert_eq!(kind_of(&fmt::Error, look), ErrorKind::Internal);
    }
}
