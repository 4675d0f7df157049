//! What takes blocks out of sight, each for one reason, in an order that matters.
//!
//! Thanos' orders, which [`Fetcher::new`](crate::Fetcher::new) is to be given:
//! - store gateway: [`ParquetMigrated`], [`TimeRange`], [`LabelShard`], [`ConsistencyDelay`], [`IgnoreDeletionMarks`],
//!   [`Duplicates`];
//! - compactor: [`TimeRange`], [`LabelShard`], [`ConsistencyDelay`], [`IgnoreDeletionMarks`], [`ReplicaLabels`],
//!   [`Duplicates`], [`NoCompactMarks`], [`NoDownsampleMarks`].

mod deletion_marks;
mod duplicates;
mod fresh;
mod labels;
mod marks;
mod parquet;
mod time;

use std::collections::BTreeMap;
use std::fmt::Debug;

use async_trait::async_trait;
use objstore::Bucket;
use prom_model::TimestampMs;
use tsdb::BlockId;

pub use deletion_marks::IgnoreDeletionMarks;
pub use duplicates::{Duplicates, is_covered};
pub use fresh::ConsistencyDelay;
pub use labels::{BLOCK_ID_LABEL, LabelShard, ReplicaLabels};
pub use marks::{NoCompactMarks, NoDownsampleMarks};
pub use parquet::ParquetMigrated;
pub use time::{TimeBound, TimeBoundError, TimeRange};

use crate::fetcher::{Listed, View};

/// Takes blocks out of a view, or learns something about them.
#[async_trait]
pub trait Filter: Debug + Send + Sync {
    /// Works on the view. What fails concerns single blocks and is added to the view's errors.
    async fn apply(&self, round: &Round<'_>, view: &mut View);
}

/// What filters know of the look through the bucket that they are part of.
#[derive(Debug)]
pub struct Round<'a> {
    /// The bucket.
    pub bucket: &'a dyn Bucket,
    /// The time, by our clock.
    pub now: TimestampMs,
    /// How many objects may be read at once.
    pub concurrency: usize,
    /// What the listing says of each block.
    pub listed: &'a BTreeMap<BlockId, Listed>,
}
