//! Whole XOR chunks at once, and several of them with the same timestamps.

use super::super::bits::{BitCursor, BitScratch, BitSink};
use super::{HEADER, ValueWriter, change_code, write_with_code};

/// Makes whole XOR chunks of columns, one after the other, in memory of its own. The bytes are those of [`XorAppender`].
#[derive(Debug, Clone, Default)]
pub struct XorEncoder {
    bits: [BitScratch; TOGETHER],
}

/// How many columns are encoded at once.
const TOGETHER: usize = 4;
/// The most bytes that a sample takes: 68 bits of time, 77 bits of value.
const SAMPLE_BYTES_MAX: usize = 19;

impl XorEncoder {
    /// The chunk of these samples, as many as both columns have; `None` for more than [`SAMPLES_MAX`].
    pub fn encode(&mut self, timestamps: &[i64], values: &[f64]) -> Option<&[u8]> {
        let [bits, ..] = &mut self.bits;
        encode([bits], timestamps, [values]).map(|[chunk]| chunk)
    }

    /// The chunks of four columns of values with the same timestamps, each as of [`XorEncoder::encode`], in less time: as many samples
    /// as the shortest column has.
    pub fn encode_four(
        &mut self,
        timestamps: &[i64],
        values: [&[f64]; TOGETHER],
    ) -> Option<[&[u8]; TOGETHER]> {
        encode(self.bits.each_mut(), timestamps, values)
    }
}

/// Encodes columns with the same timestamps, sample by sample, so that one can be written while another waits.
fn encode<'a, const N: usize>(
    memory: [&'a mut BitScratch; N],
    timestamps: &[i64],
    values: [&[f64]; N],
) -> Option<[&'a [u8]; N]> {
    let samples = values.iter().fold(timestamps.len(), |samples, values| samples.min(values.len()));
    let count = u16::try_from(samples).ok()?;
    let room = HEADER + 2 * 8 + 2 * 10 + samples.saturating_mul(SAMPLE_BYTES_MAX);
    let mut writers = memory.map(|memory| memory.begin(room));
    let mut before = [ValueWriter::new(0); N];
    let values = values.map(|values| values.get(..samples).unwrap_or_default());
    for writer in &mut writers {
        writer.write_short(count.into(), 16);
    }
    let (mut timestamp, mut delta) = (0i64, 0i64);
    for (at, next) in timestamps.iter().take(samples.min(2)).enumerate() {
        delta = next.wrapping_sub(timestamp);
        timestamp = *next;
        for ((writer, before), values) in writers.iter_mut().zip(&mut before).zip(&values) {
            let bits = values.get(at).map_or(0, |value| value.to_bits());
            if at == 0 {
                writer.varint(timestamp);
                writer.write(bits, 64);
                *before = ValueWriter::new(bits);
            } else {
                writer.uvarint(delta as u64);
                before.write(writer, bits);
            }
        }
    }
    for (at, next) in timestamps.iter().enumerate().take(samples).skip(2) {
        let now = next.wrapping_sub(timestamp);
        let code = change_code(now.wrapping_sub(delta));
        (timestamp, delta) = (*next, now);
        for ((writer, before), values) in writers.iter_mut().zip(&mut before).zip(&values) {
            let bits = values.get(at).map_or(0, |value| value.to_bits());
            write_with_code(writer, before, code, bits);
        }
    }
    Some(writers.map(BitCursor::finish))
}
