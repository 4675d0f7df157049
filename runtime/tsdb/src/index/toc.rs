//! The header and the table of contents of an index; `docs/index.md`, "Header" and "Table of contents".

use crate::corruption::{Corruption, Fault, Section};
use crate::encoding::{Reader, crc32c, put_u32, put_u64};
use crate::stored::StoredFile;

/// The first four bytes of every index.
pub(crate) const MAGIC: u32 = 0xBAAA_D700;
/// Magic number and version.
pub(crate) const HEADER_BYTES: u64 = 5;
/// Six offsets and a checksum.
pub(crate) const TOC_BYTES: u64 = 6 * 8 + 4;

/// The format of an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// Symbols and series are named by their offset in the file.
    V1,
    /// Symbols are named by their number, series by their offset divided by 16.
    V2,
    /// Read as format 2; Prometheus' reader accepts it.
    V3,
}

impl Version {
    /// The number in the header.
    pub const fn number(self) -> u8 {
        match self {
            Version::V1 => 1,
            Version::V2 => 2,
            Version::V3 => 3,
        }
    }

    /// What a reference to a series is multiplied by to give the offset in the file.
    pub const fn series_unit(self) -> u64 {
        match self {
            Version::V1 => 1,
            Version::V2 | Version::V3 => 16,
        }
    }
}

/// Where the sections of an index begin, in bytes from its start; 0 means that there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Toc {
    /// The symbol table.
    pub symbols: u64,
    /// The first series.
    pub series: u64,
    /// The first label index.
    pub label_indices: u64,
    /// The label index offset table.
    pub label_indices_table: u64,
    /// The first list of postings.
    pub postings: u64,
    /// The postings offset table.
    pub postings_table: u64,
}

impl Toc {
    /// Reads magic number and version.
    ///
    /// # Errors
    /// [`Fault::Magic`], [`Fault::Version`], [`Fault::Short`].
    pub fn read_version(file: &StoredFile) -> Result<Version, Corruption> {
        let mut header = [0; HEADER_BYTES as usize];
        file.fill(Section::Header, 0, &mut header)?;
        let at = |at| file.at(Section::Header, at);
        let mut reader = Reader::new(&header, 0);
        let found = reader.u32().map_err(at)?;
        if found != MAGIC {
            return Err(file.corruption(Section::Header, 0, Fault::Magic { expected: MAGIC, found }));
        }
        match reader.u8().map_err(at)? {
            1 => Ok(Version::V1),
            2 => Ok(Version::V2),
            3 => Ok(Version::V3),
            other => Err(file.corruption(Section::Header, 4, Fault::Version(other.into()))),
        }
    }

    /// Reads the table at the end of the file and checks that its offsets lie in the file, in the order of the format.
    ///
    /// # Errors
    /// [`Fault::Short`], [`Fault::Checksum`], [`Fault::OutOfRange`], [`Fault::Order`].
    pub fn read(file: &StoredFile) -> Result<Toc, Corruption> {
        let at = |at| file.at(Section::Toc, at);
        let Some(start) = file.len().checked_sub(TOC_BYTES).filter(|start| *start >= HEADER_BYTES) else {
            let missing = (HEADER_BYTES + TOC_BYTES).saturating_sub(file.len());
            return Err(file.corruption(Section::Toc, file.len(), Fault::Short { missing }));
        };
        let mut bytes = [0; TOC_BYTES as usize];
        file.fill(Section::Toc, start, &mut bytes)?;
        let (content, sum) = bytes.split_at(TOC_BYTES as usize - 4);
        let expected = Reader::new(sum, start).u32().map_err(at)?;
        let found = crc32c(content);
        if expected != found {
            return Err(file.corruption(Section::Toc, start, Fault::Checksum { expected, found }));
        }
        let mut reader = Reader::new(content, start);
        let mut next = || reader.u64().map_err(at);
        let toc = Toc {
            symbols: next()?,
            series: next()?,
            label_indices: next()?,
            label_indices_table: next()?,
            postings: next()?,
            postings_table: next()?,
        };
        toc.check(file, start)?;
        Ok(toc)
    }

    fn check(&self, file: &StoredFile, start: u64) -> Result<(), Corruption> {
        let offsets = [
            ("offset of the symbol table", self.symbols),
            ("offset of the series", self.series),
            ("offset of the label indices", self.label_indices),
            ("offset of the label index offset table", self.label_indices_table),
            ("offset of the postings", self.postings),
            ("offset of the postings offset table", self.postings_table),
        ];
        for (field, (what, value)) in offsets.into_iter().enumerate() {
            if value > start {
                let fault = Fault::OutOfRange { what, value, max: start };
                return Err(file.corruption(Section::Toc, start + 8 * field as u64, fault));
            }
        }
        let fault = |fault| Err(file.corruption(Section::Toc, start, fault));
        if self.symbols < HEADER_BYTES || self.postings_table < HEADER_BYTES {
            return fault(Fault::Rule("no symbol table or no postings offset table"));
        }
        let in_order = self.symbols < self.series
            && (self.label_indices == 0 || self.series <= self.label_indices)
            && (self.postings == 0 || self.series <= self.postings)
            && self.series <= self.postings_table
            && self.postings <= self.postings_table;
        if in_order { Ok(()) } else { fault(Fault::Order("sections")) }
    }

    /// Where the last series ends at the latest.
    pub fn series_end(&self) -> u64 {
        let ends = [self.label_indices, self.label_indices_table, self.postings, self.postings_table];
        ends.into_iter().filter(|end| *end >= self.series && *end > 0).min().unwrap_or(self.series)
    }

    /// Where a list of postings ends at the latest.
    pub fn postings_end(&self) -> u64 {
        self.postings_table
    }

    /// Appends the table with its checksum.
    pub fn write(&self, to: &mut Vec<u8>) {
        let start = to.len();
        for offset in [
            self.symbols,
            self.series,
            self.label_indices,
            self.label_indices_table,
            self.postings,
            self.postings_table,
        ] {
            put_u64(to, offset);
        }
        let sum = crc32c(to.get(start..).unwrap_or(&[]));
        put_u32(to, sum);
    }
}
