//! The recorded compactors' work done again: every compaction that their logs name, from the same blocks in the same order.
//!
//! The files are not part of the repository: `PRONOIA_SHARED` names a folder that has them in `fixtures/`.
#![expect(clippy::disallowed_methods, reason = "recordings are files")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use compact::Target;
use compact::merge::{Overlaps, merge};
use flate2::read::GzDecoder;
use serde_json::Value;
use tsdb::BlockId;
use tsdb::block::{BlockMeta, BlockReader, write_digest};
use tsdb::fs::RealFs;

/// A compaction, as the log names it.
struct Step {
    new: String,
    sources: Vec<String>,
    times: (i64, i64),
}

fn unpacked(path: &Path) -> String {
    let file = std::fs::File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    std::io::read_to_string(GzDecoder::new(file)).unwrap()
}

/// What stands behind `key=` up to `end`.
fn field<'t>(line: &'t str, key: &str, end: char) -> &'t str {
    let start = line.find(key).unwrap_or_else(|| panic!("{key} in {line}")) + key.len();
    line[start..].split(end).next().unwrap()
}

fn steps(log: &str) -> Vec<Step> {
    let lines = log.lines().filter(|line| line.contains("msg=\"compact blocks\""));
    let step = |line: &str| Step {
        new: field(line, " ulid=", ' ').to_owned(),
        sources: field(line, " sources=\"[", ']').split(' ').map(str::to_owned).collect(),
        times: (field(line, " mint=", ' ').parse().unwrap(), field(line, " maxt=", ' ').parse().unwrap()),
    };
    lines.map(step).collect()
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Merges what the log names; the folder has all new blocks.
fn replay(fixtures: &Path, log: &str, overlaps: Overlaps) -> (tempfile::TempDir, BTreeSet<String>) {
    let folder = tempfile::tempdir().unwrap();
    let mut made = BTreeSet::new();
    for step in steps(&unpacked(&fixtures.join("logs").join(log))) {
        let place = |id: &String| -> PathBuf {
            if made.contains(id) { folder.path().join(id) } else { fixtures.join("bucket-raw").join(id) }
        };
        let open = |id: &String| BlockReader::open(&RealFs, &place(id)).unwrap();
        let sources: Vec<BlockReader> = step.sources.iter().map(open).collect();
        let id: BlockId = step.new.parse().unwrap();
        let target = Target { fs: Arc::new(RealFs), parent: folder.path(), id, memory_bytes: 64 << 20 };
        let meta = BlockMeta::new(id, step.times.0, step.times.1);
        let merged = merge(&sources, overlaps, &target, meta).unwrap();
        merged.samples.balance().unwrap();
        assert!(merged.block.is_some());
        made.insert(step.new);
    }
    (folder, made)
}

#[expect(clippy::print_stderr, reason = "the figures are what a run is for")]
fn compare(fixtures: &Path, dump: &str, overlaps: Overlaps) {
    let (folder, made) = replay(fixtures, &format!("thanos-compact-{}.log.gz", log_of(dump)), overlaps);
    let dumps = fixtures.join("dumps").join(dump);
    let bucket = fixtures.join(format!("bucket-{dump}"));
    let (mut blocks, mut equal, mut same_bytes, mut series, mut series_equal) = (0, 0, 0, 0, 0);
    for summary in lines(&std::fs::read_to_string(dumps.join("SUMMARY.jsonl")).unwrap()) {
        let name = summary["ulid"].as_str().unwrap();
        if summary["resolution"] != 0 || !made.contains(name) {
            continue;
        }
        let block = BlockReader::open(&RealFs, &folder.path().join(name)).unwrap();
        let mut found = Vec::new();
        let digest = write_digest(&block, false, &mut found).unwrap();
        let found = lines(std::str::from_utf8(&found).unwrap());
        let expected = lines(&unpacked(&dumps.join(format!("{name}.jsonl.gz"))));
        let differing = found.iter().zip(&expected).filter(|(found, expected)| found != expected);
        for (found, expected) in differing.clone().take(3) {
            eprintln!("{name}: {found}\n  instead of {expected}");
        }
        series += expected.len();
        series_equal += expected.len().min(found.len()) - differing.count();
        blocks += 1;
        equal += usize::from(digest.sha256 == summary["sha256_all_series"] && found == expected);
        let bytes = |folder: &Path, file: &str| std::fs::read(folder.join(name).join(file)).unwrap();
        let same = |file: &str| bytes(folder.path(), file) == bytes(&bucket, file);
        same_bytes += usize::from(same("index") && same("chunks/000001"));
    }
    eprintln!(
        "{dump}: {} compactions done again; blocks equal {equal}/{blocks}, series equal {series_equal}/{series}, \
         index and chunks the same to the last byte {same_bytes}/{blocks}",
        made.len()
    );
    assert!(blocks > 0 && equal == blocks && series_equal == series && same_bytes == blocks);
}

fn log_of(dump: &str) -> &str {
    if dump == "compacted" { "compact" } else { dump }
}

#[expect(clippy::print_stderr, reason = "a suite that is left out must say so")]
fn fixtures() -> Option<PathBuf> {
    let Some(shared) = std::env::var_os("PRONOIA_SHARED") else {
        eprintln!("LEFT OUT: PRONOIA_SHARED is not set, so recorded compactions were not done again");
        return None;
    };
    Some(Path::new(&shared).join("fixtures"))
}

#[test]
fn recorded_compactions_are_done_again() {
    let Some(fixtures) = fixtures() else { return };
    compare(&fixtures, "compacted", Overlaps::OneToOne);
}

#[test]
fn recorded_deduplications_are_done_again() {
    let Some(fixtures) = fixtures() else { return };
    compare(&fixtures, "dedup", Overlaps::Penalty);
}
