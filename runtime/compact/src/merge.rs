//! Makes one block of several: series by series in the order of labels, chunks as they are unless their times overlap.
//!
//! The symbols come first: as old and new ones are both sorted, series are compared by numbers from then on. A series is
//! gathered from the blocks that have it (`gather`), chunks of overlapping times are found (`group`), decoded (`decoded`), put in
//! one order (`chain`, `penalty`) and encoded anew (`encode`, `windows`). In memory are one series,
//! and of symbols and postings as much as there is room for.

mod chain;
mod decoded;
mod encode;
mod gather;
mod group;
mod heads;
mod penalty;
mod windows;

use std::sync::Arc;

use tsdb::block::{BlockMeta, BlockReader, BlockWriter, ChunkData, Interval, Tombstones};
use tsdb::index::{IndexReader, SeriesRef, merge_symbols};
use tsdb::stored::Scratch;

use crate::verify::Account;
use crate::{Target, WriteError, Written};

use self::gather::Gathered;
use self::group::Groups;
use self::heads::Heads;

/// What is added to a block's name for the folder of its scratch files.
const SCRATCH: &str = ".scratch";
/// What a chunk takes in a segment beside its data: length, encoding, checksum.
const CHUNK_OVERHEAD_BYTES: u64 = 2 + 1 + 4;

/// What becomes of samples that several blocks have of one series and time (`--deduplication.func`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Overlaps {
    /// All samples of all blocks; of those with the same time one.
    #[default]
    OneToOne,
    /// The blocks are replicas: the one that has the turn keeps it until it leaves a gap.
    Penalty,
}

/// What came of a merge.
#[derive(Debug, Clone, PartialEq)]
pub struct Merged {
    /// The new block; `None`, and nothing on disk, where no sample is left.
    pub block: Option<Written>,
    /// Where all samples of the sources went.
    pub samples: Account,
}

/// Merges blocks of one group and resolution into one, in the order of the slice where that decides; tombstones are applied.
/// `meta` is what the new block says of itself but for the counts; what lies outside of its times is left out.
///
/// Every chunk is decoded, for it must not be passed on if it is damaged under a checksum that is right.
///
/// # Errors
/// See [`WriteError`].
pub fn merge(
    sources: &[BlockReader],
    overlaps: Overlaps,
    target: &Target<'_>,
    meta: BlockMeta,
) -> Result<Merged, WriteError> {
    let (fs, parent) = (&target.fs, target.parent);
    let scratch = parent.join(format!("{}{SCRATCH}", target.id));
    let scratch = Scratch::new(Arc::clone(fs), scratch, target.memory_bytes);
    let indices: Vec<&IndexReader> = sources.iter().map(BlockReader::index).collect();
    let block = |at: usize| sources.get(at).map_or(target.id, |source| source.meta().ulid);
    let symbols = merge_symbols(&indices, &scratch).map_err(|error| heads::failed(error, block))?;
    let table = symbols.table().clone();
    let mut writer = BlockWriter::bounded(Arc::clone(fs), parent, target.id, table, &scratch)?;
    let wanted = Interval { min_time: meta.min_time, max_time: meta.max_time.saturating_sub(1) };
    let mut heads = Heads::open(sources, &symbols)?;
    let mut gathered = Gathered::new(sources, wanted);
    let mut groups = Groups::new(overlaps);
    let mut sizes = Sizes::default();
    let mut memory: Vec<ChunkData<'static>> = Vec::new();
    while heads.gather(&mut gathered)? {
        if let Err(bad) = groups.resolve(&mut gathered) {
            return Err(heads.blame(bad).into());
        }
        let mut chunks: Vec<ChunkData<'_>> = memory;
        chunks.extend(gathered.for_block());
        if !chunks.is_empty() {
            let reference = writer.add_series(heads.labels(), &chunks)?;
            sizes.add(reference, &chunks);
        }
        memory = emptied(chunks);
    }
    let mut samples = gathered.account;
    samples.written = writer.stats().num_samples;
    let meta = writer.finish(meta, &Tombstones::default())?;
    Ok(Merged { block: meta.map(|meta| sizes.of(meta)), samples })
}

/// The memory of a list, for the next one.
fn emptied(mut chunks: Vec<ChunkData<'_>>) -> Vec<ChunkData<'static>> {
    chunks.clear();
    // Nothing is left to be turned into something else; the standard library keeps the memory.
    chunks.into_iter().map(|chunk| ChunkData { data: &[], ..chunk }).collect()
}

/// The largest things in a block.
#[derive(Debug, Default)]
struct Sizes {
    before: Option<SeriesRef>,
    series: u64,
    chunk: u64,
}

impl Sizes {
    fn add(&mut self, reference: SeriesRef, chunks: &[ChunkData<'_>]) {
        let before = self.before.replace(reference).map_or(reference.0, |before| before.0);
        self.series = self.series.max(u64::from(reference.0.saturating_sub(before)).saturating_mul(16));
        let largest = chunks.iter().map(|chunk| chunk.data.len() as u64).max().unwrap_or(0);
        self.chunk = self.chunk.max(largest.saturating_add(CHUNK_OVERHEAD_BYTES));
    }

    fn of(self, meta: BlockMeta) -> Written {
        Written { meta, series_max_bytes: self.series, chunk_max_bytes: self.chunk }
    }
}
