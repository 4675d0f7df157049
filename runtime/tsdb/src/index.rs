//! The index of a block: which series there are, with which labels, and where their chunks lie.
//!
//! [`IndexReader`] opens an index of format 1, 2 or 3 without loading it: of the symbols and of the postings offset table every
//! 32nd place stays in memory, all else is read when asked for. Series are pairs of symbol numbers; text is made of them on
//! demand, in a [`LabelArena`]. [`IndexWriter`] writes format 2. The bytes are drawn in `docs/index.md`.

mod ascending;
mod fetched;
mod label_index;
mod labels;
mod lists;
mod matching;
mod merged_symbols;
mod offsets;
mod output_symbols;
mod plan;
mod postings;
mod postings_stream;
mod reader;
mod series;
mod symbol_table;
mod symbols;
mod toc;
mod uses;
mod writer;

pub use label_index::LabelIndex;
pub use labels::{LabelArena, SymbolCache};
pub use merged_symbols::{MergeSymbolsError, MergedSymbols, SymbolMap, merge_symbols};
pub use offsets::{PostingsEntry, PostingsWalk};
pub(crate) use offsets::{check_place, walk_entries};
pub use output_symbols::{OutputSymbols, SymbolTexts};
pub use plan::{LabelExtent, MatcherPlan, PostingsUnion};
pub use postings::Postings;
pub use postings_stream::PostingsStream;
pub use reader::{IndexReader, SeriesReader, SeriesScan};
pub use series::{ChunkMeta, ChunkRef, Series, SeriesRef};
pub use symbol_table::{SymbolTable, SymbolTableBuilder};
pub use symbols::{Symbols, SymbolsWalk};
pub use toc::{Toc, Version};
pub use writer::{IndexWriteError, IndexWriter};
