//! Whether a compacted block may be shipped: only where the bucket has nothing of its stream and time.

use futures::StreamExt;
use objstore::{Bucket, BucketError};

use super::ShipError;
use crate::fetcher::{Discovery, MetaObject, list};
use crate::layout;
use crate::meta::Meta;
use crate::object::read_small;

const CONCURRENCY: usize = 32;

/// Looks at all raw blocks of the bucket that have the labels of `meta`.
pub(super) async fn refuse_overlap(bucket: &dyn Bucket, meta: &Meta) -> Result<(), ShipError> {
    let listed = list(bucket, Discovery::Concurrent, CONCURRENCY).await.map_err(ShipError::OverlapUnknown)?;
    let reads = listed.into_iter().filter_map(|(block, listed)| match listed.meta {
        MetaObject::Missing => None,
        MetaObject::There(_) | MetaObject::Unknown(_) => {
            Some(async move { (block, read_small(bucket, &layout::object(block, layout::META)).await) })
        }
    });
    let mut reads = futures::stream::iter(reads).buffer_unordered(CONCURRENCY);
    let mut overlapping = None;
    while let Some((block, read)) = reads.next().await {
        let bytes = match read {
            Ok((bytes, _)) => bytes,
            Err(BucketError::NotFound { .. }) => continue,
            Err(error) => return Err(ShipError::OverlapUnknown(error)),
        };
        // A damaged block is nobody's stream.
        let Ok(other) = Meta::of_block(block, &bytes) else { continue };
        let same_stream = other.thanos.labels == meta.thanos.labels
            && other.thanos.downsample.resolution == meta.thanos.downsample.resolution;
        let same_time =
            other.block.min_time < meta.block.max_time && meta.block.min_time < other.block.max_time;
        if same_stream && same_time {
            overlapping = overlapping.max(Some(block));
        }
    }
    match overlapping {
        Some(other) => Err(ShipError::Overlap { other }),
        None => Ok(()),
    }
}
