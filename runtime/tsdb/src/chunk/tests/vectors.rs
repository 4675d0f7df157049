//! What Prometheus 3.14 makes of series of samples: our appenders cut and write the same chunks, our decoders read the same
//! samples out of them. `testdata/PROVENANCE` tells how the file was made.
#![expect(clippy::disallowed_methods, reason = "the file lies beside the sources")]

use prom_model::{CounterResetHint, FloatHistogram, Histogram, Span};
use serde::Deserialize;

use crate::chunk::*;

#[derive(Deserialize)]
struct Series {
    kind: String,
    #[serde(rename = "in")]
    samples: Vec<Sample>,
    chunks: Vec<Chunk>,
}

#[derive(Deserialize)]
struct Chunk {
    enc: u8,
    hex: String,
    n: usize,
    out: Vec<Sample>,
}

#[derive(Deserialize)]
struct Sample {
    st: i64,
    t: i64,
    /// The bits of a float sample.
    v: Option<String>,
    h: Option<Fields>,
}

/// A histogram; floats as their bits in hexadecimal.
#[derive(Deserialize)]
struct Fields {
    hint: u8,
    schema: i32,
    zt: String,
    zc: String,
    count: String,
    sum: String,
    ps: Vec<(i32, u32)>,
    ns: Vec<(i32, u32)>,
    pb: Vec<String>,
    nb: Vec<String>,
    custom: Vec<String>,
}

fn float(text: &str) -> f64 {
    f64::from_bits(u64::from_str_radix(text, 16).unwrap())
}

fn spans(pairs: &[(i32, u32)]) -> Vec<Span> {
    pairs.iter().map(|(offset, length)| Span { offset: *offset, length: *length }).collect()
}

impl Fields {
    fn hint(&self) -> CounterResetHint {
        match self.hint {
            0 => CounterResetHint::Unknown,
            1 => CounterResetHint::CounterReset,
            2 => CounterResetHint::NotCounterReset,
            _ => CounterResetHint::Gauge,
        }
    }

    fn whole(&self) -> Histogram {
        let whole = |texts: &[String]| texts.iter().map(|text| text.parse().unwrap()).collect();
        Histogram {
            counter_reset_hint: self.hint(),
            schema: self.schema,
            zero_threshold: float(&self.zt),
            zero_count: self.zc.parse().unwrap(),
            count: self.count.parse().unwrap(),
            sum: float(&self.sum),
            positive_spans: spans(&self.ps),
            negative_spans: spans(&self.ns),
            positive_buckets: whole(&self.pb),
            negative_buckets: whole(&self.nb),
            custom_values: self.custom.iter().map(|text| float(text)).collect(),
        }
    }

    fn floats(&self) -> FloatHistogram {
        let floats = |texts: &[String]| texts.iter().map(|text| float(text)).collect();
        FloatHistogram {
            counter_reset_hint: self.hint(),
            schema: self.schema,
            zero_threshold: float(&self.zt),
            zero_count: float(&self.zc),
            count: float(&self.count),
            sum: float(&self.sum),
            positive_spans: spans(&self.ps),
            negative_spans: spans(&self.ns),
            positive_buckets: floats(&self.pb),
            negative_buckets: floats(&self.nb),
            custom_values: floats(&self.custom),
        }
    }
}

/// The chunks that an appender makes of samples.
fn append<A: Clone, S>(
    samples: &[(i64, S)],
    begin: impl Fn(i64, &S) -> A,
    append: impl Fn(&mut A, i64, &S) -> Appended<A>,
    bytes: impl Fn(&A) -> Vec<u8>,
) -> Vec<Vec<u8>> {
    let mut finished = Vec::new();
    let mut open: Option<A> = None;
    for (timestamp, sample) in samples {
        match open.as_mut() {
            None => open = Some(begin(*timestamp, sample)),
            Some(appender) => {
                if let Appended::Cut(next) = append(appender, *timestamp, sample) {
                    finished.push(bytes(appender));
                    *appender = *next;
                }
            }
        }
    }
    finished.extend(open.as_ref().map(bytes));
    finished
}

