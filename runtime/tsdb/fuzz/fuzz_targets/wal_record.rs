//! Any bytes as a record of the write-ahead log: decoded or refused, never a panic, never more memory than the bytes could fill.
//! What was decoded comes back when it is written and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tsdb::wal::record::{
    RecordType, decode_chunk_marks, decode_exemplars, decode_float_histograms, decode_histograms, decode_metadata,
    decode_min_valid_time, decode_samples, decode_series, decode_tombstones, encode_chunk_marks, encode_exemplars,
    encode_float_histograms, encode_histograms, encode_metadata, encode_samples, encode_series, encode_tombstones,
};

/// Reads, writes, reads again.
macro_rules! both_ways {
    ($bytes:expr, $decode:ident, $encode:ident) => {{
        let mut once = Vec::new();
        if $decode($bytes, &mut once).is_ok() {
            let mut record = Vec::new();
            $encode(&once, &mut record);
            let mut again = Vec::new();
            $decode(&record, &mut again).expect("own bytes");
            assert_eq!(once, again);
        }
    }};
}

fuzz_target!(|input: &[u8]| {
    // The first byte chooses the type, so that each gets its share.
    let mut bytes = input.to_vec();
    if let Some(first) = bytes.first_mut() {
        *first %= 16;
    }
    match RecordType::of(&bytes) {
        Some(RecordType::Series) => both_ways!(&bytes, decode_series, encode_series),
        Some(RecordType::Samples) => both_ways!(&bytes, decode_samples, encode_samples),
        Some(RecordType::Tombstones) => both_ways!(&bytes, decode_tombstones, encode_tombstones),
        Some(RecordType::Exemplars) => {
            let mut once = Vec::new();
            if decode_exemplars(&bytes, &mut once).is_ok() {
                let mut record = Vec::new();
                encode_exemplars(&once, &mut record);
                let mut again = Vec::new();
                decode_exemplars(&record, &mut again).expect("own bytes");
                assert_eq!(once.len(), again.len());
            }
        }
        Some(RecordType::ChunkMarks) => both_ways!(&bytes, decode_chunk_marks, encode_chunk_marks),
        Some(RecordType::Metadata) => both_ways!(&bytes, decode_metadata, encode_metadata),
        Some(RecordType::MinValidTime) => {
            let _ = decode_min_valid_time(&bytes);
        }
        Some(RecordType::Histograms | RecordType::CustomHistograms) => {
            let mut once = Vec::new();
            if decode_histograms(&bytes, &mut once).is_ok() {
                let (mut records, mut again) = (Vec::new(), Vec::new());
                encode_histograms(&once, &mut records);
                records.iter().for_each(|record| {
                    decode_histograms(record, &mut again).expect("own bytes");
                });
                assert_eq!(once.len(), again.len());
            }
        }
        Some(RecordType::FloatHistograms | RecordType::CustomFloatHistograms) => {
            let mut once = Vec::new();
            if decode_float_histograms(&bytes, &mut once).is_ok() {
                let (mut records, mut again) = (Vec::new(), Vec::new());
                encode_float_histograms(&once, &mut records);
                records.iter().for_each(|record| {
                    decode_float_histograms(record, &mut again).expect("own bytes");
                });
                assert_eq!(once.len(), again.len());
            }
        }
        Some(RecordType::SamplesV2) => {
            let _ = decode_samples(&bytes, &mut Vec::new());
        }
        Some(RecordType::HistogramsV2) => {
            let _ = decode_histograms(&bytes, &mut Vec::new());
        }
        Some(RecordType::FloatHistogramsV2) => {
            let _ = decode_float_histograms(&bytes, &mut Vec::new());
        }
        _ => {}
    }
});
