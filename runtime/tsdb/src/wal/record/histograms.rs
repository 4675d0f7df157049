//! Records of native histograms, of whole observations and of floats.

use prom_model::{CounterResetHint, FloatHistogram, Histogram, Span, is_known_schema};

use crate::corruption::Fault;
use crate::encoding::{At, Reader, put_u64, put_uvarint, put_varint};

use super::{Base, BaseV2, RecordType, SeriesRef, open};

/// Finer schemas may be stored one day; they are read as this one.
const FINEST: i32 = 8;

/// A histogram of a series.
#[derive(Debug, Clone, PartialEq)]
pub struct RefHistogram {
    /// The series.
    pub series: SeriesRef,
    /// When counting began, in milliseconds since the epoch; 0 where that is not known.
    pub start: i64,
    /// Milliseconds since the epoch.
    pub timestamp: i64,
    /// The sample.
    pub histogram: Histogram,
}

/// A float histogram of a series.
#[derive(Debug, Clone, PartialEq)]
pub struct RefFloatHistogram {
    /// The series.
    pub series: SeriesRef,
    /// When counting began, in milliseconds since the epoch; 0 where that is not known.
    pub start: i64,
    /// Milliseconds since the epoch.
    pub timestamp: i64,
    /// The sample.
    pub histogram: FloatHistogram,
}

/// Appends the records of these histograms to `records`: one of those with exponential buckets, one of those with custom
/// buckets, each only if there are any.
pub fn encode_histograms(histograms: &[RefHistogram], records: &mut Vec<Vec<u8>>) {
    let custom = |sample: &&RefHistogram| sample.histogram.uses_custom_buckets();
    let entry = |sample: &RefHistogram| (sample.series, sample.timestamp);
    let put = |sample: &RefHistogram, record: &mut Vec<u8>| put_histogram(&sample.histogram, record);
    for (kind, wanted) in [(RecordType::Histograms, false), (RecordType::CustomHistograms, true)] {
        encode(kind, histograms.iter().filter(|sample| custom(sample) == wanted), entry, put, records);
    }
}

/// As [`encode_histograms`].
pub fn encode_float_histograms(histograms: &[RefFloatHistogram], records: &mut Vec<Vec<u8>>) {
    let custom = |sample: &&RefFloatHistogram| sample.histogram.uses_custom_buckets();
    let entry = |sample: &RefFloatHistogram| (sample.series, sample.timestamp);
    let put =
        |sample: &RefFloatHistogram, record: &mut Vec<u8>| put_float_histogram(&sample.histogram, record);
    for (kind, wanted) in [(RecordType::FloatHistograms, false), (RecordType::CustomFloatHistograms, true)] {
        encode(kind, histograms.iter().filter(|sample| custom(sample) == wanted), entry, put, records);
    }
}

fn encode<'a, S: 'a>(
    kind: RecordType,
    samples: impl Iterator<Item = &'a S>,
    entry: impl Fn(&S) -> (SeriesRef, i64),
    put: impl Fn(&S, &mut Vec<u8>),
    records: &mut Vec<Vec<u8>>,
) {
    let mut record = Vec::new();
    let mut first = None;
    for sample in samples {
        let (series, timestamp) = entry(sample);
        let (first_series, first_timestamp) = *first.get_or_insert_with(|| {
            record.push(kind.byte());
            put_u64(&mut record, series.0);
            put_u64(&mut record, timestamp as u64);
            (series, timestamp)
        });
        put_varint(&mut record, series.0.wrapping_sub(first_series.0) as i64);
        put_varint(&mut record, timestamp.wrapping_sub(first_timestamp));
        put(sample, &mut record);
    }
    if first.is_some() {
        records.push(record);
    }
}

