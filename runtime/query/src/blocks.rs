//! Blocks and a head on disk as one storage.
//!
//! Series of all blocks are merged in the order of their labels while they are read; labels become numbers of the query through
//! a table per block, so that a text is looked at once. Chunks are decoded when the samples of their series are asked for,
//! straight into the columns that the engine evaluates. What is held is one batch of series and its chunk references.

mod batch;
mod catalog;
mod cursor;
mod names;
mod read;
mod set;

use std::sync::Arc;

use error_kind::ErrorKind;
use promql::{Select, SeriesSet, SeriesSource, SourceError};
use tsdb::Corruption;
use tsdb::block::BlockReader;
use tsdb::head::Head;

use self::set::Merge;

/// A folder of blocks, with or without a head.
#[derive(Debug, Clone)]
pub struct Blocks {
    blocks: Arc<[Arc<BlockReader>]>,
    head: Option<Arc<Head>>,
}

impl Blocks {
    /// Takes open blocks, and the head whose samples are not in them.
    pub fn new(blocks: Vec<BlockReader>, head: Option<Arc<Head>>) -> Self {
        let mut blocks: Vec<_> = blocks.into_iter().map(Arc::new).collect();
        blocks.sort_by_key(|block| (block.meta().min_time, block.meta().ulid));
        Blocks { blocks: blocks.into(), head }
    }

    /// The first and the last time of which there may be samples; `None` where there are no blocks and no head.
    pub fn times(&self) -> Option<(i64, i64)> {
        let blocks =
            self.blocks.iter().map(|block| (block.meta().min_time, block.meta().max_time.saturating_sub(1)));
        let stats = self.head.as_ref().map(|head| head.stats());
        let head = stats.and_then(|stats| stats.times);
        let late = stats.and_then(|stats| stats.out_of_order_times);
        blocks.chain(head).chain(late).reduce(|all, next| (all.0.min(next.0), all.1.max(next.1)))
    }

    fn overlapping(&self, min_time: i64, max_time: i64) -> impl Iterator<Item = &Arc<BlockReader>> {
        self.blocks
            .iter()
            .filter(move |block| block.meta().min_time <= max_time && min_time < block.meta().max_time)
    }
}

impl SeriesSource for Blocks {
    fn select(&self, select: &Select) -> Result<Box<dyn SeriesSet>, SourceError> {
        let blocks: Vec<_> = self.overlapping(select.min_time, select.max_time).map(Arc::clone).collect();
        let head =
            self.head.as_ref().map(|head| head.select(&select.matchers, select.min_time, select.max_time));
        Ok(Box::new(Merge::new(blocks, head, select).map_err(damaged)?))
    }
}

fn damaged(corruption: Corruption) -> SourceError {
    SourceError::new(corruption, ErrorKind::Corrupt)
}
