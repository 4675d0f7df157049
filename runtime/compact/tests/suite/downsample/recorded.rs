//! Blocks that Thanos downsampled: the same samples in the same chunks, aggregate by aggregate.
//!
//! The files are not part of the repository: `PRONOIA_SHARED` names a folder that has them in `fixtures/`.
#![expect(
    clippy::disallowed_methods,
    reason = "recorded files lie on the disk, and the environment says where"
)]
#![expect(
    clippy::print_stderr,
    reason = "the figures are what a run is for, and a suite that is left out must say so"
)]

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use block::Meta;
use compact::downsample::downsample;
use compact::{Target, WriteError};
use serde_json::Value;
use tsdb::BlockId;
use tsdb::block::{BlockFiles, BlockReader, examine, write_digest};
use tsdb::fs::{Fs, RealFs};
use tsdb::stored::StoredFile;

/// What is compared of a line of a dump.
type Line = (String, Value, Value, Value);

/// Labels and aggregate, and what is said of them.
fn lines(text: &str) -> BTreeMap<(String, String), Line> {
    let parsed = text.lines().map(|line| {
        let line: Value = serde_json::from_str(line).unwrap();
        let part = |name: &str| line.get(name).cloned().unwrap_or_default();
        let key = (part("labels").to_string(), part("agg").as_str().unwrap().to_owned());
        (key, (part("labels").to_string(), part("n"), part("sha256"), part("chunks")))
    });
    parsed.collect()
}

fn metas(bucket: &Path) -> Vec<Meta> {
    let mut metas = Vec::new();
    for entry in std::fs::read_dir(bucket).unwrap() {
        if let Ok(bytes) = std::fs::read(entry.unwrap().path().join("meta.json")) {
            metas.push(Meta::from_bytes(&bytes).unwrap());
        }
    }
    metas.sort_by_key(Meta::id);
    metas
}

fn same_source(one: &Meta, other: &Meta) -> bool {
    let key = |meta: &Meta| {
        (
            meta.block.min_time,
            meta.block.max_time,
            meta.thanos.labels.clone(),
            meta.block.compaction.sources.clone(),
        )
    };
    key(one) == key(other)
}

/// All files of a block.
fn files(folder: &Path) -> BlockFiles {
    let open = |name: &str| Some(StoredFile::new(name, RealFs.open(&folder.join(name)).ok()?));
    let mut segments = Vec::new();
    while let Some(segment) = open(&format!("chunks/{:06}", segments.len() + 1)) {
        segments.push(segment);
    }
    BlockFiles { index: open("index"), segments, tombstones: open("tombstones") }
}

