//! The data directory: what an earlier process has left is removed.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tsdb::fs::Fs;

use super::Compactor;
use super::error::QueueError;
use crate::blocking::on_disk;

impl Compactor {
    /// Removes blocks that an earlier process was working on, and makes the folders. To be called once, before anything else; no
    /// other process may use the data directory.
    ///
    /// # Errors
    /// [`QueueError::Disk`].
    pub async fn prepare(&self) -> Result<(), QueueError> {
        for folder in [self.compact_dir(), self.downsample_dir()] {
            let fs = Arc::clone(&self.fs);
            let prepared = on_disk(move || {
                remove_if_there(fs.as_ref(), &folder)?;
                fs.create_dir_all(&folder)
            });
            prepared.await.map_err(QueueError::Disk)?;
        }
        Ok(())
    }

    /// Makes a folder for a job, empty.
    pub(super) async fn make_folder(&self, folder: &Path) -> io::Result<()> {
        let (fs, folder) = (Arc::clone(&self.fs), folder.to_owned());
        on_disk(move || {
            remove_if_there(fs.as_ref(), &folder)?;
            fs.create_dir_all(&folder)
        })
        .await
    }

    /// Removes the folder of a job; what cannot be removed goes at the next start.
    pub(super) async fn remove_folder(&self, folder: PathBuf) {
        let fs = Arc::clone(&self.fs);
        let shown = folder.display().to_string();
        if let Err(error) = on_disk(move || remove_if_there(fs.as_ref(), &folder)).await {
            tracing::warn!(path = shown, err = %error, "failed to remove compaction group work directory");
        }
    }
}

fn remove_if_there(fs: &dyn Fs, folder: &Path) -> io::Result<()> {
    match fs.remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}
