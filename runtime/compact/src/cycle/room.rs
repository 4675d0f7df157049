//! Room for jobs, of compaction and of downsampling: what a job takes at most is known before it begins, and is reserved.

use std::sync::Arc;

use block::{Meta, Resolution};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Compactor;
use super::error::JobFailure;
use crate::estimate::{self, Estimate, SourceSize};
use crate::plan::Job;

/// In what room is counted.
const UNIT_BYTES: u64 = 1 << 20;

/// What all jobs together may take.
#[derive(Debug)]
pub(super) struct Room {
    memory: Option<Pool>,
    disk: Option<Pool>,
}

/// One of the two.
#[derive(Debug)]
struct Pool {
    bytes: u64,
    free: Arc<Semaphore>,
}

/// Room that a job has; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Taken {
    _memory: Option<OwnedSemaphorePermit>,
    _disk: Option<OwnedSemaphorePermit>,
}

impl Room {
    pub(super) fn new(memory_bytes: Option<u64>, disk_bytes: Option<u64>) -> Self {
        Room { memory: memory_bytes.map(Pool::new), disk: disk_bytes.map(Pool::new) }
    }

    /// Whether anybody has to ask.
    pub(super) const fn is_bounded(&self) -> bool {
        self.memory.is_some() || self.disk.is_some()
    }

    /// Waits until other jobs leave room for this one.
    ///
    /// # Errors
    /// [`JobFailure::OverBudget`] where there is too little even for it alone.
    pub(super) async fn take(&self, needs: Estimate) -> Result<Taken, JobFailure> {
        // Always in this order, so that two jobs never wait for each other.
        let memory = take(self.memory.as_ref(), needs.memory_bytes, "memory").await?;
        let disk = take(self.disk.as_ref(), needs.disk_bytes, "disk").await?;
        Ok(Taken { _memory: memory, _disk: disk })
    }
}

impl Pool {
    fn new(bytes: u64) -> Self {
        let units = usize::try_from(bytes / UNIT_BYTES).unwrap_or(Semaphore::MAX_PERMITS);
        Pool { bytes, free: Arc::new(Semaphore::new(units.min(Semaphore::MAX_PERMITS))) }
    }
}

async fn take(
    pool: Option<&Pool>,
    needs: u64,
    what: &'static str,
) -> Result<Option<OwnedSemaphorePermit>, JobFailure> {
    let Some(pool) = pool else { return Ok(None) };
    let over = JobFailure::OverBudget { what, needs, has: pool.bytes };
    if needs > pool.bytes {
        return Err(over);
    }
    // Rounded down: what all jobs round off is less than what one is estimated too high.
    let units = u32::try_from(needs / UNIT_BYTES).unwrap_or(u32::MAX);
    // Nobody closes it.
    Arc::clone(&pool.free).acquire_many_owned(units).await.map(Some).map_err(|_| over)
}

impl Compactor {
    /// Waits for the room that a compaction takes at most; `None` where nothing is bounded.
    pub(super) async fn room_for(&self, job: &Job) -> Result<Option<Taken>, JobFailure> {
        if !self.room.is_bounded() {
            return Ok(None);
        }
        self.room.take(self.estimate(job).await?).await.map(Some)
    }

    /// As [`Compactor::room_for`], to downsample a block.
    pub(super) async fn room_to_downsample(
        &self,
        source: &Meta,
        to: Resolution,
    ) -> Result<Option<Taken>, JobFailure> {
        if !self.room.is_bounded() {
            return Ok(None);
        }
        self.room.take(self.estimate_downsampling(source, to).await?).await.map(Some)
    }

    /// What a compaction takes at most.
    pub(super) async fn estimate(&self, job: &Job) -> Result<Estimate, JobFailure> {
        let mut sizes = Vec::with_capacity(job.sources.len());
        for meta in &job.sources {
            sizes.push(self.size(meta).await?);
        }
        let mut estimate =
            estimate::merge(&sizes, self.config.memory_bytes, self.ahead_bytes(job.sources.len()));
        if !self.config.stream_sources {
            let sources = sizes.iter().map(SourceSize::bytes).fold(0, u64::saturating_add);
            estimate.disk_bytes = estimate.disk_bytes.saturating_add(sources);
        }
        Ok(estimate)
    }

    /// What the downsampling of a block takes at most, which is downloaded first.
    pub(super) async fn estimate_downsampling(
        &self,
        source: &Meta,
        to: Resolution,
    ) -> Result<Estimate, JobFailure> {
        let size = self.size(source).await?;
        let ms = |resolution: Resolution| u64::try_from(resolution.0).unwrap_or(0);
        let from = ms(source.thanos.downsample.resolution);
        let mut estimate = estimate::downsample(&size, from, ms(to), self.config.memory_bytes);
        estimate.disk_bytes = estimate.disk_bytes.saturating_add(size.bytes());
        Ok(estimate)
    }

    async fn size(&self, meta: &Meta) -> Result<SourceSize, JobFailure> {
        match SourceSize::of(meta) {
            Some(size) => Ok(size),
            None => Ok(SourceSize::read(self.bucket.as_ref(), meta).await?),
        }
    }
}
