//! Puts a block into a bucket: segments, index, a look at each of them in the bucket, and only then meta.json.
//!
//! The presence of meta.json is what makes a block visible, so it is written when everything else is known to be there. Nothing
//! is ever cleaned up: an error of the store does not mean that nothing was written. Whoever tries again finds what is there
//! already and sends the rest.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use error_kind::{ErrorKind, Kind, kind_of_io};
use futures::{StreamExt, TryStreamExt};
use objstore::{Bucket, BucketError, Put};
use prom_model::Clock;
use sha2::{Digest, Sha256};
use tsdb::BlockId;
use tsdb::fs::Fs;

use crate::blocking::on_disk;
use crate::local::{self, LocalBody, LocalFile};
use crate::marker::{DeletionMark, MarkError, read_mark};
use crate::meta::{FileEntry, FileHash, HashFunc, Meta, MetaError};
use crate::object::JSON_BYTES_MAX;
use crate::{GoTime, layout};

/// A block on disk that is to be put into a bucket.
#[derive(Debug)]
pub struct Upload<'a> {
    /// Where to.
    pub bucket: &'a dyn Bucket,
    /// The disk.
    pub fs: &'a Arc<dyn Fs>,
    /// The folder of the block; it must not change meanwhile.
    pub folder: PathBuf,
    /// What is to stand in meta.json. Files, segments and the time of the upload are filled in.
    pub meta: Meta,
    /// The time that meta.json gets.
    pub clock: &'a dyn Clock,
    /// What is computed over files, and compared in the bucket; `--hash-func`.
    pub hash_func: HashFunc,
    /// How many files are sent at once; 0 counts as 1. `--shipper.upload-concurrency`.
    pub concurrency: usize,
}

/// What an upload did.
#[derive(Debug, Clone, PartialEq)]
pub enum Uploaded {
    /// The block is visible now, and has this meta.json.
    Done(Box<Meta>),
    /// There was a meta.json before: the block is in the bucket.
    AlreadyThere,
}

