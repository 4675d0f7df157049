//! Segments: files of chunks; `docs/block.md`, "Segments".

use crate::corruption::{Corruption, Fault, Section};
use crate::encoding::{Reader, crc32c};
use crate::index::ChunkRef;
use crate::stored::{StoredFile, Window};

use super::segment_name;

/// The first four bytes of every segment.
pub(crate) const MAGIC: u32 = 0x85BD_40DD;
/// The only version.
pub(crate) const VERSION: u8 = 1;
/// Magic number, version, three bytes of nothing.
pub(crate) const HEADER_BYTES: u64 = 8;
/// The largest chunk that is read. Prometheus' have some hundred bytes, the largest that can be, 65,535 floats, about 1 MB.
pub const CHUNK_BYTES_MAX: u64 = 16 << 20;

/// The segments of a block, in order.
#[derive(Debug, Clone, Default)]
pub struct Segments {
    files: Vec<StoredFile>,
}

/// A chunk as it is stored, its checksum verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredChunk<'a> {
    /// The number of its encoding.
    pub encoding: u8,
    /// Its bytes.
    pub data: &'a [u8],
}

impl Segments {
    /// Takes the files in the order of their numbers and checks their headers.
    ///
    /// # Errors
    /// [`Fault::Magic`], [`Fault::Version`], [`Fault::Short`].
    pub fn open(files: Vec<StoredFile>) -> Result<Self, Corruption> {
        files.iter().try_for_each(check_header)?;
        Ok(Segments { files })
    }

    /// The files.
    pub fn files(&self) -> &[StoredFile] {
        &self.files
    }

    /// Reads chunks by their references.
    pub fn reader(&self) -> ChunkReader<'_> {
        ChunkReader { segments: self, open: None }
    }
}

/// Checks magic number and version of a segment.
pub(crate) fn check_header(file: &StoredFile) -> Result<(), Corruption> {
    let mut header = [0; HEADER_BYTES as usize];
    file.fill(Section::Header, 0, &mut header)?;
    let fail = |at| file.at(Section::Header, at);
    let mut reader = Reader::new(&header, 0);
    let found = reader.u32().map_err(fail)?;
    if found != MAGIC {
        return Err(file.corruption(Section::Header, 0, Fault::Magic { expected: MAGIC, found }));
    }
    match reader.u8().map_err(fail)? {
        VERSION => Ok(()),
        other => Err(file.corruption(Section::Header, 4, Fault::Version(other.into()))),
    }
}

/// Reads chunks; has a buffer of its own, so each caller has its own reader. Quickest in the order of the references.
#[derive(Debug)]
pub struct ChunkReader<'a> {
    segments: &'a Segments,
    open: Option<(u32, Window)>,
}

impl ChunkReader<'_> {
    /// Reads a chunk and verifies its checksum.
    ///
    /// # Errors
    /// [`Fault::Missing`] for a segment that is not there, [`Fault::Short`], [`Fault::Checksum`], [`Fault::OutOfRange`] for a
    /// chunk of more than [`CHUNK_BYTES_MAX`].
    pub fn read(&mut self, reference: ChunkRef) -> Result<StoredChunk<'_>, Corruption> {
        self.read_with_end(reference).map(|(chunk, _)| chunk)
    }

    /// Also gives the offset behind the chunk.
    pub(crate) fn read_with_end(
        &mut self,
        reference: ChunkRef,
    ) -> Result<(StoredChunk<'_>, u64), Corruption> {
        let (segment, offset) = (reference.segment(), u64::from(reference.offset()));
        let Some(file) = self.segments.files.get(segment as usize) else {
            let (file, section) = (segment_name(segment).into(), Section::Chunk);
            return Err(Corruption { file, section, offset, fault: Fault::Missing });
        };
        if self.open.as_ref().is_none_or(|(open, _)| *open != segment) {
            self.open = Some((segment, Window::new(file.clone())));
        }
        let Some((_, window)) = self.open.as_mut() else {
            return Err(file.corruption(Section::Chunk, offset, Fault::Missing));
        };
        let fail = |fault| file.corruption(Section::Chunk, offset, fault);
        if offset < HEADER_BYTES {
            return Err(fail(Fault::Rule("a chunk inside of the header")));
        }
        let mut reader = Reader::new(window.peek(Section::Chunk, offset, 10, file.len())?, offset);
        let length = reader.uvarint().map_err(|at| file.at(Section::Chunk, at))?;
        let start = reader.offset();
        if length > CHUNK_BYTES_MAX {
            let fault = Fault::OutOfRange { what: "length of a chunk", value: length, max: CHUNK_BYTES_MAX };
            return Err(fail(fault));
        }
        // Encoding, data, checksum.
        let whole = length.saturating_add(5);
        let bytes = window.get(Section::Chunk, start, whole)?;
        let Some((content, sum)) = bytes.split_last_chunk::<4>() else {
            return Err(fail(Fault::Short { missing: 4 }));
        };
        let (expected, found) = (u32::from_be_bytes(*sum), crc32c(content));
        if expected != found {
            return Err(fail(Fault::Checksum { expected, found }));
        }
        match content.split_first() {
            Some((encoding, data)) => {
                Ok((StoredChunk { encoding: *encoding, data }, start.saturating_add(whole)))
            }
            None => Err(fail(Fault::Short { missing: 1 })),
        }
    }
}
