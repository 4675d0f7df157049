//! A stored file under a name: every reader of this crate reads through it, so that what goes wrong says where.
//!
//! [`Window`] gives random and sequential access with one buffer of bounded size. [`SectionStream`] walks once over a part of a
//! file that may be larger than memory and checks its checksum on the way.

mod output;
mod scratch;
mod stream;
mod window;

use std::io;
use std::sync::Arc;

use crate::corruption::{Corruption, Fault, Section};
use crate::encoding::At;
use crate::fs::RangeRead;

pub(crate) use output::Output;
pub use scratch::{Scratch, ScratchError};
pub(crate) use scratch::{ScratchFile, ScratchOutput, ScratchReader};
pub(crate) use stream::SectionStream;
pub(crate) use window::Window;

/// Bytes and the name under which they are stored.
#[derive(Debug, Clone)]
pub struct StoredFile {
    name: Arc<str>,
    bytes: Arc<dyn RangeRead>,
}

impl StoredFile {
    /// Names `bytes`; `name` is relative to the block or to the log, as in `chunks/000001`.
    pub fn new(name: impl Into<Arc<str>>, bytes: Arc<dyn RangeRead>) -> Self {
        StoredFile { name: name.into(), bytes }
    }

    /// The name.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The bytes.
    pub fn bytes(&self) -> &Arc<dyn RangeRead> {
        &self.bytes
    }

    /// How many bytes there are.
    pub fn len(&self) -> u64 {
        self.bytes.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// This fault in this file.
    pub fn corruption(&self, section: Section, offset: u64, fault: Fault) -> Corruption {
        Corruption { file: Arc::clone(&self.name), section, offset, fault }
    }

    /// A fault that a [`crate::encoding::Reader`] has found in this file.
    pub fn at(&self, section: Section, at: At) -> Corruption {
        self.corruption(section, at.offset, at.fault)
    }

    /// What the disk said while bytes at `offset` were read.
    pub fn io(&self, section: Section, offset: u64, error: &io::Error) -> Corruption {
        let fault = match error.kind() {
            io::ErrorKind::NotFound => Fault::Missing,
            io::ErrorKind::UnexpectedEof => Fault::Short { missing: 1 },
            _ => Fault::Io(error.to_string().into()),
        };
        self.corruption(section, offset, fault)
    }

    /// Checks that `length` bytes from `offset` on lie before `end`.
    pub(crate) fn check_range(
        &self,
        section: Section,
        offset: u64,
        length: u64,
        end: u64,
    ) -> Result<(), Corruption> {
        let end = end.min(self.len());
        match offset.checked_add(length) {
            Some(last) if last <= end => Ok(()),
            _ => {
                let missing = length.saturating_sub(end.saturating_sub(offset));
                Err(self.corruption(section, offset, Fault::Short { missing }))
            }
        }
    }

    /// Fills `into` from `offset` on.
    pub(crate) fn fill(&self, section: Section, offset: u64, into: &mut [u8]) -> Result<(), Corruption> {
        self.check_range(section, offset, into.len() as u64, self.len())?;
        self.bytes.read_exact_at(into, offset).map_err(|error| self.io(section, offset, &error))
    }
}
