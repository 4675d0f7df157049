//! Any bytes as a chunk: all samples that its header announces, or an error that lies inside it; never a panic, never more
//! memory than the bytes could fill. What an appender makes of the samples decodes to the same samples.
//!
//! The first byte chooses the encoding; `PRONOIA_FUZZ_ENCODING` (1 to 6, 255) fixes it, so that each gets its share of time.
#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use tsdb::chunk::{
    Columns, Encoding, FloatHistogramAppender, HistogramAppender, HistogramColumns, Order, Scratch, XorAppender,
    decode_float_histograms, decode_floats, decode_histograms, sample_count, summarise,
};

static FIXED: OnceLock<Option<u8>> = OnceLock::new();

fn encoding(first: u8) -> Encoding {
    let fixed = FIXED.get_or_init(|| std::env::var("PRONOIA_FUZZ_ENCODING").ok()?.parse().ok());
    let byte = fixed.unwrap_or(match first % 7 {
        6 => 0xff,
        other => other + 1,
    });
    Encoding::from_u8(byte).expect("1 to 6, or 255")
}

fuzz_target!(|input: &[u8]| {
    let Some((first, bytes)) = input.split_first() else { return };
    let encoding = encoding(*first);
    let mut scratch = Scratch::default();
    if let Err(error) = summarise(encoding, bytes, &mut scratch) {
        assert!(error.at <= bytes.len(), "{error}");
    }
    if encoding.is_float() {
        let mut columns = Columns::default();
        let Ok(decoded) = decode_floats(encoding, bytes, Order::Any, &mut columns) else {
            assert!(columns.is_empty());
            return;
        };
        assert_eq!(decoded.samples, usize::from(sample_count(encoding, bytes).expect("it was decoded")));
        assert_eq!(decoded.samples, columns.len());
        assert_eq!(decoded.samples, columns.values.len());
        let mut appender = XorAppender::new();
        for (timestamp, value) in columns.iter() {
            assert!(appender.append(timestamp, value));
        }
        let mut again = Columns::default();
        decode_floats(Encoding::Xor, appender.bytes(), Order::Any, &mut again).expect("an appender's bytes");
        assert_eq!(columns.timestamps, again.timestamps);
        assert!(columns.values.iter().zip(&again.values).all(|(one, other)| one.to_bits() == other.to_bits()));
    } else if encoding.is_histogram() {
        let mut floats = HistogramColumns::default();
        let decoded = decode_float_histograms(encoding, bytes, Order::Any, &mut floats);
        let mut whole = HistogramColumns::default();
        let whole_decoded = decode_histograms(encoding, bytes, Order::Any, &mut whole);
        if let Ok(decoded) = decoded {
            assert_eq!(decoded.samples, floats.iter().count());
        } else {
            assert!(floats.is_empty() && floats.buckets.is_empty());
        }
        if matches!(encoding, Encoding::Histogram | Encoding::HistogramSt) {
            assert_eq!(decoded, whole_decoded);
        }
        // Bounded: a rewrite of many samples is for the head's own histograms, not for a fuzzer's.
        if encoding == Encoding::Histogram && whole_decoded.is_ok() {
            if let Some(appender) = HistogramAppender::resume(bytes).expect("it was decoded") {
                let mut again = HistogramColumns::default();
                decode_histograms(Encoding::Histogram, appender.bytes(), Order::Any, &mut again).expect("own bytes");
                assert!(whole.iter().eq(again.iter()));
            }
        }
        if encoding == Encoding::FloatHistogram && decoded.is_ok() {
            if let Some(appender) = FloatHistogramAppender::resume(bytes).expect("it was decoded") {
                let mut again = HistogramColumns::default();
                decode_float_histograms(Encoding::FloatHistogram, appender.bytes(), Order::Any, &mut again)
                    .expect("own bytes");
                assert!(floats.iter().eq(again.iter()));
            }
        }
    }
});
