//! The decoders agree with the plain ones, on what appenders write and on what is left of it after damage.

use proptest::prelude::*;

use super::random::{floats, histograms};
use super::reference::{Sample, Value, decode};
use super::write;
use crate::chunk::*;

/// What the product's decoders say.
fn fast(encoding: Encoding, bytes: &[u8]) -> Result<Vec<Sample>, ChunkError> {
    let start = |starts: &[i64], at: usize| starts.get(at).copied().unwrap_or_default();
    if encoding.is_float() {
        let mut columns = Columns::default();
        decode_floats(encoding, bytes, Order::Any, &mut columns)?;
        let sample = |(n, (at, value)): (usize, (i64, f64))| Sample {
            at,
            start: start(&columns.start_timestamps, n),
            value: Value::Float(value.to_bits()),
        };
        return Ok(columns.iter().enumerate().map(sample).collect());
    }
    let mut floats = HistogramColumns::<f64>::default();
    decode_float_histograms(encoding, bytes, Order::Any, &mut floats)?;
    if matches!(encoding, Encoding::FloatHistogram | Encoding::FloatHistogramSt) {
        let sample = |(n, (at, histogram))| Sample {
            at,
            start: start(&floats.start_timestamps, n),
            value: Value::Floats(histogram),
        };
        return Ok(floats.iter().enumerate().map(sample).collect());
    }
    let mut whole = HistogramColumns::<u64>::default();
    decode_histograms(encoding, bytes, Order::Any, &mut whole)?;
    assert_eq!(whole.len(), floats.len());
    let sample = |(n, (at, histogram))| Sample {
        at,
        start: start(&whole.start_timestamps, n),
        value: Value::Whole(histogram),
    };
    Ok(whole.iter().enumerate().map(sample).collect())
}

fn check(encoding: Encoding, bytes: &[u8]) -> bool {
    let found = fast(encoding, bytes);
    if let Err(error) = &found {
        assert!(error.at <= bytes.len(), "{error}");
    }
    let is_good = found.is_ok();
    assert_eq!(found.ok(), decode(encoding, bytes), "{encoding} {bytes:02x?}");
    is_good
}

/// The chunk of these samples, by the product where it writes the encoding.
fn chunk(encoding: Encoding, samples: &[Sample]) -> Vec<u8> {
    match encoding {
        Encoding::Xor => {
            let mut appender = XorAppender::new();
            for sample in samples {
                let Value::Float(value) = sample.value else { continue };
                appender.append(sample.at, f64::from_bits(value));
            }
            appender.into_bytes()
        }
        Encoding::Histogram | Encoding::FloatHistogram => {
            let mut bytes = write::chunk(encoding, samples);
            bytes[2] = 0;
            bytes
        }
        _ => write::chunk(encoding, samples),
    }
}

fn without_starts(samples: &[Sample]) -> Vec<Sample> {
    samples.iter().map(|sample| Sample { start: 0, ..sample.clone() }).collect()
}

const ENCODINGS: [Encoding; 6] = [
    Encoding::Xor,
    Encoding::Histogram,
    Encoding::FloatHistogram,
    Encoding::Xor2,
    Encoding::HistogramSt,
    Encoding::FloatHistogramSt,
];

/// An encoding and samples that it can hold.
fn cases() -> impl Strategy<Value = (Encoding, Vec<Sample>)> {
    prop::sample::select(ENCODINGS.as_slice()).prop_flat_map(|encoding| {
        let samples = if encoding.is_float() { floats().boxed() } else { histograms(encoding).boxed() };
        samples.prop_map(move |samples| {
            (encoding, if encoding.has_start_times() { samples } else { without_starts(&samples) })
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn every_encoding_gives_back_its_samples((encoding, samples) in cases()) {
        let bytes = chunk(encoding, &samples);
        prop_assert_eq!(fast(encoding, &bytes), Ok(samples.clone()), "{} {:02x?}", encoding, bytes);
        prop_assert_eq!(decode(encoding, &bytes), Some(samples));
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn damage_never_gives_other_samples_than_a_plain_reader_sees(
        (encoding, samples) in cases(),
        damages in prop::collection::vec(prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..4), 1..4), 4),
    ) {
        let good = chunk(encoding, &samples);
        for damage in damages {
            let mut bytes = good.clone();
            for (at, value, kind) in damage {
                let at = at.index(bytes.len().max(1));
                match kind {
                    0 => bytes.truncate(at),
                    1 => bytes.insert(at.min(bytes.len()), value),
                    _ if at < bytes.len() => bytes[at] ^= if kind == 2 { 1 << (value % 8) } else { value },
                    _ => {}
                }
            }
            check(encoding, &bytes);
        }
    }

    #[test]
    fn noise_is_read_alike(encoding in prop::sample::select(ENCODINGS.as_slice()), noise in prop::collection::vec(any::<u8>(), 0..80), count in 0u8..20) {
        let mut bytes = vec![0, count];
        bytes.extend(noise);
        check(encoding, &bytes);
    }
}
