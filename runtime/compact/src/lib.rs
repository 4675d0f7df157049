//! Compaction: few large blocks instead of many small ones, coarser resolutions of old samples, and nothing kept longer than it
//! is wanted.
//!
//! [`merge`] and [`downsample`] make a block on disk out of others and know nothing of buckets. [`source`] opens blocks in a bucket, [`plan`]
//! decides what becomes of which, [`cycle`] does it, [`quarantine`] takes care of what is damaged.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing))]

mod blocking;
pub mod cycle;
pub mod downsample;
pub mod estimate;
pub mod lease;
pub mod lineage;
pub mod merge;
mod output;
pub mod plan;
pub mod quarantine;
pub mod source;
pub mod verify;

pub use output::{SourceError, SourceFault, Target, WriteError, Written};
