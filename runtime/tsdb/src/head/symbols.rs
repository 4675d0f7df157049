//! The text of labels, each piece once: an arena, and numbers for its pieces.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use hashbrown::HashTable;

/// The number of a piece of text.
pub(super) type Symbol = u32;

/// Bytes of a part of the arena; parts are filled one after another and never move.
const PART: usize = 64 * 1024;

/// All label names and values of a head.
#[derive(Debug, Default)]
pub(super) struct Symbols {
    texts: Texts,
    table: HashTable<Symbol>,
    hasher: FixedState,
}

#[derive(Debug, Default)]
struct Texts {
    parts: Vec<String>,
    /// Part, offset and length of each symbol.
    places: Vec<(u32, u32, u32)>,
}

impl Texts {
    fn get(&self, symbol: Symbol) -> Option<&str> {
        let (part, offset, length) = *self.places.get(symbol as usize)?;
        let (offset, length) = (offset as usize, length as usize);
        self.parts.get(part as usize)?.get(offset..offset + length)
    }

    fn push(&mut self, text: &str) -> Option<Symbol> {
        let symbol = Symbol::try_from(self.places.len()).ok()?;
        let length = u32::try_from(text.len()).ok()?;
        if self.parts.last().is_none_or(|part| part.capacity() - part.len() < text.len()) {
            self.parts.push(String::with_capacity(PART.max(text.len())));
        }
        let part = u32::try_from(self.parts.len()).ok()?.checked_sub(1)?;
        let arena = self.parts.last_mut()?;
        let offset = u32::try_from(arena.len()).ok()?;
        arena.push_str(text);
        self.places.push((part, offset, length));
        Some(symbol)
    }
}

impl Symbols {
    /// The text of a symbol.
    pub(super) fn get(&self, symbol: Symbol) -> &str {
        self.texts.get(symbol).unwrap_or_default()
    }

    /// The number of a text that is known.
    pub(super) fn find(&self, text: &str) -> Option<Symbol> {
        self.table.find(self.hasher.hash_one(text), |symbol| self.texts.get(*symbol) == Some(text)).copied()
    }

    /// The number of a text; `None` where there are four thousand million already.
    pub(super) fn intern(&mut self, text: &str) -> Option<Symbol> {
        let hash = self.hasher.hash_one(text);
        let Symbols { texts, table, hasher } = self;
        if let Some(symbol) = table.find(hash, |symbol| texts.get(*symbol) == Some(text)) {
            return Some(*symbol);
        }
        let symbol = texts.push(text)?;
        table.insert_unique(hash, symbol, |symbol| hasher.hash_one(texts.get(*symbol).unwrap_or_default()));
        Some(symbol)
    }
}
