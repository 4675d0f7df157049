//! Marks: small objects beside a block that say what is not to be done with it, or that it is to be deleted.
//!
//! A mark is written once and never over another. What is no JSON is treated as if it were not there, as it may be half of a
//! write; a version that nobody has defined is an error of its own block.

use std::sync::Arc;

use bytes::Bytes;
use error_kind::{ErrorKind, Kind};
use objstore::{Bucket, BucketError, Put};
use prom_model::TimestampMs;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tsdb::BlockId;
use tsdb::block::to_go_json_compact;

use crate::layout;
use crate::object::{JSON_BYTES_MAX, read_small};

const VERSION: i64 = 1;

/// One of the three kinds of mark.
pub trait Mark: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The name of the object in the folder of the block.
    const FILE: &'static str;

    /// The block that the mark is for.
    fn block(&self) -> BlockId;

    /// Reads the bytes of a mark that lies in the folder of a block; `None` where they are no JSON of this shape.
    ///
    /// # Errors
    /// [`MarkError::Version`], [`MarkError::WrongBlock`], [`MarkError::TooLarge`].
    fn of_block(folder: BlockId, bytes: &[u8]) -> Result<Option<Self>, MarkError> {
        let file = Self::FILE;
        if bytes.len() as u64 > JSON_BYTES_MAX {
            return Err(MarkError::TooLarge { folder, file, size: bytes.len() as u64 });
        }
        // The version is judged first: a newer mark may have another shape.
        let Ok(fields) = serde_json::from_slice::<Map<String, Value>>(bytes) else { return Ok(None) };
        match fields.get("version").and_then(Value::as_i64) {
            Some(VERSION) => {}
            Some(version) => return Err(MarkError::Version { folder, file, version }),
            None if fields.get("version").is_none_or(Value::is_null) => {
                return Err(MarkError::Version { folder, file, version: 0 });
            }
            None => return Ok(None),
        }
        let Ok(mark) = serde_json::from_value::<Self>(Value::Object(fields)) else { return Ok(None) };
        if mark.block() != folder {
            return Err(MarkError::WrongBlock { folder, file, found: mark.block() });
        }
        Ok(Some(mark))
    }

    /// The bytes of the mark, as Thanos writes them.
    ///
    /// # Errors
    /// When unknown fields cannot be written as JSON.
    fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        to_go_json_compact(self)
    }
}

/// Says that a block is to be deleted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeletionMark {
    /// The block.
    pub id: BlockId,
    /// The version of the format, 1.
    pub version: i64,
    /// Why.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub details: String,
    /// When the mark was written, in seconds since the epoch, by the clock of who wrote it.
    #[serde(default)]
    pub deletion_time: i64,
    /// Fields that are not known here.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl DeletionMark {
    /// A mark of this moment.
    pub fn new(id: BlockId, now: TimestampMs, details: impl Into<String>) -> Self {
        let deletion_time = now.as_millis().div_euclid(1_000);
        DeletionMark { id, version: VERSION, details: details.into(), deletion_time, extra: Map::new() }
    }

    /// When the mark was written, by the clock of who wrote it.
    pub const fn time(&self) -> TimestampMs {
        TimestampMs::from_millis(self.deletion_time.saturating_mul(1_000))
    }
}

/// Why a block is not to be compacted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoCompactReason {
    /// Somebody wants it so.
    Manual,
    /// The result would have too large an index.
    IndexSizeExceeding,
    /// Chunks are out of order.
    BlockIndexOutOfOrderChunk,
    /// Downsampled blocks would be merged vertically.
    DownsampleVerticalCompaction,
    /// A reason that is not known here.
    #[serde(untagged)]
    Other(String),
}

/// Says that a block is not to be compacted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NoCompactMark {
    /// The block.
    pub id: BlockId,
    /// The version of the format, 1.
    pub version: i64,
    /// Why, in words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub details: String,
    /// When the mark was written, in seconds since the epoch.
    #[serde(default)]
    pub no_compact_time: i64,
    /// Why.
    pub reason: NoCompactReason,
    /// Fields that are not known here.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl NoCompactMark {
    /// A mark of this moment.
    pub fn new(id: BlockId, now: TimestampMs, reason: NoCompactReason, details: impl Into<String>) -> Self {
        let no_compact_time = now.as_millis().div_euclid(1_000);
        NoCompactMark {
            id,
            version: VERSION,
            details: details.into(),
            no_compact_time,
            reason,
            extra: Map::new(),
        }
    }
}

