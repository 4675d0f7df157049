//! Opens an index and reads series and postings from it.

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;
use prom_model::Matcher;

use crate::corruption::{Corruption, Fault, Section};
use crate::encoding::Reader;
use crate::stored::{StoredFile, Window};

use super::labels::{LabelArena, SymbolCache};
use super::matching;
use super::offsets::{NOT_SAMPLED, PostingsTable, PostingsWalk, SAMPLED};
use super::plan::split_checksum;
use super::postings::{self, Postings, Union};
use super::postings_stream::PostingsStream;
use super::series::{Series, SeriesRef};
use super::symbols::Symbols;
use super::toc::{Toc, Version};

/// The longest entry of a series that is read: a million chunks take less.
pub(crate) const SERIES_BYTES_MAX: u64 = 16 << 20;

/// An open index. Shared freely between threads: nothing in it changes.
#[derive(Debug, Clone)]
pub struct IndexReader {
    file: StoredFile,
    version: Version,
    toc: Toc,
    symbols: Symbols,
    table: PostingsTable,
}

impl IndexReader {
    /// Opens an index: reads its table of contents, and walks once over its symbols and its postings offset table, of which a
    /// 32nd stays in memory. Series and lists of postings have checksums of their own, which are verified when they are read.
    ///
    /// # Errors
    /// What is wrong with any of these sections.
    pub fn open(file: StoredFile) -> Result<Self, Corruption> {
        Self::open_sampled(file, SAMPLED)
    }

    /// As [`IndexReader::open`], for reading all series once: of the postings offset table only the label names stay in memory,
    /// and finding lists of postings is slow.
    ///
    /// # Errors
    /// As [`IndexReader::open`].
    pub fn open_to_scan(file: StoredFile) -> Result<Self, Corruption> {
        Self::open_sampled(file, NOT_SAMPLED)
    }

    fn open_sampled(file: StoredFile, sampled: u32) -> Result<Self, Corruption> {
        let version = Toc::read_version(&file)?;
        let toc = Toc::read(&file)?;
        let symbols = Symbols::open(&file, version, toc.symbols, toc.series)?;
        let table = PostingsTable::open(&file, version, &toc, sampled)?;
        Ok(IndexReader { file, version, toc, symbols, table })
    }

    /// The file.
    pub fn file(&self) -> &StoredFile {
        &self.file
    }

    /// The format.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Where the sections begin.
    pub fn toc(&self) -> &Toc {
        &self.toc
    }

    /// The symbol table.
    pub fn symbols(&self) -> &Symbols {
        &self.symbols
    }

    /// A cache with which one caller turns symbols into text.
    pub fn symbol_cache(&self) -> SymbolCache {
        SymbolCache::new(self.symbols.clone(), Window::new(self.file.clone()))
    }

    /// How many lists of postings there are: one for each pair of name and value, and that of all series.
    pub fn postings_lists(&self) -> u64 {
        self.table.len()
    }

    /// The label names in order, with the number of values of each. Names that are not UTF-8 are shown with U+FFFD.
    pub fn label_names(&self) -> impl Iterator<Item = (Cow<'_, str>, u32)> {
        let names = self.table.names().filter(|(name, _)| !name.is_empty());
        names.map(|(name, values)| (String::from_utf8_lossy(name), values))
    }

    /// The values of a label in order, each with the place of its postings.
    pub fn label_values(&self, name: &str) -> Option<PostingsWalk> {
        if name.is_empty() { None } else { self.table.walk(name.as_bytes()) }
    }

    /// The series that have this label; none where the label is unknown.
    ///
    /// # Errors
    /// What is wrong with the list.
    pub fn postings(&self, name: &str, value: &str) -> Result<Postings, Corruption> {
        match self.postings_offset(name.as_bytes(), value.as_bytes())? {
            Some(offset) if !name.is_empty() => self.postings_at(offset),
            _ => Ok(Postings::default()),
        }
    }

