//! The postings offset table: for each pair of name and value, where its list of postings lies; `docs/index.md`, "Postings
//! offset table".

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use crate::corruption::{Corruption, Fault, Section};
use crate::encoding::{At, Reader, put_uvarint, put_uvarint_bytes};
use crate::stored::{SectionStream, StoredFile, Window};

use super::toc::{Toc, Version};

/// Of so many values of a name one has its place in memory, where lists are to be found quickly.
pub(crate) const SAMPLED: u32 = 32;
/// Only the first value of a name has; lists are found by walking over all of a name's.
pub(crate) const NOT_SAMPLED: u32 = u32::MAX;
/// A first guess at the bytes of some entries.
const READ_BYTES: usize = 2 << 10;

/// Where the lists are, checked once: the checksum is right, the table is sorted, offsets lie among the postings.
#[derive(Debug, Clone)]
pub(crate) struct PostingsTable {
    /// The index, or for format 1, whose table is in no order, a sorted copy in memory.
    file: StoredFile,
    start: u64,
    names: Vec<Name>,
    samples: Vec<Sample>,
    /// The texts of `names` and `samples`.
    texts: Vec<u8>,
    entries: u64,
}

#[derive(Debug, Clone)]
struct Name {
    text: Range<u32>,
    samples: Range<u32>,
    values: u32,
    /// Behind the last entry, from the first entry of the table.
    end: u32,
}

#[derive(Debug, Clone)]
struct Sample {
    /// From the first entry of the table.
    at: u32,
    text: Range<u32>,
}

/// An entry of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PostingsEntry<'a> {
    /// The label's value; text unless damaged.
    pub value: &'a [u8],
    /// Where its list begins in the index.
    pub offset: u64,
}

impl PostingsTable {
    /// Reads the table in one pass that holds a bounded part of it (all of it for format 1). Of the values of a name one of
    /// `sampled` is kept.
    pub(crate) fn open(
        file: &StoredFile,
        version: Version,
        toc: &Toc,
        sampled: u32,
    ) -> Result<Self, Corruption> {
        if version == Version::V1 {
            return Self::open_unsorted(file, toc);
        }
        let mut stream = SectionStream::open(file, Section::PostingsTable, toc.postings_table, file.len())?;
        let walked = Builder::new(sampled).walk(file, &mut stream, toc);
        let (start, builder) = stream.conclude(walked)?;
        Ok(builder.build(file.clone(), start))
    }

    fn open_unsorted(file: &StoredFile, toc: &Toc) -> Result<Self, Corruption> {
        let mut stream = SectionStream::open(file, Section::PostingsTable, toc.postings_table, file.len())?;
        let mut entries: Vec<(Vec<u8>, Vec<u8>, u64)> = Vec::new();
        let walked = walk_entries(file, &mut stream, |at, entry| {
            check_place(file, toc, at, entry.offset)?;
            entries.push((entry.name.to_vec(), entry.value.to_vec(), entry.offset));
            Ok(())
        });
        stream.conclude(walked)?;
        entries.sort();
        let mut bytes = Vec::new();
        let mut builder = Builder::new(SAMPLED);
        let mut previous: &[u8] = &[];
        for (name, value, offset) in &entries {
            let at = bytes.len() as u32;
            put_uvarint(&mut bytes, 2);
            put_uvarint_bytes(&mut bytes, name);
            put_uvarint_bytes(&mut bytes, value);
            put_uvarint(&mut bytes, *offset);
            if !builder.push(at, previous, name, value) {
                let fault = Fault::Rule("two lists of postings for one label");
                return Err(file.corruption(Section::PostingsTable, toc.postings_table, fault));
            }
            previous = value;
        }
        builder.end = bytes.len() as u32;
        let sorted = StoredFile::new(Arc::clone(file.name()), Arc::new(Bytes::from(bytes)));
        Ok(builder.build(sorted, 0))
    }

    /// How many lists there are.
    pub(crate) fn len(&self) -> u64 {
        self.entries
    }

    /// The label names in order, and how many values each has; the empty name is that of all postings.
    pub(crate) fn names(&self) -> impl Iterator<Item = (&[u8], u32)> {
        self.names.iter().map(|name| (self.text(&name.text), name.values))
    }

    /// The entries of one name, in order of their values.
    pub(crate) fn walk(&self, name: &[u8]) -> Option<PostingsWalk> {
        let name = self.find_name(name)?;
        self.walk_from(name, name.samples.start)
    }

