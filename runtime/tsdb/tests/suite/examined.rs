//! Examination: nothing is wrong with good blocks, and of each damaged one it is told what is.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use tsdb::block::{BlockFiles, BlockMeta, Examination, examine};
use tsdb::stored::StoredFile;

use super::fixtures;

fn stored(folder: &Path, name: &str) -> Option<StoredFile> {
    let bytes = fs::read(folder.join(name)).ok()?;
    Some(StoredFile::new(name, Arc::new(Bytes::from(bytes))))
}

pub(super) fn files(folder: &Path) -> BlockFiles {
    let mut segments: Vec<String> = fs::read_dir(folder.join("chunks"))
        .into_iter()
        .flatten()
        .map(|entry| format!("chunks/{}", entry.unwrap().file_name().to_str().unwrap()))
        .filter(|name| name.len() == "chunks/000001".len())
        .collect();
    segments.sort();
    BlockFiles {
        index: stored(folder, "index"),
        segments: segments.iter().filter_map(|name| stored(folder, name)).collect(),
        tombstones: stored(folder, "tombstones"),
    }
}

fn codes(found: &Examination) -> Vec<&'static str> {
    let mut codes: Vec<_> = found.problems.iter().map(|problem| problem.kind.code()).collect();
    codes.sort_unstable();
    codes
}

#[test]
fn nothing_is_wrong_with_good_blocks() {
    let Some(fixtures) = fixtures::folder("the examination of good blocks") else { return };
    for folder in fixtures::good_blocks(&fixtures) {
        let meta: BlockMeta = serde_json::from_slice(&fs::read(folder.join("meta.json")).unwrap()).unwrap();
        let found = examine(&files(&folder), meta.min_time, meta.max_time);
        assert!(found.problems.is_empty(), "{}: {:?}", folder.display(), found.problems);
        let stats = (meta.stats.num_series, meta.stats.num_chunks, meta.stats.num_samples);
        assert_eq!(
            (found.counts.series, found.counts.chunks, found.counts.samples),
            stats,
            "{}",
            folder.display()
        );
    }
}

/// Cases in which index, chunks and tombstones are good, and who says what is wrong with the rest.
const GOOD: [(&str, &str); 21] = [
    ("00-base", "nothing is wrong with it"),
    ("bucket-duplicated-compaction", "of the bucket: two blocks of the same sources"),
    ("bucket-overlapping-blocks", "of the bucket: two blocks of the same time"),
    ("deletion-mark-garbage", "of the mark"),
    ("deletion-mark-version-9", "of the mark"),
    ("empty-block", "a block without series is legal"),
    ("meta-empty-file", "of meta.json"),
    ("meta-empty-thanos-labels", "of meta.json, in a bucket"),
    ("meta-files-size-mismatch", "of meta.json against the list of objects"),
    ("meta-garbage", "of meta.json"),
    ("meta-mint-after-maxt", "of meta.json: its range is none; repaired from the samples"),
    ("meta-missing", "of meta.json"),
    ("meta-negative-level", "of meta.json; repaired"),
    ("meta-no-thanos-section", "legal: a block of a plain Prometheus"),
    ("meta-thanos-version-9", "of meta.json, in a bucket"),
    ("meta-truncated", "of meta.json"),
    ("meta-unknown-fields", "legal: unknown fields are kept"),
    ("meta-version-2", "of meta.json"),
    ("meta-wrong-stats", "of meta.json against what was counted; repaired"),
    ("meta-wrong-ulid", "of meta.json against the folder"),
    ("no-compact-mark-garbage", "of the mark"),
];

