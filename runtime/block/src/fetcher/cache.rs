//! Copies of meta.json, in memory and on disk. A copy counts only for an object of the same size and time in the bucket.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use objstore::Attributes;
use tsdb::BlockId;
use tsdb::fs::Fs;

use super::listing::Listed;
use crate::blocking::on_disk;
use crate::layout;
use crate::meta::Meta;
use crate::object::JSON_BYTES_MAX;

const FOLDER: &str = "meta-syncer";
/// Beside the copy: of which object it is.
const VERSION: &str = "meta.json.version";

/// What is known of a block.
#[derive(Debug, Clone)]
pub(super) struct Known {
    /// The object of which it was read.
    pub(super) of: Attributes,
    pub(super) meta: Arc<Meta>,
    /// Whether it need not be read again.
    pub(super) is_certain: bool,
}

#[derive(Debug, Default)]
pub(super) struct MemoryCache(Mutex<BTreeMap<BlockId, Known>>);

impl MemoryCache {
    pub(super) fn get(&self, block: BlockId, attributes: Attributes) -> Option<Known> {
        let cached = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        cached.get(&block).filter(|known| known.of == attributes).cloned()
    }

    pub(super) fn put(&self, block: BlockId, known: Known) -> Arc<Meta> {
        let meta = Arc::clone(&known.meta);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(block, known);
        meta
    }

    pub(super) fn remove(&self, block: BlockId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&block);
    }

    pub(super) fn retain(&self, metas: &BTreeMap<BlockId, Arc<Meta>>) {
        let mut cached = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        cached.retain(|block, _| metas.contains_key(block));
    }
}

/// `meta-syncer/<block>/meta.json` below a data directory. It may be lost, damaged or full: then the bucket is asked.
#[derive(Debug, Clone)]
pub(super) struct DiskCache {
    fs: Arc<dyn Fs>,
    folder: PathBuf,
}

impl DiskCache {
    pub(super) fn new(fs: Arc<dyn Fs>, data_dir: PathBuf) -> Self {
        DiskCache { fs, folder: data_dir.join(FOLDER) }
    }

    pub(super) async fn load(&self, block: BlockId, attributes: Attributes) -> Option<Bytes> {
        let (fs, folder) = (Arc::clone(&self.fs), self.folder.join(block.to_string()));
        let read = on_disk(move || {
            let version = read(fs.as_ref(), &folder.join(VERSION), 64)?;
            if version != version_of(attributes).as_bytes() {
                return Ok(None);
            }
            let bytes = read(fs.as_ref(), &folder.join(layout::META), JSON_BYTES_MAX)?;
            Ok((bytes.len() as u64 == attributes.size).then_some(bytes))
        });
        read.await.ok().flatten()
    }

    pub(super) async fn store(&self, block: BlockId, attributes: Attributes, bytes: Bytes) {
        let (fs, folder) = (Arc::clone(&self.fs), self.folder.join(block.to_string()));
        let written = on_disk(move || {
            fs.create_dir_all(&folder)?;
            // The copy first: an old version beside a new copy is a miss, the reverse would be a lie.
            write(fs.as_ref(), &folder, layout::META, &bytes)?;
            write(fs.as_ref(), &folder, VERSION, version_of(attributes).as_bytes())
        });
        if let Err(error) = written.await {
            tracing::warn!(block = %block, %error, "could not keep a copy of meta.json; it will be read again");
        }
    }

    /// Removes the copy of one block.
    pub(super) async fn remove(&self, block: BlockId) {
        let (fs, folder) = (Arc::clone(&self.fs), self.folder.join(block.to_string()));
        match on_disk(move || fs.remove_dir_all(&folder)).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(block = %block, %error, "could not remove a copy of meta.json");
            }
            _ => {}
        }
    }

    /// Removes the copies of blocks that are no longer in the bucket, and whatever else is not a copy.
    pub(super) async fn prune(&self, listed: &BTreeMap<BlockId, Listed>) {
        let (fs, folder) = (Arc::clone(&self.fs), self.folder.clone());
        let keep: Vec<String> = listed.keys().map(BlockId::to_string).collect();
        let pruned = on_disk(move || {
            let entries = match fs.list(&folder) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                entries => entries?,
            };
            for entry in entries {
                // Both are sorted, as block IDs sort like their text.
                if entry.is_dir && keep.binary_search(&entry.name).is_ok() {
                    continue;
                }
                let path = folder.join(&entry.name);
                if entry.is_dir { fs.remove_dir_all(&path)? } else { fs.remove_file(&path)? }
            }
            Ok(())
        });
        if let Err(error) = pruned.await {
            tracing::warn!(%error, "could not remove old copies of meta.json");
        }
    }
}

fn version_of(attributes: Attributes) -> String {
    format!("{} {}\n", attributes.size, attributes.modified)
}

fn read(fs: &dyn Fs, path: &Path, limit: u64) -> io::Result<Bytes> {
    let file = fs.open(path)?;
    if file.len() > limit {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    file.read_range(0, file.len())
}

fn write(fs: &dyn Fs, folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let unfinished = folder.join(format!("{name}.tmp"));
    let mut file = fs.create(&unfinished)?;
    file.write_all(bytes)?;
    drop(file);
    fs.rename(&unfinished, &folder.join(name))
}