/// A block that was not put into the bucket; a part of it may be there.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// Without external labels nobody could tell whose samples these are.
    #[error("block {0} has no external labels")]
    NoLabels(BlockId),
    /// The block is being deleted from the bucket.
    #[error("block {0} has a deletion mark in the bucket")]
    MarkedForDeletion(BlockId),
    /// The mark could not be looked for.
    #[error(transparent)]
    Mark(#[from] MarkError),
    /// The metadata cannot be written.
    #[error(transparent)]
    Meta(#[from] MetaError),
    /// A file of the block cannot be read.
    #[error("{path} of block {block} cannot be read")]
    Local {
        /// The block.
        block: BlockId,
        /// The file.
        path: String,
        /// What the disk says.
        #[source]
        source: io::Error,
    },
    /// The block has no segments or no index.
    #[error("block {block} has no {what}")]
    Incomplete {
        /// The block.
        block: BlockId,
        /// What is missing.
        what: &'static str,
    },
    /// The store's answer.
    #[error("block {block}: the bucket failed")]
    Bucket {
        /// The block.
        block: BlockId,
        /// The store's answer.
        #[source]
        source: BucketError,
    },
    /// What is in the bucket after the upload is not what was sent.
    #[error("{path} of block {block} is not in the bucket as it is on disk: {difference}")]
    NotAsSent {
        /// The block.
        block: BlockId,
        /// The file.
        path: String,
        /// In what it differs.
        difference: String,
    },
}

impl UploadError {
    /// Whether the block itself cannot be uploaded, while others may.
    pub fn concerns_block_alone(&self) -> bool {
        match self {
            UploadError::NoLabels(_)
            | UploadError::MarkedForDeletion(_)
            | UploadError::Meta(_)
            | UploadError::Local { .. }
            | UploadError::Incomplete { .. }
            | UploadError::NotAsSent { .. } => true,
            UploadError::Mark(error) => error.kind() == ErrorKind::Corrupt,
            UploadError::Bucket { source, .. } => matches!(source, BucketError::Source { .. }),
        }
    }
}

impl Kind for UploadError {
    fn kind(&self) -> ErrorKind {
        match self {
            UploadError::NoLabels(_) => ErrorKind::InvalidArgument,
            UploadError::MarkedForDeletion(_) => ErrorKind::Conflict,
            UploadError::Mark(error) => error.kind(),
            UploadError::Meta(error) => error.kind(),
            UploadError::Local { source, .. } => kind_of_io(source),
            UploadError::Incomplete { .. } => ErrorKind::Corrupt,
            UploadError::Bucket { source, .. } => source.kind(),
            UploadError::NotAsSent { .. } => ErrorKind::Unavailable,
        }
    }
}

/// A file and what the bucket has to have of it.
struct Sent {
    file: LocalFile,
    hash: Option<FileHash>,
}

impl Upload<'_> {
    /// Uploads the block, or what an earlier attempt has left to do.
    ///
    /// # Errors
    /// See [`UploadError`]. After any error the block is invisible, unless the store has written meta.json and said otherwise;
    /// then it is whole.
    pub async fn run(mut self) -> Result<Uploaded, UploadError> {
        let block = self.meta.id();
        if self.meta.thanos.labels.is_empty() {
            return Err(UploadError::NoLabels(block));
        }
        let failed = |source| UploadError::Bucket { block, source };
        let meta_name = layout::object(block, layout::META);
        if self.bucket.exists(&meta_name).await.map_err(failed)? {
            return Ok(Uploaded::AlreadyThere);
        }
        self.refuse_marked().await?;
        let files = self.files().await?;
        let (index, segments): (Vec<&LocalFile>, Vec<&LocalFile>) =
            files.iter().partition(|file| file.rel_path == layout::INDEX);
        let mut sent = self.send(segments).await?;
        sent.extend(self.send(index).await?);
        // Once more, all of them and after the last write: what was there a moment ago may be gone.
        // Collected, so that the whole upload can run on any thread.
        let checks: Vec<_> = sent.iter().map(|sent| self.check(sent)).collect();
        futures::stream::iter(checks).buffer_unordered(self.concurrency.max(1)).try_collect::<()>().await?;
        self.refuse_marked().await?;
        self.describe(&sent);
        let body = Arc::new(Bytes::from(self.meta.to_bytes()?));
        self.bucket.put(&meta_name, body, Put::Replace).await.map_err(failed)?;
        Ok(Uploaded::Done(Box::new(self.meta)))
    }

    /// A block that is being deleted must not come into being again beside the deletion.
    async fn refuse_marked(&self) -> Result<(), UploadError> {
        let block = self.meta.id();
        match read_mark::<DeletionMark>(self.bucket, block).await? {
            Some(_) => Err(UploadError::MarkedForDeletion(block)),
            None => Ok(()),
        }
    }

    async fn files(&self) -> Result<Vec<LocalFile>, UploadError> {
        let block = self.meta.id();
        let (fs, folder) = (Arc::clone(self.fs), self.folder.clone());
        let files = on_disk(move || local::block_files(fs.as_ref(), &folder)).await;
        let files = files.map_err(|source| UploadError::Local { block, path: ".".to_owned(), source })?;
        if files.len() < 2 {
            return Err(UploadError::Incomplete { block, what: "segments" });
        }
        match files.iter().any(|file| file.size == 0) {
            true => Err(UploadError::Incomplete { block, what: "bytes in one of its files" }),
            false => Ok(files),
        }
    }

    async fn send(&self, files: Vec<&LocalFile>) -> Result<Vec<Sent>, UploadError> {
        let sends: Vec<_> = files.into_iter().map(|file| self.send_one(file.clone())).collect();
        futures::stream::iter(sends).buffered(self.concurrency.max(1)).try_collect().await
    }

    async fn send_one(&self, file: LocalFile) -> Result<Sent, UploadError> {
        let block = self.meta.id();
        let path = self.folder.join(&file.rel_path);
        let hash = local::hash_file(self.fs, path.clone(), self.hash_func).await;
        let hash =
            hash.map_err(|source| UploadError::Local { block, path: file.rel_path.clone(), source })?;
        let sent = Sent { file, hash };
        match self.check(&sent).await {
            // An earlier attempt has sent it.
            Ok(()) => return Ok(sent),
            Err(
                UploadError::NotAsSent { .. }
                | UploadError::Bucket { source: BucketError::NotFound { .. }, .. },
            ) => {}
            Err(error) => return Err(error),
        }
        let body = Arc::new(LocalBody::new(Arc::clone(self.fs), path, sent.file.size));
        let name = layout::object(block, &sent.file.rel_path);
        let put = self.bucket.put(&name, body, Put::Replace).await;
        put.map_err(|source| UploadError::Bucket { block, source })?;
        Ok(sent)
    }

    /// Whether the bucket has the file as it is on disk.
    async fn check(&self, sent: &Sent) -> Result<(), UploadError> {
        let block = self.meta.id();
        let failed = |source| UploadError::Bucket { block, source };
        let differs = |difference| {
            let path = sent.file.rel_path.clone();
            Err(UploadError::NotAsSent { block, path, difference })
        };
        let name = layout::object(block, &sent.file.rel_path);
        let attributes = self.bucket.attributes(&name).await.map_err(failed)?;
        if attributes.size != sent.file.size {
            return differs(format!("{} bytes instead of {}", attributes.size, sent.file.size));
        }
        let Some(hash) = &sent.hash else { return Ok(()) };
        let found = hash_object(self.bucket, &name).await.map_err(failed)?;
        if found.value != hash.value {
            return differs(format!("SHA-256 {} instead of {}", found.value, hash.value));
        }
        Ok(())
    }

    fn describe(&mut self, sent: &[Sent]) {
        let entry = |sent: &Sent| FileEntry {
            rel_path: sent.file.rel_path.clone(),
            size_bytes: sent.file.size,
            hash: sent.hash.clone(),
            ..FileEntry::default()
        };
        let mut files: Vec<FileEntry> = sent.iter().map(entry).collect();
        files.push(FileEntry { rel_path: layout::META.to_owned(), ..FileEntry::default() });
        files.sort_by(|one, other| one.rel_path.cmp(&other.rel_path));
        let thanos = &mut self.meta.thanos;
        let segments = files.iter().filter_map(|file| file.rel_path.strip_prefix("chunks/"));
        thanos.segment_files = segments.map(str::to_owned).collect();
        thanos.files = files;
        thanos.upload_time = GoTime::from(self.clock.now());
    }
}

/// The SHA-256 of an object, read back in pieces.
pub(crate) async fn hash_object(bucket: &dyn Bucket, name: &str) -> Result<FileHash, BucketError> {
    let got = bucket.get(name).await?;
    let mut body = objstore::read::exactly(name, 0, got.attributes.size, got.body);
    let mut digest = Sha256::new();
    while let Some(piece) = body.try_next().await? {
        digest.update(&piece);
    }
    Ok(local::sha256(digest))
}

/// Reads the meta.json in the folder of a block on disk.
///
/// # Errors
/// What the disk says; [`MetaError`] as the inner result.
pub async fn read_local_meta(fs: &Arc<dyn Fs>, folder: PathBuf) -> io::Result<Result<Meta, MetaError>> {
    let fs = Arc::clone(fs);
    on_disk(move || {
        let file = fs.open(&folder.join(layout::META))?;
        if file.len() > JSON_BYTES_MAX {
            return Ok(Err(MetaError::TooLarge(file.len())));
        }
        Ok(Meta::from_bytes(&file.read_range(0, file.len())?))
    })
    .await
}
