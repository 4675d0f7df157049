//! Compacts, downsamples and cleans a bucket, once or again and again.
//!
//! [`Compactor`] has four queues: compaction (with the garbage collection of what it leaves), downsampling, retention, and the
//! deletion of what was marked or given up. A queue that fails or is slow does not keep another one waiting. Inside a queue a
//! group or a block that fails does not keep the others waiting: it is tried again later, or set aside by
//! [`quarantine`](crate::quarantine) if it is damaged.
//!
//! [`Compactor::run_once`] goes through all queues once, in Thanos' order; [`Compactor::run`] lets each go at its own pace;
//! [`Compactor::plan`] says what would be done. Time, disk, bucket and chance come from outside, so that a run can be repeated
//! from a seed.

mod backoff;
mod claims;
mod cleanup;
mod compaction;
mod config;
mod downsampling;
mod error;
mod execute;
mod garbage;
mod health;
mod metrics;
mod outcome;
mod prepare;
mod progress;
mod retention;
mod room;
mod run;
mod second_look;
mod sources;
mod suspects;
mod trouble;
mod views;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use block::{FetcherMetrics, PartialUploads, View};
use objstore::{BucketRef, Chance};
use prom_model::{Clock, TimestampMs};
use tsdb::BlockId;
use tsdb::fs::Fs;

pub use config::{Cadence, CompactorConfig, ConfigError};
pub use error::{JobFailure, QueueError};
pub use health::{BlockHealth, GroupHealth, Health, QueueHealth};
pub use metrics::CompactMetrics;
pub use outcome::{Outcome, Queue};

use crate::downsample::DownsampleMetrics;
use crate::lease::Leases;
use crate::plan::Planner;
use backoff::Backoff;
use claims::Claims;
use garbage::Apart;
use health::Book;
use room::Room;
use views::Views;

/// What a compactor works with.
#[derive(Debug)]
pub struct Parts {
    /// The bucket, with the layers that it is to have.
    pub bucket: BucketRef,
    /// The disk.
    pub fs: Arc<dyn Fs>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// From which the names of new blocks are made.
    pub chance: Chance,
    /// What keeps several compactors out of each other's way; `None` where nobody else can be on the bucket. Whoever gives it also
    /// calls [`Leases::keep_beating`] while the compactor runs.
    pub leases: Option<Leases>,
    /// What is counted.
    pub metrics: CompactMetrics,
    /// What is counted of downsampling.
    pub downsample_metrics: DownsampleMetrics,
    /// What is counted of looks through the bucket.
    pub fetcher_metrics: FetcherMetrics,
}

/// Compacts, downsamples and cleans a bucket.
#[derive(Debug)]
pub struct Compactor {
    config: CompactorConfig,
    planner: Planner,
    bucket: BucketRef,
    fs: Arc<dyn Fs>,
    clock: Arc<dyn Clock>,
    chance: Mutex<Chance>,
    metrics: CompactMetrics,
    downsample_metrics: DownsampleMetrics,
    views: Views,
    claims: Claims,
    room: Room,
    partial: PartialUploads,
    backoff: Mutex<Backoff>,
    book: Mutex<Book>,
    apart: Mutex<BTreeSet<Apart>>,
}

impl Compactor {
    /// A compactor that has done nothing yet.
    ///
    /// # Errors
    /// [`ConfigError`], with Thanos' words where it has them.
    pub fn new(config: CompactorConfig, parts: Parts) -> Result<Self, ConfigError> {
        config.check()?;
        let Parts { bucket, fs, clock, chance, leases, metrics, downsample_metrics, fetcher_metrics } = parts;
        metrics.configured(config.delete_delay);
        let views = Views::new(&config, &bucket, &fs, &clock, fetcher_metrics);
        Ok(Compactor {
            planner: config.planner(),
            views,
            claims: Claims::new(leases),
            room: Room::new(config.memory_bytes_max, config.disk_bytes_max),
            partial: PartialUploads::new(config.partial_upload_gap),
            backoff: Mutex::default(),
            book: Mutex::default(),
            apart: Mutex::default(),
            chance: Mutex::new(chance),
            config,
            bucket,
            fs,
            clock,
            metrics,
            downsample_metrics,
        })
    }

    /// How the groups, the blocks and the queues are.
    pub fn health(&self) -> Health {
        self.book().health(self.clock.now())
    }

    /// The blocks that it works with, as they were seen last; none before the first look.
    pub async fn last_view(&self) -> Option<Arc<View>> {
        self.views.last().await
    }

    fn now(&self) -> TimestampMs {
        self.clock.now()
    }

    fn book(&self) -> std::sync::MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn backoff(&self) -> std::sync::MutexGuard<'_, Backoff> {
        self.backoff.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The name of a new block.
    fn new_id(&self) -> BlockId {
        let mut chance = self.chance.lock().unwrap_or_else(PoisonError::into_inner);
        let random = u128::from(chance.next_u64()) << 64 | u128::from(chance.next_u64());
        BlockId::new(u64::try_from(self.clock.now().as_millis()).unwrap_or(0), random)
    }

    fn compact_dir(&self) -> PathBuf {
        self.config.data_dir.join("compact")
    }

    fn downsample_dir(&self) -> PathBuf {
        self.config.data_dir.join("downsample")
    }
}
