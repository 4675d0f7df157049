//! Writes an index of format 2, byte by byte as Prometheus 3 does; `docs/index.md`.
//!
//! Series stream through; in memory are the symbols, eight bytes for each label of each series, and at the end the postings
//! offset table; or with [`IndexWriter::bounded`] as much of them as may be.

use std::io;

use crc_fast::{CrcAlgorithm, Digest};

use crate::encoding::{crc32c, put_u32, put_uvarint_bytes};
use crate::fs::FileWrite;
use crate::stored::{Output, Scratch, ScratchError};

use super::lists::ListsWriter;
use super::output_symbols::OutputSymbols;
use super::series::{self, ChunkMeta, SeriesRef};
use super::toc::{MAGIC, Toc, Version};
use super::uses::Uses;

/// Why an index could not be written.
#[derive(Debug, thiserror::Error)]
pub enum IndexWriteError {
    /// The disk refused.
    #[error("the index could not be written")]
    Io(#[from] io::Error),
    /// A scratch file could not be written or read.
    #[error(transparent)]
    Scratch(#[from] ScratchError),
    /// The format has no place for so much.
    #[error("{what}: {bytes} bytes, at most {max} fit into an index")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// How large it is.
        bytes: u64,
        /// How large it may be.
        max: u64,
    },
    /// A series that no index may have: series are to ascend, labels too, chunks not to overlap.
    #[error("series {labels}: {rule}")]
    Series {
        /// Its labels, as text where the symbols are known.
        labels: String,
        /// The rule that it breaks.
        rule: &'static str,
    },
}

/// Writes an index.
#[derive(Debug)]
pub struct IndexWriter {
    out: Output,
    symbols: OutputSymbols,
    toc: Toc,
    /// The labels of the last series.
    last: Vec<(u32, u32)>,
    last_chunk: u64,
    /// Whether the first symbol is the empty text.
    has_empty: bool,
    uses: Uses,
    /// For what does not fit into memory.
    scratch: Option<Scratch>,
    series_max_bytes: u64,
    entry: Vec<u8>,
}

impl IndexWriter {
    /// Begins an index in an empty file: header and symbol table.
    ///
    /// # Errors
    /// [`IndexWriteError::Io`], [`IndexWriteError::TooLarge`], [`IndexWriteError::Scratch`].
    pub fn create(
        file: Box<dyn FileWrite>,
        symbols: impl Into<OutputSymbols>,
    ) -> Result<Self, IndexWriteError> {
        Self::begin(file, symbols.into(), None)
    }

    /// As [`IndexWriter::create`], in the memory of `scratch`: what does not fit lies in its files.
    ///
    /// # Errors
    /// As [`IndexWriter::create`].
    pub fn bounded(
        file: Box<dyn FileWrite>,
        symbols: impl Into<OutputSymbols>,
        scratch: &Scratch,
    ) -> Result<Self, IndexWriteError> {
        Self::begin(file, symbols.into(), Some(scratch))
    }

    fn begin(
        file: Box<dyn FileWrite>,
        symbols: OutputSymbols,
        scratch: Option<&Scratch>,
    ) -> Result<Self, IndexWriteError> {
        let mut out = Output::new(file);
        put_u32(out.buffer(), MAGIC);
        out.buffer().push(Version::V2.number());
        let start = out.position();
        let length = symbols.encoded_bytes().saturating_add(4);
        let mut section = SectionWriter::begin(&mut out, "symbol table", length)?;
        section.put(&symbols.len().to_be_bytes())?;
        symbols.encoded(|piece| section.put(piece))?;
        section.end()?;
        let toc = Toc {
            symbols: start,
            series: out.position(),
            label_indices: 0,
            label_indices_table: 0,
            postings: 0,
            postings_table: 0,
        };
        let has_empty = symbols.texts().get(0)?.is_some_and(str::is_empty);
        Ok(IndexWriter {
            out,
            symbols,
            toc,
            last: Vec::new(),
            last_chunk: 0,
            has_empty,
            uses: Uses::new(scratch),
            scratch: scratch.cloned(),
            series_max_bytes: 0,
            entry: Vec::new(),
        })
    }

