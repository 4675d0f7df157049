//! The XOR2 encoding of Prometheus 3.14, read: one control code for timestamp and value, start timestamps where known.

use prom_model::STALE_NAN;

use super::bits::{BitReader, BitSource};
use super::start_time::StartTimes;
use super::xor::ValueReader;
use super::{ChunkError, Columns, Decoded, Order};
use crate::corruption::Fault;

/// Sample count and the byte about start timestamps.
const HEADER: usize = 3;

/// Appends the samples of a chunk to the columns.
pub(super) fn decode(bytes: &[u8], order: Order, into: &mut Columns) -> Result<Decoded, ChunkError> {
    let start = into.len();
    let decoded = decode_in(bytes, order, into);
    if decoded.is_err() {
        into.truncate(start);
    }
    decoded
}

fn decode_in(bytes: &[u8], order: Order, into: &mut Columns) -> Result<Decoded, ChunkError> {
    let count = super::decode::header_count(bytes)?;
    let Some(start_header) = bytes.get(HEADER - 1) else {
        return Err(ChunkError::new(bytes.len(), Fault::Short { missing: 1 }));
    };
    let mut start_times = StartTimes::new(*start_header);
    let source = BitSource::new(bytes);
    let mut reader = source.reader(HEADER);
    if count > 0 {
        // Two whole bytes at least for the first two timestamps, 64 bits for the value, one bit for each sample behind.
        reader.need(8 + 64 + u64::from(count > 1) * 9 + u64::from(count).saturating_sub(2))?;
    }
    if start_times.are_known() {
        into.start_timestamps.resize(into.len(), 0);
    }
    let stale = STALE_NAN.to_bits();
    let (mut timestamp, mut delta, mut changes) = (0i64, 0i64, 0i64);
    // The last value that was no stale marker: what changes is stored against it.
    let mut value = ValueReader::new(0);
    for position in 0..usize::from(count) {
        let before = timestamp;
        let mut is_stale = false;
        if position == 0 {
            timestamp = reader.varint()?;
            let bits = reader.read(64);
            is_stale = bits == stale;
            if !is_stale {
                value.bits = bits;
            }
        } else {
            if position == 1 {
                delta = reader.uvarint()? as i64;
                is_stale = read_value(&mut reader, &mut value)?;
            } else {
                let (change, is_marker) = read_sample(&mut reader, &mut value)?;
                delta = delta.wrapping_add(change);
                changes |= change;
                is_stale |= is_marker;
            }
            timestamp = before.wrapping_add(delta);
            if order == Order::Rising && timestamp <= before {
                return Err(reader.error(Fault::Order("timestamps")));
            }
        }
        into.timestamps.push(timestamp);
        into.values.push(f64::from_bits(if is_stale { stale } else { value.bits }));
        if start_times.are_known() {
            into.start_timestamps.push(start_times.read(&mut reader, position, timestamp, before)?);
        }
    }
    reader.finish()?;
    if !into.start_timestamps.is_empty() {
        into.start_timestamps.resize(into.timestamps.len(), 0);
    }
    let interval = (count > 1 && changes == 0).then_some(delta);
    Ok(Decoded { samples: count.into(), interval })
}

/// Reads a sample from the third on: how the difference between timestamps changes, and whether it is a stale marker.
#[inline(always)]
fn read_sample(reader: &mut BitReader<'_>, value: &mut ValueReader) -> Result<(i64, bool), ChunkError> {
    let window = reader.window();
    match window >> 59 {
        0b00000..=0b01111 => {
            reader.skip(1);
            Ok((0, false))
        }
        0b10000..=0b10111 => {
            // The value changed: the first bit of its own code is left out.
            value.read_from(reader, 1 << 63 | window << 2 >> 1, 1)?;
            Ok((0, false))
        }
        0b11000..=0b11011 => {
            reader.skip(16);
            let change = (window << 3) as i64 >> (64 - 13);
            Ok((change, read_value(reader, value)?))
        }
        0b11100..=0b11101 => {
            reader.skip(24);
            let change = (window << 4) as i64 >> (64 - 20);
            Ok((change, read_value(reader, value)?))
        }
        0b11110 => {
            reader.skip(5);
            let change = reader.read(64) as i64;
            Ok((change, read_value(reader, value)?))
        }
        _ => {
            reader.skip(5);
            Ok((0, true))
        }
    }
}

/// Reads a value behind a timestamp of its own: unchanged, changed, or a stale marker.
#[inline(always)]
fn read_value(reader: &mut BitReader<'_>, value: &mut ValueReader) -> Result<bool, ChunkError> {
    let window = reader.window();
    match window >> 61 {
        0b111 => {
            reader.skip(3);
            Ok(true)
        }
        // `110` brings a window, for which XOR has `11`.
        0b110 => {
            value.read_from(reader, 0b11 << 62 | window << 3 >> 2, 1)?;
            Ok(false)
        }
        _ => {
            value.read_from(reader, window, 0)?;
            Ok(false)
        }
    }
}
