//! The index-header of one block: on disk from the first load on, open while it is used.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use block::index_header::{self, IndexHeader, IndexHeaderError};
use objstore::BucketRef;
use prom_model::{Clock, TimestampMs};
use tokio::sync::Mutex;
use tsdb::BlockId;
use tsdb::fs::Fs;

use super::metrics::HeaderMetrics;

/// Where an index-header is, and the open one.
#[derive(Debug)]
pub(super) struct HeaderSlot {
    block: BlockId,
    bucket: BucketRef,
    fs: Arc<dyn Fs>,
    path: PathBuf,
    clock: Arc<dyn Clock>,
    metrics: HeaderMetrics,
    open: Mutex<Option<Arc<IndexHeader>>>,
    /// When it was last used, milliseconds.
    used: AtomicI64,
}

impl HeaderSlot {
    pub(super) fn new(
        block: BlockId,
        bucket: BucketRef,
        fs: Arc<dyn Fs>,
        path: PathBuf,
        clock: Arc<dyn Clock>,
        metrics: HeaderMetrics,
    ) -> Self {
        let (open, used) = (Mutex::default(), AtomicI64::new(0));
        HeaderSlot { block, bucket, fs, path, clock, metrics, open, used }
    }

    /// Makes the file.
    pub(super) async fn make(&self) -> Result<(), IndexHeaderError> {
        let start = self.clock.now();
        index_header::build(self.bucket.as_ref(), self.block, &self.fs, &self.path).await?;
        self.metrics.download.observe(self.clock.now().since(start).as_secs_f64());
        Ok(())
    }

    /// The open index-header. The first caller opens it, the others wait.
    pub(super) async fn get(&self) -> Result<Arc<IndexHeader>, IndexHeaderError> {
        let now = self.clock.now();
        self.used.store(now.as_millis(), Ordering::Relaxed);
        let mut open = self.open.lock().await;
        if let Some(header) = &*open {
            return Ok(Arc::clone(header));
        }
        self.metrics.loads.inc();
        let opened = IndexHeader::open_or_build(self.bucket.as_ref(), self.block, &self.fs, &self.path).await;
        let header = match opened {
            Ok(header) => Arc::new(header),
            Err(error) => {
                self.metrics.load_failures.inc();
                return Err(error);
            }
        };
        self.metrics.load.observe(self.clock.now().since(now).as_secs_f64());
        *open = Some(Arc::clone(&header));
        Ok(header)
    }

    /// Closes it when nobody has asked for it since a point in time; calls that have it keep it.
    pub(super) fn close_unused(&self, since: TimestampMs) {
        if self.used.load(Ordering::Relaxed) >= since.as_millis() {
            return;
        }
        if let Ok(mut open) = self.open.try_lock()
            && open.take().is_some()
        {
            self.metrics.unloads.inc();
        }
    }
}
