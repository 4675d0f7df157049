//! Opens the sources of a job: in the bucket, or on the disk after a download.

use std::path::Path;
use std::sync::Arc;

use block::{Download, DownloadError, Meta, layout};
use error_kind::{ErrorKind, Kind};
use futures::{StreamExt, TryStreamExt};
use objstore::BucketError;
use tsdb::block::{BlockReader, INDEX_FILE, TOMBSTONES_FILE};

use super::Compactor;
use super::error::JobFailure;
use super::trouble::Trouble;
use crate::blocking::aside;
use crate::plan::Job;
use crate::quarantine::{Fetch, fetch};
use crate::source::{OpenError, OpenSource, SourceFiles};
use crate::{SourceError, SourceFault};

/// The sources of a job, open.
#[derive(Debug)]
pub(super) struct Sources {
    pub(super) blocks: Vec<BlockReader>,
    /// Of those that are read out of the bucket.
    files: Vec<SourceFiles>,
}

impl Sources {
    /// The readers apart from what tells how reading went.
    pub(super) fn split(self) -> (Vec<BlockReader>, Vec<SourceFiles>) {
        (self.blocks, self.files)
    }
}

impl Compactor {
    /// Opens the sources of a job, each that is downloaded in a folder of its name in `folder`.
    pub(super) async fn open_sources(&self, job: &Job, folder: &Path) -> Result<Sources, Trouble> {
        let at_once = self.config.fetch_concurrency.max(1);
        if !self.config.stream_sources {
            let brought: Vec<_> = job.sources.iter().map(|meta| self.bring(meta, folder)).collect();
            let blocks = futures::stream::iter(brought).buffered(at_once).try_collect().await?;
            return Ok(Sources { blocks, files: Vec::new() });
        }
        let ahead = self.ahead_bytes(job.sources.len());
        let opened = job
            .sources
            .iter()
            .map(|meta| async move { OpenSource::open(&self.bucket, meta, ahead).await.map_err(of_open) });
        let opened: Vec<_> = opened.collect();
        let opened: Vec<OpenSource> = futures::stream::iter(opened).buffered(at_once).try_collect().await?;
        let (blocks, files) = opened.into_iter().map(|source| (source.block, source.files)).unzip();
        Ok(Sources { blocks, files })
    }

    /// How many bytes are read ahead of each of so many sources: a quarter of what a job may hold is for all of them.
    pub(super) fn ahead_bytes(&self, sources: usize) -> u64 {
        if self.config.stream_sources { self.config.memory_bytes / 4 / (sources.max(1) as u64) } else { 0 }
    }

    async fn bring(&self, meta: &Meta, folder: &Path) -> Result<BlockReader, Trouble> {
        let block = meta.id();
        let folder = folder.join(block.to_string());
        let download = Download {
            bucket: self.bucket.as_ref(),
            block,
            fs: &self.fs,
            folder: folder.clone(),
            concurrency: self.config.file_concurrency,
        };
        download.run().await.map_err(of_download)?;
        // meta.json does not list the tombstones.
        let tombstones = layout::object(block, TOMBSTONES_FILE);
        if self.bucket.exists(&tombstones).await.map_err(JobFailure::Bucket)? {
            let path = folder.join(TOMBSTONES_FILE);
            match fetch(self.bucket.as_ref(), &tombstones, &self.fs, &path).await {
                Ok(()) | Err(Fetch::Bucket(BucketError::NotFound { .. })) => {}
                Err(Fetch::Bucket(error)) => return Err(JobFailure::Bucket(error).into()),
                Err(Fetch::Disk(error)) => return Err(JobFailure::Disk(error).into()),
            }
        }
        let fs = Arc::clone(&self.fs);
        let opened =
            aside(move || BlockReader::open_to_scan(fs.as_ref(), &folder)).await.map_err(JobFailure::Disk)?;
        opened.map_err(|corruption| SourceError { block, reason: SourceFault::Damaged(corruption) }.into())
    }
}

/// What a merge ran into, said better where it was the bucket, or where a block was changed under the reader.
pub(super) async fn explain(files: &[SourceFiles], trouble: Trouble) -> Trouble {
    if let Some(error) = files.iter().find_map(SourceFiles::failure) {
        return of_bucket(error);
    }
    for of_one in files {
        if let Err(error) = of_one.confirm().await {
            return of_bucket(error);
        }
    }
    trouble
}

/// Whether what was read is still what is there.
pub(super) async fn confirm(files: &[SourceFiles]) -> Result<(), Trouble> {
    for of_one in files {
        of_one.confirm().await.map_err(of_bucket)?;
    }
    Ok(())
}

fn of_bucket(error: BucketError) -> Trouble {
    let name = match &error {
        BucketError::NotFound { name } | BucketError::Changed { name } => name,
        _ => return Trouble::Failed(JobFailure::Bucket(error)),
    };
    match layout::block_of(name) {
        Some((block, _)) => Trouble::Gone(block),
        None => Trouble::Failed(JobFailure::Bucket(error)),
    }
}

fn of_open(error: OpenError) -> Trouble {
    match error {
        OpenError::NotAsDescribed { block, path, difference }
            if path == INDEX_FILE && difference.contains("not there") =>
        {
            Trouble::suspect(block, "index-missing", "there is no index")
        }
        OpenError::NotAsDescribed { block, path, difference } => {
            Trouble::suspect(block, "file-size", format!("{path} is not as meta.json says: {difference}"))
        }
        OpenError::Damaged { block, source } if source.kind() != ErrorKind::Unavailable => {
            SourceError { block, reason: SourceFault::Damaged(source) }.into()
        }
        OpenError::Damaged { source, .. } => Trouble::Failed(JobFailure::Disk(std::io::Error::other(source))),
        OpenError::Bucket { source, .. } => of_bucket(source),
    }
}

pub(super) fn of_download(error: DownloadError) -> Trouble {
    match error {
        DownloadError::Bucket { block, source: BucketError::NotFound { name } } => {
            match layout::block_of(&name).map(|(_, file)| file) {
                Some(layout::META) | None => Trouble::Gone(block),
                Some(layout::INDEX) => Trouble::suspect(block, "index-missing", "there is no index"),
                Some(file) => Trouble::suspect(block, "file-missing", format!("{file} is in meta.json only")),
            }
        }
        DownloadError::NotAsDescribed { block, path, difference } => {
            Trouble::suspect(block, "file-size", format!("{path} is not as meta.json says: {difference}"))
        }
        DownloadError::Path { block, path } => {
            let detail = format!("meta.json names {path:?}, which is no file of a block");
            Trouble::suspect(block, "file-missing", detail)
        }
        error => Trouble::Failed(JobFailure::Download(error)),
    }
}
