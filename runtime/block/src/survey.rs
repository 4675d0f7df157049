//! One look at a bucket: each block's objects, metadata and marks, in whatever state they are.
//!
//! Where the fetcher shows what a component works with, this shows what is there: nothing is filtered, and what cannot be read
//! concerns its own block only.

use std::collections::BTreeMap;

use futures::{StreamExt, TryStreamExt};
use objstore::{Attributes, Bucket, BucketError, Listing};
use prom_model::TimestampMs;
use tsdb::BlockId;

use crate::object::read_small;
use crate::{DeletionMark, Mark, MarkError, Meta, MetaError, NoCompactMark, NoDownsampleMark, layout};

/// All blocks of a bucket, also those that are not whole.
#[derive(Debug, Default)]
pub struct Survey {
    /// By ID.
    pub blocks: BTreeMap<BlockId, SurveyedBlock>,
}

/// What lies in the folder of a block.
#[derive(Debug)]
pub struct SurveyedBlock {
    /// The objects, by their name in the folder, as in `chunks/000001`.
    pub objects: BTreeMap<String, Attributes>,
    /// Its meta.json.
    pub meta: MetaState,
    /// Its deletion mark.
    pub deletion: MarkState<DeletionMark>,
    /// Its mark against compaction.
    pub no_compact: MarkState<NoCompactMark>,
    /// Its mark against downsampling.
    pub no_downsample: MarkState<NoDownsampleMark>,
}

/// What became of a meta.json.
#[derive(Debug)]
pub enum MetaState {
    /// There is none.
    Missing,
    /// The bucket did not give it.
    Failed(BucketError),
    /// It is no metadata of this block.
    Unusable(MetaError),
    /// It was read.
    Read {
        /// The metadata.
        meta: Box<Meta>,
        /// Whether there is a section `thanos`.
        has_thanos: bool,
    },
}

/// What became of a mark.
#[derive(Debug)]
pub enum MarkState<M> {
    /// There is none.
    Absent,
    /// The bucket did not give it.
    Failed(BucketError),
    /// Something lies in its place that is no mark.
    Garbage,
    /// It is a mark, but not one for this block, or of a version that is not known.
    Unusable(MarkError),
    /// It was read.
    Read(M),
}

impl SurveyedBlock {
    /// The metadata, if it could be read.
    pub fn meta(&self) -> Option<&Meta> {
        match &self.meta {
            MetaState::Read { meta, .. } => Some(meta),
            _ => None,
        }
    }

    /// When the newest object was written, by the store's clock.
    pub fn modified(&self) -> Option<TimestampMs> {
        self.objects.values().map(|object| object.modified).max()
    }
}

impl<M> MarkState<M> {
    /// The mark, if it could be read.
    pub const fn mark(&self) -> Option<&M> {
        match self {
            MarkState::Read(mark) => Some(mark),
            _ => None,
        }
    }
}

impl Survey {
    /// Lists the bucket and reads the metadata and marks of all blocks that `wanted` lets through, so many at a time.
    ///
    /// # Errors
    /// When the bucket cannot be listed. An object that cannot be read does not end it.
    pub async fn of_bucket(
        bucket: &dyn Bucket,
        concurrency: usize,
        wanted: impl Fn(BlockId) -> bool,
    ) -> Result<Self, BucketError> {
        let mut folders: BTreeMap<BlockId, BTreeMap<String, Attributes>> = BTreeMap::new();
        let mut names = bucket.list("", Listing::Recursive);
        while let Some(entry) = names.try_next().await? {
            if let (Some((block, name)), Some(attributes)) = (layout::block_of(&entry.name), entry.attributes)
                && wanted(block)
            {
                folders.entry(block).or_default().insert(name.to_owned(), attributes);
            }
        }
        let blocks = futures::stream::iter(folders)
            .map(|(block, objects)| async move { (block, look(bucket, block, objects).await) })
            .buffer_unordered(concurrency.max(1))
            .collect::<Vec<_>>()
            .await;
        Ok(Survey { blocks: blocks.into_iter().collect() })
    }
}

async fn look(bucket: &dyn Bucket, block: BlockId, objects: BTreeMap<String, Attributes>) -> SurveyedBlock {
    let meta = match objects.contains_key(layout::META) {
        true => read_meta(bucket, block).await,
        false => MetaState::Missing,
    };
    SurveyedBlock {
        meta,
        deletion: mark(bucket, block, &objects).await,
        no_compact: mark(bucket, block, &objects).await,
        no_downsample: mark(bucket, block, &objects).await,
        objects,
    }
}

async fn read_meta(bucket: &dyn Bucket, block: BlockId) -> MetaState {
    let bytes = match read_small(bucket, &layout::object(block, layout::META)).await {
        Ok((bytes, _)) => bytes,
        Err(error) if error.is_not_found() => return MetaState::Missing,
        Err(BucketError::TooLarge { size, .. }) => return MetaState::Unusable(MetaError::TooLarge(size)),
        Err(error) => return MetaState::Failed(error),
    };
    match Meta::of_block(block, &bytes) {
        Ok(meta) => {
            let fields = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&bytes);
            let has_thanos =
                fields.is_ok_and(|fields| fields.get("thanos").is_some_and(|section| !section.is_null()));
            MetaState::Read { meta: Box::new(meta), has_thanos }
        }
        Err(error) => MetaState::Unusable(error),
    }
}

async fn mark<M: Mark>(
    bucket: &dyn Bucket,
    block: BlockId,
    objects: &BTreeMap<String, Attributes>,
) -> MarkState<M> {
    if !objects.contains_key(M::FILE) {
        return MarkState::Absent;
    }
    match read_small(bucket, &layout::object(block, M::FILE)).await {
        Ok((bytes, _)) => match M::of_block(block, &bytes) {
            Ok(Some(mark)) => MarkState::Read(mark),
            Ok(None) => MarkState::Garbage,
            Err(error) => MarkState::Unusable(error),
        },
        Err(error) if error.is_not_found() => MarkState::Absent,
        Err(BucketError::TooLarge { .. }) => MarkState::Garbage,
        Err(error) => MarkState::Failed(error),
    }
}
