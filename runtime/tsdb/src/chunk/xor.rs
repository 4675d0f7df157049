//! The XOR encoding: timestamps as differences of differences, values as what changed of their bits.

mod encoder;
mod value;

use super::bits::{BitReader, BitSink, BitSource, BitWriter};
use super::varbit::{fits, sign_extend};
use super::{ChunkError, Columns, Decoded, Order, SAMPLES_MAX};
use crate::corruption::Fault;

pub use self::encoder::XorEncoder;
pub(super) use self::value::{ValueReader, ValueWriter};

/// Bytes before the first sample.
const HEADER: usize = 2;
/// Appends the samples of a chunk to the columns.
pub(super) fn decode(bytes: &[u8], order: Order, into: &mut Columns) -> Result<Decoded, ChunkError> {
    let start = into.len();
    let decoded = match order {
        Order::Rising => decode_in::<true>(bytes, into),
        Order::Any => decode_in::<false>(bytes, into),
    };
    if decoded.is_err() {
        into.truncate(start);
    }
    decoded
}

fn decode_in<const RISING: bool>(bytes: &[u8], into: &mut Columns) -> Result<Decoded, ChunkError> {
    let count = super::decode::header_count(bytes)?;
    let source = BitSource::new(bytes);
    let mut reader = source.reader(HEADER);
    let (mut timestamp, mut delta) = (0i64, 0i64);
    let mut value = ValueReader::new(0);
    let mut changes = 0i64;
    if count > 0 {
        reader.need(8 + 64)?;
        timestamp = reader.varint()?;
        reader.need(64)?;
        value.bits = reader.read(64);
        into.timestamps.push(timestamp);
        into.values.push(f64::from_bits(value.bits));
    }
    if count > 1 {
        // Two bits are the least that a sample takes. What the header counts beyond that is refused before memory is asked for.
        let left = u64::from(count) - 2;
        delta = reader.uvarint()? as i64;
        reader.need(1 + 2 * left)?;
        let before = timestamp;
        timestamp = timestamp.wrapping_add(delta);
        if RISING && timestamp <= before {
            return Err(reader.error(Fault::Order("timestamps")));
        }
        value.read(&mut reader)?;
        into.timestamps.push(timestamp);
        into.values.push(f64::from_bits(value.bits));

        let first = into.len();
        into.timestamps.resize(first + left as usize, 0);
        into.values.resize(first + left as usize, 0.0);
        let timestamps = into.timestamps.iter_mut().skip(first);
        for (timestamp_out, value_out) in timestamps.zip(into.values.iter_mut().skip(first)) {
            let mut window = reader.window();
            let used;
            if (window as i64) >= 0 {
                (window, used) = (window << 1, 1);
            } else {
                let change;
                (change, window, used) = read_change(&mut reader, window);
                delta = delta.wrapping_add(change);
                changes |= change;
            }
            let before = timestamp;
            timestamp = timestamp.wrapping_add(delta);
            if RISING && timestamp <= before {
                return Err(reader.error(Fault::Order("timestamps")));
            }
            value.read_from(&mut reader, window, used)?;
            *timestamp_out = timestamp;
            *value_out = f64::from_bits(value.bits);
        }
    }
    reader.finish()?;
    let interval = (count > 1 && changes == 0).then_some(delta);
    if !into.start_timestamps.is_empty() {
        into.start_timestamps.resize(into.timestamps.len(), 0);
    }
    Ok(Decoded { samples: count.into(), interval })
}

/// Goes over a chunk as [`decode`] does where timestamps must rise, and finds the same faults, but keeps nothing: how many samples
/// there are, and the times of the first and of the last.
pub(super) fn walk(bytes: &[u8]) -> Result<(u16, Option<(i64, i64)>), ChunkError> {
    let count = super::decode::header_count(bytes)?;
    let source = BitSource::new(bytes);
    let mut reader = source.reader(HEADER);
    if count == 0 {
        reader.finish()?;
        return Ok((0, None));
    }
    reader.need(8 + 64)?;
    let first = reader.varint()?;
    reader.need(64)?;
    let mut value = ValueReader::new(reader.read(64));
    let mut timestamp = first;
    if let Some(left) = u64::from(count).checked_sub(2) {
        let mut delta = reader.uvarint()? as i64;
        reader.need(1 + 2 * left)?;
        timestamp = rising(&reader, timestamp, delta)?;
        value.read(&mut reader)?;
        for _ in 0..left {
            let mut window = reader.window();
            let used;
            if (window as i64) >= 0 {
                (window, used) = (window << 1, 1);
            } else {
                let change;
                (change, window, used) = read_change(&mut reader, window);
                delta = delta.wrapping_add(change);
            }
            timestamp = rising(&reader, timestamp, delta)?;
            value.read_from(&mut reader, window, used)?;
        }
    }
    reader.finish()?;
    Ok((count, Some((first, timestamp))))
}

#[inline(always)]
fn rising(reader: &BitReader<'_>, before: i64, delta: i64) -> Result<i64, ChunkError> {
    let timestamp = before.wrapping_add(delta);
    if timestamp <= before {
        return Err(reader.error(Fault::Order("timestamps")));
    }
    Ok(timestamp)
}

