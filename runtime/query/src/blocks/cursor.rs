//! One block, or the head, at one of its selected series.

use std::sync::Arc;

use promql::{LabelSet, Projection, Symbol, Symbols};
use tsdb::Corruption;
use tsdb::block::BlockReader;
use tsdb::head::Snapshot;
use tsdb::index::{ChunkMeta, Postings, Series, SeriesReader};

use super::names::{Names, from_texts};

/// Goes through the series of a block that have chunks in a time range, in the order of their labels.
#[derive(Debug)]
pub(super) struct BlockCursor {
    pub(super) block: Arc<BlockReader>,
    postings: Postings,
    at: usize,
    names: Names,
    times: (i64, i64),
    pub(super) series: Series,
    pub(super) labels: LabelSet,
    scratch: Vec<(Symbol, Symbol)>,
    /// Whether there is a series here.
    pub(super) here: bool,
}

impl BlockCursor {
    pub(super) fn new(
        block: Arc<BlockReader>,
        postings: Postings,
        projection: Projection,
        times: (i64, i64),
    ) -> Self {
        let names = Names::new(block.index().symbol_cache(), projection);
        BlockCursor {
            block,
            postings,
            at: 0,
            names,
            times,
            series: Series::default(),
            labels: LabelSet::new(),
            scratch: Vec::new(),
            here: false,
        }
    }

    /// Bytes held, about.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>()
            + self.postings.bytes()
            + self.names.bytes()
            + self.series.chunks.capacity() * size_of::<ChunkMeta>()
    }

    /// Goes to the next series.
    pub(super) fn advance(
        &mut self,
        reader: &mut SeriesReader<'_>,
        symbols: &mut Symbols,
    ) -> Result<(), Corruption> {
        self.here = false;
        while let Some(reference) = self.postings.get(self.at) {
            self.at += 1;
            reader.read(reference, &mut self.series)?;
            let (min_time, max_time) = self.times;
            let deleted = self.block.tombstones().of(reference);
            let wanted = |chunk: &ChunkMeta| {
                chunk.overlaps(min_time, max_time)
                    && !deleted.iter().any(|interval| interval.covers(chunk.min_time, chunk.max_time))
            };
            if !self.series.chunks.iter().all(wanted) {
                self.series.chunks.retain(wanted);
            }
            if self.series.chunks.is_empty() {
                continue;
            }
            self.names.resolve(&self.series.labels, symbols, &mut self.scratch)?;
            self.labels.assign(&self.scratch);
            self.here = true;
            return Ok(());
        }
        Ok(())
    }
}

/// Goes through the series of the head.
#[derive(Debug)]
pub(super) struct HeadCursor {
    pub(super) snapshot: Arc<Snapshot>,
    projection: Projection,
    /// The place of the series in the snapshot.
    pub(super) at: usize,
    pub(super) labels: LabelSet,
    scratch: Vec<(Symbol, Symbol)>,
    pub(super) here: bool,
}

impl HeadCursor {
    pub(super) fn new(snapshot: Snapshot, projection: Projection) -> Self {
        let (labels, scratch) = (LabelSet::new(), Vec::new());
        HeadCursor { snapshot: Arc::new(snapshot), projection, at: usize::MAX, labels, scratch, here: false }
    }

    pub(super) fn advance(&mut self, symbols: &mut Symbols) {
        self.at = self.at.wrapping_add(1);
        let Some(series) = self.snapshot.get(self.at) else {
            self.here = false;
            return;
        };
        from_texts(series.labels(), &self.projection, symbols, &mut self.scratch);
        self.labels.assign(&self.scratch);
        self.here = true;
    }
}
