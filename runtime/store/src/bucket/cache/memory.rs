//! The cache in memory: shards, each a [`Fifo`] behind a lock.

use std::hash::BuildHasher;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use foldhash::fast::FixedState;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::fifo::{Fifo, cost};
use super::{CacheKey, IndexCache, Item};

const SHARDS: usize = 16;

type ByItem<M> = Family<Vec<(&'static str, &'static str)>, M>;
type ByTenant<M, F> = Family<Vec<(&'static str, String)>, M, F>;

/// `thanos_store_index_cache_*`.
#[derive(Debug, Clone)]
pub struct CacheMetrics {
    requests: ByTenant<Counter, fn() -> Counter>,
    hits: ByTenant<Counter, fn() -> Counter>,
    stored: ByTenant<Histogram, fn() -> Histogram>,
    added: ByItem<Counter>,
    evicted: ByItem<Counter>,
    overflowed: ByItem<Counter>,
    items: ByItem<Gauge>,
    items_bytes: ByItem<Gauge>,
    total_bytes: ByItem<Gauge>,
    bytes_max: Gauge,
    item_bytes_max: Gauge,
}

impl CacheMetrics {
    /// Registers Thanos' names.
    pub fn register(registry: &mut Registry) -> Self {
        let bytes: fn() -> Histogram = || {
            let k = 1024.0;
            Histogram::new([
                32.0,
                256.0,
                512.0,
                k,
                32.0 * k,
                256.0 * k,
                512.0 * k,
                k * k,
                32.0 * k * k,
                64.0 * k * k,
                128.0 * k * k,
                256.0 * k * k,
                512.0 * k * k,
            ])
        };
        let metrics = CacheMetrics {
            requests: Family::new_with_constructor(Counter::default),
            hits: Family::new_with_constructor(Counter::default),
            stored: Family::new_with_constructor(bytes),
            added: Family::default(),
            evicted: Family::default(),
            overflowed: Family::default(),
            items: Family::default(),
            items_bytes: Family::default(),
            total_bytes: Family::default(),
            bytes_max: Gauge::default(),
            item_bytes_max: Gauge::default(),
        };
        let m = metrics.clone();
        let ours = registry.sub_registry_with_prefix("thanos_store_index_cache");
        ours.register("requests", "Entries that were asked for", m.requests);
        ours.register("hits", "Entries that were asked for and there", m.hits);
        ours.register("stored_data_size_bytes", "Bytes of entries that were put", m.stored);
        ours.register("items_added", "Entries that were kept", m.added);
        ours.register("items_evicted", "Entries that had to go for others", m.evicted);
        ours.register("items_overflowed", "Entries that were too large to be kept", m.overflowed);
        ours.register("items", "Entries that are there", m.items);
        ours.register("items_size_bytes", "Bytes of the entries that are there", m.items_bytes);
        ours.register(
            "total_size_bytes",
            "Bytes of the entries that are there and of what finds them",
            m.total_bytes,
        );
        ours.register("max_size_bytes", "The most bytes of all entries", m.bytes_max);
        ours.register("max_item_size_bytes", "The most bytes of one entry", m.item_bytes_max);
        for item in Item::ALL {
            for counter in [&metrics.added, &metrics.evicted, &metrics.overflowed] {
                drop(counter.get_or_create(&of(item)));
            }
            for gauge in [&metrics.items, &metrics.items_bytes, &metrics.total_bytes] {
                drop(gauge.get_or_create(&of(item)));
            }
        }
        metrics
    }
}

fn of(item: Item) -> Vec<(&'static str, &'static str)> {
    vec![("item_type", item.as_str())]
}

fn of_tenant(item: Item, tenant: &str) -> Vec<(&'static str, String)> {
    vec![("item_type", item.as_str().to_owned()), ("tenant", tenant.to_owned())]
}

/// An index cache of the process' own; `--index-cache-size`.
#[derive(Debug)]
pub struct MemoryCache {
    shards: Vec<Mutex<Fifo>>,
    hasher: FixedState,
    item_bytes_max: usize,
    metrics: CacheMetrics,
}

impl MemoryCache {
    /// A cache of so many bytes, in which no entry has more than `item_bytes_max`.
    pub fn new(bytes_max: usize, item_bytes_max: usize, metrics: CacheMetrics) -> Self {
        let shard = bytes_max / SHARDS;
        metrics.bytes_max.set(bytes_max as i64);
        metrics.item_bytes_max.set(item_bytes_max as i64);
        MemoryCache {
            shards: (0..SHARDS).map(|_| Mutex::new(Fifo::new(shard))).collect(),
            hasher: FixedState::with_seed(0x5a17),
            // What is more than half of a shard would push out everything else.
            item_bytes_max: item_bytes_max.min(shard / 2),
            metrics,
        }
    }

    fn shard(&self, key: &CacheKey) -> Option<&Mutex<Fifo>> {
        let hash = self.hasher.hash_one(key);
        self.shards.get((hash >> 32) as usize % SHARDS)
    }
}

#[async_trait]
impl IndexCache for MemoryCache {
    async fn fetch(&self, keys: &[CacheKey], tenant: &str) -> Vec<Option<Bytes>> {
        let Some(first) = keys.first() else { return Vec::new() };
        let found: Vec<Option<Bytes>> = keys
            .iter()
            .map(|key| self.shard(key)?.lock().unwrap_or_else(PoisonError::into_inner).get(key))
            .collect();
        // All keys of one call are of one kind.
        let of = of_tenant(first.item(), tenant);
        self.metrics.requests.get_or_create(&of).inc_by(keys.len() as u64);
        self.metrics.hits.get_or_create(&of).inc_by(found.iter().flatten().count() as u64);
        found
    }

    fn store(&self, key: CacheKey, entry: Bytes, tenant: &str) {
        let item = key.item();
        self.metrics.stored.get_or_create(&of_tenant(item, tenant)).observe(entry.len() as f64);
        let bytes = cost(&key, &entry);
        if bytes > self.item_bytes_max {
            self.metrics.overflowed.get_or_create(&of(item)).inc();
            return;
        }
        let length = entry.len() as i64;
        let Some(shard) = self.shard(&key) else { return };
        let mut gone: Vec<(Item, i64, i64)> = Vec::new();
        let added =
            shard.lock().unwrap_or_else(PoisonError::into_inner).put(key, entry, &mut |key, entry| {
                gone.push((key.item(), entry.len() as i64, cost(key, entry) as i64))
            });
        if added {
            self.metrics.added.get_or_create(&of(item)).inc();
            self.count(item, 1, length, bytes as i64);
        }
        for (item, length, bytes) in gone {
            self.metrics.evicted.get_or_create(&of(item)).inc();
            self.count(item, -1, -length, -bytes);
        }
    }
}

impl MemoryCache {
    fn count(&self, item: Item, items: i64, bytes: i64, total: i64) {
        let of = of(item);
        self.metrics.items.get_or_create(&of).inc_by(items);
        self.metrics.items_bytes.get_or_create(&of).inc_by(bytes);
        self.metrics.total_bytes.get_or_create(&of).inc_by(total);
    }
}
