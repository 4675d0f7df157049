//! Chunks to the columns that the engine evaluates.

use std::mem::take;
use std::sync::Arc;

use promql::{SampleReader, Samples, SourceError};
use tsdb::block::{ChunkReader, Interval, segment_name};
use tsdb::chunk::{ChunkError, Columns, Encoding, HistogramColumns, Order, decode_floats};
use tsdb::head::SeriesView;
use tsdb::{Corruption, Section};

use super::batch::{Batch, BlockPart};
use super::damaged;
use crate::chain;
use crate::histograms::each_histogram;

/// After so many chunks other queries may have their turn.
const CHUNKS_AT_ONCE: usize = 32;

/// Reads the samples of the series of a batch; one per thread.
pub(super) struct Reader<'b> {
    batch: &'b Batch,
    segments: Vec<Option<ChunkReader<'b>>>,
    histograms: HistogramColumns<f64>,
    /// For series whose parts overlap.
    parts: Vec<Samples>,
    /// How many chunks were read.
    chunks: usize,
}

impl<'b> Reader<'b> {
    pub(super) fn new(batch: &'b Batch) -> Self {
        let mut segments = Vec::new();
        segments.resize_with(batch.sources.blocks.len(), || None);
        Reader { batch, segments, histograms: HistogramColumns::default(), parts: Vec::new(), chunks: 0 }
    }

    /// Whether chunks of different parts are in each other's time. Within a part of a block they never are.
    fn overlap(&self, at: usize) -> bool {
        let parts = self.batch.block_parts(at);
        let times = |part: &BlockPart| {
            let chunks = self.batch.chunks(part);
            chunks.first().zip(chunks.last()).map(|(first, last)| (first.min_time, last.max_time))
        };
        let mut last = None;
        for (first, end) in parts.iter().filter_map(times) {
            if last.is_some_and(|last| last >= first) {
                return true;
            }
            last = Some(end);
        }
        self.head(at).is_some_and(|series| {
            let mut late = false;
            for chunk in series.chunks() {
                late |= chunk.is_out_of_order() || last.is_some_and(|last| last >= chunk.min_time());
                last = Some(chunk.max_time());
            }
            late
        })
    }

    fn head(&self, at: usize) -> Option<SeriesView<'b>> {
        self.batch.sources.head.as_ref()?.get(self.batch.head_part(at)?)
    }

    fn block_part(&mut self, part: &BlockPart, into: &mut Samples) -> Result<(), SourceError> {
        let batch = self.batch;
        let Some(block) = batch.sources.blocks.get(part.block as usize) else { return Ok(()) };
        let Some(slot) = self.segments.get_mut(part.block as usize) else { return Ok(()) };
        let segments = slot.get_or_insert_with(|| block.segments().reader());
        let deleted = block.tombstones().of(part.reference);
        for chunk in batch.chunks(part) {
            self.chunks += 1;
            if self.chunks.is_multiple_of(CHUNKS_AT_ONCE) {
                batch.sources.pauses.pass();
            }
            let stored = segments.read(chunk.reference).map_err(damaged)?;
            let start = u64::from(chunk.reference.offset());
            let file = || segment_name(chunk.reference.segment());
            let encoding = Encoding::from_u8(stored.encoding).map_err(|fault| {
                damaged(Corruption { file: file().into(), section: Section::Chunk, offset: start, fault })
            })?;
            decode(encoding, stored.data, &mut self.histograms, batch.sources.times, deleted, into).map_err(
                |error| {
                    let (offset, fault) = (start + error.at as u64, error.fault);
                    damaged(Corruption { file: file().into(), section: Section::Chunk, offset, fault })
                },
            )?;
        }
        Ok(())
    }

    fn head_part(&mut self, series: SeriesView<'_>, into: &mut Vec<Samples>) -> Result<(), SourceError> {
        let deleted: Vec<Interval> = series
            .deleted()
            .iter()
            .map(|(min_time, max_time)| Interval { min_time: *min_time, max_time: *max_time })
            .collect();
        let mut in_order = Samples::default();
        for chunk in series.chunks() {
            let bytes = chunk.read().map_err(damaged)?;
            let mut late = Samples::default();
            let samples = if chunk.is_out_of_order() { &mut late } else { &mut in_order };
            let times = self.batch.sources.times;
            decode(chunk.encoding(), &bytes, &mut self.histograms, times, &deleted, samples)
                .map_err(|error| damaged(error.in_file("chunks_head", 0)))?;
            if chunk.is_out_of_order() {
                into.push(late);
            }
        }
        into.push(in_order);
        Ok(())
    }
}

impl SampleReader for Reader<'_> {
    fn read(&mut self, at: usize, into: &mut Samples) -> Result<(), SourceError> {
        let batch = self.batch;
        let head = self.head(at);
        if !self.overlap(at) {
            for part in batch.block_parts(at) {
                self.block_part(part, into)?;
            }
            if let Some(series) = head {
                let mut parts = take(&mut self.parts);
                parts.clear();
                self.head_part(series, &mut parts)?;
                for part in &parts {
                    chain::append(part, into);
                }
                self.parts = parts;
            }
            return Ok(());
        }
        let mut parts = take(&mut self.parts);
        parts.clear();
        for part in batch.block_parts(at) {
            let mut samples = Samples::default();
            self.block_part(part, &mut samples)?;
            parts.push(samples);
        }
        if let Some(series) = head {
            self.head_part(series, &mut parts)?;
        }
        chain::merge(&parts, into);
        self.parts = parts;
        Ok(())
    }
}

/// Appends the samples of a chunk that were not deleted.
fn decode(
    encoding: Encoding,
    data: &[u8],
    histograms: &mut HistogramColumns<f64>,
    times: (i64, i64),
    deleted: &[Interval],
    into: &mut Samples,
) -> Result<(), ChunkError> {
    if !encoding.is_histogram() {
        let before = into.timestamps.len();
        let mut columns = Columns {
            timestamps: take(&mut into.timestamps),
            values: take(&mut into.values),
            start_timestamps: take(&mut into.start_timestamps),
        };
        let decoded = decode_floats(encoding, data, Order::Rising, &mut columns);
        (into.timestamps, into.values) = (columns.timestamps, columns.values);
        into.start_timestamps = columns.start_timestamps;
        decoded?;
        if !deleted.is_empty() {
            chain::delete_floats(into, before, deleted);
        }
        return Ok(());
    }
    let wanted =
        |time| time >= times.0 && time <= times.1 && !deleted.iter().any(|interval| interval.contains(time));
    each_histogram(encoding, data, Order::Rising, histograms, wanted, |time, start, histogram| {
        if let Some(start) = start {
            into.histogram_start_timestamps.resize(into.histogram_timestamps.len(), 0);
            into.histogram_start_timestamps.push(start);
        } else if !into.histogram_start_timestamps.is_empty() {
            into.histogram_start_timestamps.push(0);
        }
        into.push_histogram(time, Arc::new(histogram));
    })
}
