//! Blocks that Prometheus and Thanos wrote read to the digests that were recorded of them, line by line.

use flate2::read::GzDecoder;
use serde_json::Value;
use tsdb::block::{BlockReader, write_digest};
use tsdb::fs::RealFs;

use super::fixtures;

/// The lines of a text, as JSON.
fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
#[expect(clippy::print_stderr, reason = "says how much was compared")]
fn recorded_blocks_read_to_the_recorded_digests() {
    let Some(fixtures) = fixtures::folder("digests of recorded blocks") else { return };
    let (mut blocks, mut blocks_equal, mut series, mut series_equal) = (0u64, 0u64, 0u64, 0u64);
    for (dump, full) in [
        ("raw", false),
        ("raw-full", true),
        ("compacted", false),
        ("compacted-full", true),
        ("dedup", false),
        ("dedup-full", true),
    ] {
        let bucket = fixtures.join(format!("bucket-{}", dump.trim_end_matches("-full")));
        let folder = fixtures.join("dumps").join(dump);
        let summaries = lines(&std::fs::read_to_string(folder.join("SUMMARY.jsonl")).unwrap());
        for summary in &summaries {
            let name = summary["ulid"].as_str().unwrap();
            let block = BlockReader::open(&RealFs, &bucket.join(name)).unwrap();
            let mut found = Vec::new();
            let digest = write_digest(&block, full, &mut found).unwrap();
            let found = lines(std::str::from_utf8(&found).unwrap());
            let file = std::fs::File::open(folder.join(format!("{name}.jsonl.gz"))).unwrap();
            let expected = lines(&std::io::read_to_string(GzDecoder::new(file)).unwrap());
            let equal = found.iter().zip(&expected).filter(|(found, expected)| found == expected).count();
            let differing = found.iter().zip(&expected).find(|(found, expected)| found != expected);
            if let Some((found, expected)) = differing {
                eprintln!("{name}: {found}\n  instead of {expected}");
            }
            let whole = digest.sha256 == summary["sha256_all_series"]
                && digest.series == summary["series"]
                && digest.chunks == summary["chunks"]
                && found.len() == expected.len()
                && equal == expected.len();
            blocks += 1;
            blocks_equal += u64::from(whole);
            series += expected.len() as u64;
            series_equal += equal as u64;
        }
    }
    eprintln!("recorded blocks equal: {blocks_equal}/{blocks}, lines equal: {series_equal}/{series}");
    assert!(blocks > 0 && blocks == blocks_equal && series == series_equal);
}
