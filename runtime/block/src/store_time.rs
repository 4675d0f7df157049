//! The time as the store has it, by which the age of objects is judged.
//!
//! Our own clock may be wrong by days; objects carry times of the store's clock. So the store is asked: an object is written
//! and its time read back. Where the two clocks are far apart, nothing is deleted, because one of them lies.

use std::sync::Arc;

use bytes::Bytes;
use error_kind::{ErrorKind, Kind};
use objstore::{Bucket, BucketError, Put};
use prom_model::{Clock, PromDuration, TimestampMs};

use crate::layout;

/// How far the store's clock may be from ours.
const SKEW_MAX: PromDuration = PromDuration::from_mins(5);

/// A time by the store's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreTime(pub(crate) TimestampMs);

/// The store's time is unknown, or cannot be trusted.
#[derive(Debug, thiserror::Error)]
pub enum StoreTimeError {
    /// The store's answer.
    #[error("the store's time cannot be learned")]
    Bucket(#[from] BucketError),
    /// The clocks are too far apart to judge the age of anything.
    #[error(
        "the store's clock shows {store} and ours {ours}, in milliseconds since 1970: more than {SKEW_MAX} apart"
    )]
    Skew {
        /// What the store's clock shows.
        store: TimestampMs,
        /// What ours shows.
        ours: TimestampMs,
    },
}

impl Kind for StoreTimeError {
    fn kind(&self) -> ErrorKind {
        match self {
            StoreTimeError::Bucket(error) => error.kind(),
            StoreTimeError::Skew { .. } => ErrorKind::Unavailable,
        }
    }
}

impl StoreTime {
    /// Asks the store, by writing [`layout::CLOCK_PROBE`].
    ///
    /// # Errors
    /// When the store does not answer, and when its clock and ours are more than five minutes apart.
    pub async fn ask(bucket: &dyn Bucket, clock: &dyn Clock) -> Result<Self, StoreTimeError> {
        let before = clock.now();
        let body = Arc::new(Bytes::from(format!("{before}\n")));
        bucket.put(layout::CLOCK_PROBE, body, Put::Replace).await?;
        let store = bucket.attributes(layout::CLOCK_PROBE).await?.modified;
        let ours = clock.now();
        if store.since(ours) > SKEW_MAX || before.since(store) > SKEW_MAX {
            return Err(StoreTimeError::Skew { store, ours });
        }
        Ok(StoreTime(store))
    }

    /// Takes our own clock's word, to tell what would be done without doing it.
    pub fn assume(clock: &dyn Clock) -> Self {
        StoreTime(clock.now())
    }

    /// How long ago something was, by the store's clock.
    pub const fn age_of(self, then: TimestampMs) -> PromDuration {
        self.0.since(then)
    }
}
