//! `thanos.shipper.json`: which blocks of a disk are in the bucket. It saves questions and may be lost.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tsdb::BlockId;
use tsdb::block::to_go_json;
use tsdb::fs::Fs;

use crate::blocking::on_disk;

/// The name of the file in a data directory, unless `--shipper.meta-file-name` gives another.
pub const DEFAULT_STATE_FILE: &str = "thanos.shipper.json";
const VERSION: i64 = 1;
const BYTES_MAX: u64 = 16 << 20;

/// The content of the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShipperState {
    /// The version of the format, 1.
    pub version: i64,
    /// The blocks that are in the bucket, in the order in which they were found on disk.
    #[serde(with = "null_when_empty", default)]
    pub uploaded: Vec<BlockId>,
    /// Fields that are not known here.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A state that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ShipperStateError {
    /// What the disk says.
    #[error("the shipper's state cannot be read")]
    Io(#[from] io::Error),
    /// It is no JSON of this shape.
    #[error("the shipper's state is damaged")]
    Json(#[from] serde_json::Error),
    /// A version that nobody has defined.
    #[error("the shipper's state has version {0}, only 1 is known")]
    Version(i64),
}

impl ShipperStateError {
    /// Whether there is no state yet.
    pub fn is_not_found(&self) -> bool {
        matches!(self, ShipperStateError::Io(error) if error.kind() == io::ErrorKind::NotFound)
    }
}

impl ShipperState {
    /// A state with these blocks.
    pub fn new(uploaded: Vec<BlockId>) -> Self {
        ShipperState { version: VERSION, uploaded, extra: Map::new() }
    }

    /// Reads the bytes of the file.
    ///
    /// # Errors
    /// [`ShipperStateError::Json`], [`ShipperStateError::Version`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ShipperStateError> {
        let state: ShipperState = serde_json::from_slice(bytes)?;
        if state.version != VERSION {
            return Err(ShipperStateError::Version(state.version));
        }
        Ok(state)
    }

    /// The bytes of the file, as Thanos writes them.
    ///
    /// # Errors
    /// When unknown fields cannot be written as JSON.
    pub fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut bytes = to_go_json(self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Reads the file.
    ///
    /// # Errors
    /// See [`ShipperStateError`].
    pub async fn load(fs: &Arc<dyn Fs>, path: PathBuf) -> Result<Self, ShipperStateError> {
        let fs = Arc::clone(fs);
        let bytes = on_disk(move || {
            let file = fs.open(&path)?;
            if file.len() > BYTES_MAX {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
            file.read_range(0, file.len())
        });
        ShipperState::from_bytes(&bytes.await?)
    }

    /// Writes the file so that a crash leaves the old or the new one.
    ///
    /// # Errors
    /// What the disk says.
    pub async fn store(&self, fs: &Arc<dyn Fs>, path: PathBuf) -> io::Result<()> {
        let (fs, bytes) = (Arc::clone(fs), self.to_bytes()?);
        on_disk(move || {
            let mut unfinished = path.clone().into_os_string();
            unfinished.push(".tmp");
            let unfinished = PathBuf::from(unfinished);
            let mut file = fs.create(&unfinished)?;
            file.write_all(&bytes)?;
            file.sync()?;
            drop(file);
            fs.rename(&unfinished, &path)?;
            path.parent().map_or(Ok(()), |folder| fs.sync_dir(folder))
        })
        .await
    }
}

/// Go writes a slice that was never filled as `null`.
mod null_when_empty {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use tsdb::BlockId;

    pub(super) fn serialize<S: Serializer>(blocks: &Vec<BlockId>, serializer: S) -> Result<S::Ok, S::Error> {
        if blocks.is_empty() { serializer.serialize_none() } else { blocks.serialize(serializer) }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<BlockId>, D::Error> {
        Ok(Option::deserialize(deserializer)?.unwrap_or_default())
    }
}