    /// Appends a series: labels as symbols, sorted; behind the series before in the order of labels.
    ///
    /// # Errors
    /// [`IndexWriteError::Series`] for one that no index may have, which is not written then; [`IndexWriteError::Io`].
    pub fn add_series(
        &mut self,
        labels: &[(u32, u32)],
        chunks: &[ChunkMeta],
    ) -> Result<SeriesRef, IndexWriteError> {
        self.check(labels, chunks)
            .map_err(|rule| IndexWriteError::Series { labels: self.text_of(labels), rule })?;
        self.out.pad(16);
        let reference = self.out.position() / 16;
        let reference = u32::try_from(reference).map_err(|_| IndexWriteError::TooLarge {
            what: "offset of a series",
            bytes: self.out.position(),
            max: u64::from(u32::MAX) * 16,
        })?;
        self.entry.clear();
        series::encode(&mut self.entry, labels, chunks);
        let sum = crc32c(&self.entry);
        let start = self.out.position();
        let buffer = self.out.buffer();
        put_uvarint_bytes(buffer, &self.entry);
        put_u32(buffer, sum);
        let bytes = self.out.position().saturating_sub(start);
        self.series_max_bytes = self.series_max_bytes.max(bytes);
        self.out.drain()?;
        self.uses.add(labels, reference)?;
        self.last.clear();
        self.last.extend_from_slice(labels);
        self.last_chunk = chunks.last().map_or(self.last_chunk, |chunk| chunk.reference.0);
        Ok(SeriesRef(reference))
    }

    /// The bytes of the largest entry of a series so far, with length and checksum.
    pub fn series_max_bytes(&self) -> u64 {
        self.series_max_bytes
    }

    fn check(&self, labels: &[(u32, u32)], chunks: &[ChunkMeta]) -> Result<(), &'static str> {
        if labels.is_empty() {
            return Err("no labels");
        }
        // Symbols are sorted, so that their numbers say what stands before what, and only the first can be the empty text.
        let empty = self.has_empty;
        for (name, value) in labels {
            if *name >= self.symbols.len() || *value >= self.symbols.len() {
                return Err("a symbol that is not in the table");
            }
            if empty && (*name == 0 || *value == 0) {
                return Err("an empty label name or value");
            }
        }
        if !labels.is_sorted_by(|one, next| one.0 < next.0) {
            return Err("labels that do not ascend");
        }
        if self.last.as_slice() >= labels {
            return Err("not behind the series before");
        }
        if chunks.is_empty() {
            return Err("no chunks");
        }
        let mut last = self.last_chunk;
        for chunk in chunks {
            if chunk.max_time < chunk.min_time {
                return Err("a chunk that ends before it begins");
            }
            if chunk.reference.0 < last {
                return Err("chunks whose references do not ascend");
            }
            last = chunk.reference.0;
        }
        if !chunks.is_sorted_by(|one, next| one.max_time < next.min_time) {
            return Err("chunks that overlap");
        }
        Ok(())
    }

    fn text_of(&self, labels: &[(u32, u32)]) -> String {
        let mut texts = self.symbols.texts();
        let mut text = |symbol: u32| texts.get(symbol).ok().flatten().unwrap_or("?").to_owned();
        let parts: Vec<String> =
            labels.iter().map(|(name, value)| format!("{}={:?}", text(*name), text(*value))).collect();
        format!("{{{}}}", parts.join(", "))
    }

    /// Writes postings, offset table and table of contents, and waits until all would survive a loss of power. Gives the
    /// file's length.
    ///
    /// # Errors
    /// [`IndexWriteError::Io`], [`IndexWriteError::TooLarge`].
    pub fn finish(mut self) -> Result<u64, IndexWriteError> {
        let here = self.out.position();
        // Label indices are no longer written; their offsets say where they would be.
        (self.toc.label_indices, self.toc.postings) = (here, here);
        self.out.pad(4);
        let mut lists = ListsWriter::new(&mut self.out, self.symbols.texts(), self.scratch.as_ref());
        self.uses.write(&mut lists)?;
        let here = lists.finish()?;
        (self.toc.label_indices_table, self.toc.postings_table) = (here, here);
        self.toc.write(self.out.buffer());
        Ok(self.out.finish()?)
    }
}

/// Writes length, content, checksum.
pub(super) struct SectionWriter<'a> {
    out: &'a mut Output,
    digest: Digest,
}

impl<'a> SectionWriter<'a> {
    /// Begins a section whose content has so many bytes.
    pub(super) fn begin(
        out: &'a mut Output,
        what: &'static str,
        bytes: u64,
    ) -> Result<Self, IndexWriteError> {
        let max = u64::from(u32::MAX);
        let length = u32::try_from(bytes).map_err(|_| IndexWriteError::TooLarge { what, bytes, max })?;
        put_u32(out.buffer(), length);
        Ok(SectionWriter { out, digest: Digest::new(CrcAlgorithm::Crc32Iscsi) })
    }

    pub(super) fn put(&mut self, content: &[u8]) -> Result<(), IndexWriteError> {
        self.digest.update(content);
        Ok(self.out.put(content)?)
    }

    pub(super) fn end(self) -> Result<(), IndexWriteError> {
        put_u32(self.out.buffer(), self.digest.finalize() as u32);
        Ok(self.out.drain()?)
    }
}
