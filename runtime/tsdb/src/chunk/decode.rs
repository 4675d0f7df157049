//! Dispatch on the encoding.

use super::aggregate::AggregateChunk;
use super::histogram::{decode_float, decode_whole};
use super::{ChunkError, Columns, CounterReset, Decoded, Encoding, HistogramColumns, Order, xor, xor2};
use crate::corruption::Fault;

/// The first two bytes.
pub(super) fn header_count(bytes: &[u8]) -> Result<u16, ChunkError> {
    match bytes.first_chunk::<2>() {
        Some(count) => Ok(u16::from_be_bytes(*count)),
        None => Err(ChunkError::new(bytes.len(), Fault::Short { missing: 2 - bytes.len() as u64 })),
    }
}

/// How many samples the header announces; of an aggregate chunk, that of its aggregate `count`.
///
/// # Errors
/// [`Fault::Short`]; of an aggregate chunk also what is wrong with its division.
pub fn sample_count(encoding: Encoding, bytes: &[u8]) -> Result<u16, ChunkError> {
    match encoding {
        Encoding::Aggregate => AggregateChunk::new(bytes)?.sample_count(),
        // Two bits of the counter reset stand on top of the count.
        Encoding::HistogramSt | Encoding::FloatHistogramSt => Ok(header_count(bytes)? & 0x3fff),
        _ => header_count(bytes),
    }
}

/// What the header of a histogram chunk says about a counter reset; `None` for other encodings.
///
/// # Errors
/// [`Fault::Short`].
pub fn counter_reset(encoding: Encoding, bytes: &[u8]) -> Result<Option<CounterReset>, ChunkError> {
    let at = match encoding {
        Encoding::Histogram | Encoding::FloatHistogram => 2,
        Encoding::HistogramSt | Encoding::FloatHistogramSt => 0,
        Encoding::Xor | Encoding::Xor2 | Encoding::Aggregate => return Ok(None),
    };
    match bytes.get(at) {
        Some(byte) => Ok(Some(CounterReset::from_u8(*byte))),
        None => Err(ChunkError::new(bytes.len(), Fault::Short { missing: (at + 1 - bytes.len()) as u64 })),
    }
}

/// Appends the samples of a float chunk to the columns.
///
/// # Errors
/// What is wrong with the bytes; [`Fault::Encoding`] for the encodings of other samples. The columns are then as before.
pub fn decode_floats(
    encoding: Encoding,
    bytes: &[u8],
    order: Order,
    into: &mut Columns,
) -> Result<Decoded, ChunkError> {
    match encoding {
        Encoding::Xor => xor::decode(bytes, order, into),
        Encoding::Xor2 => xor2::decode(bytes, order, into),
        other => Err(foreign(other)),
    }
}

/// Decodes a chunk of histograms of whole observations.
///
/// # Errors
/// What is wrong with the bytes; [`Fault::Encoding`] for the encodings of other samples. The columns are then empty.
pub fn decode_histograms(
    encoding: Encoding,
    bytes: &[u8],
    order: Order,
    into: &mut HistogramColumns<u64>,
) -> Result<Decoded, ChunkError> {
    match encoding {
        Encoding::Histogram | Encoding::HistogramSt => decode_whole(encoding, bytes, order, into),
        other => Err(foreign(other)),
    }
}

/// Decodes a chunk of histograms of either kind to floats.
///
/// # Errors
/// What is wrong with the bytes; [`Fault::Encoding`] for the encodings of other samples. The columns are then empty.
pub fn decode_float_histograms(
    encoding: Encoding,
    bytes: &[u8],
    order: Order,
    into: &mut HistogramColumns<f64>,
) -> Result<Decoded, ChunkError> {
    match encoding {
        Encoding::Histogram | Encoding::HistogramSt => decode_whole(encoding, bytes, order, into),
        Encoding::FloatHistogram | Encoding::FloatHistogramSt => decode_float(encoding, bytes, order, into),
        other => Err(foreign(other)),
    }
}

const fn foreign(encoding: Encoding) -> ChunkError {
    ChunkError::new(0, Fault::Encoding(encoding.as_u8() as u64))
}

/// Memory that [`summarise`] uses again and again.
#[derive(Debug, Clone, Default)]
pub struct Scratch {
    floats: Columns,
    histograms: HistogramColumns<f64>,
}

/// What a chunk holds, known after all of it was decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// How many samples; of an aggregate chunk, those of all its chunks.
    pub samples: u64,
    /// The first timestamp and the last, where there are samples.
    pub times: Option<(i64, i64)>,
}

/// Decodes a chunk of any encoding for the sake of what is wrong with it.
///
/// Timestamps must rise, except in the aggregate `counter`, whose first and last may be repeated.
///
/// # Errors
/// What is wrong with the bytes.
pub fn summarise(encoding: Encoding, bytes: &[u8], scratch: &mut Scratch) -> Result<Summary, ChunkError> {
    match encoding {
        Encoding::Xor => {
            let (samples, times) = xor::walk(bytes)?;
            Ok(Summary { samples: samples.into(), times })
        }
        Encoding::Xor2 => {
            scratch.floats.clear();
            decode_floats(encoding, bytes, Order::Rising, &mut scratch.floats)?;
            Ok(summary(&scratch.floats.timestamps))
        }
        Encoding::Aggregate => AggregateChunk::new(bytes)?.summarise(scratch),
        _ => {
            decode_float_histograms(encoding, bytes, Order::Rising, &mut scratch.histograms)?;
            Ok(summary(&scratch.histograms.timestamps))
        }
    }
}

/// As [`summarise`], for a counter of windows: its last timestamp is that of the sample before it, and so is its second where the
/// first window ends with its first sample.
pub(super) fn summarise_counter(
    encoding: Encoding,
    bytes: &[u8],
    scratch: &mut Scratch,
) -> Result<Summary, ChunkError> {
    let timestamps = match encoding {
        Encoding::Xor | Encoding::Xor2 => {
            scratch.floats.clear();
            decode_floats(encoding, bytes, Order::Any, &mut scratch.floats)?;
            &scratch.floats.timestamps
        }
        _ => {
            decode_float_histograms(encoding, bytes, Order::Any, &mut scratch.histograms)?;
            &scratch.histograms.timestamps
        }
    };
    let last_pair = timestamps.len().saturating_sub(2);
    let rises = timestamps.windows(2).enumerate().all(|(at, pair)| match *pair {
        [before, after] => before < after || (at == 0 || at == last_pair) && before == after,
        _ => true,
    });
    if rises { Ok(summary(timestamps)) } else { Err(ChunkError::new(0, Fault::Order("timestamps"))) }
}

fn summary(timestamps: &[i64]) -> Summary {
    let times = timestamps.first().copied().zip(timestamps.last().copied());
    Summary { samples: timestamps.len() as u64, times }
}
