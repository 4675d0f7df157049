//! The recorded compactors' work done again: every compaction that their logs name, from the same blocks in the same order.
//!
//! The files are not part of the repository: `PRONOIA_SHARED` names a folder that has them in `fixtures/`.
#![expect(clippy::disallowed_methods, reason = "recordings are files")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use compact::Target;
use compact::merge::{Overlaps, merge};
use flate2::read::GzDecoder;
use serde_json::Value;
use tsdb::BlockId;
use tsdb::block::{BlockFiles, BlockMeta, BlockReader, examine, write_digest};
use tsdb::fs::{Fs, RealFs};
use tsdb::stored::StoredFile;

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

/// The chunks of all series of a block.
fn chunks(block: &BlockReader) -> BTreeMap<String, Vec<(i64, i64, Vec<u8>)>> {
    let mut all: BTreeMap<String, Vec<(i64, i64, Vec<u8>)>> = BTreeMap::new();
    let mut scan = block.scan().unwrap();
    while scan.next_series().unwrap().is_some() {
        let labels = block.index().labels(scan.series()).unwrap().to_string();
        let of_series = all.entry(labels).or_default();
        for at in 0..scan.series().chunks.len() {
            let (meta, stored) = scan.chunk_at(at).unwrap().unwrap();
            of_series.push((meta.min_time, meta.max_time, stored.data.to_vec()));
        }
    }
    all
}

#[test]
fn recorded_aggregates_pass_as_they_are_and_replicas_of_them_merge() {
    let Some(fixtures) = fixtures() else { return };
    let bucket = fixtures.join("bucket-compacted");
    let mut blocks: BTreeMap<(String, String), Vec<BlockReader>> = BTreeMap::new();
    for entry in std::fs::read_dir(&bucket).unwrap() {
        let path = entry.unwrap().path();
        let Ok(block) = BlockReader::open(&RealFs, &path) else { continue };
        let thanos = block.meta().extra["thanos"].clone();
        let resolution = thanos["downsample"]["resolution"].to_string();
        if resolution != "0" {
            let replica = thanos["labels"]["prometheus_replica"].to_string();
            blocks.entry((resolution, replica)).or_default().push(block);
        }
    }
    let mut compared = 0;
    for ((resolution, _), mut group) in blocks.clone() {
        group.sort_by_key(|block| block.meta().min_time);
        // Each block twice: what is the same to the last byte is one.
        let twice: Vec<BlockReader> = group.iter().chain(&group).cloned().collect();
        let folder = tempfile::tempdir().unwrap();
        let merged = once(folder.path(), &twice, Overlaps::OneToOne);
        let mut expected: BTreeMap<String, Vec<(i64, i64, Vec<u8>)>> = BTreeMap::new();
        for block in &group {
            for (labels, chunks) in chunks(block) {
                expected.entry(labels).or_default().extend(chunks);
            }
        }
        assert!(chunks(&merged) == expected, "resolution {resolution}");
        compared += expected.len();
    }
    assert!(compared > 0);
    for overlaps in [Overlaps::OneToOne, Overlaps::Penalty] {
        let both: Vec<BlockReader> = blocks
            .iter()
            .filter(|((resolution, _), _)| resolution == "300000")
            .flat_map(|(_, group)| group.clone())
            .collect();
        let folder = tempfile::tempdir().unwrap();
        let merged = once(folder.path(), &both, overlaps);
        let folder = folder.path().join(merged.meta().ulid.to_string());
        let file = |name: &str| StoredFile::new(name, RealFs.open(&folder.join(name)).unwrap());
        let files = BlockFiles {
            index: Some(file("index")),
            segments: vec![file("chunks/000001")],
            tombstones: Some(file("tombstones")),
        };
        let examined = examine(&files, merged.meta().min_time, merged.meta().max_time);
        assert!(examined.problems.is_empty(), "{overlaps:?}: {:?}", examined.problems);
    }
}

/// Merges blocks into one in this folder.
fn once(folder: &Path, sources: &[BlockReader], overlaps: Overlaps) -> BlockReader {
    let first = sources.iter().map(|block| block.meta().min_time).min().unwrap();
    let last = sources.iter().map(|block| block.meta().max_time).max().unwrap();
    let id = BlockId::new(first as u64, 7);
    let target = Target { fs: Arc::new(RealFs), parent: folder, id, memory_bytes: 64 << 20 };
    let merged = merge(sources, overlaps, &target, BlockMeta::new(id, first, last)).unwrap();
    merged.samples.balance().unwrap();
    BlockReader::open(&RealFs, &folder.join(id.to_string())).unwrap()
}
