//! The symbols of an index that is to be written.

use hashbrown::HashTable;
use std::hash::BuildHasher;

/// Texts, sorted, each once; their numbers are the symbols of the index.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SymbolTable {
    text: String,
    ends: Vec<usize>,
}

impl SymbolTable {
    /// Appends a text that stands behind all others; `false`, and nothing is appended, where it does not.
    pub fn push(&mut self, text: &str) -> bool {
        if self.len().checked_sub(1).and_then(|last| self.get(last)).is_some_and(|last| last >= text) {
            return false;
        }
        self.text.push_str(text);
        self.ends.push(self.text.len());
        true
    }

    /// The text of a symbol.
    pub fn get(&self, symbol: u32) -> Option<&str> {
        let at = symbol as usize;
        let start = match at.checked_sub(1) {
            None => 0,
            Some(before) => *self.ends.get(before)?,
        };
        self.text.get(start..*self.ends.get(at)?)
    }

    /// The symbol of a text.
    pub fn find(&self, text: &str) -> Option<u32> {
        let (mut low, mut high) = (0u32, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            match self.get(middle)?.cmp(text) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Equal => return Some(middle),
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        None
    }

    /// How many there are.
    pub fn len(&self) -> u32 {
        u32::try_from(self.ends.len()).unwrap_or(u32::MAX)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Bytes that it takes in memory.
    pub fn held_bytes(&self) -> usize {
        self.text.capacity().saturating_add(self.ends.capacity().saturating_mul(size_of::<usize>()))
    }

    /// All texts in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map_while(|symbol| self.get(symbol))
    }
}

impl<'a> FromIterator<&'a str> for SymbolTable {
    /// Takes texts in any order and as often as they come.
    fn from_iter<I: IntoIterator<Item = &'a str>>(texts: I) -> Self {
        let mut builder = SymbolTableBuilder::default();
        for text in texts {
            builder.add(text);
        }
        builder.build().0
    }
}

/// Collects texts in any order.
#[derive(Debug, Clone, Default)]
pub struct SymbolTableBuilder {
    text: String,
    ends: Vec<usize>,
    known: HashTable<u32>,
    hasher: foldhash::fast::FixedState,
}

impl SymbolTableBuilder {
    /// Takes a text and gives its number for the time being.
    pub fn add(&mut self, text: &str) -> u32 {
        let SymbolTableBuilder { text: texts, ends, known, hasher } = self;
        let of = |at: u32| text_of(texts, ends, at);
        let hash = hasher.hash_one(text);
        if let Some(number) = known.find(hash, |number| of(*number) == text) {
            return *number;
        }
        let number = u32::try_from(ends.len()).unwrap_or(u32::MAX);
        known.insert_unique(hash, number, |number| hasher.hash_one(of(*number)));
        texts.push_str(text);
        ends.push(texts.len());
        number
    }

    /// Sorts the texts. The list gives for each number of [`SymbolTableBuilder::add`] the symbol.
    pub fn build(self) -> (SymbolTable, Vec<u32>) {
        let mut order: Vec<u32> = (0..u32::try_from(self.ends.len()).unwrap_or(u32::MAX)).collect();
        order.sort_unstable_by_key(|number| text_of(&self.text, &self.ends, *number));
        let mut table = SymbolTable { text: String::with_capacity(self.text.len()), ends: Vec::new() };
        table.ends.reserve(order.len());
        let mut symbols = vec![0; order.len()];
        for (symbol, number) in (0u32..).zip(order) {
            table.text.push_str(text_of(&self.text, &self.ends, number));
            table.ends.push(table.text.len());
            if let Some(slot) = symbols.get_mut(number as usize) {
                *slot = symbol;
            }
        }
        (table, symbols)
    }
}

fn text_of<'a>(texts: &'a str, ends: &[usize], number: u32) -> &'a str {
    let at = number as usize;
    let start = at.checked_sub(1).and_then(|before| ends.get(before)).copied().unwrap_or(0);
    ends.get(at).and_then(|end| texts.get(start..*end)).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn texts_get_the_numbers_of_their_order(texts in proptest::collection::vec("[a-c]{0,3}", 0..50)) {
            let mut builder = SymbolTableBuilder::default();
            let numbers: Vec<u32> = texts.iter().map(|text| builder.add(text)).collect();
            let (table, symbols) = builder.build();
            let sorted: BTreeSet<&str> = texts.iter().map(String::as_str).collect();
            prop_assert!(table.iter().eq(sorted.iter().copied()));
            for (text, number) in texts.iter().zip(numbers) {
                let symbol = symbols[number as usize];
                prop_assert_eq!(table.get(symbol), Some(text.as_str()));
                prop_assert_eq!(table.find(text), Some(symbol));
            }
            prop_assert_eq!(table.find("d"), None);
            let mut pushed = SymbolTable::default();
            prop_assert!(sorted.iter().all(|text| pushed.push(text)));
            prop_assert!(table.is_empty() || !pushed.push(""));
            prop_assert_eq!(pushed, table);
        }
    }
}
