//! The layout in front of the samples of a histogram chunk (see `docs/chunks.md`, "Layout").

use prom_model::{CUSTOM_BUCKETS_SCHEMA, Span, bucket_count, is_known_schema};

use crate::chunk::bits::{BitReader, BitSink, BitWriter};
use crate::chunk::varbit::{read_int, read_uint, write_int, write_uint};
use crate::chunk::{ChunkError, HistogramLayout};
use crate::corruption::Fault;

/// The highest multiple of a thousandth that a custom bound has a short form for.
const BOUND_MAX: f64 = 33_554_430.0;

impl HistogramLayout {
    pub(super) fn read(&mut self, reader: &mut BitReader<'_>) -> Result<(), ChunkError> {
        reader.need(8 + 3)?;
        self.zero_threshold = match reader.read(8) {
            0 => 0.0,
            255 => reader.read_f64(),
            exponent => f64::from_bits((exponent + 1023 - 244) << 52),
        };
        let schema = read_int(reader);
        self.schema = match i32::try_from(schema).ok().filter(|schema| is_known_schema(*schema)) {
            Some(schema) => schema,
            None => return Err(reader.error(Fault::Rule("a schema of histograms that nobody has defined"))),
        };
        self.positive_buckets = read_spans(reader, &mut self.positive_spans)?;
        self.negative_buckets = read_spans(reader, &mut self.negative_spans)?;
        if self.schema == CUSTOM_BUCKETS_SCHEMA {
            let count = read_uint(reader);
            bounded(reader, "the number of custom bounds", count, 5)?;
            self.custom_values.reserve(count as usize);
            for _ in 0..count {
                self.custom_values.push(read_bound(reader));
            }
        }
        // Each bucket of the first sample takes one bit.
        let buckets = self.positive_buckets as u64 + self.negative_buckets as u64;
        bounded(reader, "the number of buckets", buckets, 1)
    }

    /// Counts the buckets of the spans.
    pub(super) fn count_buckets(&mut self) {
        self.positive_buckets = bucket_count(&self.positive_spans) as usize;
        self.negative_buckets = bucket_count(&self.negative_spans) as usize;
    }

    /// Whether a sample's buckets have the chunk's widths.
    pub(super) fn same_schema(&self, schema: i32, zero_threshold: f64) -> bool {
        self.schema == schema && self.zero_threshold == zero_threshold
    }

    /// Whether a sample's bounds are the chunk's; only custom buckets have any.
    pub(super) fn same_bounds(&self, custom_values: &[f64]) -> bool {
        self.schema != CUSTOM_BUCKETS_SCHEMA || self.custom_values == custom_values
    }

    pub(super) fn write(&self, writer: &mut BitWriter) {
        write_threshold(writer, self.zero_threshold);
        write_int(writer, self.schema.into());
        for spans in [&self.positive_spans, &self.negative_spans] {
            write_uint(writer, spans.len() as u64);
            for span in spans {
                write_uint(writer, span.length.into());
                write_int(writer, span.offset.into());
            }
        }
        if self.schema == CUSTOM_BUCKETS_SCHEMA {
            write_uint(writer, self.custom_values.len() as u64);
            for bound in &self.custom_values {
                write_bound(writer, *bound);
            }
        }
    }
}

/// So many things, each of which takes so many bits, must fit into what is left.
fn bounded(reader: &BitReader<'_>, what: &'static str, value: u64, bits: u64) -> Result<(), ChunkError> {
    let max = reader.left() as u64 / bits;
    if value > max {
        return Err(reader.error(Fault::OutOfRange { what, value, max }));
    }
    Ok(())
}

/// Reads spans and counts their buckets.
fn read_spans(reader: &mut BitReader<'_>, spans: &mut Vec<Span>) -> Result<usize, ChunkError> {
    let count = read_uint(reader);
    bounded(reader, "the number of spans", count, 2)?;
    spans.reserve(count as usize);
    let (mut buckets, mut index) = (0u64, 0i64);
    for _ in 0..count {
        let length = read_uint(reader);
        bounded(reader, "the number of buckets", length.saturating_add(buckets), 1)?;
        buckets += length;
        let offset = read_int(reader);
        index = index.saturating_add(offset).saturating_add(length as i64);
        let (Ok(offset), Ok(length), Ok(_)) =
            (i32::try_from(offset), u32::try_from(length), i32::try_from(index))
        else {
            return Err(reader.error(Fault::Rule("a bucket index beyond 32 bits")));
        };
        spans.push(Span { offset, length });
    }
    Ok(buckets as usize)
}

/// One byte for 0 and the powers of two from 2^-243 to 2^10, nine for others.
fn write_threshold(writer: &mut BitWriter, threshold: f64) {
    const FRACTION: u64 = (1 << 52) - 1;
    let bits = threshold.to_bits();
    let exponent = (bits >> 52) as i64 - 1023;
    // Prometheus drops the sign of -0; here it stays, in the long form.
    if bits == 0 {
        writer.write(0, 8);
    } else if bits & FRACTION == 0 && (-243..=10).contains(&exponent) {
        writer.write((exponent + 244) as u64, 8);
    } else {
        writer.write(255, 8);
        writer.write(bits, 64);
    }
}

fn read_bound(reader: &mut BitReader<'_>) -> f64 {
    match read_uint(reader) {
        0 => reader.read_f64(),
        thousandths => (thousandths - 1) as f64 / 1000.0,
    }
}

/// A short form for multiples of a thousandth, 65 bits for others.
fn write_bound(writer: &mut BitWriter, bound: f64) {
    let thousandths = bound * 1000.0;
    // As an unsigned number; a NaN is none, nor is -0, whose sign Prometheus drops.
    let whole = thousandths.round();
    let is_whole = whole.is_sign_positive() && (whole as u64) as f64 / 1000.0 == bound;
    if !is_whole || !(0.0..=BOUND_MAX).contains(&thousandths) {
        writer.write(0, 1);
        writer.write(bound.to_bits(), 64);
    } else {
        write_uint(writer, whole as u64 + 1);
    }
}
