//! A store gateway in this process.

use std::path::Path;
use std::sync::Arc;

use block::{Fetcher, FetcherConfig, FetcherMetrics};
use objstore::{BucketRef, Filesystem};
use prom_model::SystemClock;
use prometheus_client::registry::Registry;
use store::bucket::{
    BucketStore, BucketStoreConfig, BucketStoreMetrics, BucketStoreParts, CacheMetrics, Limits, MemoryCache,
};
use tsdb::fs::{Fs, RealFs};

pub(crate) struct Gateway {
    pub(crate) store: BucketStore,
}

impl Gateway {
    /// A gateway over a bucket, with its local files in another folder, after its first look through the bucket.
    pub(crate) async fn new(bucket: &Path, local: &Path) -> Self {
        let mut registry = Registry::default();
        let bucket: BucketRef = Arc::new(Filesystem::new(bucket).expect("a bucket"));
        let (clock, fs): (_, Arc<dyn Fs>) = (Arc::new(SystemClock), Arc::new(RealFs));
        let config =
            FetcherConfig { cache: Some((Arc::clone(&fs), local.to_owned())), ..FetcherConfig::default() };
        let metrics = FetcherMetrics::register(&mut registry);
        let fetcher = Fetcher::new(Arc::clone(&bucket), clock.clone(), config, Vec::new(), metrics);
        let parts = BucketStoreParts {
            bucket,
            fetcher,
            fs,
            clock,
            cache: Arc::new(MemoryCache::new(250 << 20, 125 << 20, CacheMetrics::register(&mut registry))),
            metrics: BucketStoreMetrics::register(&mut registry),
        };
        let config = BucketStoreConfig {
            data_dir: local.to_owned(),
            min_time: "0000-01-01T00:00:00Z".parse().expect("a time"),
            max_time: "9999-12-31T23:59:59Z".parse().expect("a time"),
            sync_concurrency: 20,
            lazy_download: false,
            header_idle: None,
            limits: Limits::default(),
            series_concurrency: 20,
            series_batch: 10_000,
        };
        let store = BucketStore::new(config, parts);
        store.first_sync().await.expect("a look through the bucket");
        Gateway { store }
    }
}
