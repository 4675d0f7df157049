//! The symbols of several indices as one table, and for each index where its symbols went.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::sync::Arc;

use crate::corruption::{Corruption, Fault, Section};
use crate::stored::{Scratch, ScratchError, StoredFile};

use super::ascending::{Ascending, AscendingBuilder, AscendingReader};
use super::output_symbols::{OutputSymbols, OutputSymbolsBuilder};
use super::reader::IndexReader;
use super::symbols::SymbolsWalk;
use super::toc::Version;

/// Why symbols could not be merged or translated.
#[derive(Debug, thiserror::Error)]
pub enum MergeSymbolsError {
    /// An index is damaged.
    #[error("symbols of source {source_number}")]
    Source {
        /// Its place among the sources.
        source_number: usize,
        /// What is wrong.
        source: Corruption,
    },
    /// A scratch file could not be written or read.
    #[error(transparent)]
    Scratch(#[from] ScratchError),
}

/// What [`merge_symbols`] gives.
#[derive(Debug)]
pub struct MergedSymbols {
    table: OutputSymbols,
    maps: Vec<Map>,
}

#[derive(Debug)]
struct Map {
    numbers: Arc<Ascending>,
    /// For format 1, in which an offset names a symbol, all offsets.
    offsets: Option<Arc<Ascending>>,
    file: StoredFile,
}

/// Merges the symbols of indices into one table, in one pass over each; symbols that no series uses stay, as with Prometheus. What
/// does not fit into an eighth of the scratch's memory (the table) and another (the maps) lies in scratch files.
///
/// # Errors
/// [`MergeSymbolsError`].
pub fn merge_symbols(
    sources: &[&IndexReader],
    scratch: &Scratch,
) -> Result<MergedSymbols, MergeSymbolsError> {
    let share = usize::try_from(scratch.memory_bytes() / 8).unwrap_or(usize::MAX);
    let of_map = share / sources.len().max(1);
    let mut builders: Vec<MapBuilder> = Vec::with_capacity(sources.len());
    let mut heads = BinaryHeap::with_capacity(sources.len());
    for (number, source) in sources.iter().enumerate() {
        let new = || AscendingBuilder::new(scratch.clone(), of_map);
        let offsets = (source.version() == Version::V1).then(new);
        builders.push(MapBuilder { numbers: new(), offsets });
        let mut head = Box::new(Head { text: Vec::new(), offset: 0, number, walk: source.symbols().walk() });
        if head.advance()? {
            heads.push(head);
        }
    }
    let mut table = OutputSymbolsBuilder::new(scratch.clone(), share);
    let mut last = Vec::new();
    while let Some(mut head) = heads.peek_mut() {
        if table.is_empty() || head.text != last {
            last.clear();
            last.extend_from_slice(&head.text);
            let text = std::str::from_utf8(&last).map_err(|_| head.damaged(Fault::Utf8("a symbol")))?;
            table.push(text)?;
        }
        if let Some(map) = builders.get_mut(head.number) {
            map.numbers.push(table.len().saturating_sub(1))?;
            if let Some(offsets) = &mut map.offsets {
                offsets.push(head.offset as u32)?;
            }
        }
        if !head.advance()? {
            PeekMut::pop(head);
        }
    }
    let mut maps = Vec::with_capacity(sources.len());
    for (builder, source) in builders.into_iter().zip(sources) {
        let numbers = Arc::new(builder.numbers.build()?);
        let offsets = builder.offsets.map(AscendingBuilder::build).transpose()?.map(Arc::new);
        maps.push(Map { numbers, offsets, file: source.file().clone() });
    }
    Ok(MergedSymbols { table: table.build()?, maps })
}

struct MapBuilder {
    numbers: AscendingBuilder,
    offsets: Option<AscendingBuilder>,
}

/// The next symbol of a source. The least text is the greatest head, as the heap gives the greatest.
struct Head {
    text: Vec<u8>,
    offset: u64,
    number: usize,
    walk: SymbolsWalk,
}

impl Head {
    fn advance(&mut self) -> Result<bool, MergeSymbolsError> {
        self.offset = self.walk.offset();
        self.text.clear();
        let source_number = self.number;
        self.walk
            .next_into(&mut self.text)
            .map_err(|source| MergeSymbolsError::Source { source_number, source })
    }

    fn damaged(&self, fault: Fault) -> MergeSymbolsError {
        let source = self.walk.file().corruption(Section::Symbols, self.offset, fault);
        MergeSymbolsError::Source { source_number: self.number, source }
    }
}

impl Ord for Head {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.text.as_slice(), other.number).cmp(&(self.text.as_slice(), self.number))
    }
}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Head {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Head {}

impl MergedSymbols {
    /// The table, for the writer of the new index.
    pub fn table(&self) -> &OutputSymbols {
        &self.table
    }

    /// What translates the symbols of a source; for one caller. `None` for a source that there is not.
    pub fn map(&self, source: usize) -> Option<SymbolMap> {
        let map = self.maps.get(source)?;
        let numbers = AscendingReader::new(Arc::clone(&map.numbers));
        let offsets = map.offsets.clone().map(AscendingReader::new);
        Some(SymbolMap { numbers, offsets, file: map.file.clone(), source, recent: Vec::new() })
    }
}

/// Translates symbols of one index into symbols of the merged table. Order is kept.
#[derive(Debug)]
pub struct SymbolMap {
    numbers: AscendingReader,
    offsets: Option<AscendingReader>,
    file: StoredFile,
    source: usize,
    /// For each place among the labels of a series what stood there last, old and new: most of it stands there again.
    recent: Vec<[(u32, u32); 2]>,
}

impl SymbolMap {
    /// The symbol of the merged table that has the same text.
    ///
    /// # Errors
    /// [`MergeSymbolsError::Source`] for a symbol that the index does not have, [`MergeSymbolsError::Scratch`].
    #[inline]
    pub fn get(&mut self, symbol: u32) -> Result<u32, MergeSymbolsError> {
        let place = match &mut self.offsets {
            None => Some(symbol),
            Some(offsets) => offsets.find(symbol)?,
        };
        let found = match place {
            Some(place) => self.numbers.get(place)?,
            None => None,
        };
        found.ok_or_else(|| self.unknown(symbol))
    }

    /// Translates the labels of a series in place.
    ///
    /// # Errors
    /// As [`SymbolMap::get`]; the labels are not to be used then.
    #[inline]
    pub fn translate(&mut self, labels: &mut [(u32, u32)]) -> Result<(), MergeSymbolsError> {
        for (place, (name, value)) in labels.iter_mut().enumerate() {
            let [old, new] = self.recent.get(place).copied().unwrap_or([(u32::MAX, u32::MAX); 2]);
            let label = (*name, *value);
            // No symbol has this number: there are less than 2^32 of them.
            *name = if old.0 == label.0 && old.0 != u32::MAX { new.0 } else { self.get(label.0)? };
            *value = if old.1 == label.1 && old.1 != u32::MAX { new.1 } else { self.get(label.1)? };
            let now = [label, (*name, *value)];
            match self.recent.get_mut(place) {
                Some(recent) => *recent = now,
                None => self.recent.push(now),
            }
        }
        Ok(())
    }

    #[cold]
    fn unknown(&self, symbol: u32) -> MergeSymbolsError {
        let fault = Fault::Rule("a symbol that is not in the table");
        let source = self.file.corruption(Section::Symbols, u64::from(symbol), fault);
        MergeSymbolsError::Source { source_number: self.source, source }
    }
}
