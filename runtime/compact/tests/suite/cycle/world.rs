//! Buckets and compactors for the tests of cycles.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use block::{BlockId, FetcherMetrics, Meta, layout};
use bytes::Bytes;
use compact::cycle::{CompactMetrics, Compactor, CompactorConfig, Parts};
use compact::downsample::DownsampleMetrics;
use compact::lease::Leases;
use futures::TryStreamExt;
use objstore::{Bucket, BucketRef, Chance, Listing, Memory, Put, read_all};
use prom_model::{Clock, ManualClock, PromDuration, TimestampMs};
use prometheus_client::registry::Registry;
use tsdb::block::{BlockReader, write_digest};
use tsdb::fs::Fs;
use tsdb::fs::sim::SimFs;
use tsdb::stored::StoredFile;

/// The recorded files; `None`, loudly, where there are none.
#[expect(clippy::print_stderr, reason = "a suite that is left out must say so")]
#[expect(clippy::disallowed_methods, reason = "tests read the environment")]
pub(super) fn fixtures(what: &str) -> Option<PathBuf> {
    let Some(shared) = std::env::var_os("PRONOIA_SHARED") else {
        eprintln!("LEFT OUT: PRONOIA_SHARED is not set, so {what} were not read");
        return None;
    };
    Some(Path::new(&shared).join("fixtures"))
}

/// 2026-11-28T00:00:00Z.
pub(super) const NOW: i64 = 1_795_824_000_000;

pub(super) fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(TimestampMs::from_millis(NOW)))
}

pub(super) fn memory(clock: &Arc<ManualClock>) -> BucketRef {
    Arc::new(Memory::new("test", Arc::clone(clock) as Arc<dyn Clock>))
}

/// As the recorded runs were started: nothing waits.
pub(super) fn config(data_dir: &str) -> CompactorConfig {
    CompactorConfig {
        consistency_delay: PromDuration::ZERO,
        delete_delay: PromDuration::ZERO,
        ..CompactorConfig::new(data_dir)
    }
}

pub(super) fn compactor(
    config: CompactorConfig,
    bucket: &BucketRef,
    fs: Arc<dyn Fs>,
    clock: Arc<dyn Clock>,
) -> Compactor {
    compactor_with(config, bucket, fs, clock, 7, None)
}

/// One of several, which have names of their own for blocks.
pub(super) fn compactor_with(
    config: CompactorConfig,
    bucket: &BucketRef,
    fs: Arc<dyn Fs>,
    clock: Arc<dyn Clock>,
    seed: u64,
    leases: Option<Leases>,
) -> Compactor {
    let mut registry = Registry::default();
    let parts = Parts {
        bucket: Arc::clone(bucket),
        fs,
        clock,
        chance: Chance::from_seed(seed),
        leases,
        metrics: CompactMetrics::register(&mut registry),
        downsample_metrics: DownsampleMetrics::register(&mut registry),
        fetcher_metrics: FetcherMetrics::register(&mut registry),
    };
    Compactor::new(config, parts).unwrap()
}

/// A disk in memory with an empty data directory.
pub(super) fn disk() -> Arc<dyn Fs> {
    let fs = SimFs::new();
    fs.create_dir_all(Path::new("/data")).unwrap();
    Arc::new(fs)
}

pub(super) async fn put(bucket: &dyn Bucket, name: &str, bytes: impl Into<Bytes>) {
    bucket.put(name, Arc::new(bytes.into()), Put::Replace).await.unwrap();
}

/// All files below a folder of the real disk, by their path from it.
#[expect(clippy::disallowed_methods, reason = "tests read the fixtures")]
pub(super) fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    fn walk(folder: &Path, prefix: &str, found: &mut BTreeMap<String, Vec<u8>>) {
        for entry in std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
            let path = entry.unwrap().path();
            let name = format!("{prefix}{}", path.file_name().unwrap().to_str().unwrap());
            if path.is_dir() {
                walk(&path, &format!("{name}/"), found);
            } else {
                found.insert(name, std::fs::read(&path).unwrap());
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(folder, "", &mut found);
    found
}

/// Copies a folder of the real disk into a bucket.
pub(super) async fn fill(bucket: &dyn Bucket, folder: &Path) {
    for (name, bytes) in files(folder) {
        put(bucket, &name, bytes).await;
    }
}

pub(super) async fn names(bucket: &dyn Bucket) -> Vec<String> {
    bucket.list("", Listing::Recursive).map_ok(|entry| entry.name).try_collect().await.unwrap()
}

/// The metadata of all blocks of a bucket that have any.
pub(super) async fn metas(bucket: &dyn Bucket) -> BTreeMap<BlockId, Meta> {
    let mut metas = BTreeMap::new();
    for name in names(bucket).await {
        if let Some((block, layout::META)) = layout::block_of(&name)
            && let Ok(bytes) = read_all(bucket, &name, 1 << 20).await
            && let Ok(meta) = Meta::of_block(block, &bytes)
        {
            metas.insert(block, meta);
        }
    }
    metas
}

/// What is in a block, as `tools tsdb dump --digest` says it: lines, and the digest over all of them.
pub(super) async fn digest(bucket: &dyn Bucket, meta: &Meta) -> (String, String) {
    let block = meta.id();
    let mut segments = Vec::new();
    let mut index = None;
    for name in names(bucket).await {
        let Some((of, file)) = layout::block_of(&name) else { continue };
        if of != block || !(file == layout::INDEX || file.starts_with("chunks/")) {
            continue;
        }
        let bytes = read_all(bucket, &name, 1 << 30).await.unwrap();
        let stored = StoredFile::new(file, Arc::new(bytes));
        match file == layout::INDEX {
            true => index = Some(stored),
            false => segments.push(stored),
        }
    }
    let reader = BlockReader::from_files(meta.block.clone(), index.unwrap(), segments, None).unwrap();
    let mut lines = Vec::new();
    let digest = write_digest(&reader, false, &mut lines).unwrap();
    (String::from_utf8(lines).unwrap(), digest.sha256)
}
