//! Brings a block from a bucket to a local disk, and holds every file to the size and the hash that meta.json gives.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use error_kind::{ErrorKind, Kind, kind_of_io};
use futures::{StreamExt, TryStreamExt};
use objstore::{Bucket, BucketError, Listing};
use sha2::{Digest, Sha256};
use tsdb::BlockId;
use tsdb::fs::{FileWrite, Fs};

use crate::blocking::on_disk;
use crate::meta::{FileEntry, HashFunc, Meta, MetaError};
use crate::object::read_small;
use crate::{layout, local};

/// A block that is to be brought to a local disk.
#[derive(Debug)]
pub struct Download<'a> {
    /// Where from.
    pub bucket: &'a dyn Bucket,
    /// The block.
    pub block: BlockId,
    /// The disk.
    pub fs: &'a Arc<dyn Fs>,
    /// The folder that the block is to get; what is there is replaced once everything is here.
    pub folder: PathBuf,
    /// How many files are read at once; 0 counts as 1. `--block-files-concurrency`.
    pub concurrency: usize,
}

/// A block that was not brought to the disk; the folder is as it was.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// The metadata cannot be used.
    #[error(transparent)]
    Meta(#[from] MetaError),
    /// The store's answer.
    #[error("block {block}: the bucket failed")]
    Bucket {
        /// The block.
        block: BlockId,
        /// The store's answer.
        #[source]
        source: BucketError,
    },
    /// meta.json names a file that is no file of a block.
    #[error("meta.json of block {block} names {path:?}, which is no file of a block")]
    Path {
        /// The block.
        block: BlockId,
        /// The path.
        path: String,
    },
    /// A file is not what meta.json says.
    #[error("{path} of block {block} is not as meta.json says: {difference}")]
    NotAsDescribed {
        /// The block.
        block: BlockId,
        /// The file.
        path: String,
        /// In what it differs.
        difference: String,
    },
    /// A file cannot be written.
    #[error("{path} of block {block} cannot be written")]
    Local {
        /// The block.
        block: BlockId,
        /// The file.
        path: String,
        /// What the disk says.
        #[source]
        source: io::Error,
    },
}

impl Kind for DownloadError {
    fn kind(&self) -> ErrorKind {
        match self {
            DownloadError::Meta(error) => error.kind(),
            DownloadError::Bucket { source, .. } => source.kind(),
            DownloadError::Path { .. } | DownloadError::NotAsDescribed { .. } => ErrorKind::Corrupt,
            DownloadError::Local { source, .. } => kind_of_io(source),
        }
    }
}

