//! The index-header: the parts of an index that a store gateway needs for every query, copied to its own disk.
//!
//! [`build`] reads them out of the bucket by ranges and writes the file; [`IndexHeader`] opens it. The file presents itself to
//! the reader of the whole index as an index with holes, so that there is one reader of symbols and postings offsets. The bytes
//! are drawn in `docs/bucket.md`, "Index-header".

mod build;
mod sparse;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use objstore::Bucket;
use tsdb::encoding::{Reader, crc32c};
use tsdb::fs::{Fs, RangeRead};
use tsdb::index::{IndexReader, Toc};
use tsdb::stored::StoredFile;
use tsdb::{BlockId, Corruption, Fault, Section};

pub use build::{IndexHeaderError, build};
use sparse::{Part, SparseIndex};

use crate::blocking::on_disk;
use crate::layout;

const MAGIC: u32 = 0xBAAA_D792;
const VERSION: u8 = 1;
/// Magic number, two versions, an offset.
const HEADER_BYTES: u64 = 14;
/// Two offsets and a checksum.
const TOC_BYTES: u64 = 20;

/// An open index-header. Shared freely between threads: nothing in it changes.
#[derive(Debug, Clone)]
pub struct IndexHeader {
    index: IndexReader,
}

impl IndexHeader {
    /// Opens an index-header and checks all of it: its own table of contents, that of the index, the symbols and the postings
    /// offset table.
    ///
    /// # Errors
    /// What is wrong, with offsets in the index-header.
    pub fn open(bytes: Arc<dyn RangeRead>) -> Result<Self, Corruption> {
        let file = StoredFile::new(layout::INDEX_HEADER, bytes);
        let sparse = Arc::new(parts(&file)?);
        let index = StoredFile::new(layout::INDEX_HEADER, Arc::clone(&sparse) as Arc<dyn RangeRead>);
        let in_file =
            |corruption: Corruption| Corruption { offset: sparse.in_file(corruption.offset), ..corruption };
        let index = IndexReader::open(index).map_err(in_file)?;
        let at = sparse.layout();
        if index.toc().symbols != at.symbols || index.toc().postings_table != at.postings_table {
            let fault = Fault::Rule("the tables of contents of the index and of the index-header differ");
            return Err(file.corruption(Section::Toc, file.len().saturating_sub(TOC_BYTES), fault));
        }
        Ok(IndexHeader { index })
    }

    /// Opens the index-header of a block; builds it first where there is none, or none that can be used.
    ///
    /// # Errors
    /// See [`IndexHeaderError`].
    pub async fn open_or_build(
        bucket: &dyn Bucket,
        block: BlockId,
        fs: &Arc<dyn Fs>,
        path: &Path,
    ) -> Result<Self, IndexHeaderError> {
        match open_file(fs, path.to_owned()).await {
            Ok(Ok(header)) => return Ok(header),
            Ok(Err(corruption)) => {
                tracing::warn!(block = %block, %corruption, "an index-header cannot be used and is built again");
            }
            // None there, or a disk that may still take a new one.
            Err(_) => {}
        }
        build(bucket, block, fs, path).await?;
        match open_file(fs, path.to_owned()).await {
            Ok(Ok(header)) => Ok(header),
            Ok(Err(source)) => Err(IndexHeaderError::Corrupt { block, source }),
            Err(source) => Err(IndexHeaderError::Local { block, source }),
        }
    }

    /// The version of the index, 1 to 3.
    pub fn index_version(&self) -> u8 {
        self.index.version().number()
    }

    /// Where the sections of the index begin.
    pub fn toc(&self) -> &Toc {
        self.index.toc()
    }

    /// The symbols, and label names and values with the places of their postings. What lies in the holes (series, postings)
    /// is answered with an error.
    pub fn index(&self) -> &IndexReader {
        &self.index
    }

    /// Which bytes of the index in the bucket hold the postings of a label.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn postings_extent(&self, name: &str, value: &str) -> Result<Option<Range<u64>>, Corruption> {
        self.index.postings_extent(name, value)
    }
}

