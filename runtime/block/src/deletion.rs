//! Removes blocks: those that were marked long enough ago, and uploads that nobody goes on with.
//!
//! First it is decided and written down what is to be removed ([`DeletionPlan`]), then it is done ([`DeletionPlan::run`]); what
//! would be done can so be told without doing it. meta.json goes first, so that nobody sees half a block; the mark goes last, so
//! that whoever comes after an interruption knows what to do with the rest.

mod partial;

use std::collections::BTreeSet;
use std::fmt;

use error_kind::{ErrorKind, Kind};
use futures::TryStreamExt;
use objstore::{Bucket, BucketError, Listing};
use prom_model::PromDuration;
use tsdb::BlockId;

pub use partial::{PARTIAL_AGE, PartialUploads};

use crate::layout;
use crate::marker::{DeletionMark, Mark, MarkError, read_mark};
use crate::meta::Meta;
use crate::object::read_small;
use crate::store_time::StoreTime;

/// How often what is left is looked for before a deletion is given up until the next time.
const PASSES: usize = 3;

/// What is to be removed, in this order.
#[derive(Debug, Clone, PartialEq)]
pub struct DeletionPlan {
    /// The block.
    pub block: BlockId,
    /// The names of the objects, from the root of the bucket.
    pub objects: Vec<String>,
    /// The mark that asks for it; `None` for an upload that nobody goes on with.
    mark: Option<DeletionMark>,
}

impl fmt::Display for DeletionPlan {
    /// One line per operation.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.objects.iter().try_for_each(|name| writeln!(f, "delete {name}"))
    }
}

/// Whether a block is to be deleted.
#[derive(Debug, Clone, PartialEq)]
pub enum DeletionDecision {
    /// Yes.
    Delete(DeletionPlan),
    /// The mark is too young.
    NotYet {
        /// For how long it has to get older.
        left: PromDuration,
    },
    /// There is no mark.
    NotMarked,
}

/// A block that was not removed, or not wholly.
#[derive(Debug, thiserror::Error)]
pub enum DeletionError {
    /// The mark cannot be used; without it nothing is removed.
    #[error(transparent)]
    Mark(#[from] MarkError),
    /// The store's answer.
    #[error("block {block}: the bucket failed")]
    Bucket {
        /// The block.
        block: BlockId,
        /// The store's answer.
        #[source]
        source: BucketError,
    },
    /// The mark was taken away, or another put in its place, since the plan was made.
    #[error("the deletion mark of block {0} is no longer there")]
    MarkGone(BlockId),
    /// The upload went on since the plan was made.
    #[error("block {0} is being uploaded")]
    Uploading(BlockId),
    /// Objects are still listed after they were removed.
    #[error("block {block} still has {count} objects")]
    Remaining {
        /// The block.
        block: BlockId,
        /// How many.
        count: usize,
    },
}

impl Kind for DeletionError {
    fn kind(&self) -> ErrorKind {
        match self {
            DeletionError::Mark(error) => error.kind(),
            DeletionError::Bucket { source, .. } => source.kind(),
            DeletionError::MarkGone(_) | DeletionError::Uploading(_) => ErrorKind::Conflict,
            DeletionError::Remaining { .. } => ErrorKind::Unavailable,
        }
    }
}

/// Decides whether a block is to be deleted: its own folder has a mark for it, and both the time in the mark and the time of
/// the object are at least `delay` ago by the store's clock.
///
/// # Errors
/// When the mark or the objects cannot be read.
pub async fn decide_deletion(
    bucket: &dyn Bucket,
    block: BlockId,
    now: StoreTime,
    delay: PromDuration,
) -> Result<DeletionDecision, DeletionError> {
    let Some(found) = read_mark::<DeletionMark>(bucket, block).await? else {
        return Ok(DeletionDecision::NotMarked);
    };
    let age = now.age_of(found.modified).min(now.age_of(found.mark.time()));
    if age < delay {
        let left = PromDuration::from_millis(delay.as_millis().saturating_sub(age.as_millis()));
        return Ok(DeletionDecision::NotYet { left });
    }
    let objects = objects_in_order(bucket, block).await?;
    Ok(DeletionDecision::Delete(DeletionPlan { block, objects, mark: Some(found.mark) }))
}

impl DeletionPlan {
    /// Does it; gives the number of objects that were removed. Can be called again after an error, or a new plan be made.
    ///
    /// # Errors
    /// See [`DeletionError`]; what is left is no visible block.
    pub async fn run(&self, bucket: &dyn Bucket) -> Result<usize, DeletionError> {
        let block = self.block;
        self.confirm(bucket).await?;
        let mut removed = 0;
        let mark_name = layout::object(block, DeletionMark::FILE);
        if self.mark.is_some() {
            // Also where the plan does not have it: whoever made the plan may have been told that it was gone.
            removed += usize::from(remove(bucket, block, &layout::object(block, layout::META)).await?);
        }
        let mut left: Vec<String> = self.objects.iter().filter(|name| **name != mark_name).cloned().collect();
        for _ in 0..PASSES {
            for name in &left {
                removed += usize::from(remove(bucket, block, name).await?);
            }
            left = self.left(bucket, &mark_name).await?;
            if left.is_empty() {
                break;
            }
        }
        if !left.is_empty() {
            return Err(DeletionError::Remaining { block, count: left.len() });
        }
        if self.mark.is_some() {
            removed += usize::from(remove(bucket, block, &mark_name).await?);
        }
        Ok(removed)
    }

