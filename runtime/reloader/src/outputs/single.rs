//! One output file, and beside it `.NAME.candidate` and `.NAME.good`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{OutputError, failed};
use crate::disk::{Content, Disk, Kind};
use crate::snapshot::FILE_BYTES_MAX;

/// One output file.
#[derive(Debug)]
pub(super) struct FileOutput {
    disk: Arc<dyn Disk>,
    live: PathBuf,
}

impl FileOutput {
    pub(super) fn new(disk: Arc<dyn Disk>, live: PathBuf) -> Self {
        Self { disk, live }
    }

    fn beside(&self, ending: &str) -> PathBuf {
        let mut name = OsString::from(".");
        name.push(self.live.file_name().unwrap_or_default());
        name.push(ending);
        self.live.with_file_name(name)
    }

    fn good(&self) -> PathBuf {
        self.beside(".good")
    }

    pub(super) fn staged_path(&self) -> PathBuf {
        self.beside(".candidate")
    }

    fn folder(&self) -> &Path {
        match self.live.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        }
    }

    fn content(&self, path: &Path) -> Option<Vec<u8>> {
        match self.disk.read(path, FILE_BYTES_MAX) {
            Ok(Content::Whole(bytes)) => Some(bytes),
            _ => None,
        }
    }

    pub(super) fn has_good(&self) -> bool {
        matches!(self.disk.kind(&self.good()), Ok(Some(Kind::File)))
    }

    pub(super) fn live_is_good(&self) -> bool {
        self.content(&self.good()).is_some_and(|good| Some(good) == self.content(&self.live))
    }

    pub(super) fn holds(&self, bytes: &[u8]) -> bool {
        self.content(&self.live).as_deref() == Some(bytes)
    }

    pub(super) fn stage(&self, bytes: &[u8]) -> Result<(), OutputError> {
        self.disk.create_directories(self.folder()).map_err(failed("create", self.folder()))?;
        let path = self.staged_path();
        self.disk.write(&path, bytes).map_err(|source| {
            let _ = self.disk.remove_file(&path);
            failed("write", &path)(source)
        })
    }

    pub(super) fn discard(&self) {
        let _ = self.disk.remove_file(&self.staged_path());
    }

    pub(super) fn commit(&self) -> Result<(), OutputError> {
        self.replace(&self.staged_path(), &self.live)
    }

    pub(super) fn confirm(&self) -> Result<(), OutputError> {
        if self.live_is_good() {
            return Ok(());
        }
        self.copy(&self.live, &self.good())
    }

    pub(super) fn restore(&self) -> Result<(), OutputError> {
        if !self.has_good() || self.live_is_good() {
            return Ok(());
        }
        self.copy(&self.good(), &self.live)
    }

    /// A copy that appears whole: a second name would change with the first when someone writes in place.
    fn copy(&self, from: &Path, to: &Path) -> Result<(), OutputError> {
        let bytes = match self.disk.read(from, FILE_BYTES_MAX).map_err(failed("read", from))? {
            Content::Whole(bytes) => bytes,
            _ => return Err(failed("read", from)(std::io::ErrorKind::Interrupted.into())),
        };
        let spare = self.beside(".spare");
        self.disk.write(&spare, &bytes).map_err(|source| {
            let _ = self.disk.remove_file(&spare);
            failed("write", &spare)(source)
        })?;
        self.replace(&spare, to)
    }

    fn replace(&self, from: &Path, to: &Path) -> Result<(), OutputError> {
        self.disk.rename(from, to).map_err(failed("replace", to))?;
        self.disk.sync_directory(self.folder()).map_err(failed("sync", self.folder()))
    }
}
