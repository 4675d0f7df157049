//! Records of float samples.

use crate::encoding::{At, put_u64, put_varint};

use super::{Base, BaseV2, RecordType, SeriesRef, open};

/// A float sample of a series.
#[derive(Debug, Clone, Copy)]
pub struct RefSample {
    /// The series.
    pub series: SeriesRef,
    /// When counting began, in milliseconds since the epoch; 0 where that is not known.
    pub start: i64,
    /// Milliseconds since the epoch.
    pub timestamp: i64,
    /// The value; NaNs keep their bits.
    pub value: f64,
}

impl PartialEq for RefSample {
    /// To the bit: NaNs with one payload are equal.
    fn eq(&self, other: &Self) -> bool {
        let key = |sample: &Self| (sample.series, sample.start, sample.timestamp, sample.value.to_bits());
        key(self) == key(other)
    }
}

/// Appends a record of samples to `record`, in the form that Prometheus reads since 2.0; start times are left out.
pub fn encode_samples(samples: &[RefSample], record: &mut Vec<u8>) {
    record.push(RecordType::Samples.byte());
    let Some(first) = samples.first() else {
        return;
    };
    record.reserve(16 + 13 * samples.len());
    put_u64(record, first.series.0);
    put_u64(record, first.timestamp as u64);
    for sample in samples {
        put_varint(record, sample.series.0.wrapping_sub(first.series.0) as i64);
        put_varint(record, sample.timestamp.wrapping_sub(first.timestamp));
        put_u64(record, sample.value.to_bits());
    }
}

/// Reads a record of samples of either version.
///
/// # Errors
/// A fault, with the offset in the record.
pub fn decode_samples(record: &[u8], samples: &mut Vec<RefSample>) -> Result<(), At> {
    let (found, mut reader) = open(record, &[RecordType::Samples, RecordType::SamplesV2])?;
    if reader.is_empty() {
        return Ok(());
    }
    if found == RecordType::SamplesV2 {
        let mut base = BaseV2::default();
        while !reader.is_empty() {
            let (series, start, timestamp) = base.next(&mut reader)?;
            samples.push(RefSample { series, start, timestamp, value: f64::from_bits(reader.u64()?) });
        }
        return Ok(());
    }
    let base = Base::read(&mut reader)?;
    samples.reserve(reader.len() / 12);
    while !reader.is_empty() {
        let (series, timestamp) = base.next(&mut reader)?;
        samples.push(RefSample { series, start: 0, timestamp, value: f64::from_bits(reader.u64()?) });
    }
    Ok(())
}
