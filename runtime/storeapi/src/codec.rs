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
    if let Some((first, rest)) = bytes.split_first()
        && *first < 0x80
    {
        return Ok((u64::from(*first), rest));
    }
    let mut number = 0u64;
    for (at, byte) in bytes.iter().enumerate().take(10) {
        number |= u64::from(byte & 0x7f) << (7 * at);
        if *byte < 0x80 {
            return Ok((number, bytes.get(at + 1..).unwrap_or_default()));
        }
    }
    Err(if bytes.len() < 10 { WireError::Short } else { WireError::LongNumber })
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

/// Starts a field of bytes; the bytes follow.
pub(crate) fn put_length(into: &mut impl BufMut, field: u8, length: usize) {
    into.put_u8(field << 3 | LENGTH);
    put_varint(into, length as u64);
}

/// The size of a field with a number; nothing at all where it is 0.
pub(crate) fn number_len(number: u64) -> usize {
    if number == 0 { 0 } else { 1 + varint_len(number) }
}

pub(crate) fn put_number(into: &mut impl BufMut, field: u8, number: u64) {
    if number != 0 {
        into.put_u8(field << 3 | VARINT);
        put_varint(into, number);
    }
}
