//! Chunks that Prometheus and Thanos wrote: each decodes, and its samples, appended one by one, give the same bytes again.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "recorded blocks lie outside the repository"
)]

use std::collections::BTreeMap;
use std::path::Path;

use crate::chunk::*;
use crate::encoding::{Reader, crc32c};

#[derive(Default, Debug)]
struct Tally {
    chunks: u64,
    samples: u64,
    /// Chunks that an appender makes in the same bytes.
    same: u64,
}

fn again(encoding: Encoding, data: &[u8]) -> Option<Vec<u8>> {
    match encoding {
        Encoding::Xor => Some(XorAppender::resume(data).ok()?.into_bytes()),
        Encoding::Histogram => {
            let mut columns = HistogramColumns::default();
            decode_histograms(encoding, data, Order::Rising, &mut columns).ok()?;
            let mut samples = columns.iter();
            let (timestamp, mut first) = samples.next()?;
            let reset = columns.counter_reset;
            if reset == CounterReset::Reset {
                first.counter_reset_hint = prom_model::CounterResetHint::CounterReset;
            }
            let mut appender = HistogramAppender::begin(None, timestamp, &first);
            for (timestamp, histogram) in samples {
                if matches!(appender.append(timestamp, &histogram), Appended::Cut(_)) {
                    return None;
                }
            }
            let mut bytes = appender.into_bytes();
            *bytes.get_mut(2)? = reset.as_u8();
            assert_eq!(HistogramAppender::resume(data).unwrap().unwrap().bytes(), data);
            Some(bytes)
        }
        Encoding::FloatHistogram => {
            let mut columns = HistogramColumns::default();
            decode_float_histograms(encoding, data, Order::Rising, &mut columns).ok()?;
            let mut samples = columns.iter();
            let (timestamp, first) = samples.next()?;
            let reset = columns.counter_reset;
            let mut appender = FloatHistogramAppender::begin(None, timestamp, &first);
            for (timestamp, histogram) in samples {
                if matches!(appender.append(timestamp, &histogram), Appended::Cut(_)) {
                    return None;
                }
            }
            let mut bytes = appender.into_bytes();
            *bytes.get_mut(2)? = reset.as_u8();
            assert_eq!(FloatHistogramAppender::resume(data).unwrap().unwrap().bytes(), data);
            Some(bytes)
        }
        _ => None,
    }
}

fn visit(
    encoding: Encoding,
    data: &[u8],
    tally: &mut BTreeMap<String, Tally>,
    name: &str,
    scratch: &mut Scratch,
) {
    let summary =
        summarise(encoding, data, scratch).unwrap_or_else(|error| panic!("{name}: {encoding}: {error}"));
    if encoding == Encoding::Aggregate {
        let whole = AggregateChunk::new(data).unwrap();
        let mut builder = AggregateChunkBuilder::new();
        for (aggregate, chunk) in whole.iter() {
            assert!(builder.push(aggregate, chunk.encoding, chunk.data));
            if aggregate != Aggregate::Counter {
                visit(chunk.encoding, chunk.data, tally, name, scratch);
            }
        }
        assert_eq!(builder.into_bytes(), data);
        return;
    }
    let tally = tally.entry(encoding.to_string()).or_default();
    tally.chunks += 1;
    tally.samples += summary.samples;
    tally.same += u64::from(again(encoding, data).is_some_and(|bytes| bytes == data));
}

#[test]
fn recorded_chunks_are_read_and_written_alike() {
    let Some(shared) = std::env::var_os("PRONOIA_SHARED") else {
        eprintln!("LEFT OUT: PRONOIA_SHARED is not set, so recorded chunks were not read");
        return;
    };
    let mut tally = BTreeMap::new();
    let mut scratch = Scratch::default();
    for bucket in ["bucket-raw", "bucket-compacted", "bucket-dedup"] {
        let bucket = Path::new(&shared).join("fixtures").join(bucket);
        for block in std::fs::read_dir(&bucket).unwrap() {
            let Ok(segments) = std::fs::read_dir(block.unwrap().path().join("chunks")) else { continue };
            for segment in segments {
                let path = segment.unwrap().path();
                let bytes = std::fs::read(&path).unwrap();
                let name = path.display().to_string();
                let mut reader = Reader::new(&bytes, 0);
                reader.take(8).unwrap();
                while !reader.is_empty() {
                    let length = reader.uvarint().unwrap() as usize;
                    let framed = reader.take(length + 1).unwrap();
                    assert_eq!(reader.u32().unwrap(), crc32c(framed));
                    let encoding = Encoding::from_u8(framed[0]).unwrap();
                    visit(encoding, &framed[1..], &mut tally, &name, &mut scratch);
                }
            }
        }
    }
    for (encoding, tally) in &tally {
        eprintln!("recorded {encoding}: {tally:?}");
        assert!(tally.same == tally.chunks && tally.chunks > 0, "{encoding}");
    }
}
