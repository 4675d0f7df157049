//! Floats as what changed of their bits since the one before.

use super::super::ChunkError;
use super::super::bits::{BitReader, BitSink, WINDOW_BITS, low_bits};
use crate::corruption::Fault;

/// No window yet: the next changed value brings one.
const NO_WINDOW: u32 = 0xff;

/// A float that was read, and the window of its bits that changed last.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct ValueReader {
    pub(in super::super) bits: u64,
    /// The width of the window, and the zero bits below it.
    significant: u32,
    trailing: u32,
}

impl ValueReader {
    /// Begins with a float; a window that was never given is the whole.
    pub(in super::super) const fn new(bits: u64) -> Self {
        ValueReader { bits, significant: 64, trailing: 0 }
    }

    /// Reads what follows; `window` are the bits at `reader`, of which `used` are taken already and shifted out.
    ///
    /// No operation here can go over: widths are at most 64 together. That is not asked again for each of them.
    #[inline(always)]
    pub(in super::super) fn read_from(
        &mut self,
        reader: &mut BitReader<'_>,
        window: u64,
        used: u32,
    ) -> Result<(), ChunkError> {
        if (window as i64) >= 0 {
            reader.skip(used.wrapping_add(1));
            return Ok(());
        }
        let (window, used) = if window & 1 << 62 == 0 {
            (window << 2, used.wrapping_add(2))
        } else {
            let leading = (window << 2 >> 59) as u32;
            // 64 does not fit into six bits and stands there as 0.
            let significant = ((window << 7 >> 58) as u32).wrapping_sub(1) & 63;
            let trailing = 63u32.wrapping_sub(leading).wrapping_sub(significant);
            if trailing > 63 {
                return Err(reader.error(Fault::Rule("a window of more than 64 bits")));
            }
            (self.significant, self.trailing) = (significant.wrapping_add(1), trailing);
            (window << 13, used.wrapping_add(13))
        };
        let significant = self.significant;
        let all = used.wrapping_add(significant);
        let changed = if all <= 57 {
            reader.skip(all);
            window.wrapping_shr(64u32.wrapping_sub(significant))
        } else {
            reader.skip(used);
            reader.read(significant)
        };
        self.bits ^= changed.wrapping_shl(self.trailing);
        Ok(())
    }

    /// Reads what follows at `reader`.
    #[inline(always)]
    pub(in super::super) fn read(&mut self, reader: &mut BitReader<'_>) -> Result<(), ChunkError> {
        let window = reader.window();
        self.read_from(reader, window, 0)
    }
}

/// A float that was written, and the window of its bits that changed last.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct ValueWriter {
    pub(in super::super) bits: u64,
    /// Zero bits above and below the window.
    leading: u32,
    trailing: u32,
}

impl ValueWriter {
    /// Begins with a float; nothing has been written into a window.
    pub(in super::super) const fn new(bits: u64) -> Self {
        ValueWriter { bits, leading: NO_WINDOW, trailing: 0 }
    }

    /// The width of the window.
    #[inline(always)]
    const fn significant(&self) -> u32 {
        64u32.wrapping_sub(self.leading).wrapping_sub(self.trailing)
    }

    /// Appends `bits` behind a code of `code_bits` bits, at most 24.
    #[inline(always)]
    pub(in super::super) fn write_behind<W: BitSink>(
        &mut self,
        writer: &mut W,
        bits: u64,
        code: u64,
        code_bits: u32,
    ) {
        let changed = self.bits ^ bits;
        if changed == 0 {
            return writer.write_short(code << 1, code_bits.wrapping_add(1));
        }
        self.bits = bits;
        // The window's start has five bits in the stream.
        let leading = changed.leading_zeros().min(31);
        let trailing = changed.trailing_zeros();
        // Without a window `leading` is below it. Which of the two it is, follows no rule; so there is no branch to be guessed.
        let inside = leading >= self.leading && trailing >= self.trailing;
        // 64 does not fit into six bits and stands there as 0.
        let significant = 64u32.wrapping_sub(leading).wrapping_sub(trailing) & 63;
        let described = code << 13 | 0b11 << 11 | u64::from(leading << 6 | significant);
        let code = std::hint::select_unpredictable(inside, code << 2 | 0b10, described);
        let code_bits = code_bits.wrapping_add(std::hint::select_unpredictable(inside, 2, 13));
        self.leading = std::hint::select_unpredictable(inside, self.leading, leading);
        self.trailing = std::hint::select_unpredictable(inside, self.trailing, trailing);
        let significant = self.significant();
        let changed = changed.wrapping_shr(self.trailing);
        let all = code_bits.wrapping_add(significant);
        if all <= WINDOW_BITS {
            writer.write_short(code.wrapping_shl(significant) | changed, all);
        } else {
            write_long(writer, code, code_bits, changed, significant);
        }
    }

    /// Appends `bits`.
    #[inline]
    pub(in super::super) fn write<W: BitSink>(&mut self, writer: &mut W, bits: u64) {
        self.write_behind(writer, bits, 0, 0);
    }
}

/// Writes `significant` bits behind a code with which they are too many for one write. Not inlined, as it would make the usual way
/// slower.
#[inline(never)]
fn write_long<W: BitSink>(writer: &mut W, code: u64, code_bits: u32, changed: u64, significant: u32) {
    let low = significant.min(WINDOW_BITS);
    let high = significant.wrapping_sub(low);
    let above = code.wrapping_shl(high) | changed.wrapping_shr(low);
    writer.write_short(above, code_bits.wrapping_add(high));
    writer.write_short(changed & low_bits(low), low);
}
