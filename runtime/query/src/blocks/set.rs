//! The series of all blocks and of the head, merged in the order of their labels.

use std::cmp::Ordering;
use std::sync::Arc;

use promql::{LabelSet, Projection, Select, SeriesBatch, SeriesSet, SourceError, Symbols};
use tsdb::Corruption;
use tsdb::block::BlockReader;
use tsdb::head::Snapshot;

use super::batch::{Batch, Sources};
use super::cursor::{BlockCursor, HeadCursor};
use super::damaged;

/// A batch ends with the series with which it has so many parts: whoever asks for batches looks between them whether the query
/// still has time, and how much memory it holds.
const PARTS_MOST: usize = 4096;

/// After about so many parts other queries may have their turn.
const PARTS_AT_ONCE: usize = 64;

/// Selected series of several blocks and of the head.
#[derive(Debug)]
pub(super) struct Merge {
    blocks: Vec<BlockCursor>,
    head: Option<HeadCursor>,
    sources: Arc<Sources>,
    started: bool,
}

impl Merge {
    pub(super) fn new(
        blocks: Vec<Arc<BlockReader>>,
        head: Option<Snapshot>,
        select: &Select,
    ) -> Result<Self, Corruption> {
        let times = (select.min_time, select.max_time);
        let head = head.filter(|snapshot| !snapshot.is_empty());
        let mut selected = Vec::with_capacity(blocks.len());
        for block in blocks {
            select.pauses.pass();
            let postings = block.index().postings_for_matchers(&select.matchers)?;
            if !postings.is_empty() {
                selected.push((block, postings));
            }
        }
        // Series of several places are put side by side by all of their labels.
        let alone = selected.len() + usize::from(head.is_some()) == 1;
        let projection = if alone { select.projection.clone() } else { Projection::All };
        let head = head.map(|snapshot| HeadCursor::new(snapshot, projection.clone()));
        let blocks: Vec<BlockCursor> = selected
            .into_iter()
            .map(|(block, postings)| BlockCursor::new(block, postings, projection.clone(), times))
            .collect();
        let sources = Arc::new(Sources {
            blocks: blocks.iter().map(|cursor| Arc::clone(&cursor.block)).collect(),
            head: head.as_ref().map(|cursor| Arc::clone(&cursor.snapshot)),
            times,
            pauses: select.pauses.clone(),
        });
        Ok(Merge { blocks, head, sources, started: false })
    }

    fn fill(&mut self, most: usize, symbols: &mut Symbols) -> Result<Batch, Corruption> {
        let sources = Arc::clone(&self.sources);
        let mut readers = Vec::with_capacity(sources.blocks.len());
        for (at, block) in sources.blocks.iter().enumerate() {
            readers.push(block.index().series_reader());
            if at % PARTS_AT_ONCE == PARTS_AT_ONCE - 1 {
                sources.pauses.pass();
            }
        }
        if !self.started {
            self.started = true;
            for (cursor, reader) in self.blocks.iter_mut().zip(&mut readers) {
                cursor.advance(reader, symbols)?;
            }
            if let Some(head) = &mut self.head {
                head.advance(symbols);
            }
        }
        let mut batch = Batch::new(Arc::clone(&sources));
        let mut labels = LabelSet::new();
        while batch.series() < most && batch.parts() < PARTS_MOST {
            let Some(least) = self.least(symbols) else { break };
            labels.assign(least.as_slice());
            let before = batch.parts();
            for (at, (cursor, reader)) in self.blocks.iter_mut().zip(&mut readers).enumerate() {
                if cursor.here && cursor.labels == labels {
                    batch.add_block_part(at, &cursor.series);
                    cursor.advance(reader, symbols)?;
                }
            }
            if let Some(head) = self.head.as_mut().filter(|head| head.here && head.labels == labels) {
                batch.add_head_part(head.at);
                head.advance(symbols);
            }
            batch.end_series(labels.as_slice());
            if before / PARTS_AT_ONCE != batch.parts() / PARTS_AT_ONCE {
                sources.pauses.pass();
            }
        }
        Ok(batch)
    }

    /// The labels of the series that comes next.
    fn least(&self, symbols: &Symbols) -> Option<&LabelSet> {
        let blocks = self.blocks.iter().filter(|cursor| cursor.here).map(|cursor| &cursor.labels);
        let head = self.head.iter().filter(|cursor| cursor.here).map(|cursor| &cursor.labels);
        blocks.chain(head).reduce(|least, next| match next.compare(least, symbols) {
            Ordering::Less => next,
            _ => least,
        })
    }
}

impl SeriesSet for Merge {
    fn next_batch(
        &mut self,
        most: usize,
        symbols: &mut Symbols,
    ) -> Result<Option<Box<dyn SeriesBatch>>, SourceError> {
        let batch = self.fill(most, symbols).map_err(damaged)?;
        if batch.series() == 0 { Ok(None) } else { Ok(Some(Box::new(batch))) }
    }

    fn bytes(&self) -> usize {
        self.blocks.iter().map(BlockCursor::bytes).sum()
    }
}
