//! Writes a block anew: without what is to be deleted, or under other labels.
//!
//! Chunks that nothing happens to are copied as they are. Nothing is written before all that can be known is known: what would
//! be done can be told without doing it.

mod chunks;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use prom_model::{Labels, Matcher, RelabelConfig, process};
use tsdb::block::{BlockMeta, BlockReader, BlockStats, BlockWriteError, BlockWriter, ChunkData, Tombstones};
use tsdb::chunk::{ChunkError, Encoding};
use tsdb::fs::Fs;
use tsdb::index::{ChunkMeta, LabelArena, Series, SymbolTableBuilder};
use tsdb::{BlockId, Corruption};

use crate::Interval;
use chunks::Piece;

/// Samples that are to go: of the series that all matchers match, in the intervals, both ends included; all of them where no
/// interval is given.
#[derive(Debug, Clone)]
pub struct DeletionRequest {
    /// All must match; a matcher does not match a label that a series does not have.
    pub matchers: Vec<Matcher>,
    /// Milliseconds, both ends included.
    pub intervals: Vec<Interval>,
}

/// What is to be done to a block. First series get their new labels, then samples are deleted by these, as Thanos does.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// Rules for the labels of series; a series that is left without labels goes.
    pub relabel: Vec<RelabelConfig>,
    /// What is deleted.
    pub deletions: Vec<DeletionRequest>,
}

/// One thing that a rebuild does to a series.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Samples go.
    Deleted {
        /// The series.
        labels: Labels,
        /// Milliseconds, both ends included.
        intervals: Vec<Interval>,
    },
    /// A series gets other labels.
    Relabelled {
        /// As it was.
        from: Labels,
        /// As it will be.
        to: Labels,
    },
    /// A chunk that the series has twice is written once.
    ChunkOnce {
        /// The series.
        labels: Labels,
        /// Its first sample, milliseconds.
        min_time: i64,
        /// Its last sample, milliseconds.
        max_time: i64,
    },
}

/// Where the new block goes.
#[derive(Debug)]
pub struct Target<'a> {
    /// The disk.
    pub fs: Arc<dyn Fs>,
    /// The folder in which the block gets its folder.
    pub parent: &'a Path,
    /// Its ID.
    pub id: BlockId,
}

/// A block that cannot be rebuilt. Nothing is left of the attempt.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// The block is damaged.
    #[error("the block is damaged")]
    Damaged(#[from] Corruption),
    /// A chunk is damaged.
    #[error("chunk {chunk} of series {labels} is damaged")]
    Chunk {
        /// The series.
        labels: Labels,
        /// The chunk's place.
        chunk: String,
        /// What is wrong.
        #[source]
        source: ChunkError,
    },
    /// Samples of one series, or of series that get the same labels, share time; which ones are right is unknown.
    #[error(
        "chunks of series {labels} share time from {min_time} on, and which samples are right is unknown"
    )]
    Overlap {
        /// The series.
        labels: Labels,
        /// Where the second chunk begins, milliseconds.
        min_time: i64,
    },
    /// A series has a label twice.
    #[error("series {0} has a label twice")]
    LabelTwice(Labels),
    /// A part of a chunk is to be deleted that can only be copied whole.
    #[error("samples of series {labels} cannot be deleted from a chunk of encoding {encoding}")]
    Encoding {
        /// The series.
        labels: Labels,
        /// The encoding.
        encoding: Encoding,
    },
    /// The new block cannot be written.
    #[error("the new block cannot be written")]
    Write(#[from] BlockWriteError),
}

/// A series of the new block.
struct Planned {
    chunks: Vec<ChunkMeta>,
    deleted: Vec<Interval>,
}

/// Tells what the changes do, and does it where there is a target. Gives the statistics of the new block; none where no series
/// is left, in which case no block is written.
///
/// Holds the labels and chunk places of all series in memory.
///
/// # Errors
/// See [`RebuildError`].
pub fn rebuild(
    block: &BlockReader,
    changes: &Changes,
    meta: BlockMeta,
    target: Option<Target<'_>>,
    mut log: impl FnMut(Change),
) -> Result<Option<BlockStats>, RebuildError> {
    let planned = plan(block, changes, &mut log)?;
    let mut symbols = SymbolTableBuilder::default();
    let mut numbers: Vec<Vec<(u32, u32)>> = Vec::with_capacity(planned.len());
    for labels in planned.keys() {
        let pairs = labels.iter().map(|label| (symbols.add(&label.name), symbols.add(&label.value)));
        numbers.push(pairs.collect());
    }
    let (table, final_symbols) = symbols.build();
    let symbol = |number: u32| final_symbols.get(number as usize).copied().unwrap_or_default();
    let mut writer = match &target {
        Some(target) => {
            let (fs, parent) = (Arc::clone(&target.fs), target.parent);
            Some(BlockWriter::create(fs, parent, target.id, Arc::new(table))?)
        }
        None => None,
    };
    let mut reader = block.segments().reader();
    let mut pieces: Vec<Piece> = Vec::new();
    for ((labels, series), numbers) in planned.iter().zip(&numbers) {
        pieces.clear();
        let gone = chunks::collect(&mut reader, labels, series, &mut pieces, &mut log)?;
        if !gone.is_empty() {
            log(Change::Deleted { labels: labels.0.clone(), intervals: gone });
        }
        if pieces.is_empty() {
            continue;
        }
        if let Some(writer) = &mut writer {
            let labels: Vec<(u32, u32)> =
                numbers.iter().map(|(name, value)| (symbol(*name), symbol(*value))).collect();
            let chunks: Vec<ChunkData<'_>> = pieces.iter().map(Piece::as_chunk).collect();
            writer.add_series(&labels, &chunks)?;
        }
    }
    let Some(writer) = writer else { return Ok(None) };
    let written = writer.finish(meta, &Tombstones::default())?;
    Ok(written.map(|meta| meta.stats))
}

