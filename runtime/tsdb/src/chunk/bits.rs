//! Bits in bytes, most significant first: read through windows of 64, written behind the last.

use super::ChunkError;
use crate::corruption::Fault;

const PADDING: usize = 16;
/// So many bits of a window are valid, wherever it begins; as many are written at once at most.
pub(super) const WINDOW_BITS: u32 = 57;

/// Bytes that are to be read as bits: with a copy of the last ones, zeros behind them, so that a window of eight bytes can be
/// taken at each.
#[derive(Debug)]
pub(super) struct BitSource<'a> {
    bytes: &'a [u8],
    tail: [u8; PADDING],
    tail_start: usize,
}

impl<'a> BitSource<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        let tail_start = bytes.len().saturating_sub(8);
        let mut tail = [0; PADDING];
        for (to, from) in tail.iter_mut().zip(bytes.iter().skip(tail_start)) {
            *to = *from;
        }
        BitSource { bytes, tail, tail_start }
    }

    /// Reads from the byte at `start` on.
    pub(super) const fn reader(&'a self, start: usize) -> BitReader<'a> {
        BitReader { bytes: self.bytes, tail: &self.tail, tail_start: self.tail_start, position: start * 8 }
    }
}

/// Reads bits forward. Behind the last byte there are zeros without end; whoever reads asks at the end
/// ([`BitReader::finish`]) whether that has happened.
#[derive(Debug, Clone)]
pub(super) struct BitReader<'a> {
    bytes: &'a [u8],
    tail: &'a [u8; PADDING],
    tail_start: usize,
    position: usize,
}

impl BitReader<'_> {
    /// The next bits, the first of them on top; at least [`WINDOW_BITS`] are valid, those below are zeros or bits that follow.
    #[inline(always)]
    pub(super) fn window(&self) -> u64 {
        let at = self.position >> 3;
        let word = match self.bytes.get(at..at.wrapping_add(8)).and_then(<[u8]>::first_chunk::<8>) {
            Some(word) => *word,
            None => self.tail_word(at),
        };
        u64::from_be_bytes(word) << (self.position & 7)
    }

    #[inline(always)]
    fn tail_word(&self, at: usize) -> [u8; 8] {
        let within = at.wrapping_sub(self.tail_start);
        self.tail.get(within..).and_then(<[u8]>::first_chunk::<8>).copied().unwrap_or_default()
    }

    /// Goes on by so many bits.
    #[inline(always)]
    pub(super) const fn skip(&mut self, bits: u32) {
        self.position = self.position.wrapping_add(bits as usize);
    }

    /// The next `bits` bits as a number, 1 to 64.
    #[inline(always)]
    pub(super) fn read(&mut self, bits: u32) -> u64 {
        if bits <= 57 {
            let value = self.window().wrapping_shr(64u32.wrapping_sub(bits));
            self.skip(bits);
            return value;
        }
        let high = self.window() >> 32;
        self.skip(32);
        let low = self.window() >> (96 - bits);
        self.skip(bits - 32);
        high << (bits - 32) | low
    }

    /// A float's 64 bits.
    #[inline]
    pub(super) fn read_f64(&mut self) -> f64 {
        f64::from_bits(self.read(64))
    }

    /// An unsigned variable-length integer of whole bytes, at any bit.
    pub(super) fn uvarint(&mut self) -> Result<u64, ChunkError> {
        let mut value = 0u64;
        for at in 0..10 {
            let byte = self.read(8);
            if at == 9 && byte > 1 {
                break;
            }
            value |= (byte & 0x7f) << (7 * at);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(self.error(Fault::Varint))
    }

    /// A signed one, zigzag.
    pub(super) fn varint(&mut self) -> Result<i64, ChunkError> {
        let zigzag = self.uvarint()?;
        Ok((zigzag >> 1) as i64 ^ -((zigzag & 1) as i64))
    }

    /// How many bits are left before the end.
    #[inline]
    pub(super) const fn left(&self) -> usize {
        (self.bytes.len() * 8).saturating_sub(self.position)
    }

    /// This fault, at the byte in which the next bit is.
    #[cold]
    pub(super) fn error(&self, fault: Fault) -> ChunkError {
        let at = (self.position >> 3).min(self.bytes.len());
        let fault = if self.position > self.bytes.len() * 8 { self.short(0) } else { fault };
        ChunkError::new(at, fault)
    }

    /// `bits` bits more must be there.
    ///
    /// # Errors
    /// [`Fault::Short`].
    #[inline]
    pub(super) fn need(&self, bits: u64) -> Result<(), ChunkError> {
        if self.position as u64 + bits <= self.bytes.len() as u64 * 8 {
            return Ok(());
        }
        Err(ChunkError::new(self.bytes.len(), self.short(bits)))
    }

    fn short(&self, bits: u64) -> Fault {
        let end = (self.position as u64).saturating_add(bits).div_ceil(8);
        Fault::Short { missing: end.saturating_sub(self.bytes.len() as u64).max(1) }
    }

    /// All is read: no bit was taken behind the end, no byte is left, and the rest of the last byte is zeros, as every
    /// appender leaves it. Where the last sample ends with a byte, appenders of Prometheus up to 3.x have already begun the next
    /// one: it is there, and zero.
    ///
    /// # Errors
    /// [`Fault::Short`], [`Fault::Trailing`], [`Fault::Rule`].
    pub(super) fn finish(&self) -> Result<(), ChunkError> {
        self.need(0)?;
        let end = self.position.div_ceil(8);
        let begun = self.position.is_multiple_of(8) && self.bytes.get(end..) == Some(&[0]);
        if end < self.bytes.len() && !begun {
            return Err(ChunkError::new(end, Fault::Trailing((self.bytes.len() - end) as u64)));
        }
        let unused = (end * 8 - self.position) as u32;
        if unused > 0 && self.window() >> (64 - unused) != 0 {
            return Err(ChunkError::new(end - 1, Fault::Rule("bits are set behind the last sample")));
        }
        Ok(())
    }
}

