//! Integers in classes of width, as histogram chunks store them: a prefix of ones names the class.

use super::bits::{BitReader, BitSink, BitWriter};

/// Bits behind a prefix of so many ones and a zero; the last two classes have eight bits of prefix.
const WIDTHS: [u32; 9] = [0, 3, 6, 9, 12, 18, 25, 56, 64];

const fn prefix_bits(ones: u32) -> u32 {
    if ones < 7 { ones + 1 } else { 8 }
}

fn width(ones: u32) -> u32 {
    WIDTHS.get(ones as usize).copied().unwrap_or(64)
}

/// The bits behind a prefix of so many ones, where they fit into a window together with it; else 0.
#[inline(always)]
pub(super) const fn short_width(ones: u32) -> u32 {
    match ones {
        1 => 3,
        2 => 6,
        3 => 9,
        4 => 12,
        5 => 18,
        6 => 25,
        _ => 0,
    }
}

/// Sign-extends the lowest `bits`, of which the pattern 100…0 is the positive number that it looks like.
#[inline(always)]
pub(super) const fn sign_extend(value: u64, bits: u32) -> i64 {
    ((value.wrapping_sub(1) << (64 - bits)) as i64 >> (64 - bits)).wrapping_add(1)
}

/// Whether so many bits hold the number, in that convention.
#[inline(always)]
pub(super) const fn fits(value: i64, bits: u32) -> bool {
    -((1i64 << (bits - 1)) - 1) <= value && value <= 1i64 << (bits - 1)
}

#[inline(always)]
fn read_class(reader: &mut BitReader<'_>) -> (u64, u32) {
    let window = reader.window();
    let ones = (!window).leading_zeros().min(8);
    if ones == 0 {
        reader.skip(1);
        return (0, 0);
    }
    let (prefix, width) = (prefix_bits(ones), width(ones));
    if ones <= 6 {
        reader.skip(prefix + width);
        return (window << prefix >> (64 - width), width);
    }
    reader.skip(prefix);
    (reader.read(width), width)
}

/// Reads a signed integer.
#[inline(always)]
pub(super) fn read_int(reader: &mut BitReader<'_>) -> i64 {
    let (value, width) = read_class(reader);
    if width == 0 { 0 } else { sign_extend(value, width) }
}

/// Reads an unsigned integer.
pub(super) fn read_uint(reader: &mut BitReader<'_>) -> u64 {
    read_class(reader).0
}

#[inline]
fn write_class(writer: &mut BitWriter, value: u64, ones: u32) {
    let (prefix, width) = (prefix_bits(ones), width(ones));
    let code = if ones < 8 { (1u64 << prefix) - 2 } else { 0xff };
    if prefix + width <= 57 {
        writer.write_short(code << width | value & ((1 << width) - 1), prefix + width);
    } else {
        writer.write_short(code, prefix);
        writer.write(value, width);
    }
}

/// Appends a signed integer.
#[inline]
pub(super) fn write_int(writer: &mut BitWriter, value: i64) {
    if value == 0 {
        return writer.write_short(0, 1);
    }
    let ones = (1..8).find(|ones| fits(value, width(*ones))).unwrap_or(8);
    write_class(writer, value as u64, ones);
}

/// Appends an unsigned integer.
pub(super) fn write_uint(writer: &mut BitWriter, value: u64) {
    if value == 0 {
        return writer.write_short(0, 1);
    }
    let ones = (1..8).find(|ones| value >> width(*ones) == 0).unwrap_or(8);
    write_class(writer, value, ones);
}
