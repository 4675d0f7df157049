//! Brings the sources of a job to the disk and opens them.

use std::path::Path;
use std::sync::Arc;

use block::{Download, DownloadError, Meta, layout};
use futures::{StreamExt, TryStreamExt};
use objstore::BucketError;
use tsdb::block::{BlockReader, TOMBSTONES_FILE};

use super::Compactor;
use super::error::JobFailure;
use super::trouble::Trouble;
use crate::blocking::aside;
use crate::plan::Job;
use crate::quarantine::{Fetch, fetch};
use crate::{SourceError, SourceFault};

impl Compactor {
    /// The sources of a job, open, each in a folder of its name in `folder`.
    pub(super) async fn bring(&self, job: &Job, folder: &Path) -> Result<Vec<BlockReader>, Trouble> {
        let brought = job.sources.iter().map(|meta| self.bring_one(meta, folder));
        // Collected, so that the whole job can run on any thread.
        let brought: Vec<_> = brought.collect();
        futures::stream::iter(brought).buffered(self.config.fetch_concurrency.max(1)).try_collect().await
    }

    async fn bring_one(&self, meta: &Meta, folder: &Path) -> Result<BlockReader, Trouble> {
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
        DownloadError::Path { block, path } => Trouble::suspect(
            block,
            "file-missing",
            format!("meta.json names {path:?}, which is no file of a block"),
        ),
        error => Trouble::Failed(JobFailure::Download(error)),
    }
}