/// What is wrong with the index, the chunks and the tombstones of each damaged block.
const DAMAGE: [(&str, &[&str]); 58] = [
    ("chunk-meta-time-mismatch", &["chunk-time-range"]),
    ("chunk-out-of-block-range", &["chunk-outside-block"]),
    ("chunk-ref-misaligned", &["chunk-checksum"]),
    ("chunk-ref-missing-segment", &["segment-missing"]),
    ("chunk-ref-out-of-range", &["chunk-unreadable"]),
    ("chunks-bad-magic", &["segment-header"]),
    ("chunks-bad-version", &["segment-header"]),
    ("chunks-crc-wrong", &["chunk-checksum"]),
    ("chunks-data-flipped", &["chunk-checksum"]),
    ("chunks-dir-missing", &["segment-missing"]),
    ("chunks-duplicated", &["chunk-duplicate"]),
    ("chunks-huge-length", &["chunk-unreadable"]),
    ("chunks-huge-sample-count", &["chunk-data"]),
    ("chunks-out-of-order", &["chunk-order"]),
    ("chunks-overlapping", &["chunk-overlap"]),
    ("chunks-segment-header-only", &["chunk-unreadable"]),
    ("chunks-segment-missing", &["segment-missing"]),
    ("chunks-segment-truncated", &["chunk-unreadable"]),
    ("chunks-segment-zero-length", &["segment-header"]),
    ("chunks-unknown-encoding", &["chunk-encoding"]),
    ("chunks-wrong-encoding", &["chunk-data"]),
    ("empty-directory", &["index-missing"]),
    ("index-bad-magic", &["index-header"]),
    ("index-bad-version", &["index-header"]),
    ("index-cut-by-one-byte", &["index-toc"]),
    ("index-missing", &["index-missing"]),
    ("index-postings-bad-ref", &["index-postings"]),
    ("index-postings-flipped", &["index-postings"]),
    ("index-postings-huge-count", &["index-postings"]),
    ("index-postings-missing-series", &["index-postings"]),
    ("index-postings-table-flipped", &["index-postings-table"]),
    ("index-postings-table-huge-count", &["index-postings-table"]),
    ("index-postings-unsorted", &["index-postings"]),
    ("index-series-flipped", &["index-series"]),
    ("index-series-huge-length", &["index-series"]),
    ("index-series-symbol-out-of-range", &["index-series"]),
    ("index-series-too-many-labels", &["index-series"]),
    ("index-symbols-flipped", &["index-symbols"]),
    ("index-symbols-huge-count", &["index-symbols"]),
    ("index-symbols-huge-length", &["index-symbols"]),
    ("index-toc-flipped", &["index-toc"]),
    ("index-toc-offset-out-of-range", &["index-toc"]),
    ("index-toc-postings-table-out-of-range", &["index-toc"]),
    ("index-trailing-garbage", &["index-toc"]),
    ("index-truncated", &["index-toc"]),
    ("index-zero-length", &["index-header"]),
    ("samples-out-of-order-in-chunk", &["chunk-sample-order"]),
    ("series-duplicate-label-name", &["series-labels"]),
    ("series-duplicate-series", &["series-duplicate"]),
    ("series-empty-label-value", &["series-labels"]),
    ("series-invalid-utf8", &["series-utf8"]),
    ("series-no-chunks", &["series-no-chunks"]),
    ("series-no-labels", &["series-no-labels"]),
    ("series-unsorted", &["series-order"]),
    ("series-unsorted-labels", &["series-labels"]),
    ("series-without-metric-name", &["series-no-name"]),
    ("tombstones-bad-crc", &["tombstones"]),
    ("tombstones-bad-magic", &["tombstones"]),
];

#[test]
fn of_each_damaged_block_it_is_told_what_is_wrong() {
    let Some(fixtures) = fixtures::folder("the examination of damaged blocks") else { return };
    let mut problems = Vec::new();
    let cases = fixtures::folders(&fixtures.join("corrupt-blocks"));
    assert_eq!(cases.len(), DAMAGE.len() + GOOD.len());
    for case in cases {
        let name = case.file_name().unwrap().to_str().unwrap();
        for folder in fixtures::folders(&case) {
            let (min_time, max_time) = (1_704_067_200_000, 1_704_074_400_000);
            let found = examine(&files(&folder), min_time, max_time);
            let expected = DAMAGE.iter().find(|(damaged, _)| *damaged == name).map(|(_, codes)| *codes);
            let good = GOOD.iter().any(|(good, _)| *good == name).then_some(&[][..]);
            let expected = expected.or(good).unwrap_or_else(|| panic!("no verdict about {name}"));
            if codes(&found) != expected {
                problems.push(format!(
                    "{name}: {:?}, expected {expected:?}\n   {:?}",
                    codes(&found),
                    found.problems
                ));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