impl Download<'_> {
    /// Downloads the block: into a folder beside the one that it is to get, which is renamed in the end.
    ///
    /// # Errors
    /// See [`DownloadError`].
    pub async fn run(&self) -> Result<Meta, DownloadError> {
        let block = self.block;
        let name = layout::object(block, layout::META);
        let read = read_small(self.bucket, &name).await;
        let (bytes, _) = read.map_err(|source| DownloadError::Bucket { block, source })?;
        let meta = Meta::of_block(block, &bytes)?;
        let files = self.files(&meta).await?;
        let unfinished = self.folder.with_extension("tmp-for-download");
        let result = self.fill(&unfinished, files, bytes.to_vec()).await;
        if let Err(error) = result {
            let (fs, unfinished) = (Arc::clone(self.fs), unfinished);
            // What cannot be removed is replaced by the next attempt.
            drop(on_disk(move || fs.remove_dir_all(&unfinished)).await);
            return Err(error);
        }
        Ok(meta)
    }

    async fn fill(&self, to: &Path, files: Vec<FileEntry>, meta: Vec<u8>) -> Result<(), DownloadError> {
        let (fs, unfinished) = (Arc::clone(self.fs), to.to_owned());
        let prepared = on_disk(move || {
            remove_if_there(fs.as_ref(), &unfinished)?;
            fs.create_dir_all(&unfinished.join(layout::CHUNKS))
        });
        prepared.await.map_err(|source| self.local(layout::CHUNKS, source))?;
        // After a failure the others are waited for: a file that is being made would outlive the removal of its folder.
        let failed = AtomicBool::new(false);
        let fetches = files.iter().map(|file| self.fetch_unless(&failed, to, file));
        let fetched: Vec<_> =
            futures::stream::iter(fetches).buffer_unordered(self.concurrency.max(1)).collect().await;
        fetched.into_iter().collect::<Result<(), _>>()?;
        let (fs, unfinished, folder) = (Arc::clone(self.fs), to.to_owned(), self.folder.clone());
        let done = on_disk(move || {
            let mut file = fs.create(&unfinished.join(layout::META))?;
            file.write_all(&meta)?;
            file.sync()?;
            drop(file);
            remove_if_there(fs.as_ref(), &folder)?;
            fs.rename(&unfinished, &folder)?;
            folder.parent().map_or(Ok(()), |parent| fs.sync_dir(parent))
        });
        done.await.map_err(|source| self.local(layout::META, source))
    }

    /// What meta.json names; where it names nothing, what the bucket has.
    async fn files(&self, meta: &Meta) -> Result<Vec<FileEntry>, DownloadError> {
        let block = self.block;
        let mut files = meta.thanos.files.clone();
        if files.is_empty() {
            let mut entries = self.bucket.list(&layout::folder(block), Listing::Recursive);
            while let Some(entry) =
                entries.try_next().await.map_err(|source| DownloadError::Bucket { block, source })?
            {
                let Some((_, path)) = layout::block_of(&entry.name) else { continue };
                if path == layout::INDEX || path.starts_with("chunks/") {
                    let size_bytes = entry.attributes.map_or(0, |attributes| attributes.size);
                    files.push(FileEntry { rel_path: path.to_owned(), size_bytes, ..FileEntry::default() });
                }
            }
        }
        files.retain(|file| file.rel_path != layout::META);
        match files.iter().find(|file| !layout::is_block_file(&file.rel_path)) {
            Some(file) => Err(DownloadError::Path { block, path: file.rel_path.clone() }),
            None => Ok(files),
        }
    }

    /// Fetches a file, or stops in the middle once another has failed.
    async fn fetch_unless(
        &self,
        failed: &AtomicBool,
        to: &Path,
        entry: &FileEntry,
    ) -> Result<(), DownloadError> {
        if failed.load(Ordering::Relaxed) {
            return Ok(());
        }
        let fetched = self.fetch(failed, to, entry).await;
        if fetched.is_err() {
            failed.store(true, Ordering::Relaxed);
        }
        fetched
    }

    async fn fetch(&self, stopped: &AtomicBool, to: &Path, entry: &FileEntry) -> Result<(), DownloadError> {
        let block = self.block;
        let path = &entry.rel_path;
        let failed = |source| DownloadError::Bucket { block, source };
        let differs =
            |difference| Err(DownloadError::NotAsDescribed { block, path: path.clone(), difference });
        let name = layout::object(block, path);
        let got = self.bucket.get(&name).await.map_err(failed)?;
        let size = got.attributes.size;
        if entry.size_bytes > 0 && entry.size_bytes != size {
            return differs(format!("{size} bytes instead of {}", entry.size_bytes));
        }
        let (fs, target) = (Arc::clone(self.fs), to.join(path));
        let created = on_disk(move || {
            if let Some(parent) = target.parent() {
                fs.create_dir_all(parent)?;
            }
            fs.create(&target)
        });
        let mut file: Box<dyn FileWrite> = created.await.map_err(|source| self.local(path, source))?;
        let expected = entry.hash.as_ref().filter(|hash| hash.hash_func == HashFunc::Sha256.as_str());
        let mut digest = Sha256::new();
        let mut body = objstore::read::exactly(&name, 0, size, got.body);
        while let Some(piece) = body.next().await {
            let piece = piece.map_err(failed)?;
            if stopped.load(Ordering::Relaxed) {
                return Ok(());
            }
            if expected.is_some() {
                digest.update(&piece);
            }
            let written = on_disk(move || file.write_all(&piece).map(|()| file)).await;
            file = written.map_err(|source| self.local(path, source))?;
        }
        on_disk(move || file.sync()).await.map_err(|source| self.local(path, source))?;
        let found = local::sha256(digest);
        match expected {
            Some(expected) if expected.value != found.value => {
                differs(format!("SHA-256 {} instead of {}", found.value, expected.value))
            }
            _ => Ok(()),
        }
    }

    fn local(&self, path: &str, source: io::Error) -> DownloadError {
        DownloadError::Local { block: self.block, path: path.to_owned(), source }
    }
}

fn remove_if_there(fs: &dyn Fs, folder: &Path) -> io::Result<()> {
    match fs.remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}
