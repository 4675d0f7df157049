//! Chunks of windows that were made for a series.

use tsdb::chunk::{Aggregate, AggregateChunkBuilder, Encoding, XorEncoder};

/// An aggregate chunk and the time that stands in the index: from the end of its first window to the end of its last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MadeChunk {
    pub(super) min_time: i64,
    pub(super) max_time: i64,
    pub(super) data: Vec<u8>,
}

/// The most windows that a chunk may have: two samples more of the counter stand at its ends.
pub(super) const WINDOWS_MAX: usize = 65_000;

/// Puts an aggregate chunk together.
#[derive(Debug, Default)]
pub(super) struct ChunkInParts {
    builder: AggregateChunkBuilder,
    times: Option<(i64, i64)>,
}

impl ChunkInParts {
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

    /// Adds an aggregate whose windows end at these times.
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
        self.times = Some(match self.times {
            Some((min, max)) => (min.min(first), max.max(last)),
            None => (first, last),
        });
    }

    /// The chunk; `None` where nothing was added.
    pub(super) fn finish(self) -> Option<MadeChunk> {
        let (min_time, max_time) = self.times?;
        Some(MadeChunk { min_time, max_time, data: self.builder.into_bytes() })
    }
}
