//! `tools bucket verify`: every damaged block is found for the right reason, no good one is, and each concerns itself alone.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{Bucket, METAS, copy, fixtures, run, three_blocks};

/// All findings of each block.
fn findings(run: &super::Run) -> BTreeMap<String, Vec<String>> {
    let report: Value =
        serde_json::from_str(&run.out).unwrap_or_else(|error| panic!("{error}: {}{}", run.out, run.err));
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for finding in report["findings"].as_array().unwrap() {
        let text = |key: &str| finding[key].as_str().unwrap().to_owned();
        assert!(!text("detail").is_empty());
        found.entry(text("block")).or_default().push(text("code"));
    }
    found
}

fn folders(parent: &Path) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = fs::read_dir(parent)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    folders
}

/// Puts a copy of a block into the bucket; the external label keeps it in a group of its own.
fn put(bucket: &Bucket, from: &Path, id: &str, label: (&str, &str)) {
    let to = bucket.path().join(id);
    assert!(!to.exists(), "{id}");
    copy(from, &to);
    let Ok(bytes) = fs::read(to.join("meta.json")) else { return };
    let Ok(mut meta) = serde_json::from_slice::<Value>(&bytes) else { return };
    let own = from.file_name().unwrap().to_str().unwrap();
    if meta["ulid"] == own {
        meta["ulid"] = id.into();
    }
    if let Some(labels) = meta["thanos"]["labels"].as_object_mut().filter(|labels| !labels.is_empty()) {
        labels.insert(label.0.to_owned(), label.1.into());
        fs::write(to.join("meta.json"), serde_json::to_vec(&meta).unwrap()).unwrap();
    }
}