    /// Which bytes of the index hold the list of a label: from its start to where the next list of the table starts. For those
    /// who read lists from elsewhere; they check the length and the checksum in the list itself.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn postings_extent(&self, name: &str, value: &str) -> Result<Option<Range<u64>>, Corruption> {
        let (name, value) = (name.as_bytes(), value.as_bytes());
        let Some(mut walk) = self.table.walk_near(name, value) else { return Ok(None) };
        let start = loop {
            match walk.next_entry()? {
                Some(entry) if entry.value < value => {}
                Some(entry) if entry.value == value => break entry.offset,
                _ => return Ok(None),
            }
        };
        let mut next = walk.next_entry()?.map(|entry| entry.offset);
        if next.is_none()
            && let Some(mut behind) = self.table.walk_behind(name)
        {
            next = behind.next_entry()?.map(|entry| entry.offset);
        }
        // Tables are written in the order of the lists; where one is not, the list ends with the section at the latest.
        let end = next.filter(|next| *next > start).unwrap_or(self.toc.postings_end());
        Ok(Some(start..end))
    }

    /// All series.
    ///
    /// # Errors
    /// What is wrong with the list; [`Fault::Rule`] where there is none.
    pub fn all_postings(&self) -> Result<Postings, Corruption> {
        self.postings_at(self.all_postings_offset()?)
    }

    /// All series, one after the other, without taking the list into memory.
    ///
    /// # Errors
    /// As [`IndexReader::all_postings`].
    pub fn all_postings_stream(&self) -> Result<PostingsStream, Corruption> {
        PostingsStream::open(&self.file, &self.toc, self.all_postings_offset()?)
    }

    fn all_postings_offset(&self) -> Result<u64, Corruption> {
        let missing = || {
            let fault = Fault::Rule("no list of all series");
            self.file.corruption(Section::PostingsTable, self.toc.postings_table, fault)
        };
        self.postings_offset(b"", b"")?.ok_or_else(missing)
    }

    /// The series that satisfy all matchers, by Prometheus' rules: an absent label has the empty value. No matchers, all series.
    ///
    /// # Errors
    /// What is wrong with the lists that are needed.
    pub fn postings_for_matchers(&self, matchers: &[Matcher]) -> Result<Postings, Corruption> {
        matching::postings_for_matchers(self, matchers)
    }

    /// Reads series by their references.
    pub fn series_reader(&self) -> SeriesReader<'_> {
        SeriesReader::over(&self.file, self.version, self.toc, Some(&self.symbols))
    }

    /// Reads all series in the order of the file.
    pub fn scan(&self) -> SeriesScan<'_> {
        SeriesScan { reader: self.series_reader(), at: self.toc.series }
    }

    pub(crate) fn table(&self) -> &PostingsTable {
        &self.table
    }

    /// Where the list of a label begins.
    pub(crate) fn postings_offset(&self, name: &[u8], value: &[u8]) -> Result<Option<u64>, Corruption> {
        let Some(mut walk) = self.table.walk_near(name, value) else { return Ok(None) };
        while let Some(entry) = walk.next_entry()? {
            match entry.value.cmp(value) {
                std::cmp::Ordering::Less => {}
                std::cmp::Ordering::Equal => return Ok(Some(entry.offset)),
                std::cmp::Ordering::Greater => return Ok(None),
            }
        }
        Ok(None)
    }

    /// The list that begins at an offset.
    pub(crate) fn postings_at(&self, offset: u64) -> Result<Postings, Corruption> {
        let mut length = [0; 4];
        self.file.check_range(Section::Postings, offset, 8, self.toc.postings_end())?;
        self.file.fill(Section::Postings, offset, &mut length)?;
        let length = u64::from(u32::from_be_bytes(length));
        self.file.check_range(
            Section::Postings,
            offset,
            length.saturating_add(8),
            self.toc.postings_end(),
        )?;
        let start = offset.saturating_add(4);
        let bytes = self.file.bytes().read_range(start, length.saturating_add(4));
        let bytes: Bytes = bytes.map_err(|error| self.file.io(Section::Postings, start, &error))?;
        let content = bytes.slice(..bytes.len().saturating_sub(4));
        check_list(&self.file, self.version, &self.toc, &bytes, start)?;
        Postings::decode(content, start).map_err(|at| self.file.at(Section::Postings, at))
    }

    /// Adds the list that begins at an offset to a union.
    pub(crate) fn add_postings(
        &self,
        window: &mut Window,
        offset: u64,
        union: &mut Union,
    ) -> Result<(), Corruption> {
        let end = self.toc.postings_end();
        self.file.check_range(Section::Postings, offset, 8, end)?;
        let length = Reader::new(window.get(Section::Postings, offset, 4)?, offset).u32();
        let length = u64::from(length.map_err(|at| self.file.at(Section::Postings, at))?);
        self.file.check_range(Section::Postings, offset, length.saturating_add(8), end)?;
        let start = offset.saturating_add(4);
        let bytes = window.get(Section::Postings, start, length.saturating_add(4))?;
        check_list(&self.file, self.version, &self.toc, bytes, start)?;
        let content = bytes.get(..bytes.len().saturating_sub(4)).unwrap_or(&[]);
        postings::check(content, start).map_err(|at| self.file.at(Section::Postings, at))?;
        union.add_content(content);
        Ok(())
    }
}

/// Checks the checksum behind a list and that its first and last series lie among the series.
pub(crate) fn check_list(
    file: &StoredFile,
    version: Version,
    toc: &Toc,
    bytes: &[u8],
    start: u64,
) -> Result<(), Corruption> {
    let content = split_checksum(bytes).map_err(|fault| file.corruption(Section::Postings, start, fault))?;
    let (numbers, _) = content.get(4..).unwrap_or(&[]).as_chunks::<4>();
    for number in [numbers.first(), numbers.last()].into_iter().flatten() {
        let value = u64::from(u32::from_be_bytes(*number));
        let offset = value.saturating_mul(version.series_unit());
        if offset < toc.series || offset >= toc.series_end() {
            let max = toc.series_end() / version.series_unit();
            let fault = Fault::OutOfRange { what: "reference to a series", value, max };
            return Err(file.corruption(Section::Postings, start, fault));
        }
    }
    Ok(())
}

