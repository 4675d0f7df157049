//! Records come back as they went in, and random bytes are refused or read, never worse.

use prom_model::{CounterResetHint, FloatHistogram, Histogram, STALE_NAN, Span};
use proptest::prelude::*;

use super::*;

fn histogram(custom: bool) -> Histogram {
    Histogram {
        counter_reset_hint: CounterResetHint::Gauge,
        schema: if custom { -53 } else { 3 },
        zero_threshold: 1e-9,
        zero_count: 2,
        count: 300,
        sum: -0.0,
        positive_spans: vec![Span { offset: -3, length: 2 }, Span { offset: 1, length: 1 }],
        negative_spans: vec![],
        positive_buckets: vec![5, -2, 7],
        negative_buckets: vec![],
        custom_values: if custom { vec![0.5, 1.0] } else { vec![] },
    }
}

#[test]
fn histograms_come_back_by_kind_of_bucket() {
    let sample = |series, timestamp, custom| RefHistogram {
        series: SeriesRef(series),
        start: 0,
        timestamp,
        histogram: histogram(custom),
    };
    let samples = [sample(7, -5, true), sample(9, 1000, false), sample(1, i64::MAX, true)];
    let mut records = Vec::new();
    encode_histograms(&samples, &mut records);
    let types: Vec<_> = records.iter().map(|record| RecordType::of(record).unwrap()).collect();
    assert_eq!(types, [RecordType::Histograms, RecordType::CustomHistograms]);
    let mut read = Vec::new();
    for record in &records {
        assert_eq!(decode_histograms(record, &mut read), Ok(0));
    }
    assert_eq!(read, [samples[1].clone(), samples[0].clone(), samples[2].clone()]);

    let floats: Vec<RefFloatHistogram> = samples
        .iter()
        .map(|sample| RefFloatHistogram {
            series: sample.series,
            start: 0,
            timestamp: sample.timestamp,
            histogram: FloatHistogram { sum: STALE_NAN, ..sample.histogram.to_float() },
        })
        .collect();
    let (mut records, mut read) = (Vec::new(), Vec::new());
    encode_float_histograms(&floats, &mut records);
    for record in &records {
        decode_float_histograms(record, &mut read).unwrap();
    }
    assert_eq!(read, [floats[1].clone(), floats[0].clone(), floats[2].clone()]);
}

#[test]
fn samples_with_start_timestamps_are_read() {
    // Two samples of series 5, one of series 6: start 1000, the same again, none.
    let mut record = vec![11];
    for value in [5i64, 2000, 1000] {
        crate::encoding::put_varint(&mut record, value);
    }
    record.extend_from_slice(&1.5f64.to_be_bytes());
    record.extend_from_slice(&[0, 30, 1]);
    record.extend_from_slice(&2.5f64.to_be_bytes());
    record.extend_from_slice(&[2, 0, 0]);
    record.extend_from_slice(&3.5f64.to_be_bytes());
    record.extend_from_slice(&[0, 32, 2, 4]);
    record.extend_from_slice(&4.5f64.to_be_bytes());
    let mut samples = Vec::new();
    decode_samples(&record, &mut samples).unwrap();
    let sample =
        |series, start, timestamp, value| RefSample { series: SeriesRef(series), start, timestamp, value };
    let expected = [
        sample(5, 1000, 2000, 1.5),
        sample(5, 1000, 2015, 2.5),
        sample(6, 0, 2000, 3.5),
        sample(6, 1002, 2016, 4.5),
    ];
    assert_eq!(samples, expected);
}

#[test]
fn text_and_markers_come_back() {
    let series = [
        RefSeries { series: SeriesRef(1), labels: vec![("__name__", "up"), ("温度", "a\"b")] },
        RefSeries { series: SeriesRef(u64::MAX), labels: vec![] },
    ];
    let (mut record, mut read) = (Vec::new(), Vec::new());
    encode_series(&series, &mut record);
    decode_series(&record, &mut read).unwrap();
    assert_eq!(read, series);

    let exemplars = [RefExemplar {
        series: SeriesRef(3),
        timestamp: -1,
        value: f64::INFINITY,
        labels: vec![("trace_id", "abc")],
    }];
    let (mut record, mut read) = (Vec::new(), Vec::new());
    encode_exemplars(&exemplars, &mut record);
    decode_exemplars(&record, &mut read).unwrap();
    assert_eq!(read, exemplars);

    let metadata = [RefMetadata {
        series: SeriesRef(300),
        kind: MetricType::GaugeHistogram,
        unit: "s",
        help: "how\nlong",
    }];
    let (mut record, mut read) = (Vec::new(), Vec::new());
    encode_metadata(&metadata, &mut record);
    decode_metadata(&record, &mut read).unwrap();
    assert_eq!(read, metadata);

    let stones = [Tombstone { series: SeriesRef(4), min_time: i64::MIN, max_time: i64::MAX }];
    let (mut record, mut read) = (Vec::new(), Vec::new());
    encode_tombstones(&stones, &mut record);
    decode_tombstones(&record, &mut read).unwrap();
    assert_eq!(read, stones);

    let marks = [ChunkMark { series: SeriesRef(4), chunk: 5 << 32 | 8 }];
    let (mut record, mut read) = (Vec::new(), Vec::new());
    encode_chunk_marks(&marks, &mut record);
    decode_chunk_marks(&record, &mut read).unwrap();
    assert_eq!(read, marks);
}

#[test]
fn a_count_beyond_the_record_is_damage_not_memory() {
    let mut record = vec![1];
    record.extend_from_slice(&7u64.to_be_bytes());
    crate::encoding::put_uvarint(&mut record, u64::MAX);
    assert!(decode_series(&record, &mut Vec::new()).is_err());
}

fn samples() -> impl Strategy<Value = Vec<RefSample>> {
    let sample = (any::<u64>(), any::<i64>(), any::<u64>()).prop_map(|(series, timestamp, bits)| RefSample {
        series: SeriesRef(series),
        start: 0,
        timestamp,
        value: f64::from_bits(bits),
    });
    proptest::collection::vec(sample, 0..20)
}

proptest! {
    #[test]
    fn samples_come_back_to_the_bit(samples in samples()) {
        let (mut record, mut read) = (Vec::new(), Vec::new());
        encode_samples(&samples, &mut record);
        decode_samples(&record, &mut read).unwrap();
        prop_assert_eq!(read, samples);
    }

    #[test]
    fn any_bytes_are_records_or_damage(mut bytes in proptest::collection::vec(any::<u8>(), 1..200), kind in 0u8..16) {
        bytes[0] = kind;
        let _ = decode_series(&bytes, &mut Vec::new());
        let _ = decode_samples(&bytes, &mut Vec::new());
        let _ = decode_histograms(&bytes, &mut Vec::new());
        let _ = decode_float_histograms(&bytes, &mut Vec::new());
        let _ = decode_exemplars(&bytes, &mut Vec::new());
        let _ = decode_metadata(&bytes, &mut Vec::new());
        let _ = decode_tombstones(&bytes, &mut Vec::new());
        let _ = decode_chunk_marks(&bytes, &mut Vec::new());
        let _ = decode_min_valid_time(&bytes);
    }
}
