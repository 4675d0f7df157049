//! Cuts blocks from the head.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use crate::block::{BlockMeta, BlockWriteError, BlockWriter, ChunkData, Tombstones};
use crate::block_id::BlockId;
use crate::corruption::Corruption;
use crate::fs::Fs;
use crate::index::SymbolTableBuilder;
use crate::wal::LogError;
use crate::wal::record::SeriesRef;

use super::Head;
use super::commit::close_out_of_order;
use super::out_of_order;
use super::samples::Merged;
use super::series::{Place, range_end};
use super::snapshot::{self, SeriesView, Snapshot, Which};
use super::truncate::TruncateError;

/// A block could not be cut; the head is as it was.
#[derive(Debug, thiserror::Error)]
pub enum CutError {
    /// A chunk on disk is damaged.
    #[error("cutting a block from the head")]
    Corrupt(#[from] Corruption),
    /// The block could not be written.
    #[error("cutting a block from the head")]
    Block(#[from] BlockWriteError),
    /// The log refused.
    #[error("cutting a block from the head")]
    Log(#[from] LogError),
    /// The block is there, and the head could not forget its samples.
    #[error("cutting a block from the head")]
    Truncate(#[from] TruncateError),
}

impl error_kind::Kind for CutError {
    fn kind(&self) -> error_kind::ErrorKind {
        match self {
            CutError::Corrupt(error) => error.kind(),
            CutError::Block(_) => error_kind::ErrorKind::Unavailable,
            CutError::Log(error) => error.kind(),
            CutError::Truncate(error) => error.kind(),
        }
    }
}

impl Head {
    /// The time range that is old enough for a block: `None` while the head spans less than one and a half ranges. The end is not
    /// in it.
    pub fn range_to_cut(&self) -> Option<(i64, i64)> {
        let range = self.options().chunk_range_ms;
        let (oldest, newest) = self.stats().times?;
        (newest.saturating_sub(oldest) > range / 2 * 3).then(|| (oldest, range_end(oldest, range)))
    }

    /// Writes the in-order samples from `min_time` up to, not including, `max_time` as a block into a folder. `None` where there
    /// are none. The head keeps them: see [`Head::truncate`].
    ///
    /// # Errors
    /// [`CutError`].
    pub fn write_block(
        &self,
        fs: &Arc<dyn Fs>,
        parent: &Path,
        id: BlockId,
        (min_time, max_time): (i64, i64),
    ) -> Result<Option<BlockMeta>, CutError> {
        let last = max_time.saturating_sub(1);
        let snapshot = snapshot::select(&self.read(), &[], min_time, last, Which::InOrder);
        write_block(fs, parent, BlockMeta::new(id, min_time, max_time), &snapshot)
    }

    /// Writes all out-of-order samples as blocks, one for each time range in which there are any, and forgets them. `next_id`
    /// names the blocks.
    ///
    /// # Errors
    /// [`CutError`]; blocks that were written before the error stay, and so do the samples.
    pub fn cut_out_of_order(
        &self,
        fs: &Arc<dyn Fs>,
        parent: &Path,
        next_id: &mut dyn FnMut() -> BlockId,
    ) -> Result<Vec<BlockMeta>, CutError> {
        let mut state = self.write();
        let slots: Vec<u32> = (0u32..)
            .zip(state.series.iter())
            .filter(|(_, series)| series.as_ref().is_some_and(|series| series.out_of_order.is_some()))
            .map(|(slot, _)| slot)
            .collect();
        if slots.is_empty() {
            return Ok(Vec::new());
        }
        close_out_of_order(&mut state, &slots)?;
        let segment = match &mut state.wbl {
            Some(wbl) => Some(wbl.next_segment()?),
            None => None,
        };
        let ticket = self.durability.enter(&mut state, self.options().fsync)?;
        let captured: Vec<(SeriesRef, usize)> = slots
            .iter()
            .filter_map(|slot| {
                let series = state.series(*slot)?;
                Some((series.reference, series.out_of_order.as_ref()?.closed.len()))
            })
            .collect();
        let all = snapshot::select(&state, &[], i64::MIN, i64::MAX, Which::OutOfOrder);
        drop(state);
        self.durability.wait(ticket)?;
        let mut blocks = Vec::new();
        let range = self.options().chunk_range_ms;
        let mut ends = BTreeSet::new();
        for series in all.series() {
            let samples = series.samples(i64::MIN, i64::MAX)?;
            ends.extend(samples.iter().map(|sample| range_end(sample.timestamp, range)));
        }
        for end in ends {
            let mut meta = BlockMeta::new(next_id(), end.saturating_sub(range), end);
            meta.compaction.hints.push(FROM_OUT_OF_ORDER.to_owned());
            blocks.extend(write_block(fs, parent, meta, &all)?);
        }
        self.forget_out_of_order(&captured, segment)?;
        Ok(blocks)
    }

    fn forget_out_of_order(
        &self,
        captured: &[(SeriesRef, usize)],
        segment: Option<u64>,
    ) -> Result<(), CutError> {
        let mut state = self.write();
        (state.out_of_order_min, state.out_of_order_max) = (i64::MAX, i64::MIN);
        for (reference, count) in captured {
            let Some(slot) = state.slot(*reference) else {
                continue;
            };
            let Some(series) = state.series_mut(slot) else {
                continue;
            };
            let Some(others) = &mut series.out_of_order else {
                continue;
            };
            others.closed.drain(..(*count).min(others.closed.len()));
            if others.is_empty() {
                series.out_of_order = None;
            } else {
                let chunks = others.closed.iter().flat_map(|chunk| [chunk.min_time, chunk.max_time]);
                let times: Vec<i64> = chunks.chain(others.samples.iter().map(|(time, _)| *time)).collect();
                times.into_iter().for_each(|time| state.note_out_of_order(time));
            }
        }
        if let (Some(segment), Some(wbl)) = (segment, &mut state.wbl) {
            wbl.truncate(segment)?;
        }
        state.collect_garbage();
        drop(state);
        Ok(self.truncate_files()?)
    }
}

/// The remark in meta.json of a block of out-of-order samples.
pub(super) const FROM_OUT_OF_ORDER: &str = "from-out-of-order";

fn write_block(
    fs: &Arc<dyn Fs>,
    parent: &Path,
    meta: BlockMeta,
    snapshot: &Snapshot,
) -> Result<Option<BlockMeta>, CutError> {
    let (min_time, last) = (meta.min_time, meta.max_time.saturating_sub(1));
    let (mut symbols, mut labels) = (SymbolTableBuilder::default(), Vec::new());
    for series in snapshot.series() {
        for (name, value) in series.labels() {
            labels.push((symbols.add(name), symbols.add(value)));
        }
    }
    let (symbols, order) = symbols.build();
    let sorted = |symbol: u32| order.get(symbol as usize).copied().unwrap_or_default();
    let mut labels = labels.into_iter().map(|(name, value)| (sorted(name), sorted(value)));
    let mut writer = BlockWriter::create(fs.clone(), parent, meta.ulid, Arc::new(symbols))?;
    for series in snapshot.series() {
        let labels: Vec<(u32, u32)> = labels.by_ref().take(series.labels().count()).collect();
        let chunks = chunks_between(series, min_time, last)?;
        if !chunks.is_empty() {
            let data: Vec<ChunkData<'_>> = chunks.iter().map(BlockChunk::data).collect();
            writer.add_series(&labels, &data)?;
        }
    }
    Ok(writer.finish(meta, &Tombstones::default())?)
}

struct BlockChunk {
    min_time: i64,
    max_time: i64,
    encoding: crate::chunk::Encoding,
    bytes: Bytes,
}

impl BlockChunk {
    fn data(&self) -> ChunkData<'_> {
        let (min_time, max_time, encoding) = (self.min_time, self.max_time, self.encoding);
        ChunkData { min_time, max_time, encoding, data: &self.bytes }
    }
}

/// The chunks of a series from `min_time` to `last`: as they are where they are in order, whole, and nothing in them is deleted.
fn chunks_between(series: SeriesView<'_>, min_time: i64, last: i64) -> Result<Vec<BlockChunk>, CutError> {
    let deleted = series.deleted();
    let overlaps = |(from, to): (i64, i64), (start, end): (i64, i64)| start <= to && end >= from;
    let mut chunks = Vec::new();
    let mut merged = Merged::default();
    let mut any_merged = false;
    for chunk in series.chunks() {
        let times = (chunk.min_time(), chunk.max_time());
        if !overlaps((min_time, last), times) {
            continue;
        }
        let bytes = chunk.read()?;
        let whole = times.0 >= min_time && times.1 <= last && !chunk.is_out_of_order();
        if whole && !deleted.iter().any(|interval| overlaps(*interval, times)) {
            chunks.push(BlockChunk {
                min_time: times.0,
                max_time: times.1,
                encoding: chunk.encoding(),
                bytes,
            });
            continue;
        }
        any_merged = true;
        merged
            .add((chunk.encoding(), &bytes), min_time, last, deleted)
            .map_err(|error| error.in_file("chunks_head", 0))?;
    }
    if any_merged {
        for chunk in out_of_order::chunks(&merged.into_sorted()) {
            if let Place::Memory(bytes) = chunk.place {
                let (min_time, max_time, encoding) = (chunk.min_time, chunk.max_time, chunk.encoding);
                chunks.push(BlockChunk { min_time, max_time, encoding, bytes: bytes.into_vec().into() });
            }
        }
        chunks.sort_by_key(|chunk| chunk.min_time);
    }
    Ok(chunks)
}
