//! Finds out which blocks there are: lists the bucket, loads every meta.json, and lets filters take away what is not to be seen.
//!
//! One block that is damaged, half written or unreadable never keeps the others from being seen: it is named in the [`View`].

mod cache;
mod listing;
mod metrics;
mod view;

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use error_kind::{ErrorKind, Kind};
use futures::StreamExt;
use objstore::{Attributes, BucketError, BucketRef};
use prom_model::Clock;
use tsdb::BlockId;
use tsdb::fs::Fs;

pub use listing::{Discovery, DiscoveryError, Listed};
pub(crate) use listing::{MetaObject, list};
pub use metrics::FetcherMetrics;
pub use view::{BlockError, BlockState, Partial, View};

use crate::filter::{Filter, Round};
use crate::meta::Meta;
use crate::object::read_small;
use crate::{MetaError, layout};
use cache::{DiskCache, Known, MemoryCache};

/// How a bucket is looked through.
#[derive(Debug, Clone)]
pub struct FetcherConfig {
    /// How blocks are found; `--block-discovery-strategy`.
    pub discovery: Discovery,
    /// How many objects are read at once; `--block-meta-fetch-concurrency`, 32 by default.
    pub concurrency: usize,
    /// The data directory in which `meta-syncer/` keeps a copy of every meta.json, and through which disk.
    pub cache: Option<(Arc<dyn Fs>, PathBuf)>,
    /// Whether a meta.json that was read by one look is read again by the next, and copied to the disk only then. No checksum protects
    /// it: a reading that went wrong would otherwise count as long as the block is there. For who acts on what it says.
    pub read_twice: bool,
}

impl Default for FetcherConfig {
    fn default() -> Self {
        FetcherConfig { discovery: Discovery::Concurrent, concurrency: 32, cache: None, read_twice: false }
    }
}

/// Looks through a bucket, again and again.
#[derive(Debug)]
pub struct Fetcher {
    bucket: BucketRef,
    clock: Arc<dyn Clock>,
    discovery: Discovery,
    concurrency: usize,
    filters: Vec<Box<dyn Filter>>,
    memory: MemoryCache,
    disk: Option<DiskCache>,
    read_twice: bool,
    metrics: FetcherMetrics,
}

/// Nothing is known of the bucket.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The blocks could not be listed.
    #[error("blocks of {bucket} cannot be listed")]
    List {
        /// The bucket.
        bucket: String,
        /// The store's answer.
        #[source]
        source: BucketError,
    },
}

impl Kind for FetchError {
    fn kind(&self) -> ErrorKind {
        let FetchError::List { source, .. } = self;
        source.kind()
    }
}

impl Fetcher {
    /// A fetcher whose filters are applied in the order given; [`crate::filter`] tells Thanos' orders.
    pub fn new(
        bucket: BucketRef,
        clock: Arc<dyn Clock>,
        config: FetcherConfig,
        filters: Vec<Box<dyn Filter>>,
        metrics: FetcherMetrics,
    ) -> Self {
        let FetcherConfig { discovery, concurrency, cache, read_twice } = config;
        let disk = cache.map(|(fs, data_dir)| DiskCache::new(fs, data_dir));
        let (memory, concurrency) = (MemoryCache::default(), concurrency.max(1));
        Fetcher { bucket, clock, discovery, concurrency, filters, memory, disk, read_twice, metrics }
    }

    /// Looks through the bucket once.
    ///
    /// # Errors
    /// When the listing fails. All other failures concern single blocks and stand in the view.
    pub async fn fetch(&self) -> Result<View, FetchError> {
        self.metrics.syncs.inc();
        let start = self.clock.now();
        let view = self.look().await;
        self.metrics.duration.observe(self.clock.now().since(start).as_secs_f64().max(0.0));
        match &view {
            Ok(view) => {
                if !view.is_complete() {
                    self.metrics.failures.inc();
                }
                self.metrics.set(view);
            }
            Err(_) => drop(self.metrics.failures.inc()),
        }
        view
    }

    /// Forgets what is known of a block's meta.json: the next look reads it again from the bucket. For who has read it once more
    /// and found it different.
    pub async fn forget(&self, block: BlockId) {
        self.memory.remove(block);
        if let Some(disk) = &self.disk {
            disk.remove(block).await;
        }
    }