/// Why a block is not to be downsampled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoDownsampleReason {
    /// Somebody wants it so.
    Manual,
    /// A reason that is not known here.
    #[serde(untagged)]
    Other(String),
}

/// Says that a block is not to be downsampled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NoDownsampleMark {
    /// The block.
    pub id: BlockId,
    /// The version of the format, 1.
    pub version: i64,
    /// Why, in words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub details: String,
    /// When the mark was written, in seconds since the epoch.
    #[serde(default)]
    pub no_downsample_time: i64,
    /// Why.
    pub reason: NoDownsampleReason,
    /// Fields that are not known here.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl NoDownsampleMark {
    /// A mark of this moment.
    pub fn new(
        id: BlockId,
        now: TimestampMs,
        reason: NoDownsampleReason,
        details: impl Into<String>,
    ) -> Self {
        let no_downsample_time = now.as_millis().div_euclid(1_000);
        let details = details.into();
        NoDownsampleMark { id, version: VERSION, details, no_downsample_time, reason, extra: Map::new() }
    }
}

macro_rules! mark {
    ($mark:ty, $file:expr) => {
        impl Mark for $mark {
            const FILE: &'static str = $file;

            fn block(&self) -> BlockId {
                self.id
            }
        }
    };
}

mark!(DeletionMark, layout::DELETION_MARK);
mark!(NoCompactMark, layout::NO_COMPACT_MARK);
mark!(NoDownsampleMark, layout::NO_DOWNSAMPLE_MARK);

/// A mark that could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum MarkError {
    /// The store's answer.
    #[error("{file} of block {folder}: the bucket failed")]
    Bucket {
        /// The block.
        folder: BlockId,
        /// Which mark.
        file: &'static str,
        /// The store's answer.
        #[source]
        source: BucketError,
    },
    /// A version that nobody has defined.
    #[error("{file} of block {folder} has version {version}, only 1 is known")]
    Version {
        /// The block.
        folder: BlockId,
        /// Which mark.
        file: &'static str,
        /// The version.
        version: i64,
    },
    /// The mark names another block than the one in whose folder it lies.
    #[error("{file} in the folder of block {folder} is for block {found}")]
    WrongBlock {
        /// Where it lies.
        folder: BlockId,
        /// Which mark.
        file: &'static str,
        /// What it says.
        found: BlockId,
    },
    /// It is larger than any mark.
    #[error("{file} of block {folder} has {size} bytes, at most {JSON_BYTES_MAX} are read")]
    TooLarge {
        /// The block.
        folder: BlockId,
        /// Which mark.
        file: &'static str,
        /// Its size.
        size: u64,
    },
    /// It cannot be written as JSON.
    #[error("{file} of block {folder} cannot be written")]
    Json {
        /// The block.
        folder: BlockId,
        /// Which mark.
        file: &'static str,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
}

impl Kind for MarkError {
    fn kind(&self) -> ErrorKind {
        match self {
            MarkError::Bucket { source, .. } => source.kind(),
            MarkError::Json { .. } => ErrorKind::Internal,
            MarkError::Version { .. } | MarkError::WrongBlock { .. } | MarkError::TooLarge { .. } => {
                ErrorKind::Corrupt
            }
        }
    }
}

/// Whether a mark was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marked {
    /// It is there now.
    Written,
    /// A mark of this kind was there, and is as it was.
    AlreadyThere,
}

/// What was found in the place of a mark.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundMark<M> {
    /// The mark.
    pub mark: M,
    /// When the object was written, by the store's clock.
    pub modified: TimestampMs,
}

/// Reads the mark of a block; `None` where there is none, or only something that is no mark.
///
/// # Errors
/// All of [`MarkError`] but [`MarkError::Json`].
pub async fn read_mark<M: Mark>(
    bucket: &dyn Bucket,
    block: BlockId,
) -> Result<Option<FoundMark<M>>, MarkError> {
    let name = layout::object(block, M::FILE);
    let (bytes, attributes) = match read_small(bucket, &name).await {
        Ok(read) => read,
        Err(BucketError::NotFound { .. }) => return Ok(None),
        Err(BucketError::TooLarge { size, .. }) => {
            return Err(MarkError::TooLarge { folder: block, file: M::FILE, size });
        }
        Err(source) => return Err(MarkError::Bucket { folder: block, file: M::FILE, source }),
    };
    let mark = M::of_block(block, &bytes)?;
    if mark.is_none() {
        tracing::warn!(block = %block, file = M::FILE, "found something that is no mark and treated it as absent");
    }
    Ok(mark.map(|mark| FoundMark { mark, modified: attributes.modified }))
}

