//! Records of metadata: what kind of metric a series belongs to, its unit, its help text.

use crate::encoding::{At, put_uvarint, put_uvarint_bytes};

use super::{RecordType, SeriesRef, open};

const UNIT: &str = "UNIT";
const HELP: &str = "HELP";

/// The kind of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum MetricType {
    /// Nobody said.
    #[default]
    Unknown,
    /// Grows, falls to zero on a restart.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts observations in buckets.
    Histogram,
    /// A histogram that goes up and down.
    GaugeHistogram,
    /// Quantiles made by the target.
    Summary,
    /// Text in labels, value 1.
    Info,
    /// One of several states.
    StateSet,
}

impl MetricType {
    const fn byte(self) -> u8 {
        match self {
            MetricType::Unknown => 0,
            MetricType::Counter => 1,
            MetricType::Gauge => 2,
            MetricType::Histogram => 3,
            MetricType::GaugeHistogram => 4,
            MetricType::Summary => 5,
            MetricType::Info => 6,
            MetricType::StateSet => 7,
        }
    }

    const fn of(byte: u8) -> Self {
        match byte {
            1 => MetricType::Counter,
            2 => MetricType::Gauge,
            3 => MetricType::Histogram,
            4 => MetricType::GaugeHistogram,
            5 => MetricType::Summary,
            6 => MetricType::Info,
            7 => MetricType::StateSet,
            _ => MetricType::Unknown,
        }
    }
}

/// The metadata of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefMetadata<'a> {
    /// The series.
    pub series: SeriesRef,
    /// The kind of the metric.
    pub kind: MetricType,
    /// What is measured, as in `seconds`.
    pub unit: &'a str,
    /// What it says about itself.
    pub help: &'a str,
}

/// Appends a record of metadata to `record`.
pub fn encode_metadata(metadata: &[RefMetadata<'_>], record: &mut Vec<u8>) {
    record.push(RecordType::Metadata.byte());
    for RefMetadata { series, kind, unit, help } in metadata {
        put_uvarint(record, series.0);
        record.push(kind.byte());
        put_uvarint(record, 2);
        for text in [UNIT, unit, HELP, help] {
            put_uvarint_bytes(record, text.as_bytes());
        }
    }
}

/// Reads a record of metadata; fields other than unit and help are skipped.
///
/// # Errors
/// A fault, with the offset in the record.
pub fn decode_metadata<'a>(record: &'a [u8], metadata: &mut Vec<RefMetadata<'a>>) -> Result<(), At> {
    let (_, mut reader) = open(record, &[RecordType::Metadata])?;
    while !reader.is_empty() {
        let series = SeriesRef(reader.uvarint()?);
        let kind = MetricType::of(reader.u8()?);
        let (mut unit, mut help) = ("", "");
        for _ in 0..reader.uvarint()? {
            let name = reader.uvarint_str("a metadata field")?;
            let value = reader.uvarint_str("a metadata value")?;
            match name {
                UNIT => unit = value,
                HELP => help = value,
                _ => {}
            }
        }
        metadata.push(RefMetadata { series, kind, unit, help });
    }
    Ok(())
}
