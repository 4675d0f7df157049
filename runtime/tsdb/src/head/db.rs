//! The folder of a head and its blocks, as Prometheus lays it out: `wal`, `wbl`, `chunks_head`, a folder per block, `lock`.

use std::fmt::Debug;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::block::{BlockMeta, META_FILE};
use crate::block_id::BlockId;
use crate::corruption::Corruption;
use crate::fs::Fs;
use crate::stored::StoredFile;

use super::cut::{CutError, FROM_OUT_OF_ORDER};
use super::replay::{OpenError, Progress, Replay};
use super::{Head, HeadOptions};

/// What is added to the name of a block that is being written.
const UNFINISHED: [&str; 2] = [".tmp-for-creation", ".tmp"];
/// What is added to the name of a block that is being removed.
const REMOVED: &str = ".tmp-for-deletion";

/// How a folder of a head and blocks is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DbOptions {
    /// How the head works.
    pub head: HeadOptions,
    /// Blocks that end so much before the newest one are removed, in milliseconds; 0 keeps all.
    pub retention_ms: i64,
}

/// A block in the folder.
#[derive(Debug, Clone, PartialEq)]
pub struct BlockFolder {
    /// Where it lies.
    pub path: PathBuf,
    /// What it says about itself.
    pub meta: BlockMeta,
}

/// What went wrong with the folder.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// Another process has it.
    #[error("{} is in use by another process", .0.display())]
    Locked(PathBuf),
    /// The disk refused.
    #[error("data folder: {}", path.display())]
    Disk {
        /// The file or folder.
        path: PathBuf,
        /// What the disk said.
        #[source]
        source: io::Error,
    },
    /// The head could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A block could not be cut.
    #[error(transparent)]
    Cut(#[from] CutError),
}

impl error_kind::Kind for DbError {
    fn kind(&self) -> error_kind::ErrorKind {
        match self {
            DbError::Locked(_) | DbError::Disk { .. } => error_kind::ErrorKind::Unavailable,
            DbError::Open(error) => error.kind(),
            DbError::Cut(error) => error.kind(),
        }
    }
}

fn disk(path: &Path) -> impl FnOnce(io::Error) -> DbError {
    let path = path.to_owned();
    move |source| DbError::Disk { path, source }
}

/// A head and its blocks.
#[derive(Debug)]
pub struct Db {
    fs: Arc<dyn Fs>,
    folder: PathBuf,
    options: DbOptions,
    head: Head,
    /// Held until the end.
    _lock: Box<dyn Debug + Send + Sync>,
}

