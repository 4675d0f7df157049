//! What a record says: series, samples, exemplars, metadata, deletions, markers.
//!
//! The first byte is the [`RecordType`]. Decoders append to a `Vec` that the caller reuses, take text from the record's
//! bytes, and give faults with the offset in the record.

mod exemplars;
mod histograms;
mod markers;
mod metadata;
mod samples;
mod series;

#[cfg(test)]
mod tests;

pub use exemplars::{RefExemplar, decode_exemplars, encode_exemplars};
pub use histograms::{
    RefFloatHistogram, RefHistogram, decode_float_histograms, decode_histograms, encode_float_histograms,
    encode_histograms,
};
pub use markers::{
    ChunkMark, Tombstone, decode_chunk_marks, decode_min_valid_time, decode_tombstones, encode_chunk_marks,
    encode_tombstones,
};
pub use metadata::{MetricType, RefMetadata, decode_metadata, encode_metadata};
pub use samples::{RefSample, decode_samples, encode_samples};
pub use series::{RefSeries, decode_series, encode_series};

use crate::corruption::Fault;
use crate::encoding::{At, Reader};

/// The number by which records name a series. Numbers grow; none is given twice in the life of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SeriesRef(pub u64);

/// What a record holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum RecordType {
    /// New series and their labels.
    Series,
    /// Float samples.
    Samples,
    /// Intervals of time that were deleted from series.
    Tombstones,
    /// Exemplars.
    Exemplars,
    /// In the log of out-of-order samples: what a series had so far is in a chunk on disk.
    ChunkMarks,
    /// Type, unit and help of series.
    Metadata,
    /// Histograms of exponential buckets.
    Histograms,
    /// Float histograms of exponential buckets.
    FloatHistograms,
    /// Histograms with custom buckets.
    CustomHistograms,
    /// Float histograms with custom buckets.
    CustomFloatHistograms,
    /// Float samples with start timestamps.
    SamplesV2,
    /// Histograms of any buckets with start timestamps.
    HistogramsV2,
    /// Float histograms of any buckets with start timestamps.
    FloatHistogramsV2,
    /// In a checkpoint: the time before which samples were left out.
    MinValidTime,
}

impl RecordType {
    /// The type of a record; `None` where it is empty or of a type that nobody has defined: to be skipped.
    pub fn of(record: &[u8]) -> Option<Self> {
        Some(match record.first()? {
            1 => RecordType::Series,
            2 => RecordType::Samples,
            3 => RecordType::Tombstones,
            4 => RecordType::Exemplars,
            5 => RecordType::ChunkMarks,
            6 => RecordType::Metadata,
            7 => RecordType::Histograms,
            8 => RecordType::FloatHistograms,
            9 => RecordType::CustomHistograms,
            10 => RecordType::CustomFloatHistograms,
            11 => RecordType::SamplesV2,
            12 => RecordType::HistogramsV2,
            13 => RecordType::FloatHistogramsV2,
            14 => RecordType::MinValidTime,
            _ => return None,
        })
    }

    const fn byte(self) -> u8 {
        match self {
            RecordType::Series => 1,
            RecordType::Samples => 2,
            RecordType::Tombstones => 3,
            RecordType::Exemplars => 4,
            RecordType::ChunkMarks => 5,
            RecordType::Metadata => 6,
            RecordType::Histograms => 7,
            RecordType::FloatHistograms => 8,
            RecordType::CustomHistograms => 9,
            RecordType::CustomFloatHistograms => 10,
            RecordType::SamplesV2 => 11,
            RecordType::HistogramsV2 => 12,
            RecordType::FloatHistogramsV2 => 13,
            RecordType::MinValidTime => 14,
        }
    }
}

/// The content of a record of one of these types, and which one it is.
fn open<'a>(record: &'a [u8], types: &[RecordType]) -> Result<(RecordType, Reader<'a>), At> {
    let mut reader = Reader::new(record, 0);
    let fault = reader.fault(Fault::Encoding(record.first().copied().unwrap_or_default().into()));
    let found = RecordType::of(record).filter(|found| types.contains(found)).ok_or(fault)?;
    reader.u8()?;
    Ok((found, reader))
}

/// The series and time from which those of a record are counted.
struct Base {
    series: u64,
    timestamp: i64,
}

impl Base {
    fn read(reader: &mut Reader<'_>) -> Result<Self, At> {
        Ok(Base { series: reader.u64()?, timestamp: reader.u64()? as i64 })
    }

    /// Go adds with wrapping, and so do its differences come back.
    fn next(&self, reader: &mut Reader<'_>) -> Result<(SeriesRef, i64), At> {
        let series = self.series.wrapping_add(reader.varint()? as u64);
        Ok((SeriesRef(series), self.timestamp.wrapping_add(reader.varint()?)))
    }
}

/// The series, time and start time of the entries of a record of version 2.
#[derive(Default)]
struct BaseV2 {
    first: Option<(i64, i64)>,
    series: u64,
    start: i64,
}

const NO_START: u8 = 0;
const SAME_START: u8 = 1;

impl BaseV2 {
    fn next(&mut self, reader: &mut Reader<'_>) -> Result<(SeriesRef, i64, i64), At> {
        let series = reader.varint()? as u64;
        let timestamp = reader.varint()?;
        let Some((first_timestamp, first_start)) = self.first else {
            let start = reader.varint()?;
            *self = BaseV2 { first: Some((timestamp, start)), series, start };
            return Ok((SeriesRef(series), start, timestamp));
        };
        self.series = self.series.wrapping_add(series);
        self.start = match reader.u8()? {
            NO_START => 0,
            SAME_START => self.start,
            _ => first_start.wrapping_add(reader.varint()?),
        };
        Ok((SeriesRef(self.series), self.start, first_timestamp.wrapping_add(timestamp)))
    }
}