/// Reads a change of the difference between timestamps that is not 0; gives it, the window behind it and how many of the
/// window's bits are taken.
#[inline(always)]
fn read_change(reader: &mut BitReader<'_>, window: u64) -> (i64, u64, u32) {
    let (prefix, width) = match window >> 60 {
        0b1000..=0b1011 => (2, 14),
        0b1100..=0b1101 => (3, 17),
        0b1110 => (4, 20),
        _ => {
            reader.skip(4);
            let change = reader.read(64) as i64;
            return (change, reader.window(), 0);
        }
    };
    let change = sign_extend(window << prefix >> (64 - width), width);
    let used = prefix + width;
    (change, window << used, used)
}

/// Makes an XOR chunk, sample by sample. Its bytes are a whole chunk at any moment.
#[derive(Debug, Clone)]
pub struct XorAppender {
    writer: BitWriter,
    timestamp: i64,
    delta: i64,
    value: ValueWriter,
    count: u16,
}

impl Default for XorAppender {
    fn default() -> Self {
        XorAppender::new()
    }
}

impl XorAppender {
    /// Begins a chunk, with memory for as much as 120 samples usually take.
    pub fn new() -> Self {
        let mut bytes = Vec::with_capacity(128);
        bytes.extend_from_slice(&[0; HEADER]);
        XorAppender { writer: BitWriter::new(bytes), ..XorAppender::empty() }
    }

    /// Begins the next chunk in the memory of this one, which is forgotten.
    pub fn restart(&mut self) {
        let mut bytes = std::mem::take(&mut self.writer).into_bytes();
        bytes.clear();
        bytes.extend_from_slice(&[0; HEADER]);
        *self = XorAppender { writer: BitWriter::new(bytes), ..XorAppender::empty() };
    }

    const fn empty() -> Self {
        XorAppender {
            writer: BitWriter::new(Vec::new()),
            timestamp: i64::MIN,
            delta: 0,
            value: ValueWriter::new(0),
            count: 0,
        }
    }

    /// Goes on with a chunk, as the appender would that wrote it.
    ///
    /// # Errors
    /// What is wrong with the chunk's bytes.
    pub fn resume(bytes: &[u8]) -> Result<Self, ChunkError> {
        let mut columns = Columns::default();
        decode(bytes, Order::Any, &mut columns)?;
        let mut appender = XorAppender::new();
        for (timestamp, value) in columns.iter() {
            appender.append(timestamp, value);
        }
        Ok(appender)
    }

    /// Appends a sample; says `false` and does nothing where the chunk has [`SAMPLES_MAX`].
    #[inline]
    pub fn append(&mut self, timestamp: i64, value: f64) -> bool {
        let delta = timestamp.wrapping_sub(self.timestamp);
        match self.count {
            2..SAMPLES_MAX => {
                write_later(
                    &mut self.writer,
                    &mut self.value,
                    delta.wrapping_sub(self.delta),
                    value.to_bits(),
                );
                self.delta = delta;
            }
            0 => {
                self.writer.varint(timestamp);
                self.writer.write(value.to_bits(), 64);
                self.value = ValueWriter::new(value.to_bits());
            }
            1 => {
                self.writer.uvarint(delta as u64);
                self.value.write(&mut self.writer, value.to_bits());
                self.delta = delta;
            }
            SAMPLES_MAX => return false,
        }
        self.timestamp = timestamp;
        self.count += 1;
        if let Some(header) = self.writer.bytes_mut().first_chunk_mut::<HEADER>() {
            *header = self.count.to_be_bytes();
        }
        true
    }

    /// How many samples the chunk has.
    pub const fn len(&self) -> u16 {
        self.count
    }

    /// Whether it has none.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The last sample, if there is one.
    pub fn last(&self) -> Option<(i64, f64)> {
        (self.count > 0).then_some((self.timestamp, f64::from_bits(self.value.bits)))
    }

    /// The chunk.
    pub fn bytes(&self) -> &[u8] {
        self.writer.bytes()
    }

    /// The chunk, without memory to spare.
    pub fn into_bytes(self) -> Vec<u8> {
        let mut bytes = self.writer.into_bytes();
        bytes.shrink_to_fit();
        bytes
    }
}

/// Writes a sample behind the first two.
#[inline(always)]
fn write_later<W: BitSink>(writer: &mut W, before: &mut ValueWriter, change: i64, bits: u64) {
    write_with_code(writer, before, change_code(change), bits);
}

/// As [`write_later`] with the code of the change and its width.
#[inline(always)]
fn write_with_code<W: BitSink>(
    writer: &mut W,
    before: &mut ValueWriter,
    (code, code_bits): (u64, u32),
    bits: u64,
) {
    if code_bits <= 24 {
        before.write_behind(writer, bits, code, code_bits);
    } else {
        writer.write_short(0b1111, 4);
        writer.write(code, 64);
        before.write(writer, bits);
    }
}

/// The code of a change of the difference between timestamps and its width; 64 stands for the number itself behind `1111`.
#[inline(always)]
const fn change_code(change: i64) -> (u64, u32) {
    if change == 0 {
        (0, 1)
    } else if fits(change, 14) {
        (0b10 << 14 | change as u64 & 0x3fff, 16)
    } else if fits(change, 17) {
        (0b110 << 17 | change as u64 & 0x1_ffff, 20)
    } else if fits(change, 20) {
        (0b1110 << 20 | change as u64 & 0xf_ffff, 24)
    } else {
        (change as u64, 64)
    }
}