#[test]
fn blocks_are_downsampled_as_thanos_does_it() {
    let Some(shared) = std::env::var_os("PRONOIA_SHARED") else {
        eprintln!("LEFT OUT: PRONOIA_SHARED is not set, so recorded blocks were not downsampled");
        return;
    };
    let fixtures = PathBuf::from(shared).join("fixtures");
    let work = tempfile::tempdir().unwrap();
    let (mut good_blocks, mut all_blocks, mut good_lines, mut all_lines) = (0, 0, 0, 0);
    let mut wrong = Vec::new();
    for (bucket, dumps) in [("bucket-compacted", "compacted"), ("bucket-dedup", "dedup")] {
        let metas = metas(&fixtures.join(bucket));
        for expected in metas.iter().filter(|meta| meta.thanos.downsample.resolution.0 > 0) {
            let to = expected.thanos.downsample.resolution.0;
            let from = if to == 300_000 { 0 } else { 300_000 };
            let is_source =
                |meta: &&Meta| meta.thanos.downsample.resolution.0 == from && same_source(meta, expected);
            let source = metas.iter().find(is_source).expect("the source of a recorded block");
            let folder = fixtures.join(bucket).join(source.id().to_string());
            let reader = BlockReader::open(&RealFs, &folder).unwrap();
            let id = BlockId::new(all_blocks, 7);
            let target = Target { fs: Arc::new(RealFs), parent: work.path(), id, memory_bytes: 64 << 20 };
            let made =
                downsample(&reader, from, to, &target, source.block.clone()).unwrap().expect("samples");
            let made_folder = work.path().join(id.to_string());
            let examined = examine(&files(&made_folder), source.block.min_time, source.block.max_time);
            assert!(examined.problems.is_empty(), "{:?}", examined.problems);

            let mut found = Vec::new();
            write_digest(&BlockReader::open(&RealFs, &made_folder).unwrap(), false, &mut found).unwrap();
            let dump = fixtures.join("dumps").join(dumps).join(format!("{}.jsonl.gz", expected.id()));
            let mut text = String::new();
            flate2::read::GzDecoder::new(std::fs::File::open(dump).unwrap())
                .read_to_string(&mut text)
                .unwrap();
            let (expected_lines, found) = (lines(&text), lines(std::str::from_utf8(&found).unwrap()));
            let mut block_is_good = expected_lines.len() == found.len();
            all_lines += expected_lines.len();
            for (key, line) in &expected_lines {
                match found.get(key) {
                    Some(same) if same == line => good_lines += 1,
                    other => {
                        block_is_good = false;
                        wrong.push(format!("{bucket} {} {key:?}:\n  {line:?}\n  {other:?}", expected.id()));
                    }
                }
            }
            all_blocks += 1;
            good_blocks += u64::from(block_is_good);
            let (stats, ours) = (&expected.block.stats, &made.written.meta.stats);
            assert_eq!(
                (stats.num_samples, stats.num_series, stats.num_chunks),
                (ours.num_samples, ours.num_series, ours.num_chunks)
            );
        }
    }
    eprintln!(
        "downsampled as recorded: blocks {good_blocks} of {all_blocks}, (series, aggregate) {good_lines} of {all_lines}"
    );
    assert!(all_blocks > 0);
    assert!(
        wrong.is_empty(),
        "{} lines differ, such as\n{}",
        wrong.len(),
        wrong[..wrong.len().min(10)].join("\n")
    );
}

#[test]
fn damaged_blocks_are_named_or_downsampled_and_nothing_panics() {
    let Some(shared) = std::env::var_os("PRONOIA_SHARED") else {
        eprintln!("LEFT OUT: PRONOIA_SHARED is not set, so damaged blocks were not downsampled");
        return;
    };
    let zoo = PathBuf::from(shared).join("fixtures/corrupt-blocks");
    let work = tempfile::tempdir().unwrap();
    let (mut named, mut made, mut unopened) = (0, 0, 0);
    for case in
        std::fs::read_dir(&zoo).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir())
    {
        let blocks = std::fs::read_dir(&case).unwrap().map(|entry| entry.unwrap().path());
        for folder in blocks.filter(|path| path.is_dir()).chain([case.clone()]) {
            let Ok(reader) = BlockReader::open(&RealFs, &folder) else {
                unopened += 1;
                continue;
            };
            for (number, (from, to)) in [(0, 300_000), (300_000, 3_600_000)].into_iter().enumerate() {
                let id = BlockId::new(900 + number as u64, 7);
                let target = Target { fs: Arc::new(RealFs), parent: work.path(), id, memory_bytes: 64 << 20 };
                match downsample(&reader, from, to, &target, reader.meta().clone()) {
                    Ok(Some(_)) => {
                        let folder = work.path().join(id.to_string());
                        let found = examine(&files(&folder), i64::MIN, i64::MAX).problems;
                        let damage = found.iter().find(|problem| problem.kind.is_damage());
                        assert!(damage.is_none(), "{}: {damage:?}", case.display());
                        std::fs::remove_dir_all(folder).unwrap();
                        made += 1;
                    }
                    Ok(None) => made += 1,
                    Err(WriteError::Source(error)) => {
                        assert_eq!(error.block, reader.meta().ulid);
                        named += 1;
                    }
                    Err(error) => panic!("{}: {error:?}", case.display()),
                }
            }
        }
    }
    eprintln!(
        "damaged blocks: {named} attempts named the block, {made} gave a sound one, {unopened} folders cannot be opened"
    );
    assert!(named > 0 && made > 0);
}