/// Reads single series; has a buffer of its own, so each caller has its own reader.
#[derive(Debug)]
pub struct SeriesReader<'a> {
    version: Version,
    toc: Toc,
    /// Without them it is not checked whether the symbols of a series exist.
    symbols: Option<&'a Symbols>,
    window: Window,
}

impl<'a> SeriesReader<'a> {
    pub(crate) fn over(file: &StoredFile, version: Version, toc: Toc, symbols: Option<&'a Symbols>) -> Self {
        SeriesReader { version, toc, symbols, window: Window::new(file.clone()) }
    }

    /// Reads a series in place of what was in `series`.
    ///
    /// # Errors
    /// What is wrong with it: no series begins there, its checksum, its counts, its symbols.
    pub fn read(&mut self, reference: SeriesRef, series: &mut Series) -> Result<(), Corruption> {
        let offset = u64::from(reference.0).saturating_mul(self.version.series_unit());
        self.read_at(offset, series).map(|_| ())
    }

    /// Reads the series whose entry begins at an offset; gives the offset behind it.
    pub(crate) fn read_at(&mut self, offset: u64, series: &mut Series) -> Result<u64, Corruption> {
        let (first, end) = (self.toc.series, self.toc.series_end());
        let fail = |window: &Window, fault| window.file().corruption(Section::Series, offset, fault);
        if offset < first || offset >= end {
            let fault = Fault::OutOfRange { what: "offset of a series", value: offset, max: end };
            return Err(fail(&self.window, fault));
        }
        let (start, length) = self.extent(offset)?;
        let bytes = self.window.get(Section::Series, start, length.saturating_add(4))?;
        let content = match split_checksum(bytes) {
            Ok(content) => content,
            Err(fault) => return Err(fail(&self.window, fault)),
        };
        if let Err(at) = series.decode(&mut Reader::new(content, start)) {
            return Err(self.window.file().at(Section::Series, at));
        }
        series.reference = SeriesRef((offset / self.version.series_unit()) as u32);
        if let Some(symbols) = self.symbols {
            let mut all = series.labels.iter().flat_map(|(name, value)| [*name, *value]);
            if let Some(symbol) = all.find(|symbol| !symbols.may_be_symbol(*symbol)) {
                let max = u64::from(symbols.len()).saturating_sub(1);
                let fault = Fault::OutOfRange { what: "symbol", value: symbol.into(), max };
                return Err(fail(&self.window, fault));
            }
        }
        Ok(start.saturating_add(length).saturating_add(4))
    }

    /// Where the content of the entry at an offset begins, and its length; the entry lies among the series.
    pub(crate) fn extent(&mut self, offset: u64) -> Result<(u64, u64), Corruption> {
        let end = self.toc.series_end();
        let mut reader = Reader::new(self.window.peek(Section::Series, offset, 10, end)?, offset);
        let length = reader.uvarint();
        let start = reader.offset();
        let file = self.window.file();
        let length = length.map_err(|at| file.at(Section::Series, at))?;
        if length > SERIES_BYTES_MAX {
            let fault =
                Fault::OutOfRange { what: "length of a series", value: length, max: SERIES_BYTES_MAX };
            return Err(file.corruption(Section::Series, offset, fault));
        }
        file.check_range(Section::Series, start, length.saturating_add(4), end)?;
        Ok((start, length))
    }
}

/// Reads all series in order.
#[derive(Debug)]
pub struct SeriesScan<'a> {
    reader: SeriesReader<'a>,
    at: u64,
}

impl SeriesScan<'_> {
    /// Reads the next series in place of what was in `series`; `false` at the end.
    ///
    /// # Errors
    /// As [`SeriesReader::read`]; the scan is over then.
    pub fn next_into(&mut self, series: &mut Series) -> Result<bool, Corruption> {
        let end = self.reader.toc.series_end();
        self.at = self.at.next_multiple_of(self.reader.version.series_unit());
        if self.at >= end {
            return Ok(false);
        }
        match self.reader.read_at(self.at, series) {
            Ok(next) => {
                self.at = next;
                Ok(true)
            }
            Err(corruption) => {
                self.at = end;
                Err(corruption)
            }
        }
    }
}

impl IndexReader {
    /// The labels of one series as text; for a few series. Many are resolved with a [`SymbolCache`] that lives longer.
    ///
    /// # Errors
    /// As [`SymbolCache::resolve`].
    pub fn labels(&self, series: &Series) -> Result<prom_model::Labels, Corruption> {
        let mut arena = LabelArena::default();
        self.symbol_cache().resolve(&series.labels, &mut arena)?;
        Ok(arena.to_labels())
    }
}