/// Writes a mark unless there is one.
///
/// What is there but is no mark is replaced. Where the store can create atomically, two writers at once give one mark.
///
/// # Errors
/// All of [`MarkError`]. After [`MarkError::Bucket`] the mark may have been written.
pub async fn write_mark<M: Mark>(bucket: &dyn Bucket, mark: &M) -> Result<Marked, MarkError> {
    let (folder, file) = (mark.block(), M::FILE);
    let failed = |source| MarkError::Bucket { folder, file, source };
    let name = layout::object(folder, file);
    if read_mark::<M>(bucket, folder).await?.is_some() {
        return Ok(Marked::AlreadyThere);
    }
    let bytes = mark.to_bytes().map_err(|source| MarkError::Json { folder, file, source })?;
    let body = Arc::new(Bytes::from(bytes));
    let half_written = bucket.exists(&name).await.map_err(failed)?;
    let put = if bucket.creates_atomically() && !half_written { Put::Create } else { Put::Replace };
    match bucket.put(&name, body, put).await {
        Ok(_) => Ok(Marked::Written),
        Err(BucketError::AlreadyExists { .. }) => Ok(Marked::AlreadyThere),
        Err(error) => Err(failed(error)),
    }
}

/// Removes the mark of a block; fine where there is none.
///
/// # Errors
/// [`MarkError::Bucket`].
pub async fn remove_mark<M: Mark>(bucket: &dyn Bucket, block: BlockId) -> Result<(), MarkError> {
    match bucket.delete(&layout::object(block, M::FILE)).await {
        Ok(()) | Err(BucketError::NotFound { .. }) => Ok(()),
        Err(source) => Err(MarkError::Bucket { folder: block, file: M::FILE, source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block() -> BlockId {
        "01HK153X00AAAAAAAAAAAAAAAA".parse().unwrap()
    }

    #[test]
    fn marks_have_the_bytes_that_thanos_writes() {
        let now = TimestampMs::from_millis(1_795_362_113_999);
        let deletion =
            br#"{"id":"01HK153X00AAAAAAAAAAAAAAAA","version":1,"details":"x","deletion_time":1795362113}"#;
        assert_eq!(DeletionMark::new(block(), now, "x").to_bytes().unwrap(), deletion);
        let no_compact = br#"{"id":"01HK153X00AAAAAAAAAAAAAAAA","version":1,"no_compact_time":1795362113,"reason":"index-size-exceeding"}"#;
        let mark = NoCompactMark::new(block(), now, NoCompactReason::IndexSizeExceeding, "");
        assert_eq!(mark.to_bytes().unwrap(), no_compact);
        let other = br#"{"id":"01HK153X00AAAAAAAAAAAAAAAA","version":1,"no_downsample_time":5,"reason":"whim","by":"me"}"#;
        let read = NoDownsampleMark::of_block(block(), other).unwrap().unwrap();
        assert_eq!(read.reason, NoDownsampleReason::Other("whim".to_owned()));
        assert_eq!(read.to_bytes().unwrap(), other);
    }

    #[test]
    fn garbage_is_no_mark_and_a_wrong_version_or_block_is_an_error() {
        for absent in ["", "garbage", "[]", r#"{"version":"x"}"#, r#"{"id":"x","version":1}"#] {
            assert!(DeletionMark::of_block(block(), absent.as_bytes()).unwrap().is_none(), "{absent}");
        }
        let wrong = DeletionMark::of_block(block(), br#"{"id":"01HK153X00AAAAAAAAAAAAAAAA","version":9}"#);
        assert!(matches!(wrong, Err(MarkError::Version { version: 9, .. })));
        let unversioned = DeletionMark::of_block(block(), b"{}");
        assert!(matches!(unversioned, Err(MarkError::Version { version: 0, .. })));
        let other = DeletionMark::of_block(block(), br#"{"id":"01HK153X00AAAAAAAAAAAAAAAB","version":1}"#);
        assert!(matches!(other, Err(MarkError::WrongBlock { .. })));
    }
}
