//! The store gateway over blocks of real programs.
#![expect(clippy::disallowed_methods, reason = "recorded files are looked up where PRONOIA_SHARED points")]

mod damage;
mod looks;
mod recorded;
mod selection;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use block::{Fetcher, FetcherConfig, FetcherMetrics};
use objstore::{BucketRef, Filesystem};
use prom_model::SystemClock;
use prometheus_client::registry::Registry;
use store::bucket::{
    BucketStore, BucketStoreConfig, BucketStoreMetrics, BucketStoreParts, CacheMetrics, Limits, MemoryCache,
};
use tempfile::TempDir;
use tsdb::fs::RealFs;

/// The folder of the recordings; says so loudly when there is none.
#[expect(clippy::print_stderr, reason = "a suite that is left out must say so")]
fn wire() -> Option<PathBuf> {
    let shared = std::env::var_os("PRONOIA_SHARED");
    if shared.is_none() {
        eprintln!("LEFT OUT: PRONOIA_SHARED is not set, so the store was not compared with recordings");
    }
    Some(Path::new(&shared?).join("fixtures/wire"))
}

fn config(data_dir: &Path) -> BucketStoreConfig {
    BucketStoreConfig {
        data_dir: data_dir.to_owned(),
        min_time: "0000-01-01T00:00:00Z".parse().unwrap(),
        max_time: "9999-12-31T23:59:59Z".parse().unwrap(),
        sync_concurrency: 4,
        lazy_download: false,
        header_idle: None,
        limits: Limits::default(),
        series_concurrency: 20,
        series_batch: 10_000,
    }
}

/// A store over a bucket, synced; its local folder goes with the second value.
pub(super) async fn served(
    bucket: BucketRef,
    change: impl FnOnce(&mut BucketStoreConfig),
) -> (Arc<BucketStore>, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    change(&mut config);
    let mut registry = Registry::default();
    let clock = Arc::new(SystemClock);
    let range = block::filter::TimeRange { min: config.min_time, max: config.max_time };
    let fetcher = Fetcher::new(
        Arc::clone(&bucket),
        clock.clone(),
        FetcherConfig::default(),
        vec![Box::new(range)],
        FetcherMetrics::register(&mut registry),
    );
    let cache = MemoryCache::new(8 << 20, 1 << 20, CacheMetrics::register(&mut registry));
    let parts = BucketStoreParts {
        bucket,
        fetcher,
        fs: Arc::new(RealFs),
        clock,
        cache: Arc::new(cache),
        metrics: BucketStoreMetrics::register(&mut registry),
    };
    let store = BucketStore::new(config, parts);
    store.sync().await.unwrap();
    (Arc::new(store), folder)
}

pub(super) fn folder(path: &Path) -> BucketRef {
    Arc::new(Filesystem::new(path).unwrap())
}
