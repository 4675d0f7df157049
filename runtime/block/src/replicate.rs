//! Copies a block from one bucket to another, so that it is seen there only when it is whole.

use std::sync::Arc;

use bytes::Bytes;
use error_kind::{ErrorKind, Kind};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use objstore::{Body, Bucket, BucketError, BucketRef, Listing, Put};
use tsdb::BlockId;

use crate::object::read_small;
use crate::{Meta, MetaError, layout};

/// What was done for a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replicated {
    /// The target has the same meta.json, which is written last: nothing was to be done.
    AlreadyThere,
    /// The block is in the target now.
    Copied {
        /// Objects that were written, meta.json included.
        objects: u64,
        /// Their bytes.
        bytes: u64,
    },
}

/// A block that could not be copied. What was copied of it is not seen by anybody and is used by the next attempt.
#[derive(Debug, thiserror::Error)]
pub enum ReplicateError {
    /// Its metadata cannot be read.
    #[error("meta.json of block {block} cannot be read")]
    Metadata {
        /// The block.
        block: BlockId,
        /// Why.
        #[source]
        source: BucketError,
    },
    /// Its metadata is none.
    #[error("block {block} is not copied")]
    Unusable {
        /// The block.
        block: BlockId,
        /// Why.
        #[source]
        source: MetaError,
    },
    /// The source does not have what its meta.json lists, so a copy would look whole and not be.
    #[error("block {block} is not copied: {file} is in its meta.json, but not in the bucket")]
    Incomplete {
        /// The block.
        block: BlockId,
        /// What is missing.
        file: String,
    },
    /// One of the buckets failed.
    #[error("block {block} is not copied")]
    Bucket {
        /// The block.
        block: BlockId,
        /// The store's answer.
        #[source]
        source: BucketError,
    },
}

impl Kind for ReplicateError {
    fn kind(&self) -> ErrorKind {
        match self {
            ReplicateError::Incomplete { .. } => ErrorKind::Corrupt,
            ReplicateError::Unusable { source, .. } => source.kind(),
            ReplicateError::Metadata { source, .. } | ReplicateError::Bucket { source, .. } => source.kind(),
        }
    }
}

/// Makes sure that `to` has the block as `from` has it: chunks and index first, meta.json last. Marks are not copied.
///
/// An object that is there in the same size is not copied again: an attempt before may have been interrupted.
///
/// # Errors
/// All of [`ReplicateError`].
pub async fn replicate(
    from: &BucketRef,
    to: &dyn Bucket,
    block: BlockId,
) -> Result<Replicated, ReplicateError> {
    let failed = |source| ReplicateError::Bucket { block, source };
    let name = layout::object(block, layout::META);
    let (bytes, _) = read_small(from.as_ref(), &name)
        .await
        .map_err(|source| ReplicateError::Metadata { block, source })?;
    let meta = Meta::of_block(block, &bytes).map_err(|source| ReplicateError::Unusable { block, source })?;
    match read_small(to, &name).await {
        Ok((there, _)) if there == bytes => return Ok(Replicated::AlreadyThere),
        Ok(_) | Err(BucketError::TooLarge { .. }) => {}
        Err(error) if error.is_not_found() => {}
        Err(error) => return Err(failed(error)),
    }
    let listed: Vec<_> =
        from.list(&layout::folder(block), Listing::Recursive).try_collect().await.map_err(failed)?;
    let objects: Vec<(String, u64)> = listed
        .into_iter()
        .filter_map(|entry| Some((entry.name, entry.attributes?.size)))
        .filter(|(name, _)| layout::block_of(name).is_some_and(|(_, file)| is_data(file)))
        .collect();
    let has = |file: &str| objects.iter().any(|(name, _)| *name == layout::object(block, file));
    let listed = meta.thanos.files.iter().map(|file| file.rel_path.as_str());
    for file in listed.filter(|file| *file != layout::META).chain([layout::INDEX]) {
        if !has(file) {
            return Err(ReplicateError::Incomplete { block, file: file.to_owned() });
        }
    }
    let (mut written, mut sent) = (0_u64, 0_u64);
    for (name, size) in objects {
        match to.attributes(&name).await {
            Ok(there) if there.size == size => continue,
            Ok(_) => {}
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(failed(error)),
        }
        let body = ObjectBody { bucket: Arc::clone(from), name: name.clone(), size };
        to.put(&name, Arc::new(body), Put::Replace).await.map_err(failed)?;
        written = written.saturating_add(1);
        sent = sent.saturating_add(size);
    }
    let size = bytes.len() as u64;
    to.put(&name, Arc::new(bytes), Put::Replace).await.map_err(failed)?;
    Ok(Replicated::Copied { objects: written.saturating_add(1), bytes: sent.saturating_add(size) })
}

/// What makes up a block, without meta.json and marks.
fn is_data(file: &str) -> bool {
    file == layout::INDEX || file == "tombstones" || file.starts_with("chunks/")
}

/// An object of another bucket as a body.
#[derive(Debug, Clone)]
struct ObjectBody {
    bucket: BucketRef,
    name: String,
    size: u64,
}

impl Body for ObjectBody {
    fn size(&self) -> u64 {
        self.size
    }

    fn open(&self) -> BoxStream<'static, std::io::Result<Bytes>> {
        let ObjectBody { bucket, name, size } = self.clone();
        let opened = async move {
            let got = bucket.get(&name).await.map_err(std::io::Error::other)?;
            if got.attributes.size != size {
                return Err(std::io::Error::other(format!("{name} has changed while it was copied")));
            }
            Ok(got.body.map_err(std::io::Error::other))
        };
        futures::stream::once(opened).try_flatten().boxed()
    }
}