/// What is wrong with each damaged block; of two blocks of one case, what is wrong with either.
const CASES: [(&str, &[&str]); 79] = [
    ("00-base", &[]),
    ("bucket-duplicated-compaction", &["duplicated-compaction", "overlap", "overlap"]),
    ("bucket-overlapping-blocks", &["overlap", "overlap"]),
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
    ("deletion-mark-garbage", &["mark-unreadable"]),
    ("deletion-mark-version-9", &["mark-version"]),
    ("empty-block", &["empty-block"]),
    ("empty-directory", &["meta-missing"]),
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
    ("meta-empty-file", &["meta-unreadable"]),
    ("meta-empty-thanos-labels", &["meta-no-labels"]),
    ("meta-files-size-mismatch", &["file-size"]),
    ("meta-garbage", &["meta-unreadable"]),
    ("meta-mint-after-maxt", &["meta-time-range"]),
    ("meta-missing", &["meta-missing"]),
    ("meta-negative-level", &["meta-level"]),
    ("meta-no-thanos-section", &["meta-no-thanos"]),
    ("meta-thanos-version-9", &["meta-thanos-version"]),
    ("meta-truncated", &["meta-unreadable"]),
    ("meta-unknown-fields", &[]),
    ("meta-version-2", &["meta-version"]),
    ("meta-wrong-stats", &["meta-stats"]),
    ("meta-wrong-ulid", &["meta-wrong-id"]),
    ("no-compact-mark-garbage", &["mark-unreadable"]),
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
fn every_damaged_block_among_two_hundred_good_ones_is_found_for_the_right_reason() {
    let Some(fixtures) = fixtures() else { return };
    let bucket = Bucket::new();
    let good: Vec<PathBuf> = ["bucket-raw", "bucket-compacted", "bucket-dedup", "corrupt-blocks-neighbours"]
        .iter()
        .flat_map(|name| folders(&fixtures.join(name)))
        .collect();
    for (number, from) in good.iter().cycle().take(200).enumerate() {
        put(&bucket, from, &format!("01JZZZZZZZ{number:016}"), ("copy", &number.to_string()));
    }
    let mut case_of = BTreeMap::new();
    for case in folders(&fixtures.join("corrupt-blocks")) {
        let name = case.file_name().unwrap().to_str().unwrap().to_owned();
        for from in folders(&case) {
            let id = from.file_name().unwrap().to_str().unwrap();
            put(&bucket, &from, id, ("case", &name));
            case_of.insert(id.to_owned(), name.clone());
        }
    }
    assert_eq!(case_of.len(), 81);
    let before = bucket.snapshot();
    let run = bucket.run(&["verify", "--output=json"]);
    assert_eq!(bucket.snapshot(), before, "looking changes nothing");
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (block, codes) in findings(&run) {
        let case = case_of.get(&block).cloned().unwrap_or_else(|| format!("good block {block}"));
        found.entry(case).or_default().extend(codes);
    }
    let mut wrong = Vec::new();
    for (case, want) in CASES {
        let mut codes = found.remove(case).unwrap_or_default();
        codes.sort();
        if codes != want {
            wrong.push(format!("{case}: {codes:?}, expected {want:?}"));
        }
    }
    wrong.extend(found.iter().map(|(block, codes)| format!("{block}: {codes:?} is a false alarm")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(run.code, Some(1));
    // Three cases are fine, and two have two blocks each.
    assert!(run.err.trim_end().ends_with("error: 78 of 281 blocks are bad"), "{}", run.err);
}

#[test]
fn good_buckets_end_with_success() {
    for name in ["bucket-raw", "bucket-compacted", "bucket-dedup"] {
        let Some(bucket) = Bucket::recorded(name) else { return };
        let run = bucket.run(&["verify"]);
        assert_eq!(run.code, Some(0), "{name}: {}{}", run.out, run.err);
        assert!(run.out.ends_with("blocks, nothing found\n"), "{}", run.out);
    }
}

#[test]
fn metadata_marks_and_overlaps_are_judged_without_any_data() {
    let bucket = three_blocks();
    let [first, second, third] = METAS.map(|meta| meta.id);
    let (copy, plain, mark) =
        ("01HK153X010000000000000007", "01HK153X010000000000000008", "01HK153X010000000000000009");
    bucket.write(&format!("{copy}/meta.json"), METAS[0].json().to_string().replacen(first, copy, 1));
    let mut bare = METAS[1].json();
    bare["ulid"] = plain.into();
    bare.as_object_mut().unwrap().remove("thanos");
    bucket.write(&format!("{plain}/meta.json"), bare.to_string());
    bucket.write(
        &format!("{mark}/deletion-mark.json"),
        format!(r#"{{"id":"{first}","version":1,"deletion_time":1}}"#),
    );
    let run = bucket.run(&[
        "verify",
        "-i",
        "metadata",
        "-i",
        "overlapped_blocks",
        "-i",
        "duplicated_compaction",
        "--output=json",
    ]);
    let found = findings(&run);
    let empty = ["index-missing", "segment-missing"];
    let with = |more: &[&str]| {
        let mut all: Vec<String> = empty.iter().chain(more).map(ToString::to_string).collect();
        all.sort();
        all
    };
    let sorted = |id: &str| {
        let mut codes = found[id].clone();
        codes.sort();
        codes
    };
    assert_eq!(sorted(first), with(&["overlap"]));
    assert_eq!(sorted(copy), with(&["overlap", "duplicated-compaction"]));
    assert_eq!((sorted(second), sorted(third)), (with(&[]), with(&[])));
    assert_eq!(sorted(plain), with(&["meta-no-thanos"]));
    assert_eq!(sorted(mark), ["mark-wrong-id", "meta-missing"]);
    // A block that is about to go is nobody's business.
    bucket.write(
        &format!("{copy}/deletion-mark.json"),
        format!(r#"{{"id":"{copy}","version":1,"deletion_time":1}}"#),
    );
    let run = bucket.run(&["verify", "-i", "overlapped_blocks", "--output=json"]);
    assert_eq!((run.code, findings(&run).len()), (Some(0), 0), "{}", run.err);
}

#[test]
fn what_fails_the_command_can_be_chosen_and_a_block_can_be_named() {
    let bucket = three_blocks();
    let first = format!("--id={}", METAS[0].id);
    let overlaps = ["verify", "-i", "overlapped_blocks"];
    assert_eq!(bucket.run(&overlaps).code, Some(0));
    bucket.write(
        "01HK153X010000000000000007/meta.json",
        METAS[0].json().to_string().replacen(METAS[0].id, "01HK153X010000000000000007", 1),
    );
    for (fail_on, code) in [("damage", 0), ("defect", 1), ("note", 1), ("never", 0)] {
        let flag = format!("--fail-on={fail_on}");
        assert_eq!(bucket.run(&[&overlaps[..], &[&flag]].concat()).code, Some(code), "{fail_on}");
    }
    let one = bucket.run(&[&overlaps[..], &[&first]].concat());
    let lines: Vec<&str> = one.out.lines().collect();
    assert_eq!(lines.len(), 2, "{}", one.out);
    assert!(
        lines[0].starts_with(
            "01HK153X010000000000000001  defect  overlap  [1704067200000, 1704074400000) of group 0@"
        ),
        "{}",
        lines[0]
    );
    assert_eq!(lines[1], "1 of 1 blocks with findings: 0 damaged, 1 with defects, 0 with notes only");
    assert!(one.err.trim_end().ends_with("error: 1 of 1 blocks is bad"), "{}", one.err);
    let absent = bucket.run(&["verify", "--id=01HK153X01000000000000000Z"]);
    assert!(
        absent.code == Some(1) && absent.err.contains("there is no block 01HK153X01000000000000000Z"),
        "{}",
        absent.err
    );
    assert_eq!(bucket.run(&["verify", "--issues=everything"]).code, Some(2));
    let repair = bucket.run(&["verify", "--repair"]);
    assert!(repair.code == Some(1) && repair.err.contains("--objstore-backup.config-file"), "{}", repair.err);
    let no_bucket = run(&["tools", "bucket", "verify"]);
    assert_eq!(no_bucket.code, Some(1));
}
