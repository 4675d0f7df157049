//! What a matcher needs of the postings, found without reading one: for those who fetch lists from elsewhere.

use std::ops::Range;

use bytes::Bytes;
use prom_model::Matcher;

use crate::corruption::{Corruption, Fault, Section};
use crate::encoding::{Reader, crc32c};

use super::matching::Values;
use super::offsets::PostingsWalk;
use super::postings::{self, Postings, Union};
use super::reader::{IndexReader, check_list};

/// The lists that a matcher needs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MatcherPlan {
    /// Whether the series of the lists are those that do *not* satisfy the matcher: all others do, also those without the
    /// label.
    pub subtracts: bool,
    /// Where the lists lie in the index, from the start of each to the start of the next; in the order of the values.
    pub lists: Vec<Range<u64>>,
}

impl MatcherPlan {
    /// How many bytes the lists take.
    pub fn bytes(&self) -> u64 {
        self.lists.iter().map(|list| list.end.saturating_sub(list.start)).sum()
    }

    /// The most series that the lists can name.
    pub fn series_max(&self) -> u64 {
        self.lists.iter().map(|list| list_series(list.end.saturating_sub(list.start))).sum()
    }
}

/// Of so many bytes of a list, length, count and checksum take twelve.
const fn list_series(bytes: u64) -> u64 {
    bytes.saturating_sub(12) / 4
}

/// What the lists of all values of a label take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LabelExtent {
    /// How many values the label has.
    pub values: u32,
    /// How many bytes their lists take.
    pub bytes: u64,
}

impl IndexReader {
    /// The lists that a matcher needs. Looks at each value of the label, unless the matcher lists what it wants.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn plan(&self, matcher: &Matcher) -> Result<MatcherPlan, Corruption> {
        let subtracts = matcher.matches_empty();
        let values = if subtracts { Values::violating(matcher) } else { Values::satisfying(matcher) };
        // A label without a name is on no series.
        let lists = if matcher.name().is_empty() { Vec::new() } else { self.extents(matcher, &values)? };
        Ok(MatcherPlan { subtracts, lists })
    }

    /// Whether [`IndexReader::plan`] looks up the few values that the matcher lists, instead of looking at all.
    pub fn is_listed(matcher: &Matcher) -> bool {
        let values =
            if matcher.matches_empty() { Values::violating(matcher) } else { Values::satisfying(matcher) };
        matches!(values, Values::None | Values::Listed(_))
    }

    /// What the lists of a label take in all; `None` for a label that no series has.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn label_extent(&self, name: &str) -> Result<Option<LabelExtent>, Corruption> {
        let known = self.table().names().find(|(known, _)| *known == name.as_bytes());
        let Some((_, values)) = known.filter(|_| !name.is_empty()) else { return Ok(None) };
        let first = match self.table().walk(name.as_bytes()) {
            Some(mut walk) => walk.next_entry()?.map(|entry| entry.offset),
            None => None,
        };
        let Some(start) = first else { return Ok(None) };
        let end = self.end_of_name(name.as_bytes(), start)?;
        Ok(Some(LabelExtent { values, bytes: end.saturating_sub(start) }))
    }

    /// The list of all series; `None` where the index has none.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn all_postings_extent(&self) -> Result<Option<Range<u64>>, Corruption> {
        let Some(start) = self.postings_offset(b"", b"")? else { return Ok(None) };
        let end = self.end_of_name(b"", start)?;
        Ok(Some(start..end))
    }

    /// Reads a list out of bytes that begin with it; they may go on behind it.
    ///
    /// # Errors
    /// What is wrong with the list; [`Fault::Short`] where the bytes end too early.
    pub fn decode_postings(&self, bytes: &Bytes, offset: u64) -> Result<Postings, Corruption> {
        let content = self.list_content(bytes, offset)?;
        Postings::decode(bytes.slice_ref(content), offset.saturating_add(4))
            .map_err(|at| self.file().at(Section::Postings, at))
    }

    /// What is between the length and the checksum of a list.
    fn list_content<'a>(&self, bytes: &'a [u8], offset: u64) -> Result<&'a [u8], Corruption> {
        let fail = |at| self.file().at(Section::Postings, at);
        let mut reader = Reader::new(bytes, offset);
        let length = reader.u32().map_err(fail)? as usize;
        let start = reader.offset();
        let whole = reader.take(length.saturating_add(4)).map_err(fail)?;
        check_list(self.file(), self.version(), self.toc(), whole, start)?;
        Ok(whole.get(..length).unwrap_or(whole))
    }

    /// Where the last list of a name ends that begins at `start`.
    fn end_of_name(&self, name: &[u8], start: u64) -> Result<u64, Corruption> {
        let next = match self.table().walk_behind(name) {
            Some(mut behind) => behind.next_entry()?.map(|entry| entry.offset),
            None => None,
        };
        // Tables are written in the order of the lists; where one is not, the list ends with the section at the latest.
        Ok(next.filter(|next| *next > start).unwrap_or(self.toc().postings_end()))
    }

    fn extents(&self, matcher: &Matcher, values: &Values<'_>) -> Result<Vec<Range<u64>>, Corruption> {
        let name = matcher.name().as_bytes();
        let text = |value: &[u8]| matcher.matches(&String::from_utf8_lossy(value));
        match values {
            Values::None => Ok(Vec::new()),
            Values::Listed(values) => self.listed_extents(name, values),
            Values::All => {
                self.tested_extents(name, self.table().walk(name), |value| Some(!value.is_empty()))
            }
            Values::Prefixed(prefix) => {
                let prefix = prefix.as_bytes();
                self.tested_extents(name, self.table().walk_near(name, prefix), |value| {
                    if value.starts_with(prefix) {
                        return Some(text(value));
                    }
                    if value < prefix { Some(false) } else { None }
                })
            }
            Values::Tested(wanted) => {
                self.tested_extents(name, self.table().walk(name), |value| Some(text(value) == *wanted))
            }
        }
    }

    fn tested_extents(
        &self,
        name: &[u8],
        walk: Option<PostingsWalk>,
        mut test: impl FnMut(&[u8]) -> Option<bool>,
    ) -> Result<Vec<Range<u64>>, Corruption> {
        let mut extents = Extents::default();
        let Some(mut walk) = walk else { return Ok(Vec::new()) };
        while let Some(entry) = walk.next_entry()? {
            extents.at(entry.offset);
            match test(entry.value) {
                None => break,
                Some(false) => {}
                Some(true) => extents.open = Some(entry.offset),
            }
        }
        self.finish_extents(name, extents)
    }

    fn listed_extents(&self, name: &[u8], values: &[&str]) -> Result<Vec<Range<u64>>, Corruption> {
        let mut extents = Extents::default();
        let Some(first) = values.first() else { return Ok(Vec::new()) };
        let Some(mut walk) = self.table().walk_near(name, first.as_bytes()) else { return Ok(Vec::new()) };
        let mut values = values.iter().map(|value| value.as_bytes()).peekable();
        loop {
            // An open extent ends with the very next entry.
            if extents.open.is_none() {
                let Some(wanted) = values.peek() else { break };
                self.table().skip_to(&mut walk, name, wanted);
            }
            let Some(entry) = walk.next_entry()? else { break };
            extents.at(entry.offset);
            while values.next_if(|value| *value < entry.value).is_some() {}
            if values.next_if(|value| *value == entry.value).is_some() {
                extents.open = Some(entry.offset);
            }
        }
        self.finish_extents(name, extents)
    }

    fn finish_extents(&self, name: &[u8], mut extents: Extents) -> Result<Vec<Range<u64>>, Corruption> {
        if let Some(start) = extents.open {
            let end = self.end_of_name(name, start)?;
            extents.at(end);
        }
        let last = self.toc().postings_end();
        for list in &mut extents.closed {
            if list.end <= list.start {
                list.end = last;
            }
        }
        Ok(extents.closed)
    }
}

