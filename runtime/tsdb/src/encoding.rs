//! The bytes below every format here: big-endian integers, variable-length integers, length-prefixed text, CRC32C.
//!
//! [`Reader`] walks over bytes of a file and never past their end; its errors carry the offset in the file. Writers append to
//! a `Vec<u8>` with the `put_*` functions.

use crate::corruption::Fault;

/// The checksum of every Prometheus format: CRC-32 with Castagnoli's polynomial.
pub fn crc32c(bytes: &[u8]) -> u32 {
    // The algorithm has 32 bits; the crate answers in 64.
    crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, bytes) as u32
}

/// A fault and the byte at which it was found, before it is known which file and section that is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct At {
    /// Bytes from the start of the file.
    pub offset: u64,
    /// What is wrong.
    pub fault: Fault,
}

/// Reads values from bytes, forward.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
    /// The offset in the file of the first byte of `rest`.
    offset: u64,
}

impl<'a> Reader<'a> {
    /// Reads `bytes`, whose first byte stands at `offset` in its file.
    pub const fn new(bytes: &'a [u8], offset: u64) -> Self {
        Reader { rest: bytes, offset }
    }

    /// The offset in the file of the next byte.
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// The bytes that are left.
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Whether all is read.
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// How many bytes are left.
    pub const fn len(&self) -> usize {
        self.rest.len()
    }

    /// This fault, here.
    pub const fn fault(&self, fault: Fault) -> At {
        At { offset: self.offset, fault }
    }

    /// The next `count` bytes.
    ///
    /// # Errors
    /// [`Fault::Short`] where fewer are left.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], At> {
        let Some((taken, rest)) = self.rest.split_at_checked(count) else {
            return Err(self.fault(Fault::Short { missing: (count - self.rest.len()) as u64 }));
        };
        self.rest = rest;
        self.offset += count as u64;
        Ok(taken)
    }

    fn array<const LEN: usize>(&mut self) -> Result<[u8; LEN], At> {
        let Some((taken, rest)) = self.rest.split_first_chunk::<LEN>() else {
            return Err(self.fault(Fault::Short { missing: (LEN - self.rest.len()) as u64 }));
        };
        self.rest = rest;
        self.offset += LEN as u64;
        Ok(*taken)
    }

    /// One byte.
    ///
    /// # Errors
    /// [`Fault::Short`].
    pub fn u8(&mut self) -> Result<u8, At> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    /// Two bytes, big-endian.
    ///
    /// # Errors
    /// [`Fault::Short`].
    pub fn u16(&mut self) -> Result<u16, At> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    /// Four bytes, big-endian.
    ///
    /// # Errors
    /// [`Fault::Short`].
    pub fn u32(&mut self) -> Result<u32, At> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    /// Eight bytes, big-endian.
    ///
    /// # Errors
    /// [`Fault::Short`].
    pub fn u64(&mut self) -> Result<u64, At> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    /// An unsigned variable-length integer: seven bits a byte, lowest first.
    ///
    /// # Errors
    /// [`Fault::Short`], [`Fault::Varint`].
    #[inline]
    pub fn uvarint(&mut self) -> Result<u64, At> {
        // Most are lengths and differences below 128.
        if let Some((byte, rest)) = self.rest.split_first()
            && *byte < 0x80
        {
            self.rest = rest;
            self.offset += 1;
            return Ok(u64::from(*byte));
        }
        let mut value = 0u64;
        for (at, byte) in self.rest.iter().enumerate() {
            let bits = u64::from(byte & 0x7f);
            if at == 9 && *byte > 1 {
                return Err(self.fault(Fault::Varint));
            }
            value |= bits << (7 * at);
            if byte & 0x80 == 0 {
                self.take(at + 1)?;
                return Ok(value);
            }
            if at == 9 {
                return Err(self.fault(Fault::Varint));
            }
        }
        Err(self.fault(Fault::Short { missing: 1 }))
    }

    /// A signed variable-length integer, zigzag as Go's `binary.Varint`.
    ///
    /// # Errors
    /// [`Fault::Short`], [`Fault::Varint`].
    pub fn varint(&mut self) -> Result<i64, At> {
        let zigzag = self.uvarint()?;
        Ok((zigzag >> 1) as i64 ^ -((zigzag & 1) as i64))
    }

    /// Bytes behind their length as a [`Reader::uvarint`].
    ///
    /// # Errors
    /// [`Fault::Short`], [`Fault::Varint`].
    pub fn uvarint_bytes(&mut self) -> Result<&'a [u8], At> {
        let start = self.fault(Fault::Varint);
        let length = self.uvarint()?;
        let left = self.rest.len() as u64;
        match usize::try_from(length) {
            Ok(length) if length as u64 <= left => self.take(length),
            _ => Err(At { fault: Fault::Short { missing: length - left.min(length) }, ..start }),
        }
    }

    /// Text behind its length.
    ///
    /// # Errors
    /// [`Fault::Short`], [`Fault::Varint`], and [`Fault::Utf8`] with `what`.
    pub fn uvarint_str(&mut self, what: &'static str) -> Result<&'a str, At> {
        let start = self.offset;
        let bytes = self.uvarint_bytes()?;
        std::str::from_utf8(bytes).map_err(|_| At { offset: start, fault: Fault::Utf8(what) })
    }

    /// Nothing more is to be read.
    ///
    /// # Errors
    /// [`Fault::Trailing`].
    pub const fn end(&self) -> Result<(), At> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.fault(Fault::Trailing(self.rest.len() as u64))) }
    }
}

