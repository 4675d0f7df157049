//! Segments: files of chunks; `docs/block.md`, "Segments".

use std::sync::Arc;

use crate::corruption::{Corruption, Fault, Section};
use crate::encoding::{At, Reader, crc32c};
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
        let (segment, offset) = (reference.segment(), u64::from(reference.offset()));
        let Some(file) = self.segments.files.get(segment as usize) else {
            let (file, section) = (segment_name(segment).into(), Section::Chunk);
            return Err(Corruption { file, section, offset, fault: Fault::Missing });
        };
        if self.open.as_ref().is_none_or(|(open, _)| *open != segment) {
            self.open = Some((segment, Window::new(file.clone())));
        }
        match self.open.as_mut() {
            Some((_, window)) => read_chunk(window, offset).map(|(chunk, _)| chunk),
            None => Err(file.corruption(Section::Chunk, offset, Fault::Missing)),
        }
    }
}

/// Reads the chunk at an offset of a segment and verifies its checksum. Also gives the offset behind it.
pub(crate) fn read_chunk(window: &mut Window, offset: u64) -> Result<(StoredChunk<'_>, u64), Corruption> {
    if offset < HEADER_BYTES {
        let fault = Fault::Rule("a chunk inside of the header");
        return Err(window.file().corruption(Section::Chunk, offset, fault));
    }
    let name = Arc::clone(window.file().name());
    let head = window.peek(Section::Chunk, offset, 10, u64::MAX)?;
    let whole = chunk_length(head, offset).map_err(|at| named(&name, at))?;
    window.file().check_range(Section::Chunk, offset, whole, u64::MAX)?;
    let bytes = window.get(Section::Chunk, offset, whole)?;
    let (chunk, length) = decode_chunk(bytes, offset).map_err(|at| named(&name, at))?;
    Ok((chunk, offset.saturating_add(length as u64)))
}

/// Reads a chunk out of bytes that begin with it, `offset` bytes from the start of its segment, and verifies its checksum.
/// Also gives how many bytes it takes, with length and checksum.
///
/// # Errors
/// [`Fault::Short`] where the bytes end too early, and as [`ChunkReader::read`]; to be named with [`crate::Corruption`].
pub fn decode_chunk(bytes: &[u8], offset: u64) -> Result<(StoredChunk<'_>, usize), At> {
    let fail = |fault| At { offset, fault };
    if offset < HEADER_BYTES {
        return Err(fail(Fault::Rule("a chunk inside of the header")));
    }
    let length = chunk_length(bytes, offset)? as usize;
    let Some(whole) = bytes.get(..length) else {
        return Err(fail(Fault::Short { missing: length.saturating_sub(bytes.len()) as u64 }));
    };
    let mut reader = Reader::new(whole, offset);
    reader.uvarint()?;
    let Some((content, sum)) = reader.rest().split_last_chunk::<4>() else {
        return Err(fail(Fault::Short { missing: 4 }));
    };
    let (expected, found) = (u32::from_be_bytes(*sum), crc32c(content));
    if expected != found {
        return Err(fail(Fault::Checksum { expected, found }));
    }
    let (encoding, data) = content.split_first().unwrap_or((&0, &[]));
    Ok((StoredChunk { encoding: *encoding, data }, length))
}

/// How many bytes a chunk takes with length, encoding and checksum.
fn chunk_length(head: &[u8], offset: u64) -> Result<u64, At> {
    let mut reader = Reader::new(head, offset);
    let length = reader.uvarint()?;
    if length > CHUNK_BYTES_MAX {
        let fault = Fault::OutOfRange { what: "length of a chunk", value: length, max: CHUNK_BYTES_MAX };
        return Err(At { offset, fault });
    }
    Ok(reader.offset().saturating_sub(offset).saturating_add(length).saturating_add(5))
}

fn named(file: &Arc<str>, at: At) -> Corruption {
    Corruption { file: Arc::clone(file), section: Section::Chunk, offset: at.offset, fault: at.fault }
}
