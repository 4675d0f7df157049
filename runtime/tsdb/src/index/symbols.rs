//! The symbol table: every text of an index once, sorted; `docs/index.md`, "Symbol table".

use crate::corruption::{Corruption, Fault, Section};
use crate::encoding::{At, Reader};
use crate::stored::{SectionStream, StoredFile, Window};

use super::toc::{HEADER_BYTES, Version};

/// Of so many symbols one has its place in memory.
pub(crate) const SAMPLED: u32 = 32;
/// A first guess at the bytes of [`SAMPLED`] symbols.
const GROUP_BYTES: usize = 1 << 10;

/// Where the symbols are, checked once: the checksum is right, the table is sorted, its count is true.
#[derive(Debug, Clone)]
pub struct Symbols {
    file: StoredFile,
    version: Version,
    /// The offset in the file of the first symbol.
    start: u64,
    /// The offset in the file behind the last symbol.
    end: u64,
    count: u32,
    /// The offset of each 32nd symbol from `start`: the section's length has 32 bits.
    places: Vec<u32>,
}

impl Symbols {
    /// Reads the table that begins at `offset`, in one pass that holds a bounded part of it.
    ///
    /// # Errors
    /// [`Fault::Checksum`] before all else; [`Fault::OutOfRange`], [`Fault::Short`], [`Fault::Trailing`], [`Fault::Order`].
    pub fn open(file: &StoredFile, version: Version, offset: u64, limit: u64) -> Result<Self, Corruption> {
        let (symbols, unsorted) = Self::open_in_any_order(file, version, offset, limit)?;
        match unsorted {
            Some(at) => Err(file.corruption(Section::Symbols, at, Fault::Order("symbols"))),
            None => Ok(symbols),
        }
    }

    /// As [`Symbols::open`], but where symbols do not ascend it gives the offset of the first that does not.
    pub(crate) fn open_in_any_order(
        file: &StoredFile,
        version: Version,
        offset: u64,
        limit: u64,
    ) -> Result<(Self, Option<u64>), Corruption> {
        let mut stream = SectionStream::open(file, Section::Symbols, offset.max(HEADER_BYTES), limit)?;
        let walked = walk_all(file, &mut stream);
        let Walked { start, end, count, places, unsorted } = stream.conclude(walked)?;
        Ok((Symbols { file: file.clone(), version, start, end, count, places }, unsorted))
    }

    /// How many symbols there are.
    pub fn len(&self) -> u32 {
        self.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whether a number in a series names a symbol. In format 1 it is the offset in the file.
    pub fn may_be_symbol(&self, symbol: u32) -> bool {
        match self.version {
            Version::V1 => (self.start..self.end).contains(&u64::from(symbol)),
            Version::V2 | Version::V3 => symbol < self.count,
        }
    }

    /// All symbols in order, in one pass; they are bytes, as text may be damaged.
    ///
    /// # Errors
    /// As [`Symbols::open`].
    pub fn walk(&self) -> SymbolsWalk {
        SymbolsWalk {
            file: self.file.clone(),
            window: Window::new(self.file.clone()),
            at: self.start,
            end: self.end,
        }
    }

    /// The group of 32 in which a symbol is, and which of the group it is; not for format 1.
    pub(crate) fn group_of(&self, symbol: u32) -> (u32, u32) {
        (symbol / SAMPLED, symbol % SAMPLED)
    }

    /// How many groups of 32 there are.
    pub(crate) fn groups(&self) -> u32 {
        self.count.div_ceil(SAMPLED)
    }

    pub(crate) fn version(&self) -> Version {
        self.version
    }

    /// Appends the bytes of a group of symbols to `bytes` and their ends to `ends`.
    pub(crate) fn read_group(
        &self,
        window: &mut Window,
        group: u32,
        bytes: &mut Vec<u8>,
        ends: &mut Vec<u32>,
    ) -> Result<(), Corruption> {
        let (mut at, count) = self.group_place(group);
        for _ in 0..count {
            at = read_one(window, at, self.end, |symbol| {
                bytes.extend_from_slice(symbol);
                ends.push(bytes.len() as u32);
            })?;
        }
        Ok(())
    }

    /// Reads the symbol that stands at an offset of the file (format 1).
    pub(crate) fn read_at(
        &self,
        window: &mut Window,
        offset: u32,
        bytes: &mut Vec<u8>,
    ) -> Result<(), Corruption> {
        read_one(window, offset.into(), self.end, |symbol| bytes.extend_from_slice(symbol)).map(|_| ())
    }

    fn group_place(&self, group: u32) -> (u64, u32) {
        let first = group.saturating_mul(SAMPLED);
        let place = self.places.get(group as usize).copied().unwrap_or(0);
        (self.start.saturating_add(place.into()), self.count.saturating_sub(first).min(SAMPLED))
    }

    /// The number of a symbol, or in format 1 its offset; `None` where there is no such symbol.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn find(&self, text: &[u8]) -> Result<Option<u32>, Corruption> {
        let mut window = Window::new(self.file.clone());
        self.find_in(&mut window, text)
    }