    /// The entries of the name that follows this one.
    pub(crate) fn walk_behind(&self, name: &[u8]) -> Option<PostingsWalk> {
        let at = self.names.partition_point(|known| self.text(&known.text) <= name);
        let name = self.names.get(at)?;
        self.walk_from(name, name.samples.start)
    }

    /// The entries of one name from the last sampled one on whose value is not above `from`.
    pub(crate) fn walk_near(&self, name: &[u8], from: &[u8]) -> Option<PostingsWalk> {
        let name = self.find_name(name)?;
        let samples = self.samples.get(name.samples.start as usize..name.samples.end as usize).unwrap_or(&[]);
        let above = samples.partition_point(|sample| self.text(&sample.text) <= from) as u32;
        self.walk_from(name, name.samples.start.saturating_add(above.saturating_sub(1)))
    }

    /// Moves a walk over the same name to the last sampled entry that is not above `from`, unless it is beyond already.
    pub(crate) fn skip_to(&self, walk: &mut PostingsWalk, name: &[u8], from: &[u8]) {
        if let Some(near) = self.walk_near(name, from).filter(|near| near.at > walk.at) {
            walk.at = near.at;
        }
    }

    fn walk_from(&self, name: &Name, sample: u32) -> Option<PostingsWalk> {
        let at = self.samples.get(sample as usize)?.at;
        Some(PostingsWalk {
            window: Window::new(self.file.clone()),
            at: self.start.saturating_add(at.into()),
            end: self.start.saturating_add(name.end.into()),
        })
    }

    fn find_name(&self, name: &[u8]) -> Option<&Name> {
        let at = self.names.binary_search_by(|known| self.text(&known.text).cmp(name)).ok()?;
        self.names.get(at)
    }

    fn text(&self, range: &Range<u32>) -> &[u8] {
        self.texts.get(range.start as usize..range.end as usize).unwrap_or(&[])
    }
}

/// Walks over entries of the table that have one name.
#[derive(Debug)]
pub struct PostingsWalk {
    window: Window,
    at: u64,
    end: u64,
}

impl PostingsWalk {
    /// The next entry.
    ///
    /// # Errors
    /// Whatever the disk says; the bytes were checked when the index was opened.
    pub fn next_entry(&mut self) -> Result<Option<PostingsEntry<'_>>, Corruption> {
        if self.at >= self.end {
            return Ok(None);
        }
        let mut wanted = READ_BYTES;
        // First find out where the value is, then borrow it: the borrow checker sees no other way.
        let (value_at, value_length, offset) = loop {
            let bytes = self.window.peek(Section::PostingsTable, self.at, wanted, self.end)?;
            let all = bytes.len() < wanted;
            let mut reader = Reader::new(bytes, self.at);
            match entry(&mut reader) {
                Ok((_, value, offset, value_end)) => {
                    self.at = reader.offset();
                    break (value_end.saturating_sub(value.len() as u64), value.len(), offset);
                }
                Err(At { fault: Fault::Short { missing }, .. }) if !all => {
                    wanted = wanted.saturating_add(usize::try_from(missing).unwrap_or(usize::MAX));
                }
                Err(at) => return Err(self.window.file().at(Section::PostingsTable, at)),
            }
        };
        let value = self.window.peek(Section::PostingsTable, value_at, value_length, self.end)?;
        Ok(Some(PostingsEntry { value, offset }))
    }
}

type Entry<'a> = (&'a [u8], &'a [u8], u64, u64);

/// Name, value, offset of the list, and where in the file the value ends.
fn entry<'a>(reader: &mut Reader<'a>) -> Result<Entry<'a>, At> {
    let start = reader.offset();
    let keys = reader.uvarint()?;
    if keys != 2 {
        let fault = Fault::Rule("an entry that has not exactly a name and a value");
        return Err(At { offset: start, fault });
    }
    let name = reader.uvarint_bytes()?;
    let value = reader.uvarint_bytes()?;
    let value_end = reader.offset();
    let offset = reader.uvarint()?;
    Ok((name, value, offset, value_end))
}

/// An entry of the table on the way through it.
pub(crate) struct Walked<'a> {
    /// From the first entry.
    place: u32,
    /// The value of the entry before.
    previous: &'a [u8],
    pub(crate) name: &'a [u8],
    pub(crate) value: &'a [u8],
    /// Where the list begins.
    pub(crate) offset: u64,
}