    /// Looks once more whether the reason for the deletion still holds.
    async fn confirm(&self, bucket: &dyn Bucket) -> Result<(), DeletionError> {
        let block = self.block;
        let found = read_mark::<DeletionMark>(bucket, block).await?;
        match (&self.mark, found) {
            (Some(mark), Some(found)) if *mark == found.mark => Ok(()),
            (Some(_), _) => Err(DeletionError::MarkGone(block)),
            // Somebody else has decided about this block meanwhile.
            (None, Some(_)) => Err(DeletionError::Uploading(block)),
            (None, None) => match bucket.exists(&layout::object(block, layout::META)).await {
                Ok(false) => Ok(()),
                Ok(true) => Err(DeletionError::Uploading(block)),
                Err(source) => Err(DeletionError::Bucket { block, source }),
            },
        }
    }

    /// What is there but for the mark. A listing may be old, so each object is asked for by its name.
    async fn left(&self, bucket: &dyn Bucket, mark_name: &str) -> Result<Vec<String>, DeletionError> {
        let block = self.block;
        let mut left = Vec::new();
        for name in list(bucket, block).await? {
            // An object that came after the plan for an upload that was given up: somebody goes on with it.
            if self.mark.is_none() && !self.objects.contains(&name) {
                return Err(DeletionError::Uploading(block));
            }
            if name != mark_name && exists(bucket, block, &name).await? {
                left.push(name);
            }
        }
        Ok(left)
    }
}

/// The objects of a block in the order in which they are to be removed: what the listing has, and what meta.json names though
/// the listing does not have it.
async fn objects_in_order(bucket: &dyn Bucket, block: BlockId) -> Result<Vec<String>, DeletionError> {
    let (meta_name, mark_name) =
        (layout::object(block, layout::META), layout::object(block, DeletionMark::FILE));
    let mut names: BTreeSet<String> = list(bucket, block).await?.into_iter().collect();
    let mut others = BTreeSet::from([layout::INDEX.to_owned()]);
    let meta = match read_small(bucket, &meta_name).await {
        Ok((bytes, _)) => Some(Meta::of_block(block, &bytes)),
        Err(BucketError::NotFound { .. }) => None,
        Err(BucketError::TooLarge { .. }) => Some(Err(crate::MetaError::TooLarge(0))),
        Err(source) => return Err(DeletionError::Bucket { block, source }),
    };
    let has_meta = meta.is_some();
    if let Some(Ok(meta)) = meta {
        let files = meta.thanos.files.into_iter().map(|file| file.rel_path);
        others.extend(files.filter(|path| layout::is_block_file(path) && path != layout::META));
    }
    for path in others {
        let name = layout::object(block, &path);
        if !names.contains(&name) && exists(bucket, block, &name).await? {
            names.insert(name);
        }
    }
    names.remove(&meta_name);
    names.remove(&mark_name);
    let first = has_meta.then_some(meta_name);
    Ok(first.into_iter().chain(names).chain([mark_name]).collect())
}

async fn list(bucket: &dyn Bucket, block: BlockId) -> Result<Vec<String>, DeletionError> {
    let entries = bucket.list(&layout::folder(block), Listing::Recursive);
    let names = entries.map_ok(|entry| entry.name).try_collect().await;
    names.map_err(|source| DeletionError::Bucket { block, source })
}

async fn exists(bucket: &dyn Bucket, block: BlockId, name: &str) -> Result<bool, DeletionError> {
    bucket.exists(name).await.map_err(|source| DeletionError::Bucket { block, source })
}

/// Removes an object; `false` where it was gone.
async fn remove(bucket: &dyn Bucket, block: BlockId, name: &str) -> Result<bool, DeletionError> {
    match bucket.delete(name).await {
        Ok(()) => Ok(true),
        Err(BucketError::NotFound { .. }) => Ok(false),
        Err(source) => Err(DeletionError::Bucket { block, source }),
    }
}