/// Appends a [`Reader::u16`].
pub fn put_u16(to: &mut Vec<u8>, value: u16) {
    to.extend_from_slice(&value.to_be_bytes());
}

/// Appends a [`Reader::u32`].
pub fn put_u32(to: &mut Vec<u8>, value: u32) {
    to.extend_from_slice(&value.to_be_bytes());
}

/// Appends a [`Reader::u64`].
pub fn put_u64(to: &mut Vec<u8>, value: u64) {
    to.extend_from_slice(&value.to_be_bytes());
}

/// Appends a [`Reader::uvarint`].
pub fn put_uvarint(to: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        to.push(value as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}

/// Appends a [`Reader::varint`].
pub fn put_varint(to: &mut Vec<u8>, value: i64) {
    put_uvarint(to, ((value << 1) ^ (value >> 63)) as u64);
}

/// Appends a [`Reader::uvarint_bytes`].
pub fn put_uvarint_bytes(to: &mut Vec<u8>, bytes: &[u8]) {
    put_uvarint(to, bytes.len() as u64);
    to.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_checksum_is_castagnolis() {
        // The check value of CRC-32C over the digits 1 to 9.
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    proptest! {
        #[test]
        fn integers_come_back(unsigned: u64, signed: i64, tail in proptest::collection::vec(any::<u8>(), 0..4)) {
            let mut bytes = Vec::new();
            put_uvarint(&mut bytes, unsigned);
            put_varint(&mut bytes, signed);
            let whole = bytes.len();
            bytes.extend_from_slice(&tail);
            let mut reader = Reader::new(&bytes, 7);
            prop_assert_eq!(reader.uvarint().unwrap(), unsigned);
            prop_assert_eq!(reader.varint().unwrap(), signed);
            prop_assert_eq!(reader.offset(), 7 + whole as u64);
            prop_assert_eq!(reader.rest(), &tail[..]);
        }
    }

    #[test]
    fn nothing_is_read_past_the_end() {
        let at = |offset, fault| At { offset, fault };
        assert_eq!(Reader::new(&[1, 2], 10).u32(), Err(at(10, Fault::Short { missing: 2 })));
        assert_eq!(Reader::new(&[0x80, 0x80], 3).uvarint(), Err(at(3, Fault::Short { missing: 1 })));
        assert_eq!(Reader::new(&[0xff; 11], 0).uvarint(), Err(at(0, Fault::Varint)));
        assert_eq!(Reader::new(&[5, 1, 2], 100).uvarint_bytes(), Err(at(100, Fault::Short { missing: 3 })));
        assert_eq!(Reader::new(&[1, 0xff], 4).uvarint_str("a symbol"), Err(at(4, Fault::Utf8("a symbol"))));
    }
}
