//! Why no block could be made of the sources of a job.

use block::findings::{Finding, Severity};
use tsdb::{BlockId, Fault};

use super::error::JobFailure;
use crate::quarantine::{Disagreement, code_of_fault};
use crate::{SourceError, SourceFault, WriteError};

/// What stopped a job.
#[derive(Debug)]
pub(super) enum Trouble {
    /// A source cannot be used as it is.
    Suspect(Box<Finding>),
    /// One of the sources is bad, and it is not known which.
    SuspectAll {
        /// What is wrong with what was made of them.
        difference: String,
    },
    /// Two sources contradict each other.
    Disagreement(Disagreement),
    /// A source is not there any more.
    Gone(BlockId),
    /// Something else.
    Failed(JobFailure),
}

impl From<JobFailure> for Trouble {
    fn from(failure: JobFailure) -> Self {
        Trouble::Failed(failure)
    }
}

impl Trouble {
    pub(super) fn suspect(block: BlockId, code: &'static str, detail: impl Into<String>) -> Self {
        Trouble::Suspect(Box::new(Finding::new(block, Severity::Damage, code, detail)))
    }
}

impl From<SourceError> for Trouble {
    fn from(error: SourceError) -> Self {
        // A disk that cannot be read says nothing about the block.
        let corruption = match &error.reason {
            SourceFault::Damaged(corruption) => Some(corruption),
            SourceFault::Unreadable { source, .. } => Some(source.as_ref()),
            SourceFault::Chunk { .. } | SourceFault::Series { .. } => None,
        };
        if let Some(corruption) = corruption
            && let Fault::Io(words) = &corruption.fault
        {
            let source = std::io::Error::other(format!("{}: {words}", corruption.file));
            return Trouble::Failed(JobFailure::Disk(source));
        }
        let code = code_of_fault(&error.reason);
        Trouble::suspect(error.block, code, super::views::chain(&error.reason))
    }
}

impl From<WriteError> for Trouble {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Source(error) => error.into(),
            target @ WriteError::Target(_) => Trouble::Failed(JobFailure::Write(target)),
        }
    }
}