async fn open_file(fs: &Arc<dyn Fs>, path: PathBuf) -> std::io::Result<Result<IndexHeader, Corruption>> {
    let fs = Arc::clone(fs);
    on_disk(move || Ok(IndexHeader::open(fs.open(&path)?))).await
}

/// Reads the frame of an index-header.
fn parts(file: &StoredFile) -> Result<SparseIndex, Corruption> {
    let read = |section, offset, length| {
        let bytes = file.bytes().read_range(offset, length);
        bytes.map_err(|error| file.io(section, offset, &error))
    };
    let header = read(Section::Header, 0, HEADER_BYTES)?;
    let at = |at| file.at(Section::Header, at);
    let mut reader = Reader::new(&header, 0);
    let found = reader.u32().map_err(at)?;
    if found != MAGIC {
        return Err(file.corruption(Section::Header, 0, Fault::Magic { expected: MAGIC, found }));
    }
    let version = reader.u8().map_err(at)?;
    if version != VERSION {
        return Err(file.corruption(Section::Header, 4, Fault::Version(version.into())));
    }
    let index_version = reader.u8().map_err(at)?;
    let index_table = reader.u64().map_err(at)?;

    let Some(toc_at) = file.len().checked_sub(TOC_BYTES).filter(|at| *at >= HEADER_BYTES) else {
        let missing = (HEADER_BYTES + TOC_BYTES).saturating_sub(file.len());
        return Err(file.corruption(Section::Toc, file.len(), Fault::Short { missing }));
    };
    let toc = read(Section::Toc, toc_at, TOC_BYTES)?;
    let at = |at| file.at(Section::Toc, at);
    let mut reader = Reader::new(&toc, toc_at);
    let (symbols, table) = (reader.u64().map_err(at)?, reader.u64().map_err(at)?);
    let expected = reader.u32().map_err(at)?;
    let found = crc32c(toc.get(..16).unwrap_or(&[]));
    if expected != found {
        return Err(file.corruption(Section::Toc, toc_at, Fault::Checksum { expected, found }));
    }
    if symbols != HEADER_BYTES {
        let fault = Fault::Rule("the symbols do not follow the header");
        return Err(file.corruption(Section::Toc, toc_at, fault));
    }
    let (Some(symbols_length), Some(table_length)) = (table.checked_sub(symbols), toc_at.checked_sub(table))
    else {
        let fault =
            Fault::OutOfRange { what: "offset of the postings offset table", value: table, max: toc_at };
        return Err(file.corruption(Section::Toc, toc_at + 8, fault));
    };
    let Some(length) = index_table.checked_add(table_length) else {
        let fault = Fault::OutOfRange {
            what: "offset in the index",
            value: index_table,
            max: u64::MAX - table_length,
        };
        return Err(file.corruption(Section::Header, 6, fault));
    };
    // The table of contents of the index, at its end, says where its symbols begin; it is checked again when it is opened.
    let index_toc_at = toc_at.checked_sub(52).filter(|at| *at >= table);
    let index_toc_at = index_toc_at.ok_or_else(|| {
        file.corruption(Section::PostingsTable, table, Fault::Short { missing: 52 - table_length.min(52) })
    })?;
    let index_toc = read(Section::Toc, index_toc_at, 8)?;
    let index_symbols = Reader::new(&index_toc, index_toc_at).u64().map_err(at)?;
    let symbols = Part { index_at: index_symbols, file_at: symbols, length: symbols_length };
    let table = Part { index_at: index_table, file_at: table, length: table_length };
    let overlap = index_symbols.checked_add(symbols_length).is_none_or(|end| end > index_table);
    if index_symbols < 5 || overlap {
        let fault = Fault::Rule("the parts of the index do not fit into it");
        return Err(file.corruption(Section::Toc, index_toc_at, fault));
    }
    Ok(SparseIndex::new(Arc::clone(file.bytes()), index_version, length, symbols, table))
}
