//! A new block read again from the disk, all of it, by code that did not write it.

use std::io;
use std::path::{Path, PathBuf};

use tsdb::Corruption;
use tsdb::block::{
    BlockFiles, BlockMeta, CHUNKS_FOLDER, Counts, INDEX_FILE, META_FILE, TOMBSTONES_FILE, examine,
};
use tsdb::fs::Fs;
use tsdb::stored::StoredFile;

/// How many bytes at both ends of a file are compared with those in the bucket. The end of an index is its table of contents,
/// without which nothing in it is found.
const EDGE_BYTES: u64 = 64;

/// What was found of a block on the disk.
#[derive(Debug, Clone)]
pub struct OnDisk {
    /// What its meta.json says.
    pub meta: BlockMeta,
    /// What is in it.
    pub counts: Counts,
    /// How many damages there are, of all kinds.
    pub damages: u64,
    /// In words, one line per kind of damage.
    pub words: Vec<String>,
    /// Its segments and its index.
    pub files: Vec<FileOnDisk>,
}

/// A file of a block, as far as it is compared with the bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileOnDisk {
    /// The path from the block's folder.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// The first bytes.
    pub head: Vec<u8>,
    /// The last bytes.
    pub tail: Vec<u8>,
}

/// A block that could not be read again.
#[derive(Debug, thiserror::Error)]
pub enum ReadAgainError {
    /// The disk failed.
    #[error("{} cannot be read", path.display())]
    Disk {
        /// The file or folder.
        path: PathBuf,
        /// What the disk says.
        #[source]
        source: io::Error,
    },
    /// Its meta.json is damaged.
    #[error("the new block is damaged")]
    Damaged(#[from] Corruption),
}

/// Reads a block in its folder from one end to the other: every checksum, the order of everything, every sample.
///
/// # Errors
/// When a file cannot be opened, or meta.json is damaged; other damages are counted.
pub fn read_again(fs: &dyn Fs, folder: &Path) -> Result<OnDisk, ReadAgainError> {
    let open = |name: &str| {
        let path = folder.join(name);
        match fs.open(&path) {
            Ok(bytes) => Ok(StoredFile::new(name, bytes)),
            Err(source) => Err(ReadAgainError::Disk { path, source }),
        }
    };
    let meta = BlockMeta::read(&open(META_FILE)?)?;
    let chunks = folder.join(CHUNKS_FOLDER);
    let listed = fs.list(&chunks).map_err(|source| ReadAgainError::Disk { path: chunks, source })?;
    let segments = listed.iter().map(|entry| open(&format!("{CHUNKS_FOLDER}/{}", entry.name)));
    let segments: Vec<StoredFile> = segments.collect::<Result<_, _>>()?;
    let index = open(INDEX_FILE)?;
    let tombstones = match open(TOMBSTONES_FILE) {
        Ok(file) => Some(file),
        Err(ReadAgainError::Disk { source, .. }) if source.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let files = segments.iter().chain([&index]).map(|file| edges(folder, file));
    let files: Vec<FileOnDisk> = files.collect::<Result<_, _>>()?;
    let files_of_block = BlockFiles { index: Some(index), segments, tombstones };
    let found = examine(&files_of_block, meta.min_time, meta.max_time);
    let damages = found.problems.iter().filter(|problem| problem.kind.is_damage());
    let words = damages.clone().map(|problem| {
        let examples = problem.examples.join("; ");
        format!("{} ({}): {examples}", problem.kind.code(), problem.count)
    });
    let (words, damages) = (words.collect(), damages.map(|problem| problem.count).sum());
    Ok(OnDisk { meta, counts: found.counts, damages, words, files })
}

fn edges(folder: &Path, file: &StoredFile) -> Result<FileOnDisk, ReadAgainError> {
    let (size, bytes) = (file.len(), file.bytes());
    let edge = EDGE_BYTES.min(size);
    let read = |offset| match bytes.read_range(offset, edge) {
        Ok(bytes) => Ok(bytes.to_vec()),
        Err(source) => Err(ReadAgainError::Disk { path: folder.join(&**file.name()), source }),
    };
    Ok(FileOnDisk {
        path: file.name().to_string(),
        size,
        head: read(0)?,
        tail: read(size.saturating_sub(edge))?,
    })
}
