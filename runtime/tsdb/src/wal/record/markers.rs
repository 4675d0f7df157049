//! Records about what happened to samples: deletions, chunks written to disk, the time before which nothing is left.

use crate::encoding::{At, put_u64, put_varint};

use super::{RecordType, SeriesRef, open};

/// An interval of time that was deleted from a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tombstone {
    /// The series.
    pub series: SeriesRef,
    /// The first deleted millisecond.
    pub min_time: i64,
    /// The last deleted millisecond.
    pub max_time: i64,
}

/// All out-of-order samples that a series had so far are in a chunk on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkMark {
    /// The series.
    pub series: SeriesRef,
    /// The chunk: number of the head chunk file in the upper half, offset in it in the lower.
    pub chunk: u64,
}

/// Appends a record of deletions to `record`.
pub fn encode_tombstones(tombstones: &[Tombstone], record: &mut Vec<u8>) {
    record.push(RecordType::Tombstones.byte());
    for tombstone in tombstones {
        put_u64(record, tombstone.series.0);
        put_varint(record, tombstone.min_time);
        put_varint(record, tombstone.max_time);
    }
}

/// Reads a record of deletions.
///
/// # Errors
/// A fault, with the offset in the record.
pub fn decode_tombstones(record: &[u8], tombstones: &mut Vec<Tombstone>) -> Result<(), At> {
    let (_, mut reader) = open(record, &[RecordType::Tombstones])?;
    while !reader.is_empty() {
        let series = SeriesRef(reader.u64()?);
        tombstones.push(Tombstone { series, min_time: reader.varint()?, max_time: reader.varint()? });
    }
    Ok(())
}

/// Appends a record of chunk marks to `record`.
pub fn encode_chunk_marks(marks: &[ChunkMark], record: &mut Vec<u8>) {
    record.push(RecordType::ChunkMarks.byte());
    for mark in marks {
        put_u64(record, mark.series.0);
        put_u64(record, mark.chunk);
    }
}

/// Reads a record of chunk marks.
///
/// # Errors
/// A fault, with the offset in the record.
pub fn decode_chunk_marks(record: &[u8], marks: &mut Vec<ChunkMark>) -> Result<(), At> {
    let (_, mut reader) = open(record, &[RecordType::ChunkMarks])?;
    while !reader.is_empty() {
        marks.push(ChunkMark { series: SeriesRef(reader.u64()?), chunk: reader.u64()? });
    }
    Ok(())
}

/// Reads the time, in milliseconds since the epoch, before which a checkpoint has no samples.
///
/// # Errors
/// A fault, with the offset in the record.
pub fn decode_min_valid_time(record: &[u8]) -> Result<i64, At> {
    let (_, mut reader) = open(record, &[RecordType::MinValidTime])?;
    let time = reader.u64()? as i64;
    reader.end()?;
    Ok(time)
}
