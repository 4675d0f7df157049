//! Looks for a block in the bucket: is it there whole, as it is on the disk?

use block::{Meta, MetaError, layout};
use error_kind::{ErrorKind, Kind};
use objstore::{Bucket, BucketError, read_all};
use tsdb::BlockId;

use super::disk::FileOnDisk;

/// The largest meta.json that is read.
const META_BYTES_MAX: u64 = 1 << 20;

/// A block that was not seen whole in the bucket.
#[derive(Debug, thiserror::Error)]
pub enum NotInBucket {
    /// The store's answer.
    #[error("block {block}: the bucket failed")]
    Bucket {
        /// The block.
        block: BlockId,
        /// The store's answer.
        #[source]
        source: BucketError,
    },
    /// Its meta.json cannot be used.
    #[error("block {block} in the bucket")]
    Meta {
        /// The block.
        block: BlockId,
        /// What is wrong with it.
        #[source]
        source: MetaError,
    },
    /// A file is not there, has another size, or other bytes.
    #[error("{path} of block {block} in the bucket {what}")]
    File {
        /// The block.
        block: BlockId,
        /// The path from its folder.
        path: String,
        /// In what it differs.
        what: &'static str,
    },
    /// meta.json in the bucket does not list what a block consists of.
    #[error("meta.json of block {0} in the bucket lists no index or no segments")]
    NoFiles(BlockId),
}

impl Kind for NotInBucket {
    fn kind(&self) -> ErrorKind {
        match self {
            NotInBucket::Bucket { source, .. } => source.kind(),
            NotInBucket::Meta { source, .. } => source.kind(),
            NotInBucket::File { .. } | NotInBucket::NoFiles(_) => ErrorKind::Corrupt,
        }
    }
}

/// Reads a block's meta.json in the bucket, and looks at every file that it lists: the size, and where the block is on the disk
/// (`files`) also both ends. Gives what the meta.json says.
///
/// # Errors
/// [`NotInBucket`], the first reason that is found.
pub async fn look_in_bucket(
    bucket: &dyn Bucket,
    block: BlockId,
    files: &[FileOnDisk],
) -> Result<Meta, NotInBucket> {
    let failed = |source| NotInBucket::Bucket { block, source };
    let bytes = read_all(bucket, &layout::object(block, layout::META), META_BYTES_MAX).await;
    let meta = Meta::of_block(block, &bytes.map_err(failed)?);
    let meta = meta.map_err(|source| NotInBucket::Meta { block, source })?;
    let listed = |path: &str| meta.thanos.files.iter().find(|file| file.rel_path == path);
    for file in files {
        let differs = |what| Err(NotInBucket::File { block, path: file.path.clone(), what });
        match listed(&file.path) {
            Some(entry) if entry.size_bytes == file.size => {}
            Some(_) => return differs("has another size in its meta.json"),
            None => return differs("is not listed in its meta.json"),
        }
        let name = layout::object(block, &file.path);
        let starts = [0, file.size.saturating_sub(file.tail.len() as u64)];
        for (offset, expected) in starts.into_iter().zip([&file.head, &file.tail]) {
            let found = bucket.get_range(&name, offset, expected.len() as u64).await.map_err(failed)?;
            if found != expected {
                return differs("has other bytes");
            }
        }
    }
    let is_part = |path: &str| path == layout::INDEX || path.starts_with("chunks/");
    let parts = meta.thanos.files.iter().filter(|file| is_part(&file.rel_path));
    for file in parts.clone() {
        let path = file.rel_path.clone();
        match bucket.attributes(&layout::object(block, &path)).await {
            Ok(attributes) if attributes.size == file.size_bytes => {}
            Ok(_) => return Err(NotInBucket::File { block, path, what: "has another size" }),
            Err(BucketError::NotFound { .. }) => {
                return Err(NotInBucket::File { block, path, what: "is not there" });
            }
            Err(source) => return Err(failed(source)),
        }
    }
    let has_index = parts.clone().any(|file| file.rel_path == layout::INDEX);
    if has_index && parts.count() > 1 { Ok(meta) } else { Err(NotInBucket::NoFiles(block)) }
}
