//! The blocks that are merged, each at a series, in the order of the labels at which they are.

use tsdb::block::{BlockReader, BlockWriteError, ChunkReader, Interval, StoredChunk};
use tsdb::index::{
    ChunkMeta, MergeSymbolsError, MergedSymbols, PostingsStream, Series, SeriesScan, SymbolMap,
};
use tsdb::{BlockId, Corruption};

use crate::{SourceError, SourceFault, WriteError};

use super::gather::{Bad, Gathered, What};

type Labels = Vec<(u32, u32)>;

/// A block at one of its series.
#[derive(Debug)]
pub(super) struct Source<'a> {
    number: usize,
    block: &'a BlockReader,
    symbols: SymbolMap,
    /// All series, and the list of all series, which must name them.
    scan: SeriesScan<'a>,
    listed: PostingsStream,
    chunks: ChunkReader<'a>,
    /// As it stands in the block.
    series: Series,
    /// Its labels in the symbols of the new block.
    labels: Labels,
    before: Labels,
    /// Whether symbol 0 is the empty text, which no label may have.
    has_empty: bool,
}

impl<'a> Source<'a> {
    fn open(
        number: usize,
        block: &'a BlockReader,
        symbols: SymbolMap,
        has_empty: bool,
    ) -> Result<Self, SourceError> {
        let failed = |reason: Corruption| SourceError { block: block.meta().ulid, reason: reason.into() };
        Ok(Source {
            listed: block.index().all_postings_stream().map_err(failed)?,
            number,
            block,
            has_empty,
            symbols,
            scan: block.index().scan(),
            chunks: block.segments().reader(),
            series: Series::default(),
            labels: Vec::new(),
            before: Vec::new(),
        })
    }

    /// Goes to the next series that is to be merged; `false` at the end.
    fn advance(&mut self) -> Result<bool, WriteError> {
        std::mem::swap(&mut self.labels, &mut self.before);
        let is_there = self.scan.next_into(&mut self.series).map_err(|error| self.failed(error.into()))?;
        let listed = self.listed.next_series().map_err(|error| self.failed(error.into()))?;
        if listed != is_there.then_some(self.series.reference) {
            let rule = "the list of all series has others than there are";
            return Err(self.failed(SourceFault::Series { labels: self.text(), rule }).into());
        }
        if !is_there {
            return Ok(false);
        }
        self.labels.clear();
        self.labels.extend_from_slice(&self.series.labels);
        if let Err(error) = self.symbols.translate(&mut self.labels) {
            return Err(failed(error, |_| self.block()));
        }
        match self.broken_rule() {
            Some(rule) => Err(self.failed(SourceFault::Series { labels: self.text(), rule }).into()),
            None => Ok(true),
        }
    }

    fn broken_rule(&self) -> Option<&'static str> {
        if self.labels.is_empty() {
            return Some("no labels");
        }
        for pair in self.labels.windows(2) {
            match pair {
                [(one, _), (next, _)] if one == next => return Some("a label name that is there twice"),
                [(one, _), (next, _)] if one > next => return Some("labels that do not ascend"),
                _ => {}
            }
        }
        if self.has_empty && self.labels.iter().any(|(name, value)| *name == 0 || *value == 0) {
            return Some("an empty label name or value");
        }
        match self.before.cmp(&self.labels) {
            std::cmp::Ordering::Less => {}
            std::cmp::Ordering::Equal => return Some("a series that is there twice"),
            std::cmp::Ordering::Greater => return Some("not behind the series before"),
        }
        if self.series.chunks.is_empty() {
            return Some("no chunks");
        }
        if !self.series.chunks.is_sorted_by(|one, next| one.min_time <= next.min_time) {
            return Some("chunks out of order");
        }
        // A sample at the end itself is what old versions of Prometheus left there.
        let (first, last) = (self.block.meta().min_time, self.block.meta().max_time);
        if self.series.chunks.iter().any(|chunk| chunk.min_time < first || chunk.max_time > last) {
            return Some("a chunk outside of the times of the block");
        }
        None
    }

    /// The place among the blocks.
    pub(super) const fn number(&self) -> usize {
        self.number
    }

    /// Which block it is.
    pub(super) fn block(&self) -> BlockId {
        self.block.meta().ulid
    }

    /// How many chunks the series has here.
    pub(super) const fn chunks(&self) -> usize {
        self.series.chunks.len()
    }

    /// What was deleted of the series.
    pub(super) fn deleted(&self) -> &'a [Interval] {
        self.block.tombstones().of(self.series.reference)
    }

    /// Reads a chunk, whose checksum is right then.
    pub(super) fn chunk(&mut self, at: usize) -> Result<Option<(ChunkMeta, StoredChunk<'_>)>, What> {
        let Some(meta) = self.series.chunks.get(at).copied() else { return Ok(None) };
        Ok(Some((meta, self.chunks.read(meta.reference).map_err(What::Unreadable)?)))
    }

    fn text(&self) -> String {
        self.block.index().labels(&self.series).map_or_else(|_| "?".to_owned(), |labels| labels.to_string())
    }

    fn bad(&self, what: What) -> SourceError {
        self.failed(what.of_series(self.text()))
    }

    fn failed(&self, reason: SourceFault) -> SourceError {
        SourceError { block: self.block.meta().ulid, reason }
    }
}

