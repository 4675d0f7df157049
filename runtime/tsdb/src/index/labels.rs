//! Text out of symbols: a cache of symbols for one caller, and an arena for the labels it makes.

use std::ops::Range;

use hashbrown::HashMap;

use crate::corruption::{Corruption, Fault, Section};
use crate::stored::Window;

use super::symbols::Symbols;
use super::toc::Version;

/// The memory that a cache takes at most before it begins anew.
const BYTES_MAX: usize = 32 << 20;

/// Resolves symbols of one index; has no lock, so each caller has its own.
#[derive(Debug)]
pub struct SymbolCache {
    symbols: Symbols,
    window: Window,
    /// For each group of 32 symbols its place in `groups`; empty for format 1.
    places: Vec<u32>,
    /// For each offset its place in `groups`; for format 1 only.
    by_offset: HashMap<u32, u32, foldhash::fast::FixedState>,
    groups: Vec<Group>,
    ends: Vec<u32>,
    bytes: Vec<u8>,
}

impl SymbolCache {
    /// Bytes held, about.
    pub fn held_bytes(&self) -> usize {
        (self.places.capacity() + self.ends.capacity()) * 4
            + self.by_offset.capacity() * 9
            + self.groups.capacity() * size_of::<Group>()
            + self.bytes.capacity()
    }
}

/// Symbols that stand behind each other in a cache.
#[derive(Debug, Clone, Copy)]
struct Group {
    /// The place of their first end in `ends`.
    ends: u32,
    count: u32,
    /// Where the first begins.
    start: u32,
}

const NOWHERE: u32 = u32::MAX;

impl SymbolCache {
    pub(crate) fn new(symbols: Symbols, window: Window) -> Self {
        let groups = match symbols.version() {
            Version::V1 => 0,
            Version::V2 | Version::V3 => symbols.groups() as usize,
        };
        let by_offset = HashMap::with_hasher(foldhash::fast::FixedState::default());
        let places = vec![NOWHERE; groups];
        let (groups, ends, bytes) = (Vec::new(), Vec::new(), Vec::new());
        SymbolCache { symbols, window, places, by_offset, groups, ends, bytes }
    }

    /// The bytes of a symbol.
    ///
    /// # Errors
    /// [`Fault::OutOfRange`] where the index has no such symbol; whatever the disk says.
    pub fn bytes(&mut self, symbol: u32) -> Result<&[u8], Corruption> {
        let range = self.locate(symbol)?;
        Ok(self.bytes.get(range).unwrap_or(&[]))
    }

    /// The text of a symbol.
    ///
    /// # Errors
    /// As [`SymbolCache::bytes`], and [`Fault::Utf8`].
    pub fn text(&mut self, symbol: u32) -> Result<&str, Corruption> {
        let range = self.locate(symbol)?;
        let bytes = self.bytes.get(range).unwrap_or(&[]);
        std::str::from_utf8(bytes)
            .map_err(|_| self.window.file().corruption(Section::Symbols, 0, Fault::Utf8("a symbol")))
    }

    /// Where in `bytes` a symbol is, loaded if need be.
    fn locate(&mut self, symbol: u32) -> Result<Range<usize>, Corruption> {
        if !self.symbols.may_be_symbol(symbol) {
            let max = u64::from(self.symbols.len()).saturating_sub(1);
            let fault = Fault::OutOfRange { what: "symbol", value: symbol.into(), max };
            return Err(self.window.file().corruption(Section::Symbols, 0, fault));
        }
        let (key, member, known) = match self.symbols.version() {
            Version::V1 => (symbol, 0, self.by_offset.get(&symbol).copied()),
            Version::V2 | Version::V3 => {
                let (group, member) = self.symbols.group_of(symbol);
                (group, member, self.places.get(group as usize).copied())
            }
        };
        let known = known.filter(|place| *place != NOWHERE);
        let group = match known.and_then(|place| self.groups.get(place as usize)) {
            Some(group) => *group,
            None => self.load(key)?,
        };
        let end_of = |member: u32| self.ends.get(group.ends.saturating_add(member) as usize).copied();
        let start = match member.checked_sub(1) {
            Some(before) => end_of(before),
            None => Some(group.start),
        };
        match (start, end_of(member)) {
            (Some(start), Some(end)) if member < group.count => Ok(start as usize..end as usize),
            _ => {
                let fault = Fault::Rule("a symbol that was there is gone");
                Err(self.window.file().corruption(Section::Symbols, 0, fault))
            }
        }
    }

    fn load(&mut self, key: u32) -> Result<Group, Corruption> {
        // Four bytes for each end, twelve for each group.
        let taken = self.bytes.len() + 4 * self.ends.len() + 12 * self.groups.len();
        if taken > BYTES_MAX {
            self.forget();
        }
        let (ends, start) = (self.ends.len() as u32, self.bytes.len() as u32);
        match self.symbols.version() {
            Version::V1 => {
                self.symbols.read_at(&mut self.window, key, &mut self.bytes)?;
                self.ends.push(self.bytes.len() as u32);
            }
            Version::V2 | Version::V3 => {
                self.symbols.read_group(&mut self.window, key, &mut self.bytes, &mut self.ends)?;
            }
        }
        if self.bytes.len() > u32::MAX as usize {
            self.forget();
            let fault = Fault::Rule("symbols of 4 GB");
            return Err(self.window.file().corruption(Section::Symbols, 0, fault));
        }
        let count = (self.ends.len() as u32).saturating_sub(ends);
        let group = Group { ends, count, start };
        let place = self.groups.len() as u32;
        self.groups.push(group);
        match self.places.get_mut(key as usize) {
            Some(known) => *known = place,
            None => {
                self.by_offset.insert(key, place);
            }
        }
        Ok(group)
    }

    fn forget(&mut self) {
        self.places.fill(NOWHERE);
        self.by_offset.clear();
        self.groups.clear();
        self.ends.clear();
        self.bytes.clear();
    }

    /// Puts the labels of a series into `arena` in place of what was there.
    ///
    /// # Errors
    /// As [`SymbolCache::text`]: the text of one series says nothing about the others.
    pub fn resolve(&mut self, labels: &[(u32, u32)], arena: &mut LabelArena) -> Result<(), Corruption> {
        arena.clear();
        for (name, value) in labels {
            arena.push_name(self.text(*name)?);
            arena.push_value(self.text(*value)?);
        }
        Ok(())
    }
}

/// Labels of one series after the other, in one piece of memory.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LabelArena {
    text: String,
    /// The end of each name and of each value.
    ends: Vec<u32>,
}

impl LabelArena {
    /// Forgets all labels, keeps the memory.
    pub fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
    }

    fn push_name(&mut self, name: &str) {
        self.text.push_str(name);
        self.ends.push(self.text.len() as u32);
    }

    fn push_value(&mut self, value: &str) {
        self.push_name(value);
    }

    /// How many labels there are.
    pub fn len(&self) -> usize {
        self.ends.len() / 2
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Names and values in the order in which they were put.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut start = 0usize;
        let mut next = move |end: u32| {
            let text = self.text.get(start..end as usize).unwrap_or("");
            start = end as usize;
            text
        };
        self.ends.as_chunks::<2>().0.iter().map(move |[name, value]| (next(*name), next(*value)))
    }

    /// The value of a label, or the empty text.
    pub fn value(&self, name: &str) -> &str {
        self.iter().find(|(found, _)| *found == name).map_or("", |(_, value)| value)
    }

    /// The labels as a set.
    pub fn to_labels(&self) -> prom_model::Labels {
        self.iter().collect()
    }
}