/// Hands all entries, each with its offset in the file, to `take`. Gives the offset of the first entry.
pub(crate) fn walk_entries(
    file: &StoredFile,
    stream: &mut SectionStream,
    mut take: impl FnMut(u64, Walked<'_>) -> Result<(), Corruption>,
) -> Result<u64, Corruption> {
    let section = Section::PostingsTable;
    let counted_at = stream.offset();
    let count = stream.u32()?;
    let start = stream.offset();
    // Four varints take four bytes at least.
    let max = stream.left() / 4;
    if u64::from(count) > max {
        let fault = Fault::OutOfRange { what: "number of entries", value: count.into(), max };
        return Err(file.corruption(section, counted_at, fault));
    }
    let mut refused = None;
    let walked = stream.read_each(count, |_, previous, reader| {
        let at = reader.offset();
        let (name, value, offset, _) = entry(reader)?;
        let place = at.saturating_sub(start) as u32;
        match take(at, Walked { place, previous, name, value, offset }) {
            Ok(()) => Ok(value),
            Err(corruption) => {
                refused = Some(corruption);
                Err(reader.fault(Fault::Order("entries")))
            }
        }
    });
    match refused {
        Some(corruption) => return Err(corruption),
        None => walked?,
    }
    if stream.left() > 0 {
        return Err(file.corruption(section, stream.offset(), Fault::Trailing(stream.left())));
    }
    Ok(start)
}

/// Checks that a list lies among the postings.
pub(crate) fn check_place(file: &StoredFile, toc: &Toc, at: u64, offset: u64) -> Result<(), Corruption> {
    let (first, last) = (toc.series_end(), toc.postings_end());
    if offset < first || offset >= last {
        let fault = Fault::OutOfRange { what: "offset of postings", value: offset, max: last };
        return Err(file.corruption(Section::PostingsTable, at, fault));
    }
    Ok(())
}

struct Builder {
    sampled: u32,
    names: Vec<Name>,
    samples: Vec<Sample>,
    texts: Vec<u8>,
    entries: u64,
    end: u32,
}

impl Builder {
    fn new(sampled: u32) -> Self {
        let (names, samples, texts) = (Vec::new(), Vec::new(), Vec::new());
        Builder { sampled, names, samples, texts, entries: 0, end: 0 }
    }

    fn walk(
        mut self,
        file: &StoredFile,
        stream: &mut SectionStream,
        toc: &Toc,
    ) -> Result<(u64, Self), Corruption> {
        let start = walk_entries(file, stream, |at, entry| {
            check_place(file, toc, at, entry.offset)?;
            if self.push(entry.place, entry.previous, entry.name, entry.value) {
                return Ok(());
            }
            Err(file.corruption(Section::PostingsTable, at, Fault::Order("entries")))
        })?;
        self.end = stream.end().saturating_sub(start) as u32;
        Ok((start, self))
    }

    /// Takes the next entry; whether it stands behind the one before, whose value is `previous`.
    fn push(&mut self, at: u32, previous: &[u8], name: &[u8], value: &[u8]) -> bool {
        let order = self.names.last().map(|last| {
            let known = self.texts.get(last.text.start as usize..last.text.end as usize).unwrap_or(&[]);
            known.cmp(name)
        });
        match order {
            Some(std::cmp::Ordering::Equal) if previous >= value => return false,
            Some(std::cmp::Ordering::Greater) => return false,
            Some(std::cmp::Ordering::Equal) => {}
            Some(std::cmp::Ordering::Less) | None => {
                if let Some(last) = self.names.last_mut() {
                    last.end = at;
                }
                let text = self.keep(name);
                let samples = self.samples.len() as u32;
                self.names.push(Name { text, samples: samples..samples, values: 0, end: at });
            }
        }
        let sampled = self.names.last().is_none_or(|last| last.values.is_multiple_of(self.sampled));
        if sampled {
            let text = self.keep(value);
            self.samples.push(Sample { at, text });
        }
        if let Some(last) = self.names.last_mut() {
            last.values = last.values.saturating_add(1);
            last.samples.end = self.samples.len() as u32;
        }
        self.entries = self.entries.saturating_add(1);
        true
    }

    fn keep(&mut self, text: &[u8]) -> Range<u32> {
        let start = self.texts.len() as u32;
        self.texts.extend_from_slice(text);
        start..self.texts.len() as u32
    }

    fn build(mut self, file: StoredFile, start: u64) -> PostingsTable {
        if let Some(last) = self.names.last_mut() {
            last.end = self.end;
        }
        self.names.shrink_to_fit();
        self.samples.shrink_to_fit();
        self.texts.shrink_to_fit();
        let Builder { names, samples, texts, entries, .. } = self;
        PostingsTable { file, start, names, samples, texts, entries }
    }
}