/// Reads a record of histograms of any version. Those of a schema that nobody has defined are left out and counted.
///
/// # Errors
/// A fault, with the offset in the record.
pub fn decode_histograms(record: &[u8], histograms: &mut Vec<RefHistogram>) -> Result<u64, At> {
    let types = [RecordType::Histograms, RecordType::CustomHistograms, RecordType::HistogramsV2];
    decode(record, &types, histogram, |(series, start, timestamp), mut histogram: Histogram| {
        if is_known_schema(histogram.schema)
            && (histogram.schema <= FINEST || histogram.reduce_resolution(FINEST).is_ok())
        {
            histograms.push(RefHistogram { series, start, timestamp, histogram });
            return true;
        }
        false
    })
}

/// As [`decode_histograms`].
///
/// # Errors
/// As [`decode_histograms`].
pub fn decode_float_histograms(record: &[u8], histograms: &mut Vec<RefFloatHistogram>) -> Result<u64, At> {
    let types =
        [RecordType::FloatHistograms, RecordType::CustomFloatHistograms, RecordType::FloatHistogramsV2];
    decode(record, &types, float_histogram, |(series, start, timestamp), mut histogram: FloatHistogram| {
        if is_known_schema(histogram.schema)
            && (histogram.schema <= FINEST || histogram.reduce_resolution(FINEST).is_ok())
        {
            histograms.push(RefFloatHistogram { series, start, timestamp, histogram });
            return true;
        }
        false
    })
}

