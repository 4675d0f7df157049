//! Reading and writing protobuf by hand: what the hot messages are made of.
//!
//! The wire: <https://protobuf.dev/programming-guides/encoding/>.

use bytes::{BufMut, Bytes};

/// Numbers of wire types.
pub(crate) const VARINT: u8 = 0;
pub(crate) const FIXED64: u8 = 1;
pub(crate) const LENGTH: u8 = 2;
pub(crate) const FIXED32: u8 = 5;

/// The message does not follow the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// It ends inside a field.
    #[error("the message ends inside a field")]
    Short,
    /// A number has more than ten bytes.
    #[error("a number has more than ten bytes")]
    LongNumber,
    /// The wire type is not known, or not that of the field.
    #[error("field {0} has a wire type that it cannot have")]
    WireType(u32),
    /// A text is not UTF-8.
    #[error("a text is not UTF-8")]
    Text,
}

/// Goes through the fields of a message.
#[derive(Debug, Clone)]
pub(crate) struct Fields<'a> {
    rest: &'a [u8],
}

/// One field: its number, and what it holds.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    /// A fixed-width number, which no message read here has.
    Other,
}

impl<'a> Fields<'a> {
    pub(crate) fn new(message: &'a [u8]) -> Self {
        Fields { rest: message }
    }

    /// The next field, `None` at the end.
    #[inline]
    pub(crate) fn next(&mut self) -> Result<Option<(u32, Value<'a>)>, WireError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let key = self.number()?;
        let number = u32::try_from(key >> 3).map_err(|_| WireError::WireType(u32::MAX))?;
        let value = match (key & 7) as u8 {
            VARINT => Value::Number(self.number()?),
            LENGTH => {
                let length = usize::try_from(self.number()?).map_err(|_| WireError::Short)?;
                Value::Bytes(self.take(length)?)
            }
            FIXED64 => self.take(8).map(|_| Value::Other)?,
            FIXED32 => self.take(4).map(|_| Value::Other)?,
            _ => return Err(WireError::WireType(number)),
        };
        Ok(Some((number, value)))
    }

    fn number(&mut self) -> Result<u64, WireError> {
        let (number, rest) = varint(self.rest)?;
        self.rest = rest;
        Ok(number)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], WireError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(WireError::Short)?;
        self.rest = rest;
        Ok(taken)
    }
}

/// A number, and what follows it.
#[inline]
pub(crate) fn varint(bytes: &[u8]) -> Result<(u64, &[u8]), WireError> {
    match bytes.split_first() {
        Some((first, rest)) if *first < 0x80 => Ok((u64::from(*first), rest)),
        _ => match bytes.split_first_chunk::<10>() {
            Some((ahead, _)) => long_varint(*ahead)
                .map(|(number, length)| (number, bytes.get(length..).unwrap_or_default()))
                .ok_or(WireError::LongNumber),
            None => short_varint(bytes),
        },
    }
}

/// A number near the end of what there is.
fn short_varint(bytes: &[u8]) -> Result<(u64, &[u8]), WireError> {
    let mut number = 0u64;
    for (at, byte) in bytes.iter().enumerate() {
        number |= u64::from(byte & 0x7f) << (7 * at);
        if *byte < 0x80 {
            return Ok((number, bytes.get(at + 1..).unwrap_or_default()));
        }
    }
    Err(WireError::Short)
}

/// A number of several bytes, and how many these are; `None` where it does not end. Eight bytes are read at once, and the seven
/// bits of each moved together.
#[inline]
fn long_varint(ahead: [u8; 10]) -> Option<(u64, usize)> {
    let [a, b, c, d, e, f, g, h, ninth, tenth] = ahead;
    let word = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
    let ends = !word & 0x8080_8080_8080_8080;
    // All bits up to the first end; all there are where none of the eight is the last.
    let word = word & (ends ^ ends.wrapping_sub(1));
    let pairs = (word & 0x007f_007f_007f_007f) | (word & 0x7f00_7f00_7f00_7f00) >> 1;
    let fours = (pairs & 0x0000_3fff_0000_3fff) | (pairs & 0x3fff_0000_3fff_0000) >> 2;
    let number = (fours & 0x0fff_ffff) | (fours & 0x0fff_ffff_0000_0000) >> 4;
    if ends != 0 {
        return Some((number, ends.trailing_zeros() as usize / 8 + 1));
    }
    let number = number | u64::from(ninth & 0x7f) << 56;
    match (ninth < 0x80, tenth < 0x80) {
        (true, _) => Some((number, 9)),
        (false, true) => Some((number | u64::from(tenth) << 63, 10)),
        (false, false) => None,
    }
}