/// All blocks, those that are not at their end in order.
#[derive(Debug)]
pub(super) struct Heads<'a> {
    sources: Vec<Source<'a>>,
    /// Places in `sources`: by labels, those with the same labels by their numbers.
    order: Vec<usize>,
    /// So many of them are at the same, least labels, and were gathered.
    leading: usize,
    moving: Vec<usize>,
}

impl<'a> Heads<'a> {
    /// Goes to the first series of each block.
    pub(super) fn open(blocks: &'a [BlockReader], symbols: &MergedSymbols) -> Result<Self, WriteError> {
        let first = symbols.table().texts().get(0).map_err(BlockWriteError::from)?.map(str::is_empty);
        let has_empty = first == Some(true);
        let maps = (0..).map_while(|at| symbols.map(at));
        let sources = blocks.iter().zip(maps).enumerate();
        let sources = sources
            .map(|(at, (block, symbols))| Source::open(at, block, symbols, has_empty))
            .collect::<Result<_, _>>()?;
        let mut heads = Heads { sources, order: Vec::new(), leading: 0, moving: Vec::new() };
        for at in 0..blocks.len() {
            heads.move_on(at)?;
        }
        Ok(heads)
    }

    /// Takes a block to its next series, and to its place in the order.
    fn move_on(&mut self, at: usize) -> Result<(), WriteError> {
        let Some(source) = self.sources.get_mut(at) else { return Ok(()) };
        if source.advance()? {
            let labels = |at: usize| self.sources.get(at).map(|source| source.labels.as_slice());
            let place = self.order.partition_point(|other| (labels(*other), *other) < (labels(at), at));
            self.order.insert(place, at);
        }
        Ok(())
    }

    /// Gathers the next series from all blocks that have it; `false` at the end.
    pub(super) fn gather(&mut self, gathered: &mut Gathered) -> Result<bool, WriteError> {
        let mut moving = std::mem::take(&mut self.moving);
        moving.clear();
        moving.extend(self.order.drain(..self.leading.min(self.order.len())));
        for at in &moving {
            self.move_on(*at)?;
        }
        self.moving = moving;
        let labels = |at: &usize| self.sources.get(*at).map(|source| source.labels.as_slice());
        let least = self.order.first().and_then(labels);
        self.leading = self.order.iter().take_while(|at| labels(at) == least).count();
        gathered.begin();
        for at in self.order.iter().take(self.leading) {
            let Some(source) = self.sources.get_mut(*at) else { continue };
            gathered.add(source).map_err(|what| source.bad(what))?;
        }
        Ok(self.leading > 0)
    }

    /// The labels of what was gathered, as symbols of the new block.
    pub(super) fn labels(&self) -> &[(u32, u32)] {
        let first = self.order.first().and_then(|at| self.sources.get(*at));
        first.map_or(&[], |source| source.labels.as_slice())
    }

    /// What is wrong with a chunk that was gathered, as an error of the block that has it.
    pub(super) fn blame(&self, bad: Bad) -> SourceError {
        let first = self.order.first().and_then(|at| self.sources.get(*at));
        let labels = first.map_or_else(String::new, Source::text);
        SourceError { block: bad.block, reason: bad.what.of_series(labels) }
    }
}

/// What went wrong with symbols; `block` says which block has a place.
pub(super) fn failed(error: MergeSymbolsError, block: impl FnOnce(usize) -> BlockId) -> WriteError {
    match error {
        MergeSymbolsError::Source { source_number, source } => {
            SourceError { block: block(source_number), reason: source.into() }.into()
        }
        MergeSymbolsError::Scratch(error) => BlockWriteError::from(error).into(),
    }
}