fn decode<H>(
    record: &[u8],
    types: &[RecordType; 3],
    read: impl Fn(&mut Reader<'_>) -> Result<H, At>,
    mut keep: impl FnMut((SeriesRef, i64, i64), H) -> bool,
) -> Result<u64, At> {
    let (found, mut reader) = open(record, types)?;
    let mut left_out = 0;
    if reader.is_empty() {
        return Ok(left_out);
    }
    if types.last() == Some(&found) {
        let mut base = BaseV2::default();
        while !reader.is_empty() {
            let entry = base.next(&mut reader)?;
            left_out += u64::from(!keep(entry, read(&mut reader)?));
        }
        return Ok(left_out);
    }
    let base = Base::read(&mut reader)?;
    while !reader.is_empty() {
        let (series, timestamp) = base.next(&mut reader)?;
        left_out += u64::from(!keep((series, 0, timestamp), read(&mut reader)?));
    }
    Ok(left_out)
}

fn put_histogram(histogram: &Histogram, to: &mut Vec<u8>) {
    to.push(hint_byte(histogram.counter_reset_hint));
    put_varint(to, histogram.schema.into());
    put_u64(to, histogram.zero_threshold.to_bits());
    put_uvarint(to, histogram.zero_count);
    put_uvarint(to, histogram.count);
    put_u64(to, histogram.sum.to_bits());
    put_spans(to, &histogram.positive_spans);
    put_spans(to, &histogram.negative_spans);
    for buckets in [&histogram.positive_buckets, &histogram.negative_buckets] {
        put_uvarint(to, buckets.len() as u64);
        buckets.iter().for_each(|bucket| put_varint(to, *bucket));
    }
    if histogram.uses_custom_buckets() {
        put_floats(to, &histogram.custom_values);
    }
}

fn put_float_histogram(histogram: &FloatHistogram, to: &mut Vec<u8>) {
    to.push(hint_byte(histogram.counter_reset_hint));
    put_varint(to, histogram.schema.into());
    for value in [histogram.zero_threshold, histogram.zero_count, histogram.count, histogram.sum] {
        put_u64(to, value.to_bits());
    }
    put_spans(to, &histogram.positive_spans);
    put_spans(to, &histogram.negative_spans);
    put_floats(to, &histogram.positive_buckets);
    put_floats(to, &histogram.negative_buckets);
    if histogram.uses_custom_buckets() {
        put_floats(to, &histogram.custom_values);
    }
}

fn put_spans(to: &mut Vec<u8>, spans: &[Span]) {
    put_uvarint(to, spans.len() as u64);
    for span in spans {
        put_varint(to, span.offset.into());
        put_uvarint(to, span.length.into());
    }
}

fn put_floats(to: &mut Vec<u8>, values: &[f64]) {
    put_uvarint(to, values.len() as u64);
    values.iter().for_each(|value| put_u64(to, value.to_bits()));
}

fn histogram(reader: &mut Reader<'_>) -> Result<Histogram, At> {
    let mut histogram = Histogram {
        counter_reset_hint: hint(reader)?,
        schema: schema(reader)?,
        zero_threshold: float(reader)?,
        zero_count: reader.uvarint()?,
        count: reader.uvarint()?,
        sum: float(reader)?,
        positive_spans: list(reader, span)?,
        negative_spans: list(reader, span)?,
        positive_buckets: list(reader, Reader::varint)?,
        negative_buckets: list(reader, Reader::varint)?,
        custom_values: Vec::new(),
    };
    if histogram.uses_custom_buckets() {
        histogram.custom_values = list(reader, float)?;
    }
    Ok(histogram)
}

fn float_histogram(reader: &mut Reader<'_>) -> Result<FloatHistogram, At> {
    let mut histogram = FloatHistogram {
        counter_reset_hint: hint(reader)?,
        schema: schema(reader)?,
        zero_threshold: float(reader)?,
        zero_count: float(reader)?,
        count: float(reader)?,
        sum: float(reader)?,
        positive_spans: list(reader, span)?,
        negative_spans: list(reader, span)?,
        positive_buckets: list(reader, float)?,
        negative_buckets: list(reader, float)?,
        custom_values: Vec::new(),
    };
    if histogram.uses_custom_buckets() {
        histogram.custom_values = list(reader, float)?;
    }
    Ok(histogram)
}

const fn hint_byte(hint: CounterResetHint) -> u8 {
    match hint {
        CounterResetHint::Unknown => 0,
        CounterResetHint::CounterReset => 1,
        CounterResetHint::NotCounterReset => 2,
        CounterResetHint::Gauge => 3,
    }
}

fn hint(reader: &mut Reader<'_>) -> Result<CounterResetHint, At> {
    let at = reader.fault(Fault::Rule("an unknown counter reset hint"));
    Ok(match reader.u8()? {
        0 => CounterResetHint::Unknown,
        1 => CounterResetHint::CounterReset,
        2 => CounterResetHint::NotCounterReset,
        3 => CounterResetHint::Gauge,
        _ => return Err(at),
    })
}

fn schema(reader: &mut Reader<'_>) -> Result<i32, At> {
    let at = reader.fault(Fault::Rule("a schema outside 32 bits"));
    i32::try_from(reader.varint()?).map_err(|_| at)
}

fn float(reader: &mut Reader<'_>) -> Result<f64, At> {
    Ok(f64::from_bits(reader.u64()?))
}

fn span(reader: &mut Reader<'_>) -> Result<Span, At> {
    let at = reader.fault(Fault::Rule("a span outside 32 bits"));
    let (offset, length) = (reader.varint()?, reader.uvarint()?);
    match (i32::try_from(offset), u32::try_from(length)) {
        (Ok(offset), Ok(length)) => Ok(Span { offset, length }),
        _ => Err(at),
    }
}

/// As many values as the count before them says; each takes a byte at least, so the count cannot ask for more than is left.
fn list<'a, T>(
    reader: &mut Reader<'a>,
    read: impl Fn(&mut Reader<'a>) -> Result<T, At>,
) -> Result<Vec<T>, At> {
    let at = reader.fault(Fault::Short { missing: 0 });
    let (count, left) = (reader.uvarint()?, reader.len() as u64);
    if count > left {
        return Err(At { fault: Fault::Short { missing: count - left }, ..at });
    }
    // Values are larger in memory than on disk; the list grows as they really come.
    let mut values = Vec::with_capacity(count.min(64) as usize);
    for _ in 0..count {
        values.push(read(reader)?);
    }
    Ok(values)
}