/// The number of the field with this key, where it is what comes first; and what follows it.
#[inline]
pub(crate) fn number_behind(bytes: &[u8], key: u8) -> Option<(u64, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    if *first == key { varint(rest).ok() } else { None }
}

/// The bytes of the field with this key, where it is what comes first; and what follows them.
#[inline]
pub(crate) fn bytes_behind(bytes: &[u8], key: u8) -> Option<(&[u8], &[u8])> {
    let (length, rest) = number_behind(bytes, key)?;
    rest.split_at_checked(usize::try_from(length).ok()?)
}

/// The key of a field with a number.
pub(crate) const fn number_key(field: u8) -> u8 {
    field << 3 | VARINT
}

/// The key of a field of bytes.
pub(crate) const fn bytes_key(field: u8) -> u8 {
    field << 3 | LENGTH
}

/// A part of the message as a slice that shares its memory.
pub(crate) fn slice(message: &Bytes, part: &[u8]) -> Bytes {
    if part.is_empty() { Bytes::new() } else { message.slice_ref(part) }
}

/// How many bytes a number takes.
pub(crate) fn varint_len(number: u64) -> usize {
    (((number | 1).ilog2() * 9 + 73) / 64) as usize
}

pub(crate) fn put_varint(into: &mut impl BufMut, mut number: u64) {
    while number >= 0x80 {
        into.put_u8((number as u8) | 0x80);
        number >>= 7;
    }
    into.put_u8(number as u8);
}

/// The size of a field of bytes whose number is below 16.
pub(crate) fn bytes_len(length: usize) -> usize {
    1 + varint_len(length as u64) + length
}

/// What a series is written with: keys and numbers are collected, and go on together.
pub(crate) struct Writer<'b, B> {
    into: &'b mut B,
    small: [u8; SMALL],
    filled: usize,
}

const SMALL: usize = 128;
/// A key and the longest number.
const FIELD_MAX: usize = 11;

impl<'b, B: BufMut> Writer<'b, B> {
    pub(crate) fn new(into: &'b mut B) -> Self {
        Writer { into, small: [0; SMALL], filled: 0 }
    }

    /// A field with a number; nothing at all where it is 0.
    #[inline]
    pub(crate) fn number(&mut self, field: u8, number: u64) {
        if number != 0 {
            self.field(number_key(field), number);
        }
    }

    /// Starts a field of bytes; the bytes follow.
    #[inline]
    pub(crate) fn length(&mut self, field: u8, length: usize) {
        self.field(bytes_key(field), length as u64);
    }

    /// Bytes as they are.
    #[inline]
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.flush();
        self.into.put_slice(bytes);
    }

    #[inline]
    fn field(&mut self, key: u8, number: u64) {
        if self.filled + FIELD_MAX > SMALL {
            self.flush();
        }
        let length = varint_len(number);
        let free = self.small.get_mut(self.filled..).and_then(|free| free.first_chunk_mut::<FIELD_MAX>());
        if let Some([first, rest @ ..]) = free {
            *first = key;
            for (at, byte) in rest.iter_mut().enumerate() {
                *byte = (number >> (7 * at)) as u8 | 0x80;
            }
            if let Some(last) = rest.get_mut(length - 1) {
                *last &= 0x7f;
            }
        }
        self.filled += 1 + length;
    }

    /// Sends on what was collected.
    #[inline]
    pub(crate) fn flush(&mut self) {
        self.into.put_slice(self.small.get(..self.filled).unwrap_or_default());
        self.filled = 0;
    }
}

/// Starts a field of bytes; the bytes follow.
pub(crate) fn put_length(into: &mut impl BufMut, field: u8, length: usize) {
    into.put_u8(bytes_key(field));
    put_varint(into, length as u64);
}

/// The size of a field with a number; nothing at all where it is 0.
pub(crate) fn number_len(number: u64) -> usize {
    if number == 0 { 0 } else { 1 + varint_len(number) }
}
