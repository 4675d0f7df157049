//! Makes a block of a coarser resolution: for each window of time count, sum, minimum, maximum and counter.
//!
//! What is made is what Thanos makes, to the bit, with these exceptions, where Thanos stops, loses samples or counts them twice:
//! tombstones are applied; histograms with custom buckets are downsampled too, and begin a new chunk where their bounds change, as
//! counters and gauges do where they follow each other; histograms of one chunk are brought to one zero bucket; whether a counter of
//! histograms was reset is asked of the histograms as they were stored, not as they are after they were made coarser; times before
//! 1970 are times like others.
//!
//! [`select()`] says which blocks of a bucket are due, a [`Job`] does all of the work for one of them.

mod aggregates;
mod check;
mod floats;
mod histograms;
mod job;
mod kept;
mod made;
mod metrics;
mod select;
mod series;
mod symbols;
mod window;

use tsdb::Corruption;
use tsdb::block::{BlockMeta, BlockReader, BlockScan, BlockWriter, ChunkData, Tombstones};
use tsdb::chunk::Encoding;
use tsdb::index::{Series, SymbolTable};

pub use self::job::{Job, JobDone, JobError};
pub use self::metrics::DownsampleMetrics;
pub use self::select::{Due, FIVE_MINUTES_RANGE_MIN, RAW_RANGE_MIN, select};

use self::made::MadeChunk;
use self::series::{SeriesMaker, SourceChunk};
use self::symbols::SourceSymbols;
use crate::{SourceError, SourceFault, Target, WriteError, Written};

/// A block that was downsampled.
#[derive(Debug, Clone, PartialEq)]
pub struct Downsampled {
    /// The new block.
    pub written: Written,
    /// How many raw samples its windows stand for: the sum of all its counts.
    pub samples: u64,
}

/// Downsamples `source`, whose windows are `from` milliseconds long (0: it has raw samples), to windows of `to` milliseconds, which is
/// more. `meta` is what the new block says of itself but for the counts. `None`, and no block, where no sample is left.
///
/// In memory are the symbols and the samples of one series, of histograms those that become one chunk.
///
/// # Errors
/// See [`WriteError`].
pub fn downsample(
    source: &BlockReader,
    from: i64,
    to: i64,
    target: &Target<'_>,
    meta: BlockMeta,
) -> Result<Option<Downsampled>, WriteError> {
    let (from, to) = (from.max(0), to.max(1));
    let failed = |reason: SourceFault| SourceError { block: source.meta().ulid, reason };
    let damaged = |corruption: Corruption| failed(corruption.into());
    let mut symbols = SourceSymbols::read(source).map_err(damaged)?;
    let mut writer =
        BlockWriter::create(std::sync::Arc::clone(&target.fs), target.parent, target.id, symbols.table())?;
    let mut maker = SeriesMaker::new(from, to);
    let mut scan = source.scan().map_err(damaged)?;
    let mut labels: Vec<(u32, u32)> = Vec::new();
    let mut before: Vec<(u32, u32)> = Vec::new();
    let mut sizes = Sizes::default();
    let mut samples = 0u64;
    while scan.next_series().map_err(damaged)?.is_some() {
        let series = scan.series();
        labels.clone_from(&series.labels);
        symbols.translate(&mut labels).map_err(damaged)?;
        if let Some(rule) = broken_rule(&labels, &before, &symbols.table(), series) {
            return Err(failed(SourceFault::Series { labels: text_of(source, series), rule }).into());
        }
        before.clone_from(&labels);
        samples = samples.saturating_add(read_series(source, &mut scan, &mut maker).map_err(failed)?);
        let chunks: Vec<ChunkData<'_>> = maker.made().iter().map(chunk_data).collect();
        if chunks.is_empty() {
            continue;
        }
        let reference = writer.add_series(&labels, &chunks)?;
        sizes.series(reference.0, labels.len(), &chunks);
    }
    let Some(meta) = writer.finish(meta, &Tombstones::default())? else { return Ok(None) };
    let written = Written { meta, series_max_bytes: sizes.series_max(), chunk_max_bytes: sizes.chunk_max };
    Ok(Some(Downsampled { written, samples }))
}

