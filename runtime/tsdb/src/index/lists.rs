//! Writes lists of postings, and beside them the postings offset table; `docs/index.md`.

use std::sync::Arc;

use crc_fast::{CrcAlgorithm, Digest};

use crate::encoding::{crc32c, put_u32, put_uvarint, put_uvarint_bytes};
use crate::stored::{Output, Scratch, ScratchError, ScratchOutput, ScratchReader};

use super::output_symbols::SymbolTexts;
use super::writer::{IndexWriteError, SectionWriter};

/// Bytes of a scratch file that are copied at once.
const PIECE_BYTES: usize = 256 << 10;

/// Writes lists, one after the other.
pub(super) struct ListsWriter<'a> {
    out: &'a mut Output,
    texts: SymbolTexts,
    table: Spool,
    lists: u32,
    /// The name of the last list, and its text.
    name: (Option<u32>, Vec<u8>),
    /// Where in the output's buffer the part of the list begins that is not yet in `digest`.
    start: usize,
    /// For a list that did not fit into the buffer.
    digest: Option<Digest>,
}

impl<'a> ListsWriter<'a> {
    pub(super) fn new(out: &'a mut Output, texts: SymbolTexts, scratch: Option<&Scratch>) -> Self {
        let (table, name) = (Spool::new(scratch), (None, Vec::new()));
        ListsWriter { out, texts, table, lists: 0, name, start: 0, digest: None }
    }

    /// Begins the list of a label, or of all series, with so many series.
    pub(super) fn begin(&mut self, label: Option<(u32, u32)>, count: u64) -> Result<(), IndexWriteError> {
        let offset = self.out.position();
        let name = label.map(|(name, _)| name);
        if self.name.0 != name {
            self.name.1.clear();
            if let Some(text) = name.map(|name| self.texts.get(name)).transpose()?.flatten() {
                self.name.1.extend_from_slice(text.as_bytes());
            }
            self.name.0 = name;
        }
        let value = match label {
            Some((_, value)) => self.texts.get(value)?.unwrap_or(""),
            None => "",
        };
        let entry = self.table.buffer();
        put_uvarint(entry, 2);
        put_uvarint_bytes(entry, &self.name.1);
        put_uvarint_bytes(entry, value.as_bytes());
        put_uvarint(entry, offset);
        self.table.settle()?;
        self.lists = self.lists.saturating_add(1);
        // A series takes 16 bytes, so that less than 2^32 of them fit; the length, four bytes each, is what may not.
        let bytes = count.saturating_mul(4).saturating_add(4);
        let length = u32::try_from(bytes).map_err(|_| IndexWriteError::TooLarge {
            what: "list of postings",
            bytes,
            max: u32::MAX.into(),
        })?;
        let buffer = self.out.buffer();
        put_u32(buffer, length);
        self.start = buffer.len();
        self.digest = None;
        put_u32(buffer, count as u32);
        Ok(())
    }

    /// Appends series to the list.
    pub(super) fn put(&mut self, series: impl Iterator<Item = u32>) -> Result<(), IndexWriteError> {
        for series in series {
            put_u32(self.out.buffer(), series);
            if self.out.is_full() {
                let digest = self.digest.get_or_insert_with(|| Digest::new(CrcAlgorithm::Crc32Iscsi));
                digest.update(self.out.buffer().get(self.start..).unwrap_or(&[]));
                self.out.drain()?;
                self.start = 0;
            }
        }
        Ok(())
    }

    /// Ends the list.
    pub(super) fn end(&mut self) -> Result<(), IndexWriteError> {
        let rest = self.out.buffer().get(self.start..).unwrap_or(&[]);
        let sum = match self.digest.take() {
            None => crc32c(rest),
            Some(mut digest) => {
                digest.update(rest);
                digest.finalize() as u32
            }
        };
        put_u32(self.out.buffer(), sum);
        Ok(self.out.drain()?)
    }

    /// Writes the postings offset table. Gives where it begins.
    pub(super) fn finish(self) -> Result<u64, IndexWriteError> {
        let ListsWriter { out, table, lists, .. } = self;
        let here = out.position();
        let bytes = table.len().saturating_add(4);
        let mut section = SectionWriter::begin(out, "postings offset table", bytes)?;
        section.put(&lists.to_be_bytes())?;
        table.copy(|piece| section.put(piece))?;
        section.end()?;
        Ok(here)
    }
}

/// Bytes that wait until something else has been written, in memory or in a scratch file.
struct Spool {
    held: Vec<u8>,
    bytes_max: usize,
    scratch: Option<Scratch>,
    spilled: Option<ScratchOutput>,
}

impl Spool {
    /// Holds at most a sixteenth of the scratch's memory; without one as much as there is.
    fn new(scratch: Option<&Scratch>) -> Self {
        let bytes_max = scratch
            .map_or(usize::MAX, |scratch| usize::try_from(scratch.memory_bytes() / 16).unwrap_or(usize::MAX));
        Spool { held: Vec::new(), bytes_max, scratch: scratch.cloned(), spilled: None }
    }

    /// What is to be appended to; then [`Spool::settle`].
    fn buffer(&mut self) -> &mut Vec<u8> {
        match &mut self.spilled {
            Some(out) => out.buffer(),
            None => &mut self.held,
        }
    }

    fn settle(&mut self) -> Result<(), ScratchError> {
        match (&mut self.spilled, &self.scratch) {
            (Some(out), _) => out.drain(),
            (None, Some(scratch)) if self.held.len() > self.bytes_max => {
                let mut out = scratch.create()?;
                *out.buffer() = std::mem::take(&mut self.held);
                out.drain()?;
                self.spilled = Some(out);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn len(&self) -> u64 {
        self.spilled.as_ref().map_or(self.held.len() as u64, ScratchOutput::position)
    }

    /// Hands all bytes to `take`, in pieces.
    fn copy(self, mut take: impl FnMut(&[u8]) -> Result<(), IndexWriteError>) -> Result<(), IndexWriteError> {
        let Some(out) = self.spilled else { return take(&self.held) };
        let file = out.close()?;
        let mut reader = ScratchReader::new(Arc::clone(&file), 0, file.len(), PIECE_BYTES);
        loop {
            let bytes = reader.peek(1)?;
            if bytes.is_empty() {
                return Ok(());
            }
            take(bytes)?;
            let taken = bytes.len();
            reader.skip(taken);
        }
    }
}
