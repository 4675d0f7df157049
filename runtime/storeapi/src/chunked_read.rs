//! One frame of Prometheus' streamed remote read (message `ChunkedReadResponse`), read by hand into series of the StoreAPI.
//!
//! Labels and chunks have the same field numbers in both; only the chunks' insides differ. So labels stay the bytes that they
//! were, and chunks become slices of the frame.

use bytes::Bytes;

use crate::LabelBytes;
use crate::chunk::{AggrChunk, Chunk};
use crate::codec::{Fields, Value, WireError, slice};
use crate::frame::Series;
use crate::label_bytes::{Collector, leading};

/// Reads a frame and hands on its series, each with hashed chunks; usually there is one.
///
/// # Errors
/// When the message does not follow the format; series before the fault have been handed on.
pub fn chunked_read(message: &Bytes, mut each: impl FnMut(Series)) -> Result<(), WireError> {
    let mut fields = Fields::new(message);
    while let Some((number, value)) = fields.next()? {
        match (number, value) {
            (1, Value::Bytes(bytes)) => each(series(message, bytes)?),
            (1, _) => return Err(WireError::WireType(number)),
            _ => {}
        }
    }
    Ok(())
}

fn series(message: &Bytes, bytes: &[u8]) -> Result<Series, WireError> {
    let (labels, rest) = leading(message, bytes)?;
    let mut decoded = Series { labels, chunks: Vec::with_capacity(1) };
    let mut more = Collector::default();
    let mut scattered = false;
    let mut fields = Fields::new(rest);
    while let Some((number, value)) = fields.next()? {
        match (number, value) {
            (1, Value::Bytes(label)) => {
                scattered = true;
                more.push(label)?;
            }
            (2, Value::Bytes(bytes)) => decoded.chunks.push(chunk(message, bytes)?),
            (1 | 2, _) => return Err(WireError::WireType(number)),
            _ => {}
        }
    }
    if scattered {
        let more = more.finish();
        decoded.labels = LabelBytes::from_pairs(decoded.labels.iter().chain(more.iter()));
    }
    Ok(decoded)
}

fn chunk(message: &Bytes, bytes: &[u8]) -> Result<AggrChunk, WireError> {
    let (mut min_time, mut max_time, mut encoding) = (0, 0, 0);
    let mut data = Bytes::new();
    let mut fields = Fields::new(bytes);
    while let Some((number, value)) = fields.next()? {
        match (number, value) {
            (1, Value::Number(time)) => min_time = time as i64,
            (2, Value::Number(time)) => max_time = time as i64,
            (3, Value::Number(kind)) => encoding = kind as i32,
            (4, Value::Bytes(bytes)) => data = slice(message, bytes),
            (1..=4, _) => return Err(WireError::WireType(number)),
            _ => {}
        }
    }
    // Remote read counts encodings from 1, the StoreAPI from 0.
    Ok(AggrChunk::raw(min_time, max_time, Chunk::hashed(encoding.wrapping_sub(1), data)))
}