    pub(crate) fn find_in(&self, window: &mut Window, text: &[u8]) -> Result<Option<u32>, Corruption> {
        Ok(self.find_place(window, text)?.map(|(symbol, _)| symbol))
    }

    /// Reads symbols in order; for many that ascend.
    pub(crate) fn cursor(&self) -> SymbolCursor {
        let window = || Window::new(self.file.clone());
        SymbolCursor { symbols: self.clone(), near: window(), far: window(), last: Vec::new(), at: None }
    }

    /// The number of a symbol and the offset behind it.
    fn find_place(&self, window: &mut Window, text: &[u8]) -> Result<Option<(u32, u64)>, Corruption> {
        // The last group whose first symbol is not above the text.
        let (mut low, mut high) = (0u32, self.places.len() as u32);
        while low < high {
            let middle = low + (high - low) / 2;
            let (at, _) = self.group_place(middle);
            let mut above = false;
            read_one(window, at, self.end, |symbol| above = symbol > text)?;
            if above {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        let Some(group) = low.checked_sub(1) else { return Ok(None) };
        let (mut at, count) = self.group_place(group);
        for step in 0..count {
            let here = at;
            let mut order = std::cmp::Ordering::Less;
            at = read_one(window, at, self.end, |symbol| order = symbol.cmp(text))?;
            match order {
                std::cmp::Ordering::Less => {}
                std::cmp::Ordering::Equal => {
                    let symbol = match self.version {
                        Version::V1 => here as u32,
                        Version::V2 | Version::V3 => group.saturating_mul(SAMPLED).saturating_add(step),
                    };
                    return Ok(Some((symbol, at)));
                }
                std::cmp::Ordering::Greater => return Ok(None),
            }
        }
        Ok(None)
    }
}

/// Finds symbols by their texts, quickly where each stands a little behind the one before; not for format 1.
#[derive(Debug)]
pub(crate) struct SymbolCursor {
    symbols: Symbols,
    near: Window,
    far: Window,
    /// The text that was found last.
    last: Vec<u8>,
    /// Its number and the offset behind it.
    at: Option<(u32, u64)>,
}

/// How many symbols are passed over before the next is searched for.
const STEPS: u32 = 2 * SAMPLED;

impl SymbolCursor {
    /// The number of a symbol.
    pub(crate) fn find(&mut self, text: &[u8]) -> Result<Option<u32>, Corruption> {
        if let Some((mut number, mut at)) = self.at.filter(|_| self.last.as_slice() < text) {
            for _ in 0..STEPS {
                if at >= self.symbols.end {
                    return Ok(None);
                }
                let mut order = std::cmp::Ordering::Less;
                at = read_one(&mut self.near, at, self.symbols.end, |symbol| order = symbol.cmp(text))?;
                number = number.saturating_add(1);
                match order {
                    std::cmp::Ordering::Less => {}
                    std::cmp::Ordering::Equal => return Ok(Some(self.found(text, number, at))),
                    std::cmp::Ordering::Greater => return Ok(None),
                }
            }
        }
        match self.symbols.find_place(&mut self.far, text)? {
            Some((number, at)) => Ok(Some(self.found(text, number, at))),
            None => Ok(None),
        }
    }

    fn found(&mut self, text: &[u8], number: u32, behind: u64) -> u32 {
        self.last.clear();
        self.last.extend_from_slice(text);
        self.at = Some((number, behind));
        number
    }
}

/// Walks over all symbols.
#[derive(Debug)]
pub struct SymbolsWalk {
    file: StoredFile,
    window: Window,
    at: u64,
    end: u64,
}

impl SymbolsWalk {
    pub(crate) fn file(&self) -> &StoredFile {
        &self.file
    }

    /// The offset in the file of the next symbol.
    pub(crate) fn offset(&self) -> u64 {
        self.at
    }

    /// Appends the next symbol to `bytes`; `false` at the end.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn next_into(&mut self, bytes: &mut Vec<u8>) -> Result<bool, Corruption> {
        if self.at >= self.end {
            return Ok(false);
        }
        self.at = read_one(&mut self.window, self.at, self.end, |symbol| bytes.extend_from_slice(symbol))?;
        Ok(true)
    }

    /// The next symbol as text.
    ///
    /// # Errors
    /// [`Fault::Utf8`]; whatever the disk says.
    pub fn next_text<'a>(&mut self, bytes: &'a mut Vec<u8>) -> Result<Option<&'a str>, Corruption> {
        bytes.clear();
        let at = self.at;
        if !self.next_into(bytes)? {
            return Ok(None);
        }
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(self.file.corruption(Section::Symbols, at, Fault::Utf8("a symbol"))),
        }
    }
}