/// Collects lists; where one ends is known when the next begins.
#[derive(Debug, Default)]
struct Extents {
    open: Option<u64>,
    closed: Vec<Range<u64>>,
}

impl Extents {
    /// Another list begins here.
    fn at(&mut self, offset: u64) {
        if let Some(start) = self.open.take() {
            self.closed.push(start..offset);
        }
    }
}

/// Collects lists and gives their union.
#[derive(Debug)]
pub struct PostingsUnion<'a> {
    index: &'a IndexReader,
    union: Union,
}

impl<'a> PostingsUnion<'a> {
    /// No series yet.
    pub fn new(index: &'a IndexReader) -> Self {
        PostingsUnion { index, union: Union::default() }
    }

    /// Adds the list with which `bytes` begin, `offset` bytes from the start of the index; they may go on behind it.
    ///
    /// # Errors
    /// What is wrong with the list; [`Fault::Short`] where the bytes end too early.
    pub fn add(&mut self, bytes: &[u8], offset: u64) -> Result<(), Corruption> {
        let content = self.index.list_content(bytes, offset)?;
        postings::check(content, offset.saturating_add(4))
            .map_err(|at| self.index.file().at(Section::Postings, at))?;
        self.union.add_content(content);
        Ok(())
    }

    /// Bytes that are held for it now.
    pub fn held_bytes(&self) -> usize {
        self.union.held_bytes()
    }

    /// The series of all lists.
    pub fn finish(self) -> Postings {
        self.union.finish()
    }
}

/// A checksum that stands behind the bytes it is for.
pub(crate) fn split_checksum(bytes: &[u8]) -> Result<&[u8], Fault> {
    let Some((content, sum)) = bytes.split_last_chunk::<4>() else { return Err(Fault::Short { missing: 4 }) };
    let (expected, found) = (u32::from_be_bytes(*sum), crc32c(content));
    if expected == found { Ok(content) } else { Err(Fault::Checksum { expected, found }) }
}
