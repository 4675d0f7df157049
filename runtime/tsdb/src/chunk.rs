//! Chunks: compressed runs of samples of one series.
//!
//! Everything here is a function of the chunk's own bytes: the data behind the encoding byte, without length and checksum,
//! which are the segment's affair. The byte and bit layouts are drawn in `docs/chunks.md`. A decoder gives all samples that
//! the header announces, or an error; never a part of them.

mod aggregate;
mod bits;
mod columns;
mod decode;
mod encoding;
mod error;
mod histogram;
mod start_time;
mod varbit;
mod xor;
mod xor2;

#[cfg(test)]
mod tests;

pub use aggregate::{Aggregate, AggregateChunk, AggregateChunkBuilder, SubChunk};
pub use columns::{Columns, Decoded, HistogramColumns, HistogramLayout, Order};
pub use decode::{
    Scratch, Summary, counter_reset, decode_float_histograms, decode_floats, decode_histograms, sample_count,
    summarise,
};
pub use encoding::{CounterReset, Encoding};
pub use error::ChunkError;
pub use histogram::{Appended, FloatHistogramAppender, HistogramAppender};
pub use xor::{XorAppender, XorEncoder};

/// The most samples that a chunk's header can count.
pub const SAMPLES_MAX: u16 = u16::MAX;
