//! The symbols of the source, which are those of the new block.

use std::sync::Arc;

use tsdb::Corruption;
use tsdb::block::BlockReader;
use tsdb::index::{SymbolCache, SymbolTable, Version};

/// Turns the symbols of the source into those of the new block.
#[derive(Debug)]
pub(super) struct SourceSymbols {
    table: Arc<SymbolTable>,
    /// In format 1 a symbol is its place in the file.
    by_text: Option<SymbolCache>,
}

impl SourceSymbols {
    /// Reads all symbols.
    pub(super) fn read(source: &BlockReader) -> Result<Self, Corruption> {
        let index = source.index();
        let mut table = SymbolTable::default();
        let (mut walk, mut text) = (index.symbols().walk(), Vec::new());
        while let Some(symbol) = walk.next_text(&mut text)? {
            table.push(symbol);
        }
        let by_text = (index.version() == Version::V1).then(|| index.symbol_cache());
        Ok(SourceSymbols { table: Arc::new(table), by_text })
    }

    /// The symbols of the new block.
    pub(super) fn table(&self) -> Arc<SymbolTable> {
        Arc::clone(&self.table)
    }

    /// Replaces the symbols of a series.
    pub(super) fn translate(&mut self, labels: &mut [(u32, u32)]) -> Result<(), Corruption> {
        let Some(cache) = &mut self.by_text else { return Ok(()) };
        for symbol in labels.iter_mut().flat_map(|(name, value)| [name, value]) {
            // What is not found is named when the series is checked.
            *symbol = self.table.find(cache.text(*symbol)?).unwrap_or(u32::MAX);
        }
        Ok(())
    }
}