impl Db {
    /// Opens a folder, which is made if it is not there: takes its lock, removes what a crash left unfinished, reads the head's
    /// logs. Blocks whose meta.json is damaged are reported and left alone.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn open(
        fs: Arc<dyn Fs>,
        folder: &Path,
        options: DbOptions,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(Db, Replay), DbError> {
        fs.create_dir_all(folder).map_err(disk(folder))?;
        let lock = folder.join("lock");
        let held = fs.lock(&lock).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => DbError::Locked(folder.to_owned()),
            _ => DbError::Disk { path: lock, source: error },
        })?;
        clean_up(&*fs, folder).map_err(disk(folder))?;
        let (blocks, damage) = blocks(&*fs, folder).map_err(disk(folder))?;
        let in_order = blocks.iter().filter(|block| !is_out_of_order(&block.meta));
        let min_valid_time = in_order.map(|block| block.meta.max_time).max().unwrap_or(i64::MIN);
        let (head, mut replay) = Head::open(fs.clone(), folder, options.head, min_valid_time, progress)?;
        if let Some(above) = folder.parent().filter(|above| !above.as_os_str().is_empty()) {
            // The folder itself may be new. Not every system lets its parent be opened.
            let _ = fs.sync_dir(above);
        }
        replay.damage.extend(damage);
        Ok((Db { fs, folder: folder.to_owned(), options, head, _lock: held }, replay))
    }

    /// The head.
    pub const fn head(&self) -> &Head {
        &self.head
    }

    /// The blocks, by time, and the damage of those whose meta.json cannot be read.
    ///
    /// # Errors
    /// [`DbError::Disk`].
    pub fn blocks(&self) -> Result<(Vec<BlockFolder>, Vec<Corruption>), DbError> {
        blocks(&*self.fs, &self.folder).map_err(disk(&self.folder))
    }

    /// Cuts what is old enough into blocks, lets the head forget it, and removes blocks that are too old; to be called every
    /// minute or so. `next_id` names the blocks. Gives the new ones.
    ///
    /// # Errors
    /// [`DbError`]; what was cut before stays.
    pub fn compact(&self, next_id: &mut dyn FnMut() -> BlockId) -> Result<Vec<BlockMeta>, DbError> {
        let mut cut = Vec::new();
        let mut forgot = false;
        while let Some(range) = self.head.range_to_cut() {
            cut.extend(self.head.write_block(&self.fs, &self.folder, next_id(), range)?);
            self.head.truncate(range.1).map_err(CutError::from)?;
            forgot = true;
        }
        if forgot {
            cut.extend(self.head.cut_out_of_order(&self.fs, &self.folder, next_id)?);
        }
        self.remove_old()?;
        Ok(cut)
    }

    /// Cuts everything into blocks, as before an orderly end for good. The head is empty afterwards.
    ///
    /// # Errors
    /// As [`Db::compact`].
    pub fn flush(&self, next_id: &mut dyn FnMut() -> BlockId) -> Result<Vec<BlockMeta>, DbError> {
        let mut cut = Vec::new();
        while let Some((oldest, newest)) = self.head.stats().times.filter(|_| self.head.stats().series > 0) {
            let range = self.options.head.chunk_range_ms;
            let end = super::series::range_end(oldest, range);
            cut.extend(self.head.write_block(&self.fs, &self.folder, next_id(), (oldest, end))?);
            self.head.truncate(end).map_err(CutError::from)?;
            if end > newest {
                break;
            }
        }
        cut.extend(self.head.cut_out_of_order(&self.fs, &self.folder, next_id)?);
        Ok(cut)
    }

    /// Makes everything durable and gives up the folder.
    ///
    /// # Errors
    /// [`DbError`]: what was acknowledged may not survive a loss of power.
    pub fn close(self) -> Result<(), DbError> {
        Ok(self.head.sync().map_err(CutError::from)?)
    }

    fn remove_old(&self) -> Result<(), DbError> {
        if self.options.retention_ms <= 0 {
            return Ok(());
        }
        let (blocks, _) = self.blocks()?;
        let newest = blocks.iter().map(|block| block.meta.max_time).max().unwrap_or(i64::MIN);
        let until = newest.saturating_sub(self.options.retention_ms);
        for block in blocks.iter().filter(|block| block.meta.max_time <= until) {
            let removed = self.folder.join(format!("{}{REMOVED}", block.meta.ulid));
            let remove = || {
                self.fs.rename(&block.path, &removed)?;
                self.fs.sync_dir(&self.folder)?;
                self.fs.remove_dir_all(&removed)
            };
            remove().map_err(disk(&block.path))?;
        }
        Ok(())
    }
}

fn is_out_of_order(meta: &BlockMeta) -> bool {
    meta.compaction.hints.iter().any(|hint| hint == FROM_OUT_OF_ORDER)
}

/// Removes blocks that a crash left half written or half removed.
fn clean_up(fs: &dyn Fs, folder: &Path) -> io::Result<()> {
    for entry in fs.list(folder)? {
        let ends = UNFINISHED.into_iter().chain([REMOVED]);
        let unfinished = ends.filter_map(|end| entry.name.strip_suffix(end)).any(BlockId::is_block_folder);
        if entry.is_dir && unfinished {
            fs.remove_dir_all(&folder.join(&entry.name))?;
        }
    }
    Ok(())
}

fn blocks(fs: &dyn Fs, folder: &Path) -> io::Result<(Vec<BlockFolder>, Vec<Corruption>)> {
    let (mut found, mut damage) = (Vec::new(), Vec::new());
    for entry in fs.list(folder)? {
        if !entry.is_dir || !BlockId::is_block_folder(&entry.name) {
            continue;
        }
        let path = folder.join(&entry.name);
        let file = match fs.open(&path.join(META_FILE)) {
            Ok(file) => file,
            // Without meta.json it is no block.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        match BlockMeta::read(&StoredFile::new(format!("{}/{META_FILE}", entry.name), file)) {
            Ok(meta) => found.push(BlockFolder { path, meta }),
            Err(corruption) => damage.push(corruption),
        }
    }
    found.sort_by_key(|block| (block.meta.min_time, block.meta.ulid));
    Ok((found, damage))
}
