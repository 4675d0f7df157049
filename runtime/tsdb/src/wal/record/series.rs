//! Records of new series: reference and labels.

use crate::encoding::{At, Reader, put_u64, put_uvarint, put_uvarint_bytes};

use super::{RecordType, SeriesRef, open};

/// A series and its labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefSeries<'a> {
    /// By which number other records name it.
    pub series: SeriesRef,
    /// Its labels as they are written, names sorted in all that is sound.
    pub labels: Vec<(&'a str, &'a str)>,
}

/// Appends a record of series to `record`.
pub fn encode_series(series: &[RefSeries<'_>], record: &mut Vec<u8>) {
    record.push(RecordType::Series.byte());
    for RefSeries { series, labels } in series {
        put_u64(record, series.0);
        put_labels(record, labels);
    }
}

/// Reads a record of series.
///
/// # Errors
/// A fault, with the offset in the record.
pub fn decode_series<'a>(record: &'a [u8], series: &mut Vec<RefSeries<'a>>) -> Result<(), At> {
    let (_, mut reader) = open(record, &[RecordType::Series])?;
    while !reader.is_empty() {
        let number = SeriesRef(reader.u64()?);
        series.push(RefSeries { series: number, labels: labels(&mut reader)? });
    }
    Ok(())
}

pub(super) fn put_labels(record: &mut Vec<u8>, labels: &[(&str, &str)]) {
    put_uvarint(record, labels.len() as u64);
    for (name, value) in labels {
        put_uvarint_bytes(record, name.as_bytes());
        put_uvarint_bytes(record, value.as_bytes());
    }
}

pub(super) fn labels<'a>(reader: &mut Reader<'a>) -> Result<Vec<(&'a str, &'a str)>, At> {
    let count = reader.uvarint()?;
    // A label takes two bytes at least: room only for what can be there.
    let mut labels = Vec::with_capacity(count.min(reader.len() as u64 / 2) as usize);
    for _ in 0..count {
        labels.push((reader.uvarint_str("a label name")?, reader.uvarint_str("a label value")?));
    }
    Ok(labels)
}
