//! A batch of series: labels and where their chunks lie, in a few pieces of memory.

use std::ops::Range;
use std::sync::Arc;

use promql::{Pauses, SampleReader, SeriesBatch, Symbol};
use tsdb::block::BlockReader;
use tsdb::head::Snapshot;
use tsdb::index::{ChunkMeta, Series, SeriesRef};

use super::read::Reader;

/// What a selection reads from.
#[derive(Debug)]
pub(super) struct Sources {
    pub(super) blocks: Vec<Arc<BlockReader>>,
    pub(super) head: Option<Arc<Snapshot>>,
    /// The first and the last time that is wanted.
    pub(super) times: (i64, i64),
    pub(super) pauses: Pauses,
}

/// What one block has of a series.
#[derive(Debug, Clone, Copy)]
pub(super) struct BlockPart {
    /// Which block of the sources.
    pub(super) block: u32,
    /// The name of the series in its tombstones.
    pub(super) reference: SeriesRef,
    chunks: (u32, u32),
}

#[derive(Debug)]
struct Entry {
    labels_end: u32,
    parts_end: u32,
    /// The place in the head's snapshot.
    head: Option<u32>,
}

/// Some series.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) sources: Arc<Sources>,
    labels: Vec<(Symbol, Symbol)>,
    entries: Vec<Entry>,
    parts: Vec<BlockPart>,
    chunks: Vec<ChunkMeta>,
    /// The head's part of the series that is being added.
    head: Option<u32>,
}

impl Batch {
    pub(super) fn new(sources: Arc<Sources>) -> Self {
        let (labels, entries, parts, chunks) = Default::default();
        Batch { sources, labels, entries, parts, chunks, head: None }
    }

    pub(super) fn series(&self) -> usize {
        self.entries.len()
    }

    /// How many parts of blocks the series have.
    pub(super) fn parts(&self) -> usize {
        self.parts.len()
    }

    /// Adds what a block has of the series that [`Batch::end_series`] completes.
    pub(super) fn add_block_part(&mut self, block: usize, series: &Series) {
        let start = self.chunks.len() as u32;
        self.chunks.extend_from_slice(&series.chunks);
        let chunks = (start, self.chunks.len() as u32);
        self.parts.push(BlockPart { block: block as u32, reference: series.reference, chunks });
    }

    /// Adds what the head has of it.
    pub(super) fn add_head_part(&mut self, at: usize) {
        self.head = u32::try_from(at).ok();
    }

    pub(super) fn end_series(&mut self, labels: &[(Symbol, Symbol)]) {
        self.labels.extend_from_slice(labels);
        let (labels_end, parts_end) = (self.labels.len() as u32, self.parts.len() as u32);
        self.entries.push(Entry { labels_end, parts_end, head: self.head.take() });
    }

    /// What the blocks have of a series, in the order of their times.
    pub(super) fn block_parts(&self, at: usize) -> &[BlockPart] {
        self.parts.get(self.range(at, |entry| entry.parts_end)).unwrap_or_default()
    }

    /// Where the head has the series.
    pub(super) fn head_part(&self, at: usize) -> Option<usize> {
        self.entries.get(at).and_then(|entry| entry.head).map(|at| at as usize)
    }

    pub(super) fn chunks(&self, part: &BlockPart) -> &[ChunkMeta] {
        self.chunks.get(part.chunks.0 as usize..part.chunks.1 as usize).unwrap_or_default()
    }

    fn range(&self, at: usize, end: impl Fn(&Entry) -> u32) -> Range<usize> {
        let end_of = |at: usize| self.entries.get(at).map_or(0, &end) as usize;
        at.checked_sub(1).map_or(0, end_of)..end_of(at)
    }
}

impl SeriesBatch for Batch {
    fn len(&self) -> usize {
        self.entries.len()
    }

    fn bytes(&self) -> usize {
        self.labels.capacity() * size_of::<(Symbol, Symbol)>()
            + self.entries.capacity() * size_of::<Entry>()
            + self.parts.capacity() * size_of::<BlockPart>()
            + self.chunks.capacity() * size_of::<ChunkMeta>()
    }

    fn labels(&self, at: usize) -> &[(Symbol, Symbol)] {
        self.labels.get(self.range(at, |entry| entry.labels_end)).unwrap_or_default()
    }

    fn reader(&self) -> Box<dyn SampleReader + '_> {
        Box::new(Reader::new(self))
    }
}