/// Hands the symbol at `at` to `take` and gives the offset behind it.
fn read_one(window: &mut Window, at: u64, end: u64, take: impl FnOnce(&[u8])) -> Result<u64, Corruption> {
    let mut wanted = GROUP_BYTES;
    loop {
        let bytes = window.peek(Section::Symbols, at, wanted, end)?;
        let all = bytes.len() < wanted;
        let mut reader = Reader::new(bytes, at);
        match reader.uvarint_bytes() {
            Ok(symbol) => {
                take(symbol);
                return Ok(reader.offset());
            }
            Err(At { fault: Fault::Short { missing }, .. }) if !all => {
                wanted = wanted.saturating_add(usize::try_from(missing).unwrap_or(usize::MAX));
            }
            Err(at) => return Err(window.file().at(Section::Symbols, at)),
        }
    }
}

struct Walked {
    start: u64,
    end: u64,
    count: u32,
    places: Vec<u32>,
    unsorted: Option<u64>,
}

fn walk_all(file: &StoredFile, stream: &mut SectionStream) -> Result<Walked, Corruption> {
    let counted_at = stream.offset();
    let count = stream.u32()?;
    let start = stream.offset();
    // Each symbol takes a byte at least: its length.
    if u64::from(count) > stream.left() {
        let fault = Fault::OutOfRange { what: "number of symbols", value: count.into(), max: stream.left() };
        return Err(file.corruption(Section::Symbols, counted_at, fault));
    }
    let mut places = Vec::with_capacity(count.div_ceil(SAMPLED) as usize);
    let mut unsorted = None;
    stream.read_each(count, |number, previous, reader| {
        let at = reader.offset();
        let symbol = reader.uvarint_bytes()?;
        if number % SAMPLED == 0 {
            places.push(at.saturating_sub(start) as u32);
        }
        if number > 0 && previous >= symbol {
            unsorted = unsorted.or(Some(at));
        }
        Ok(symbol)
    })?;
    if stream.left() > 0 {
        let fault = Fault::Trailing(stream.left());
        return Err(file.corruption(Section::Symbols, stream.offset(), fault));
    }
    Ok(Walked { start, end: stream.offset(), count, places, unsorted })
}
