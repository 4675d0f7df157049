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
mod files;
mod floats;
mod histograms;
mod job;
mod kept;
mod made;
mod metrics;
mod select;
mod series;
mod window;

use std::sync::Arc;

use tsdb::Corruption;
use tsdb::block::{BlockMeta, BlockReader, BlockScan, BlockWriteError, BlockWriter, ChunkData, Tombstones};
use tsdb::chunk::Encoding;
use tsdb::index::{MergeSymbolsError, Series, merge_symbols};
use tsdb::stored::Scratch;

pub use self::job::{Job, JobDone, JobError};
pub use self::metrics::DownsampleMetrics;
pub use self::select::{Due, FIVE_MINUTES_RANGE_MIN, RAW_RANGE_MIN, select};

use self::made::MadeChunk;
use self::series::{SeriesMaker, SourceChunk};
use crate::{SourceError, SourceFault, Target, WriteError, Written};

/// What is added to a block's name for the folder of its scratch files.
const SCRATCH: &str = ".scratch";

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
/// In memory are the samples of one series, of histograms those that become one chunk, and of symbols and postings as much as there is
/// room for.
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
    let block = source.meta().ulid;
    let failed = |reason: SourceFault| SourceError { block, reason };
    let damaged = |corruption: Corruption| failed(corruption.into());
    let unmerged = |error: MergeSymbolsError| match error {
        MergeSymbolsError::Source { source, .. } => WriteError::from(damaged(source)),
        MergeSymbolsError::Scratch(error) => WriteError::Target(error.into()),
    };
    let (fs, parent) = (&target.fs, target.parent);
    let scratch = parent.join(format!("{}{SCRATCH}", target.id));
    let scratch = Scratch::new(Arc::clone(fs), scratch, target.memory_bytes);
    let symbols = merge_symbols(&[source.index()], &scratch).map_err(unmerged)?;
    let Some(mut map) = symbols.map(0) else { return Ok(None) };
    let table = symbols.table().clone();
    let first = table.texts().get(0).map_err(BlockWriteError::from)?.map(str::is_empty);
    let has_empty = first == Some(true);
    let mut writer = BlockWriter::bounded(Arc::clone(fs), parent, target.id, table, &scratch)?;
    let mut maker = SeriesMaker::new(from, to);
    let mut scan = source.scan().map_err(damaged)?;
    let mut labels: Vec<(u32, u32)> = Vec::new();
    let mut before: Vec<(u32, u32)> = Vec::new();
    let mut samples = 0u64;
    while scan.next_series().map_err(damaged)?.is_some() {
        let series = scan.series();
        labels.clone_from(&series.labels);
        map.translate(&mut labels).map_err(unmerged)?;
        if let Some(rule) = broken_rule(&labels, &before, has_empty, series) {
            return Err(failed(SourceFault::Series { labels: text_of(source, series), rule }).into());
        }
        std::mem::swap(&mut labels, &mut before);
        samples = samples.saturating_add(read_series(source, &mut scan, &mut maker).map_err(failed)?);
        let chunks: Vec<ChunkData<'_>> = maker.made().iter().map(chunk_data).collect();
        if !chunks.is_empty() {
            writer.add_series(&before, &chunks)?;
        }
    }
    let (series_max_bytes, chunk_max_bytes) = (writer.series_max_bytes(), writer.chunk_max_bytes());
    let Some(meta) = writer.finish(meta, &Tombstones::default())? else { return Ok(None) };
    let written = Written { meta, series_max_bytes, chunk_max_bytes };
    Ok(Some(Downsampled { written, samples }))
}

/// Makes the chunks of the series that `scan` went to; gives how many samples they stand for.
fn read_series(
    source_block: &BlockReader,
    scan: &mut BlockScan<'_>,
    maker: &mut SeriesMaker,
) -> Result<u64, SourceFault> {
    let deleted = source_block.tombstones().of(scan.series().reference);
    let mut reading = maker.begin(deleted);
    let mut number = 0usize;
    let mut broken = None;
    loop {
        let (meta, stored) = match scan.chunk_at(number) {
            Ok(Some(chunk)) => chunk,
            Ok(None) => break,
            Err(corruption) => {
                let source = Box::new(corruption);
                return Err(SourceFault::Unreadable { labels: text_of(source_block, scan.series()), source });
            }
        };
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
    made.map_err(|error| SourceFault::Chunk { labels: text_of(source_block, scan.series()), source: error })
}

fn chunk_data(made: MadeChunk<'_>) -> ChunkData<'_> {
    let MadeChunk { min_time, max_time, data } = made;
    ChunkData { min_time, max_time, encoding: Encoding::Aggregate, data }
}

/// The rule that a series breaks: what an index asks of the labels, and that the chunks do not share time.
fn broken_rule(
    labels: &[(u32, u32)],
    before: &[(u32, u32)],
    has_empty: bool,
    series: &Series,
) -> Option<&'static str> {
    if labels.is_empty() {
        return Some("no labels");
    }
    if !labels.is_sorted_by(|one, next| one.0 < next.0) {
        return Some("labels that do not ascend");
    }
    // Only the first symbol can be the empty text.
    if has_empty && labels.iter().any(|(name, value)| *name.min(value) == 0) {
        return Some("an empty label name or value");
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
