//! Which folders of blocks are in a bucket, and which of them have a meta.json.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};
use objstore::{Attributes, Bucket, BucketError, Listing};
use prom_model::TimestampMs;
use tsdb::BlockId;

use crate::layout;

/// How blocks are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Discovery {
    /// One listing of the root, and one question per block for its meta.json.
    #[default]
    Concurrent,
    /// One listing of everything; cheaper where a listing is cheap.
    Recursive,
}

/// A word that names no way to find blocks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no discovery strategy: concurrent or recursive")]
pub struct DiscoveryError(String);

impl FromStr for Discovery {
    type Err = DiscoveryError;

    fn from_str(text: &str) -> Result<Self, DiscoveryError> {
        match text {
            "concurrent" => Ok(Discovery::Concurrent),
            "recursive" => Ok(Discovery::Recursive),
            other => Err(DiscoveryError(other.to_owned())),
        }
    }
}

/// What a listing says of one block.
#[derive(Debug, Clone)]
pub struct Listed {
    pub(crate) meta: MetaObject,
    /// When the newest object was written, by the store's clock; `None` where the listing does not tell.
    pub newest: Option<TimestampMs>,
    /// The names of the objects in the folder itself; `None` where the listing does not tell.
    files: Option<Vec<String>>,
}

impl Listed {
    /// Whether an object may be there: `false` only where a listing of everything does not have it.
    pub fn may_have(&self, file: &str) -> bool {
        self.files.as_ref().is_none_or(|files| files.iter().any(|known| known == file))
    }
}

/// What is known of the meta.json of a block.
#[derive(Debug, Clone)]
pub(crate) enum MetaObject {
    Missing,
    There(Attributes),
    Unknown(Arc<BucketError>),
}

/// Lists the blocks of a bucket.
pub(crate) async fn list(
    bucket: &dyn Bucket,
    discovery: Discovery,
    concurrency: usize,
) -> Result<BTreeMap<BlockId, Listed>, BucketError> {
    match discovery {
        Discovery::Concurrent => list_folders(bucket, concurrency).await,
        Discovery::Recursive => list_everything(bucket).await,
    }
}

async fn list_folders(
    bucket: &dyn Bucket,
    concurrency: usize,
) -> Result<BTreeMap<BlockId, Listed>, BucketError> {
    let mut blocks = Vec::new();
    let mut entries = bucket.list("", Listing::Shallow);
    while let Some(entry) = entries.try_next().await? {
        if entry.is_folder()
            && let Some((block, "")) = layout::block_of(&entry.name)
        {
            blocks.push(block);
        }
    }
    drop(entries);
    let questions = blocks.into_iter().map(|block| async move {
        let meta = match bucket.attributes(&layout::object(block, layout::META)).await {
            Ok(attributes) => MetaObject::There(attributes),
            Err(BucketError::NotFound { .. }) => MetaObject::Missing,
            Err(error) => MetaObject::Unknown(Arc::new(error)),
        };
        (block, Listed { meta, newest: None, files: None })
    });
    Ok(futures::stream::iter(questions).buffer_unordered(concurrency).collect().await)
}

async fn list_everything(bucket: &dyn Bucket) -> Result<BTreeMap<BlockId, Listed>, BucketError> {
    let mut blocks: BTreeMap<BlockId, Listed> = BTreeMap::new();
    let mut unknown = Vec::new();
    let mut entries = bucket.list("", Listing::Recursive);
    while let Some(entry) = entries.try_next().await? {
        let Some((block, file)) = layout::block_of(&entry.name) else { continue };
        let nothing = || Listed { meta: MetaObject::Missing, newest: None, files: Some(Vec::new()) };
        let listed = blocks.entry(block).or_insert_with(nothing);
        listed.newest = listed.newest.max(entry.attributes.map(|attributes| attributes.modified));
        if file == layout::META {
            match entry.attributes {
                Some(attributes) => listed.meta = MetaObject::There(attributes),
                None => unknown.push(block),
            }
        }
        if !file.contains('/')
            && let Some(files) = &mut listed.files
        {
            files.push(file.to_owned());
        }
    }
    drop(entries);
    for block in unknown {
        let meta = match bucket.attributes(&layout::object(block, layout::META)).await {
            Ok(attributes) => MetaObject::There(attributes),
            Err(BucketError::NotFound { .. }) => MetaObject::Missing,
            Err(error) => MetaObject::Unknown(Arc::new(error)),
        };
        if let Some(listed) = blocks.get_mut(&block) {
            listed.meta = meta;
        }
    }
    Ok(blocks)
}
