//! Scratch files: what does not fit into memory while a block is made of others.
//!
//! They are never synced: whoever is interrupted begins anew.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Output;
use crate::fs::{Fs, RangeRead};

/// Why something in a scratch file could not be written or read.
#[derive(Debug, thiserror::Error)]
#[error("{}: {doing}", path.display())]
pub struct ScratchError {
    /// The file or its folder.
    pub path: PathBuf,
    /// What was to be done.
    pub doing: &'static str,
    /// What the disk said; [`io::ErrorKind::StorageFull`] where it is full.
    pub source: io::Error,
}

/// How much may be in memory at once, and the folder for what is more. Nothing is made on the disk until it is needed; the last
/// clone that is dropped removes the folder with all in it.
#[derive(Debug, Clone)]
pub struct Scratch(Arc<Folder>);

#[derive(Debug)]
struct Folder {
    fs: Arc<dyn Fs>,
    path: PathBuf,
    memory_bytes: u64,
    files: AtomicU64,
}

impl Scratch {
    /// Scratch files in `folder`, which is for nothing else and need not be there. All that is made with it together may hold
    /// about `memory_bytes` in memory.
    pub fn new(fs: Arc<dyn Fs>, folder: PathBuf, memory_bytes: u64) -> Self {
        Scratch(Arc::new(Folder { fs, path: folder, memory_bytes, files: AtomicU64::new(0) }))
    }

    /// Bytes that may be in memory.
    pub fn memory_bytes(&self) -> u64 {
        self.0.memory_bytes
    }

    /// Begins a file.
    pub(crate) fn create(&self) -> Result<ScratchOutput, ScratchError> {
        let folder = &self.0;
        let number = folder.files.fetch_add(1, Ordering::Relaxed);
        folder.fs.create_dir_all(&folder.path).map_err(failed(&folder.path, "making the folder"))?;
        let path = folder.path.join(number.to_string());
        let file = folder.fs.create(&path).map_err(failed(&path, "making the file"))?;
        Ok(ScratchOutput { out: Output::new(file), name: Name { path, scratch: self.clone() } })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if *self.files.get_mut() > 0 {
            // Whoever makes blocks in this folder removes what is left of earlier attempts.
            let _ = self.fs.remove_dir_all(&self.path);
        }
    }
}

fn failed<'a>(path: &'a Path, doing: &'static str) -> impl FnOnce(io::Error) -> ScratchError + use<'a> {
    move |source| ScratchError { path: path.to_owned(), doing, source }
}

/// The name of a file, which goes when this does.
#[derive(Debug)]
struct Name {
    path: PathBuf,
    scratch: Scratch,
}

impl Drop for Name {
    fn drop(&mut self) {
        // The folder is removed in any case.
        let _ = self.scratch.0.fs.remove_file(&self.path);
    }
}

/// A scratch file that is being written.
#[derive(Debug)]
pub(crate) struct ScratchOutput {
    out: Output,
    name: Name,
}

impl ScratchOutput {
    /// The buffer, to append to; then [`ScratchOutput::drain`].
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        self.out.buffer()
    }

    /// The offset of the next byte.
    pub(crate) fn position(&self) -> u64 {
        self.out.position()
    }

    /// Writes the buffer when it is full.
    pub(crate) fn drain(&mut self) -> Result<(), ScratchError> {
        self.out.drain().map_err(failed(&self.name.path, "writing the file"))
    }

    /// Writes the rest and opens the file for reading.
    pub(crate) fn close(self) -> Result<Arc<ScratchFile>, ScratchError> {
        let ScratchOutput { out, name } = self;
        out.close().map_err(failed(&name.path, "writing the file"))?;
        let bytes = name.scratch.0.fs.open(&name.path).map_err(failed(&name.path, "opening the file"))?;
        Ok(Arc::new(ScratchFile { bytes, name }))
    }
}

/// A scratch file that is complete; it goes when this does.
#[derive(Debug)]
pub(crate) struct ScratchFile {
    bytes: Arc<dyn RangeRead>,
    name: Name,
}

impl ScratchFile {
    /// How many bytes there are.
    pub(crate) fn len(&self) -> u64 {
        self.bytes.len()
    }

    /// Fills `into` from `offset` on.
    pub(crate) fn read_at(&self, into: &mut [u8], offset: u64) -> Result<(), ScratchError> {
        self.bytes.read_exact_at(into, offset).map_err(failed(&self.name.path, "reading the file"))
    }
}

/// Reads a part of a scratch file from its start to its end, through one buffer.
#[derive(Debug)]
pub(crate) struct ScratchReader {
    file: Arc<ScratchFile>,
    /// What is in the buffer and not yet taken.
    buffer: Vec<u8>,
    at: usize,
    /// The offset behind the buffer.
    loaded: u64,
    end: u64,
    piece: usize,
}

impl ScratchReader {
    /// Reads `start..end` in pieces of `piece` bytes.
    pub(crate) fn new(file: Arc<ScratchFile>, start: u64, end: u64, piece: usize) -> Self {
        ScratchReader { end: end.min(file.len()), file, buffer: Vec::new(), at: 0, loaded: start, piece }
    }

    /// The offset of the next byte.
    pub(crate) fn offset(&self) -> u64 {
        self.loaded.saturating_sub(self.buffer.len().saturating_sub(self.at) as u64)
    }

    /// The next bytes: at least `wanted`, or all that are left.
    #[inline]
    pub(crate) fn peek(&mut self, wanted: usize) -> Result<&[u8], ScratchError> {
        if self.buffer.len().saturating_sub(self.at) < wanted && self.loaded < self.end {
            self.load(wanted)?;
        }
        Ok(self.buffer.get(self.at..).unwrap_or(&[]))
    }

    /// Leaves out bytes that were peeked.
    #[inline]
    pub(crate) fn skip(&mut self, bytes: usize) {
        self.at = self.at.saturating_add(bytes);
    }

    /// What was read is not what was written.
    #[cold]
    pub(crate) fn damaged(&self) -> ScratchError {
        failed(&self.file.name.path, "reading the file")(io::ErrorKind::InvalidData.into())
    }

    fn load(&mut self, wanted: usize) -> Result<(), ScratchError> {
        self.buffer.drain(..self.at.min(self.buffer.len()));
        self.at = 0;
        let have = self.buffer.len();
        let left = usize::try_from(self.end.saturating_sub(self.loaded)).unwrap_or(usize::MAX);
        let more = wanted.max(self.piece).saturating_sub(have).min(left);
        self.buffer.resize(have.saturating_add(more), 0);
        let fresh = self.buffer.get_mut(have..).unwrap_or_default();
        self.file.read_at(fresh, self.loaded)?;
        self.loaded = self.loaded.saturating_add(more as u64);
        Ok(())
    }
}
