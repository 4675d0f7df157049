//! What the blocks of one call share: what is asked, what may be used, what was used.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use budget::Budget;
use objstore::BucketRef;
use prom_model::{Clock, TimestampMs};
use storeapi::{Aggregate, Shard};

use super::cache::IndexCache;
use super::limits::CallLimits;
use super::metrics::Metrics;

/// One call, as far as single blocks are concerned.
#[derive(Debug)]
pub(super) struct Call {
    /// Both included, milliseconds.
    pub(super) min_time: i64,
    pub(super) max_time: i64,
    pub(super) skip_chunks: bool,
    /// As asked for, each once.
    pub(super) aggregates: Vec<Aggregate>,
    /// The most series; `usize::MAX` is all.
    pub(super) series_max: usize,
    /// Labels that are taken off, sorted.
    pub(super) removed: Vec<String>,
    pub(super) shard: Option<Shard>,
    pub(super) limits: CallLimits,
    pub(super) budget: Budget,
    pub(super) tenant: String,
    pub(super) bucket: BucketRef,
    pub(super) cache: Arc<dyn IndexCache>,
    pub(super) metrics: Metrics,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) used: Used,
    /// How many series are read of a block at once.
    pub(super) series_batch: usize,
    /// How many bytes of chunks are read of a block at once.
    pub(super) chunk_bytes: u64,
}

impl Call {
    /// The time.
    pub(super) fn now(&self) -> TimestampMs {
        self.clock.now()
    }

    /// Seconds since then.
    pub(super) fn since(&self, start: TimestampMs) -> f64 {
        self.clock.now().since(start).as_secs_f64().max(0.0)
    }
}

/// Things and bytes that were touched, and those that came from the bucket for it.
#[derive(Debug, Default)]
pub(super) struct Amount {
    pub(super) touched: AtomicU64,
    pub(super) touched_bytes: AtomicU64,
    pub(super) fetched: AtomicU64,
    pub(super) fetched_bytes: AtomicU64,
}

impl Amount {
    pub(super) fn touch(&self, count: u64, bytes: u64) {
        self.touched.fetch_add(count, Ordering::Relaxed);
        self.touched_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn fetch(&self, count: u64, bytes: u64) {
        self.fetched.fetch_add(count, Ordering::Relaxed);
        self.fetched_bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// What a call has used.
#[derive(Debug, Default)]
pub(super) struct Used {
    pub(super) postings: Amount,
    pub(super) series: Amount,
    pub(super) chunks: Amount,
}

impl Drop for Call {
    fn drop(&mut self) {
        self.metrics.observe(&self.used, &self.tenant);
    }
}