/// Where bits go.
pub(super) trait BitSink {
    /// Appends the lowest `bits` bits of `value`, up to 57; those above must be 0.
    fn write_short(&mut self, value: u64, bits: u32);

    /// Appends the lowest `bits` bits of `value`, up to 64; those above are ignored.
    #[inline]
    fn write(&mut self, value: u64, bits: u32) {
        if bits > 32 {
            self.write_short((value >> 32) & low_bits(bits - 32), bits - 32);
            self.write_short(value & 0xffff_ffff, 32);
        } else {
            self.write_short(value & low_bits(bits), bits);
        }
    }

    /// Appends a variable-length integer of whole bytes, at any bit.
    fn uvarint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.write_short(value & 0x7f | 0x80, 8);
            value >>= 7;
        }
        self.write_short(value, 8);
    }

    /// Appends a signed one, zigzag.
    fn varint(&mut self, value: i64) {
        self.uvarint(((value << 1) ^ (value >> 63)) as u64);
    }
}

/// How many bytes of memory a chunk gets when it needs more.
const GROWTH: usize = 64;

/// Appends bits to bytes.
#[derive(Debug, Clone, Default)]
pub(super) struct BitWriter {
    bytes: Vec<u8>,
    /// Bits of the last byte that are still free.
    free: u8,
}

impl BitWriter {
    /// Begins with whole bytes.
    pub(super) const fn new(bytes: Vec<u8>) -> Self {
        BitWriter { bytes, free: 0 }
    }

    pub(super) const fn bytes(&self) -> &Vec<u8> {
        &self.bytes
    }

    pub(super) const fn bytes_mut(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

impl BitSink for BitWriter {
    #[inline(always)]
    fn write_short(&mut self, value: u64, bits: u32) {
        debug_assert!(bits <= 57 && (bits == 0 || value >> bits == 0));
        if bits == 0 {
            return;
        }
        let free = u32::from(self.free);
        // Left-aligned behind what the last byte holds already.
        let mut word = value.wrapping_shl(64u32.wrapping_sub(bits)) >> (free.wrapping_neg() & 7);
        let mut start = self.bytes.len();
        if free > 0
            && let Some(last) = self.bytes.pop()
        {
            word |= u64::from(last) << 56;
            start -= 1;
        }
        let used = (free.wrapping_neg() & 7).wrapping_add(bits);
        if self.bytes.capacity() - self.bytes.len() < 8 {
            // Doubling would leave every other byte of a head's growing chunks unused.
            self.bytes.reserve_exact(GROWTH);
        }
        self.bytes.extend_from_slice(&word.to_be_bytes());
        self.bytes.truncate(start + used.div_ceil(8) as usize);
        self.free = (used.wrapping_neg() & 7) as u8;
    }
}

/// Memory for bits that is used again and again.
#[derive(Debug, Clone, Default)]
pub(super) struct BitScratch(Vec<u8>);

impl BitScratch {
    /// Begins anew, with room for so many bytes.
    pub(super) fn begin(&mut self, room: usize) -> BitCursor<'_> {
        let room = room.saturating_add(8);
        if self.0.len() < room {
            self.0.resize(room, 0);
        }
        BitCursor { bytes: &mut self.0, whole: 0, word: 0, used: 0 }
    }
}

/// Writes into a [`BitScratch`]; quicker than [`BitWriter`], which gives its memory away.
#[derive(Debug)]
pub(super) struct BitCursor<'a> {
    bytes: &'a mut [u8],
    /// Whole bytes so far.
    whole: usize,
    /// What does not fill a byte yet, on top.
    word: u64,
    /// How many bits that are, up to 7.
    used: u32,
}

impl<'a> BitCursor<'a> {
    /// What was written, the last byte filled up with zeros.
    pub(super) fn finish(self) -> &'a [u8] {
        let end = self.whole + usize::from(self.used > 0);
        let bytes: &'a [u8] = self.bytes;
        bytes.get(..end).unwrap_or(bytes)
    }
}

impl BitSink for BitCursor<'_> {
    #[inline(always)]
    fn write_short(&mut self, value: u64, bits: u32) {
        debug_assert!(bits <= 57 && (bits == 0 || value >> bits == 0));
        self.word |= value.wrapping_shl(64u32.wrapping_sub(bits)).wrapping_shr(self.used);
        let place = self.bytes.get_mut(self.whole..).and_then(<[u8]>::first_chunk_mut::<8>);
        debug_assert!(place.is_some(), "there is room for all that is written");
        if let Some(place) = place {
            *place = self.word.to_be_bytes();
        }
        let used = self.used.wrapping_add(bits);
        self.whole = self.whole.wrapping_add((used >> 3) as usize);
        self.word = self.word.checked_shl(used & !7).unwrap_or(0);
        self.used = used & 7;
    }
}

/// So many bits, all set.
pub(super) const fn low_bits(bits: u32) -> u64 {
    if bits >= 64 { u64::MAX } else { (1 << bits) - 1 }
}
