//! Chunks of windows that were made for a series.

use std::ops::Range;

use tsdb::chunk::{Aggregate, AggregateChunkBuilder, Encoding, XorEncoder};

/// The chunks of a series, one behind the other in memory that serves all series.
#[derive(Debug, Default)]
pub(super) struct Made {
    bytes: Vec<u8>,
    chunks: Vec<Place>,
}

#[derive(Debug)]
struct Place {
    min_time: i64,
    max_time: i64,
    bytes: Range<usize>,
}

/// An aggregate chunk and the time that stands in the index: from the end of its first window to the end of its last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MadeChunk<'a> {
    pub(super) min_time: i64,
    pub(super) max_time: i64,
    pub(super) data: &'a [u8],
}

impl Made {
    /// Forgets the chunks, keeps the memory.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.chunks.clear();
    }

    /// The chunks in the order in which they were made.
    pub(super) fn iter(&self) -> impl Iterator<Item = MadeChunk<'_>> {
        self.chunks.iter().map(|place| MadeChunk {
            min_time: place.min_time,
            max_time: place.max_time,
            data: self.bytes.get(place.bytes.clone()).unwrap_or_default(),
        })
    }

    /// The end of the last window.
    pub(super) fn last_time(&self) -> Option<i64> {
        self.chunks.last().map(|place| place.max_time)
    }

    /// Begins a chunk; it is there once it is finished.
    pub(super) fn begin(&mut self) -> ChunkInParts<'_> {
        let builder = AggregateChunkBuilder::behind(std::mem::take(&mut self.bytes));
        let start = self.chunks.last().map_or(0, |place| place.bytes.end);
        ChunkInParts { made: self, builder, start, times: None }
    }
}

/// The most windows that a chunk may have: two samples more of the counter stand at its ends.
pub(super) const WINDOWS_MAX: usize = 65_000;

/// Puts an aggregate chunk together.
#[derive(Debug)]
pub(super) struct ChunkInParts<'a> {
    made: &'a mut Made,
    builder: AggregateChunkBuilder,
    start: usize,
    times: Option<(i64, i64)>,
}

impl ChunkInParts<'_> {
    /// Adds an aggregate whose samples are floats; nothing where there are none.
    pub(super) fn push_floats(
        &mut self,
        aggregate: Aggregate,
        encoder: &mut XorEncoder,
        times: &[i64],
        values: &[f64],
    ) {
        let Some((first, last)) = times.first().copied().zip(times.last().copied()) else { return };
        if let Some(data) = encoder.encode(times, values) {
            self.push(aggregate, Encoding::Xor, data, first, last);
        }
    }

    /// Adds count, sum, minimum and maximum of the same windows; nothing where there are none.
    pub(super) fn push_four(&mut self, encoder: &mut XorEncoder, times: &[i64], values: [&[f64]; 4]) {
        let Some((first, last)) = times.first().copied().zip(times.last().copied()) else { return };
        let Some(chunks) = encoder.encode_four(times, values) else { return };
        for (aggregate, data) in Aggregate::ALL.into_iter().zip(chunks) {
            self.push(aggregate, Encoding::Xor, data, first, last);
        }
    }

    /// Adds a counter whose windows end from `first` to `last`, with a raw sample before them and one behind.
    pub(super) fn push_counter(
        &mut self,
        encoder: &mut XorEncoder,
        times: &[i64],
        values: &[f64],
        first: i64,
        last: i64,
    ) {
        if let Some(data) = encoder.encode(times, values) {
            self.push(Aggregate::Counter, Encoding::Xor, data, first, last);
        }
    }

    /// Adds an aggregate whose windows end from `first` to `last`. The times of the chunk are those of the first, the count.
    pub(super) fn push(
        &mut self,
        aggregate: Aggregate,
        encoding: Encoding,
        data: &[u8],
        first: i64,
        last: i64,
    ) {
        let pushed = self.builder.push(aggregate, encoding, data);
        debug_assert!(pushed, "aggregates come in their order");
        self.times.get_or_insert((first, last));
    }

    /// Adds the chunk to those that were made, unless nothing was added to it.
    pub(super) fn finish(self) {
        self.made.bytes = self.builder.into_bytes();
        match self.times {
            Some((min_time, max_time)) => {
                let bytes = self.start..self.made.bytes.len();
                self.made.chunks.push(Place { min_time, max_time, bytes });
            }
            None => self.made.bytes.truncate(self.start),
        }
    }
}