/// Labels in the order in which series stand in an index.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Ordered(Labels);

impl Ordered {
    fn iter(&self) -> std::slice::Iter<'_, prom_model::Label> {
        self.0.iter()
    }

    fn key(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|label| (label.name.as_str(), label.value.as_str()))
    }
}

impl PartialOrd for Ordered {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ordered {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(other.key())
    }
}

/// The series of the new block by their labels, and what is deleted of each.
fn plan(
    block: &BlockReader,
    changes: &Changes,
    log: &mut impl FnMut(Change),
) -> Result<BTreeMap<Ordered, Planned>, RebuildError> {
    let mut planned: BTreeMap<Ordered, Planned> = BTreeMap::new();
    let (mut series, mut arena) = (Series::default(), LabelArena::default());
    let mut symbols = block.index().symbol_cache();
    let mut scan = block.index().scan();
    while scan.next_into(&mut series)? {
        arena.clear();
        symbols.resolve(&series.labels, &mut arena)?;
        let from = arena.to_labels();
        if !series.labels_are_sorted() {
            let mut names: Vec<u32> = series.labels.iter().map(|(name, _)| *name).collect();
            names.sort_unstable();
            if names.windows(2).any(|pair| pair.first() == pair.last()) {
                return Err(RebuildError::LabelTwice(from));
            }
        }
        let mut to = from.clone();
        if !changes.relabel.is_empty() {
            to = process(&changes.relabel, to).unwrap_or_default();
        }
        let whole = || {
            let from = series.chunks.iter().map(|chunk| chunk.min_time).min()?;
            let to = series.chunks.iter().map(|chunk| chunk.max_time).max()?;
            Some(Interval { min_time: from, max_time: to })
        };
        if to.is_empty() {
            log(Change::Deleted { labels: from, intervals: whole().into_iter().collect() });
            continue;
        }
        if to != from {
            log(Change::Relabelled { from, to: to.clone() });
        }
        let matching = changes.deletions.iter().filter(|request| request.matches(&to));
        let (mut deleted, mut all) =
            (block.tombstones().of(series.reference).iter().map(interval).collect::<Vec<_>>(), false);
        for request in matching {
            all |= request.intervals.is_empty();
            deleted.extend(request.intervals.iter().copied());
        }
        if all {
            log(Change::Deleted { labels: to, intervals: whole().into_iter().collect() });
            continue;
        }
        if series.chunks.is_empty() {
            continue;
        }
        let one =
            planned.entry(Ordered(to)).or_insert_with(|| Planned { chunks: Vec::new(), deleted: Vec::new() });
        one.chunks.extend_from_slice(&series.chunks);
        one.deleted.extend(deleted);
        one.deleted = union(std::mem::take(&mut one.deleted));
    }
    Ok(planned)
}

fn interval(tombstone: &tsdb::block::Interval) -> Interval {
    Interval { min_time: tombstone.min_time, max_time: tombstone.max_time }
}

impl DeletionRequest {
    fn matches(&self, labels: &Labels) -> bool {
        self.matchers.iter().all(|matcher| {
            labels.get(matcher.name()).is_some_and(|value| !value.is_empty() && matcher.matches(value))
        })
    }
}

/// The same moments as disjoint intervals in order.
fn union(mut intervals: Vec<Interval>) -> Vec<Interval> {
    intervals.retain(|interval| interval.min_time <= interval.max_time);
    intervals.sort_by_key(|interval| interval.min_time);
    let mut out: Vec<Interval> = Vec::with_capacity(intervals.len());
    for interval in intervals {
        match out.last_mut() {
            Some(last) if interval.min_time <= last.max_time.saturating_add(1) => {
                last.max_time = last.max_time.max(interval.max_time);
            }
            _ => out.push(interval),
        }
    }
    out
}
