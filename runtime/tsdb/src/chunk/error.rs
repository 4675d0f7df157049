//! Damage inside a chunk.

use std::sync::Arc;

use crate::corruption::{Corruption, Fault, Section};

/// What is wrong with a chunk's bytes, and at which of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("chunk data at byte {at}: {fault}")]
pub struct ChunkError {
    /// Bytes from the first byte of the chunk's data, the one behind the encoding.
    pub at: usize,
    /// What is wrong.
    pub fault: Fault,
}

impl ChunkError {
    pub(super) const fn new(at: usize, fault: Fault) -> Self {
        ChunkError { at, fault }
    }

    /// The same damage in a file in which the chunk's data begins at byte `data_offset`.
    pub fn in_file(self, file: impl Into<Arc<str>>, data_offset: u64) -> Corruption {
        let offset = data_offset.saturating_add(self.at as u64);
        Corruption { file: file.into(), section: Section::Chunk, offset, fault: self.fault }
    }
}
