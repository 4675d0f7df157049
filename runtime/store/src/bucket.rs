//! The store gateway: series out of the blocks of a bucket.
//!
//! [`BucketStore::sync`] finds out which blocks there are and keeps their index-headers on the local disk. A call picks blocks by
//! external labels, time and resolution (`select`), finds the series of each in its postings (`postings`), reads them in batches
//! (`series`), their chunks in groups (`chunks`), and merges the blocks (`merge`). Blocks are read concurrently, each some steps
//! ahead of what is sent; what is read and not yet sent is charged to the budget of the call. An error of a block is the error of
//! the call, as in Thanos; no byte is sent whose checksum was not verified.

mod about;
mod block;
mod cache;
mod call;
mod chunks;
mod error;
mod fetch;
mod gate;
mod header;
mod label_calls;
mod limits;
mod merge;
mod metrics;
mod postings;
mod request;
mod select;
mod series;
mod series_call;
mod state;
mod sync;

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use ::block::filter::TimeBound;
use ::block::{Fetcher, View};
use async_trait::async_trait;
use objstore::BucketRef;
use prom_model::Clock;
use storeapi::thanos::{
    LabelNamesRequest, LabelNamesResponse, LabelValuesRequest, LabelValuesResponse, SeriesRequest,
};
use tonic::Status;
use tsdb::fs::Fs;

use crate::{About, Context, Frames, Store};
use gate::Gate;
use state::State;

pub use cache::{CacheKey, CacheMetrics, IndexCache, Item, MemoryCache, What};
pub use limits::Limits;
pub use metrics::Metrics as BucketStoreMetrics;
pub use sync::SyncError;

/// How a store gateway works.
#[derive(Debug, Clone)]
pub struct BucketStoreConfig {
    /// Where index-headers are kept, each in the folder of its block.
    pub data_dir: PathBuf,
    /// Samples before are not served; `--min-time`.
    pub min_time: TimeBound,
    /// Samples behind are not served; `--max-time`.
    pub max_time: TimeBound,
    /// How many blocks are loaded at once; `--block-sync-concurrency`.
    pub sync_concurrency: usize,
    /// Whether index-headers are made when they are needed, not when a block is seen first;
    /// `--store.index-header-lazy-download-strategy`.
    pub lazy_download: bool,
    /// After so much time without use an index-header is closed; `--store.enable-index-header-lazy-reader`.
    pub header_idle: Option<Duration>,
    /// What one call may read.
    pub limits: Limits,
    /// How many calls of `Series` are served at once, 0 for all; `--store.grpc.series-max-concurrency`.
    pub series_concurrency: usize,
    /// How many series of a block are read at once; `--debug.series-batch-size`.
    pub series_batch: usize,
}

/// What a store gateway works with.
pub struct BucketStoreParts {
    /// The bucket.
    pub bucket: BucketRef,
    /// Finds the blocks that are to be served.
    pub fetcher: Fetcher,
    /// The local disk.
    pub fs: Arc<dyn Fs>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What was read of indexes.
    pub cache: Arc<dyn IndexCache>,
    /// Counts.
    pub metrics: BucketStoreMetrics,
}

/// A store gateway; clones are the same one.
#[derive(Clone)]
pub struct BucketStore(Arc<Inner>);

struct Inner {
    config: BucketStoreConfig,
    parts: BucketStoreParts,
    state: RwLock<Arc<State>>,
    gate: Gate,
}

impl BucketStore {
    /// A store gateway that serves nothing before its first [`BucketStore::sync`].
    pub fn new(config: BucketStoreConfig, parts: BucketStoreParts) -> Self {
        let gate = Gate::new(config.series_concurrency, parts.metrics.gate.clone());
        BucketStore(Arc::new(Inner { config, parts, state: RwLock::default(), gate }))
    }

    /// How many blocks are served.
    pub fn blocks(&self) -> usize {
        self.state().blocks.len()
    }

    /// What was seen of the bucket when it was last looked through.
    pub fn view(&self) -> Arc<View> {
        Arc::clone(&self.state().view)
    }

    fn state(&self) -> Arc<State> {
        Arc::clone(&self.0.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The times from and to which samples are served now, milliseconds, both included.
    fn times(&self) -> (i64, i64) {
        let (now, config) = (self.0.parts.clock.now(), &self.0.config);
        (config.min_time.resolve(now).as_millis(), config.max_time.resolve(now).as_millis())
    }
}

#[async_trait]
impl Store for BucketStore {
    async fn series(&self, request: SeriesRequest, context: Context) -> Result<Frames, Status> {
        self.select_series(request, context).await
    }

    async fn label_names(
        &self,
        request: LabelNamesRequest,
        context: Context,
    ) -> Result<LabelNamesResponse, Status> {
        self.find_label_names(request, context).await
    }

    async fn label_values(
        &self,
        request: LabelValuesRequest,
        context: Context,
    ) -> Result<LabelValuesResponse, Status> {
        self.find_label_values(request, context).await
    }

    fn about(&self) -> About {
        let (min_time, max_time) = self.times();
        about::about(&self.state(), min_time, max_time)
    }
}

impl fmt::Debug for BucketStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BucketStore").field("bucket", &self.0.parts.bucket.name()).finish_non_exhaustive()
    }
}
