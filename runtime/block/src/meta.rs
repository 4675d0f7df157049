//! meta.json in a bucket: what Prometheus says of a block, and what Thanos adds under `thanos`.
//!
//! Fields that nobody here knows are kept and written again, on every level: a block that passes through us keeps what a newer
//! version wrote into it.

#[cfg(test)]
mod tests;
mod thanos;

use serde_json::{Map, Value};
use tsdb::BlockId;
use tsdb::block::{BlockMeta, to_go_json};

pub use thanos::{
    Deletion, Downsample, FileEntry, FileHash, HashFunc, IndexStats, Interval, Resolution, Rewrite, Source,
    Thanos,
};

use crate::object::JSON_BYTES_MAX;

const THANOS: &str = "thanos";

/// The metadata of a block in a bucket.
#[derive(Debug, Clone, PartialEq)]
pub struct Meta {
    /// What Prometheus writes.
    pub block: BlockMeta,
    /// What Thanos adds; the default where a block was put into the bucket without it.
    pub thanos: Thanos,
}

/// A meta.json that cannot be used; it concerns its own block and no other.
#[derive(Debug, thiserror::Error)]
pub enum MetaError {
    /// Not JSON, or not of this shape.
    #[error("meta.json is no block's metadata")]
    Json(#[from] serde_json::Error),
    /// Larger than any meta.json is.
    #[error("meta.json has {0} bytes, at most {JSON_BYTES_MAX} are read")]
    TooLarge(u64),
    /// A version of the format that nobody has defined.
    #[error("meta.json has version {0}, only 1 is known")]
    Version(u64),
    /// A version of the section `thanos` that nobody has defined.
    #[error("the section thanos of meta.json has version {0}, only 1 is known")]
    ThanosVersion(i64),
    /// The file lies in the folder of another block.
    #[error("meta.json is of block {found}, and lies in the folder of {folder}")]
    WrongBlock {
        /// Where it lies.
        folder: BlockId,
        /// What it says.
        found: BlockId,
    },
}

impl error_kind::Kind for MetaError {
    fn kind(&self) -> error_kind::ErrorKind {
        error_kind::ErrorKind::Corrupt
    }
}

impl Meta {
    /// Reads the bytes of a meta.json.
    ///
    /// # Errors
    /// All of [`MetaError`] but the last.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, MetaError> {
        if bytes.len() as u64 > JSON_BYTES_MAX {
            return Err(MetaError::TooLarge(bytes.len() as u64));
        }
        let mut fields: Map<String, Value> = serde_json::from_slice(bytes)?;
        let thanos = match fields.shift_remove(THANOS) {
            None | Some(Value::Null) => Thanos::default(),
            Some(section) => serde_json::from_value(section)?,
        };
        let block: BlockMeta = serde_json::from_value(Value::Object(fields))?;
        if block.version != 1 {
            return Err(MetaError::Version(block.version));
        }
        if !(0..=1).contains(&thanos.version) {
            return Err(MetaError::ThanosVersion(thanos.version));
        }
        Ok(Meta { block, thanos })
    }

    /// Reads the bytes of the meta.json in the folder of a block.
    ///
    /// # Errors
    /// All of [`MetaError`].
    pub fn of_block(folder: BlockId, bytes: &[u8]) -> Result<Self, MetaError> {
        let meta = Meta::from_bytes(bytes)?;
        if meta.id() != folder {
            return Err(MetaError::WrongBlock { folder, found: meta.id() });
        }
        Ok(meta)
    }

    /// The bytes of the file, as Thanos would write them.
    ///
    /// # Errors
    /// [`MetaError::Json`], [`MetaError::TooLarge`].
    pub fn to_bytes(&self) -> Result<Vec<u8>, MetaError> {
        let mut fields = match serde_json::to_value(&self.block)? {
            Value::Object(fields) => fields,
            _ => Map::new(),
        };
        fields.insert(THANOS.to_owned(), serde_json::to_value(&self.thanos)?);
        let mut bytes = to_go_json(&fields)?;
        // Go's encoder ends with a line feed, which `json.MarshalIndent` does not.
        bytes.push(b'\n');
        if bytes.len() as u64 > JSON_BYTES_MAX {
            return Err(MetaError::TooLarge(bytes.len() as u64));
        }
        Ok(bytes)
    }

    /// The block.
    pub const fn id(&self) -> BlockId {
        self.block.ulid
    }
}