/// The chunks that we make of the samples; `None` for encodings that are only read.
fn written(series: &Series) -> Option<Vec<Vec<u8>>> {
    let samples = &series.samples;
    match Encoding::from_u8(series.chunks[0].enc).unwrap() {
        Encoding::Xor => {
            let mut appender = XorAppender::new();
            for sample in samples {
                assert!(appender.append(sample.t, float(sample.v.as_ref().unwrap())));
            }
            Some(vec![appender.into_bytes()])
        }
        Encoding::Histogram => {
            let samples: Vec<_> = samples.iter().map(|s| (s.t, s.h.as_ref().unwrap().whole())).collect();
            Some(append(
                &samples,
                |timestamp, sample| HistogramAppender::begin(None, timestamp, sample),
                HistogramAppender::append,
                |appender| appender.bytes().to_vec(),
            ))
        }
        Encoding::FloatHistogram => {
            let samples: Vec<_> = samples.iter().map(|s| (s.t, s.h.as_ref().unwrap().floats())).collect();
            Some(append(
                &samples,
                |timestamp, sample| FloatHistogramAppender::begin(None, timestamp, sample),
                FloatHistogramAppender::append,
                |appender| appender.bytes().to_vec(),
            ))
        }
        _ => None,
    }
}

fn check_read(kind: &str, chunk: &Chunk, bytes: &[u8]) {
    let encoding = Encoding::from_u8(chunk.enc).unwrap();
    assert_eq!(usize::from(sample_count(encoding, bytes).unwrap()), chunk.n, "{kind}");
    assert_eq!(chunk.out.len(), chunk.n, "{kind}");
    let start_times: Vec<i64> = chunk.out.iter().map(|sample| sample.st).collect();
    let timestamps: Vec<i64> = chunk.out.iter().map(|sample| sample.t).collect();
    let has_start_times =
        |found: &[i64]| found.is_empty() && start_times.iter().all(|st| *st == 0) || found == start_times;
    match encoding {
        Encoding::Xor | Encoding::Xor2 => {
            let mut columns = Columns::default();
            decode_floats(encoding, bytes, Order::Any, &mut columns)
                .unwrap_or_else(|e| panic!("{kind}: {e}"));
            let bits: Vec<u64> = columns.values.iter().map(|value| value.to_bits()).collect();
            let expected: Vec<u64> =
                chunk.out.iter().map(|sample| float(sample.v.as_ref().unwrap()).to_bits()).collect();
            assert_eq!((&columns.timestamps, &bits), (&timestamps, &expected), "{kind}");
            assert!(has_start_times(&columns.start_timestamps), "{kind}");
        }
        Encoding::Histogram | Encoding::HistogramSt => {
            let mut columns = HistogramColumns::default();
            decode_histograms(encoding, bytes, Order::Any, &mut columns)
                .unwrap_or_else(|e| panic!("{kind}: {e}"));
            assert_eq!(columns.timestamps, timestamps, "{kind}");
            assert!(has_start_times(&columns.start_timestamps), "{kind}");
            for (at, ((_, found), sample)) in columns.iter().zip(&chunk.out).enumerate() {
                assert_eq!(found, sample.h.as_ref().unwrap().whole(), "{kind}, sample {at}");
            }
        }
        _ => {
            let mut columns = HistogramColumns::default();
            decode_float_histograms(encoding, bytes, Order::Any, &mut columns)
                .unwrap_or_else(|e| panic!("{kind}: {e}"));
            assert_eq!(columns.timestamps, timestamps, "{kind}");
            assert!(has_start_times(&columns.start_timestamps), "{kind}");
            for (at, ((_, found), sample)) in columns.iter().zip(&chunk.out).enumerate() {
                assert_eq!(found, sample.h.as_ref().unwrap().floats(), "{kind}, sample {at}");
            }
        }
    }
}

#[test]
fn the_chunks_of_prometheus_are_read_and_made() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/chunks.jsonl");
    let text = std::fs::read_to_string(path).unwrap();
    let (mut read, mut made) = (0, 0);
    for line in text.lines() {
        let series: Series = serde_json::from_str(line).unwrap();
        let unhex = |text: &str| -> Vec<u8> {
            text.as_bytes()
                .chunks(2)
                .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
                .collect()
        };
        let expected: Vec<Vec<u8>> = series.chunks.iter().map(|chunk| unhex(&chunk.hex)).collect();
        for (chunk, bytes) in series.chunks.iter().zip(&expected) {
            check_read(&series.kind, chunk, bytes);
            read += 1;
        }
        if let Some(ours) = written(&series) {
            assert!(ours == expected, "{}: {} chunks, expected {}", series.kind, ours.len(), expected.len());
            made += ours.len();
        }
    }
    assert!(read > 30 && made > 15, "{read} chunks read, {made} made");
}
