//! Uploads that nobody goes on with: folders of blocks without a meta.json in which nothing has been written for two days.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use futures::TryStreamExt;
use objstore::{Attributes, Bucket, Entry, Listing};
use prom_model::{PromDuration, TimestampMs};
use tsdb::BlockId;

use super::{DeletionError, DeletionPlan, exists};
use crate::layout;
use crate::marker::{DeletionMark, read_mark};
use crate::store_time::StoreTime;

/// How long nothing must have been written, by the store's clock.
pub const PARTIAL_AGE: PromDuration = PromDuration::from_hours(48);

type Objects = Vec<(String, Option<Attributes>)>;

/// Remembers what partial uploads looked like, so that only one that has not changed between two looks is removed.
#[derive(Debug)]
pub struct PartialUploads {
    gap: PromDuration,
    seen: Mutex<BTreeMap<BlockId, (StoreTime, Objects)>>,
}

impl PartialUploads {
    /// Asks for two looks that are at least so far apart: an hour in a process that stays, zero in one that does not, which
    /// then looks twice at once.
    pub const fn new(gap: PromDuration) -> Self {
        PartialUploads { gap, seen: Mutex::new(BTreeMap::new()) }
    }

    /// Decides whether a block without a meta.json is to be removed: `None` for one that has a meta.json or a deletion mark
    /// after all, that is younger than [`PARTIAL_AGE`], or that has not been looked at twice.
    ///
    /// The age of a block is that of its newest object; the time in its ID says nothing about how the upload goes on.
    ///
    /// # Errors
    /// When the mark or the objects cannot be read.
    pub async fn decide(
        &self,
        bucket: &dyn Bucket,
        block: BlockId,
        now: StoreTime,
    ) -> Result<Option<DeletionPlan>, DeletionError> {
        let objects = self.look(bucket, block, now).await?;
        let Some(objects) = objects else {
            self.forget(block);
            return Ok(None);
        };
        if self.gap.is_zero() {
            if self.look(bucket, block, now).await?.as_ref() != Some(&objects) {
                return Ok(None);
            }
        } else if !self.has_stayed(block, now, &objects) {
            return Ok(None);
        }
        let objects = objects.into_iter().map(|(name, _)| name).collect();
        Ok(Some(DeletionPlan { block, objects, mark: None }))
    }

    /// The objects of a block that looks as if nobody went on with it.
    async fn look(
        &self,
        bucket: &dyn Bucket,
        block: BlockId,
        now: StoreTime,
    ) -> Result<Option<Objects>, DeletionError> {
        if exists(bucket, block, &layout::object(block, layout::META)).await?
            || read_mark::<DeletionMark>(bucket, block).await?.is_some()
        {
            return Ok(None);
        }
        let entries = bucket.list(&layout::folder(block), Listing::Recursive);
        let entries: Result<Vec<Entry>, _> = entries.try_collect().await;
        let entries = entries.map_err(|source| DeletionError::Bucket { block, source })?;
        let mut objects: Objects = entries.into_iter().map(|entry| (entry.name, entry.attributes)).collect();
        objects.sort();
        objects.dedup();
        let modified = |attributes: &Option<Attributes>| attributes.map(|attributes| attributes.modified);
        // An object whose age nobody knows is new.
        let newest =
            objects.iter().map(|(_, attributes)| modified(attributes).unwrap_or(TimestampMs::MAX)).max();
        Ok(newest.filter(|newest| now.age_of(*newest) > PARTIAL_AGE).map(|_| objects))
    }

    fn has_stayed(&self, block: BlockId, now: StoreTime, objects: &Objects) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match seen.get(&block) {
            Some((at, before)) if before == objects => now.age_of(at.0) >= self.gap,
            _ => {
                seen.insert(block, (now, objects.clone()));
                false
            }
        }
    }

    fn forget(&self, block: BlockId) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).remove(&block);
    }
}
