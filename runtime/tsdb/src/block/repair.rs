//! Repairs that lose no sample: a block is written again from what was read of the damaged one.
//!
//! Written anew are postings, label indices, counts, the times of chunks, the order of series, labels and chunks; left out are
//! chunks that are there twice, chunks and series without samples. What cannot be had by that is not repaired.

use std::path::Path;
use std::sync::Arc;

use crate::block_id::BlockId;
use crate::chunk::{Encoding, Scratch};
use crate::corruption::Corruption;
use crate::fs::Fs;
use crate::index::{Series, SeriesReader, SymbolTable, Symbols, Toc};
use crate::stored::StoredFile;

use super::examine::{BlockFiles, Examination, times_of};
use super::meta::BlockMeta;
use super::segments::Segments;
use super::tombstones::Tombstones;
use super::writer::{BlockWriteError, BlockWriter, ChunkData};

/// Why a block could not be repaired.
#[derive(Debug, thiserror::Error)]
pub enum RepairError {
    /// Something is wrong that no repair mends without loss.
    #[error("block {0} cannot be repaired without loss")]
    Lossy(BlockId),
    /// Bytes that could be read when the block was examined cannot be read now.
    #[error("the block to be repaired")]
    Read(#[from] Corruption),
    /// The new block could not be written.
    #[error("the repaired block")]
    Write(#[from] BlockWriteError),
}

/// Writes the block again as the folder `id` in `parent`, from what `examination` says can be mended. The new block has the
/// level and the sources of the old one, which is its parent; `None` where no sample is left.
///
/// In memory is a number for each label and each chunk of all series.
///
/// # Errors
/// [`RepairError::Lossy`] before anything is written; [`RepairError::Read`], [`RepairError::Write`].
pub fn repair(
    files: &BlockFiles,
    meta: &BlockMeta,
    examination: &Examination,
    fs: Arc<dyn Fs>,
    parent: &Path,
    id: BlockId,
) -> Result<Option<BlockMeta>, RepairError> {
    let Some(index) = files.index.as_ref().filter(|_| examination.problems.are_repairable()) else {
        return Err(RepairError::Lossy(meta.ulid));
    };
    let tombstones = files.tombstones.as_ref().map(Tombstones::read).transpose()?.unwrap_or_default();
    let mut old = Old::open(index)?;
    old.series.sort_by(|one, other| one.labels.cmp(&other.labels));
    let segments = super::examine::in_order(&files.segments).ok_or(RepairError::Lossy(meta.ulid))?;
    let segments = Segments::open(segments)?;
    let mut reader = segments.reader();
    let mut writer = BlockWriter::create(fs, parent, id, Arc::new(old.symbols))?;
    let mut scratch = Scratch::default();
    let mut deleted = Tombstones::default();
    for series in &old.series {
        let mut chunks: Vec<(i64, i64, Encoding, Vec<u8>)> = Vec::with_capacity(series.chunks.len());
        for chunk in &series.chunks {
            let stored = reader.read(chunk.reference)?;
            let data = stored.data.to_vec();
            let encoding = Encoding::from_u8(stored.encoding).map_err(|_| RepairError::Lossy(meta.ulid))?;
            let times = times_of(encoding, &data, &mut scratch).map_err(|_| RepairError::Lossy(meta.ulid))?;
            // A chunk without samples is left out.
            if let Some((first, last)) = times {
                chunks.push((first, last, encoding, data));
            }
        }
        chunks.sort();
        chunks.dedup();
        if chunks.is_empty() {
            continue;
        }
        let chunks: Vec<ChunkData<'_>> = chunks
            .iter()
            .map(|(min_time, max_time, encoding, data)| ChunkData {
                min_time: *min_time,
                max_time: *max_time,
                encoding: *encoding,
                data,
            })
            .collect();
        let reference = writer.add_series(&series.labels, &chunks)?;
        for interval in tombstones.of(series.reference) {
            deleted.add(reference, *interval);
        }
    }
    Ok(writer.finish(descendant(meta, examination, id), &deleted)?)
}

/// The new block's meta.json, but for its counts.
fn descendant(meta: &BlockMeta, examination: &Examination, id: BlockId) -> BlockMeta {
    let mut new = meta.clone();
    new.ulid = id;
    new.compaction.parents = vec![meta.description()];
    new.compaction.level = meta.compaction.level.max(1);
    if new.compaction.sources.is_empty() {
        new.compaction.sources = vec![meta.ulid];
    }
    if new.min_time >= new.max_time
        && let Some((first, last)) = examination.counts.times
    {
        // Most likely they were swapped; where the samples do not lie between them either, the samples say it.
        (new.min_time, new.max_time) = (meta.max_time, meta.min_time);
        if first < new.min_time || last >= new.max_time {
            (new.min_time, new.max_time) = (first, last.saturating_add(1));
        }
    }
    // The files are others now.
    if let Some(thanos) = new.extra.get_mut("thanos").and_then(serde_json::Value::as_object_mut) {
        thanos.retain(|key, _| !matches!(key.as_str(), "files" | "segment_files" | "index_stats"));
    }
    new
}

/// The series and the symbols of the old block; its postings are not looked at.
struct Old {
    symbols: SymbolTable,
    series: Vec<Series>,
}

impl Old {
    fn open(file: &StoredFile) -> Result<Self, Corruption> {
        let version = Toc::read_version(file)?;
        let toc = Toc::read(file)?;
        let stored = Symbols::open(file, version, toc.symbols, toc.series)?;
        let mut symbols = SymbolTable::default();
        // In format 1 a symbol is its place in the file; the new numbers are those of the order.
        let mut numbers = Vec::new();
        let (mut walk, mut text) = (stored.walk(), Vec::new());
        loop {
            let place = walk.offset();
            let Some(symbol) = walk.next_text(&mut text)? else { break };
            symbols.push(symbol);
            numbers.push(place as u32);
        }
        let number = |symbol: u32| match version {
            crate::index::Version::V1 => numbers.binary_search(&symbol).map_or(u32::MAX, |at| at as u32),
            _ => symbol,
        };
        let mut reader = SeriesReader::over(file, version, toc, Some(&stored));
        let mut series = Vec::new();
        let mut at = toc.series.next_multiple_of(version.series_unit());
        while at < toc.series_end() {
            let mut one = Series::default();
            let next = reader.read_at(at, &mut one)?;
            for (name, value) in &mut one.labels {
                (*name, *value) = (number(*name), number(*value));
            }
            one.labels.sort_unstable();
            series.push(one);
            at = next.next_multiple_of(version.series_unit());
        }
        Ok(Old { symbols, series })
    }
}
