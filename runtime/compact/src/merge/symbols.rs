//! The symbols of all blocks as one table, and for each block which number became which.

use std::sync::Arc;

use tsdb::Corruption;
use tsdb::block::BlockReader;
use tsdb::index::{SymbolCache, SymbolTable, SymbolTableBuilder, Version};

use crate::SourceError;

/// The table of the new block, with the ways into it.
#[derive(Debug)]
pub(super) struct Symbols {
    table: Arc<SymbolTable>,
    maps: Vec<Option<Vec<u32>>>,
}

impl Symbols {
    /// Merges the tables of all blocks.
    pub(super) fn merge(sources: &[BlockReader]) -> Result<Self, SourceError> {
        let mut builder = SymbolTableBuilder::default();
        let mut numbers: Vec<Vec<u32>> = Vec::with_capacity(sources.len());
        let mut bytes = Vec::new();
        for source in sources {
            let failed = |reason: Corruption| SourceError { block: source.meta().ulid, reason: reason.into() };
            let mut walk = source.index().symbols().walk();
            let mut of_source = Vec::new();
            while let Some(text) = walk.next_text(&mut bytes).map_err(failed)? {
                of_source.push(builder.add(text));
            }
            numbers.push(of_source);
        }
        let (table, symbols) = builder.build();
        for number in numbers.iter_mut().flatten() {
            *number = symbols.get(*number as usize).copied().unwrap_or(u32::MAX);
        }
        // In format 1 offsets name symbols.
        let by_number = |source: &BlockReader| source.index().version() != Version::V1;
        let maps = numbers.into_iter().zip(sources).map(|(map, source)| by_number(source).then_some(map));
        Ok(Symbols { table: Arc::new(table), maps: maps.collect() })
    }

    pub(super) fn table(&self) -> Arc<SymbolTable> {
        Arc::clone(&self.table)
    }

    /// Whether symbol 0 is the empty text.
    pub(super) fn have_empty(&self) -> bool {
        self.table.get(0).is_some_and(str::is_empty)
    }

    /// The way of a block's symbols into the table.
    pub(super) fn map(&mut self, number: usize, source: &BlockReader) -> SymbolMap {
        match self.maps.get_mut(number).and_then(Option::take) {
            Some(numbers) => SymbolMap::Numbers(numbers),
            None => SymbolMap::Texts(Box::new(source.index().symbol_cache()), self.table()),
        }
    }
}

/// Translates symbols of one block; their order stays.
#[derive(Debug)]
pub(super) enum SymbolMap {
    Numbers(Vec<u32>),
    Texts(Box<SymbolCache>, Arc<SymbolTable>),
}

impl SymbolMap {
    pub(super) fn translate(&mut self, labels: &mut [(u32, u32)]) -> Result<(), Corruption> {
        for (name, value) in labels {
            (*name, *value) = (self.get(*name)?, self.get(*value)?);
        }
        Ok(())
    }

    fn get(&mut self, symbol: u32) -> Result<u32, Corruption> {
        match self {
            SymbolMap::Numbers(numbers) => Ok(numbers.get(symbol as usize).copied().unwrap_or(u32::MAX)),
            SymbolMap::Texts(cache, table) => Ok(table.find(cache.text(symbol)?).unwrap_or(u32::MAX)),
        }
    }
}