/// Makes the chunks of the series that `scan` went to; gives how many samples they stand for.
fn read_series(
    source: &BlockReader,
    scan: &mut BlockScan<'_>,
    maker: &mut SeriesMaker,
) -> Result<u64, SourceFault> {
    let deleted = source.tombstones().of(scan.series().reference);
    let mut reading = maker.begin(deleted);
    let mut number = 0usize;
    let mut broken = None;
    while let Some((meta, stored)) = scan.chunk_at(number)? {
        let (min_time, max_time, encoding) = (meta.min_time, meta.max_time, stored.encoding);
        let read = reading.chunk(SourceChunk { number, min_time, max_time, encoding, data: stored.data });
        if let Err((_, error)) = read {
            broken = Some(error);
            break;
        }
        number += 1;
    }
    let made = match broken {
        Some(error) => Err(error),
        None => reading.finish().map_err(|(_, error)| error),
    };
    made.map_err(|error| SourceFault::Chunk { labels: text_of(source, scan.series()), source: error })
}

fn chunk_data(made: MadeChunk<'_>) -> ChunkData<'_> {
    let MadeChunk { min_time, max_time, data } = made;
    ChunkData { min_time, max_time, encoding: Encoding::Aggregate, data }
}

/// The rule that a series breaks: what an index asks of the labels, and that the chunks do not share time.
fn broken_rule(
    labels: &[(u32, u32)],
    before: &[(u32, u32)],
    symbols: &SymbolTable,
    series: &Series,
) -> Option<&'static str> {
    if labels.is_empty() {
        return Some("no labels");
    }
    if labels.iter().any(|(name, value)| *name.max(value) >= symbols.len()) {
        return Some("a symbol that is not in the table");
    }
    // Only the first symbol can be the empty text.
    if symbols.get(0).is_some_and(str::is_empty) && labels.iter().any(|(name, value)| *name.min(value) == 0) {
        return Some("an empty label name or value");
    }
    if !labels.is_sorted_by(|one, next| one.0 < next.0) {
        return Some("labels that do not ascend");
    }
    if before >= labels {
        return Some("not behind the series before");
    }
    (!series.chunks_are_in_order()).then_some("chunks that overlap or are out of order")
}

/// The labels of a series, as far as they can be read.
fn text_of(source: &BlockReader, series: &Series) -> String {
    source
        .index()
        .labels(series)
        .map_or_else(|_| format!("{}", series.reference.0), |labels| labels.to_string())
}

/// What a chunk takes in its segment beside its data, at most.
const CHUNK_OVERHEAD_BYTES: u64 = 5 + 1 + 4;

/// The largest entries of the new index.
#[derive(Debug, Default)]
struct Sizes {
    /// The reference of the last series, and the most that its entry can take.
    last: Option<(u32, u64)>,
    series_max: u64,
    chunk_max: u64,
}

impl Sizes {
    /// Takes a series that begins at `reference`; where it ends is known once the next one begins.
    fn series(&mut self, reference: u32, labels: usize, chunks: &[ChunkData<'_>]) {
        if let Some((before, _)) = self.last {
            let bytes = u64::from(reference.saturating_sub(before)).saturating_mul(16);
            self.series_max = self.series_max.max(bytes);
        }
        let most = 16 + 10 * labels as u64 + 20 * chunks.len() as u64;
        self.last = Some((reference, most));
        let largest = chunks.iter().map(|chunk| chunk.data.len() as u64).max().unwrap_or(0);
        self.chunk_max = self.chunk_max.max(largest + CHUNK_OVERHEAD_BYTES);
    }

    fn series_max(&self) -> u64 {
        self.series_max.max(self.last.map_or(0, |(_, most)| most))
    }
}
