//! What one call may read: series, chunks, bytes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::metrics::counter::Counter;

/// The limits of a store; 0 is none.
#[derive(Debug, Clone, Copy, Default)]
pub struct Limits {
    /// Series of one call; `--store.limits.request-series`.
    pub series: u64,
    /// Samples of one call; `--store.limits.request-samples`. Chunks are counted, as if each had 120.
    pub samples: u64,
    /// Bytes that one call reads, from the bucket or from a cache; `--store.grpc.downloaded-bytes-limit`.
    pub downloaded_bytes: u64,
}

/// The samples that Prometheus puts into a chunk.
const CHUNK_SAMPLES: u64 = 120;

impl Limits {
    /// The most chunks of one call.
    pub(super) const fn chunks(&self) -> u64 {
        self.samples / CHUNK_SAMPLES
    }
}

/// A call wanted more than it may have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}: limit {limit} violated (got {got})")]
pub(super) struct LimitExceeded {
    what: &'static str,
    limit: u64,
    got: u64,
}

/// Counts what one call has used; clones count together.
#[derive(Debug, Clone)]
pub(super) struct Limit {
    max: u64,
    used: Arc<AtomicU64>,
    /// Counts the calls that were refused, each once.
    refused: Counter,
}

impl Limit {
    pub(super) fn new(max: u64, refused: Counter) -> Self {
        Limit { max, used: Arc::default(), refused }
    }

    /// Uses `count` more.
    pub(super) fn reserve(&self, count: u64, what: &'static str) -> Result<(), LimitExceeded> {
        let before = self.used.fetch_add(count, Ordering::Relaxed);
        let got = before.saturating_add(count);
        if self.max == 0 || got <= self.max {
            return Ok(());
        }
        if before <= self.max {
            self.refused.inc();
        }
        Err(LimitExceeded { what, limit: self.max, got })
    }
}

/// The limits that one call shares between its blocks.
#[derive(Debug, Clone)]
pub(super) struct CallLimits {
    pub(super) series: Limit,
    pub(super) chunks: Limit,
    pub(super) bytes: Limit,
}
