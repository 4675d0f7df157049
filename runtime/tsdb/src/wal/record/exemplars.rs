//! Records of exemplars: single observations with labels of their own, mostly a trace.

use crate::encoding::{At, put_u64, put_varint};

use super::series::{labels, put_labels};
use super::{Base, RecordType, SeriesRef, open};

/// An exemplar of a series.
#[derive(Debug, Clone, PartialEq)]
pub struct RefExemplar<'a> {
    /// The series.
    pub series: SeriesRef,
    /// Milliseconds since the epoch.
    pub timestamp: i64,
    /// The observed value.
    pub value: f64,
    /// The exemplar's own labels.
    pub labels: Vec<(&'a str, &'a str)>,
}

/// Appends a record of exemplars to `record`.
pub fn encode_exemplars(exemplars: &[RefExemplar<'_>], record: &mut Vec<u8>) {
    record.push(RecordType::Exemplars.byte());
    let Some(first) = exemplars.first() else {
        return;
    };
    put_u64(record, first.series.0);
    put_u64(record, first.timestamp as u64);
    for exemplar in exemplars {
        put_varint(record, exemplar.series.0.wrapping_sub(first.series.0) as i64);
        put_varint(record, exemplar.timestamp.wrapping_sub(first.timestamp));
        put_u64(record, exemplar.value.to_bits());
        put_labels(record, &exemplar.labels);
    }
}

/// Reads a record of exemplars.
///
/// # Errors
/// A fault, with the offset in the record.
pub fn decode_exemplars<'a>(record: &'a [u8], exemplars: &mut Vec<RefExemplar<'a>>) -> Result<(), At> {
    let (_, mut reader) = open(record, &[RecordType::Exemplars])?;
    if reader.is_empty() {
        return Ok(());
    }
    let base = Base::read(&mut reader)?;
    while !reader.is_empty() {
        let (series, timestamp) = base.next(&mut reader)?;
        let value = f64::from_bits(reader.u64()?);
        exemplars.push(RefExemplar { series, timestamp, value, labels: labels(&mut reader)? });
    }
    Ok(())
}
