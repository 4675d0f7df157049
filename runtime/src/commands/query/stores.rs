//! Storage as one request sees it: all stores as one, read as the request asks.

use std::sync::Arc;
use std::time::Duration;

use api::thanos::{Opened, Reading, Stores};
use querier::{QueryOptions, StoreSource};
use query::Deduplication;
use store::Store;
use tokio::runtime::Handle;

/// All stores as one, opened anew for each request.
#[derive(Debug)]
pub(super) struct Proxied {
    pub(super) store: Arc<dyn Store>,
    pub(super) runtime: Handle,
    pub(super) deduplication: Deduplication,
    pub(super) max_concurrent_select: usize,
    pub(super) timeout: Duration,
}

impl Stores for Proxied {
    fn open(&self, reading: Reading) -> Opened {
        let options = QueryOptions {
            dedup: reading.dedup,
            replica_labels: reading.replica_labels,
            deduplication: self.deduplication,
            partial_response: reading.partial_response,
            max_source_resolution: reading.max_resolution,
            store_match: reading.store_match.to_vec(),
            shard_info: reading.shard,
            tenant: Some(reading.tenant),
            skip_chunks: false,
            limit: i64::try_from(reading.limit).unwrap_or(i64::MAX),
            max_concurrent_select: self.max_concurrent_select,
            select_timeout: Some(self.timeout),
            times: reading.times,
        };
        let (store, runtime) = (Arc::clone(&self.store), self.runtime.clone());
        let source = Arc::new(StoreSource::new(store, runtime, options, reading.cancel, reading.budget));
        Opened { source: Arc::clone(&source) as _, catalog: source }
    }
}