    async fn look(&self) -> Result<View, FetchError> {
        let listed = list(self.bucket.as_ref(), self.discovery, self.concurrency);
        let listed = listed
            .await
            .map_err(|source| FetchError::List { bucket: self.bucket.name().to_owned(), source })?;
        let mut view = View::default();
        // Copied, as the compiler cannot tell of closures with borrows in streams that they may be sent. Loads themselves are made
        // one by one: thousands of them would be what takes the most memory.
        let wanted: Vec<_> = listed.iter().map(|(block, listed)| (*block, listed.meta.clone())).collect();
        let loads = wanted.into_iter().map(|(block, meta)| async move {
            let loaded = match meta {
                MetaObject::Missing => Err(BlockError::NoMeta),
                MetaObject::Unknown(error) => Err(BlockError::Bucket(error)),
                MetaObject::There(attributes) => self.load(block, attributes).await,
            };
            (block, loaded)
        });
        let mut loads = futures::stream::iter(loads).buffer_unordered(self.concurrency);
        while let Some((block, loaded)) = loads.next().await {
            match loaded {
                Ok(meta) => drop(view.metas.insert(block, meta)),
                Err(BlockError::NoMeta) => {
                    let newest = listed.get(&block).and_then(|listed| listed.newest);
                    view.partial.insert(block, Partial { newest });
                }
                Err(error) => {
                    tracing::warn!(block = %block, error = &error as &dyn std::error::Error, "left out a block");
                    view.errors.push((block, Arc::new(error)));
                }
            }
        }
        drop(loads);
        view.errors.sort_by_key(|(block, _)| *block);
        self.memory.retain(&view.metas);
        if let Some(disk) = &self.disk {
            disk.prune(&listed).await;
        }
        let round = Round {
            bucket: self.bucket.as_ref(),
            now: self.clock.now(),
            concurrency: self.concurrency,
            listed: &listed,
        };
        for filter in &self.filters {
            filter.apply(&round, &mut view).await;
        }
        Ok(view)
    }

    /// The meta.json that has these attributes in the bucket, from memory, from disk or from the bucket.
    async fn load(&self, block: BlockId, listed: Attributes) -> Result<Arc<Meta>, BlockError> {
        let known = self.memory.get(block, listed);
        if let Some(known) = &known
            && known.is_certain
        {
            return Ok(Arc::clone(&known.meta));
        }
        if known.is_none()
            && let Some(disk) = &self.disk
            && let Some(bytes) = disk.load(block, listed).await
            && let Ok(meta) = Meta::of_block(block, &bytes)
        {
            return Ok(self.memory.put(block, Known { of: listed, meta: Arc::new(meta), is_certain: true }));
        }
        self.metrics.cache_busts.inc();
        let read = self.read(block).await;
        let (bytes, of, meta) = match (read, &known) {
            (Ok(read), _) => read,
            // That it could not be read again is no reason to forget it.
            (Err(_), Some(known)) => return Ok(Arc::clone(&known.meta)),
            (Err(error), None) => return Err(error),
        };
        let before = known.map(|known| known.meta);
        let is_certain = !self.read_twice || before.as_deref() == Some(&meta);
        if before.is_some() && !is_certain {
            tracing::warn!(block = %block, "meta.json says something else when it is read again");
        }
        if is_certain && let Some(disk) = &self.disk {
            disk.store(block, of, bytes).await;
        }
        Ok(self.memory.put(block, Known { of, meta: Arc::new(meta), is_certain }))
    }

    /// Reads a meta.json from the bucket; gives what it was read of too.
    async fn read(&self, block: BlockId) -> Result<(Bytes, Attributes, Meta), BlockError> {
        let (bytes, attributes) =
            match read_small(self.bucket.as_ref(), &layout::object(block, layout::META)).await {
                Ok(read) => read,
                Err(BucketError::NotFound { .. }) => return Err(BlockError::NoMeta),
                Err(BucketError::TooLarge { size, .. }) => return Err(MetaError::TooLarge(size).into()),
                Err(error) => return Err(BlockError::Bucket(Arc::new(error))),
            };
        let meta = Meta::of_block(block, &bytes)?;
        Ok((bytes, attributes, meta))
    }
}
