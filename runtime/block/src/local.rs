//! The files of a block on a local disk.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::BoxStream;
use objstore::Body;
use sha2::{Digest, Sha256};
use tsdb::fs::{Fs, RangeRead};

use crate::blocking::on_disk;
use crate::layout;
use crate::meta::{FileHash, HashFunc};

/// How much is read at once.
const PIECE_BYTES: u64 = 1 << 20;

/// A file of a block: the path from the block's folder, and how large it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LocalFile {
    pub(crate) rel_path: String,
    pub(crate) size: u64,
}

/// The files of a block that belong into a bucket: the segments in order, then the index.
pub(crate) fn block_files(fs: &dyn Fs, folder: &Path) -> io::Result<Vec<LocalFile>> {
    let mut files = Vec::new();
    for entry in fs.list(&folder.join(layout::CHUNKS))? {
        if !entry.is_dir && !entry.name.ends_with(".tmp") {
            files
                .push(LocalFile { rel_path: format!("{}/{}", layout::CHUNKS, entry.name), size: entry.size });
        }
    }
    let index = fs.stat(&folder.join(layout::INDEX))?;
    files.push(LocalFile { rel_path: layout::INDEX.to_owned(), size: index.size });
    Ok(files)
}

/// A file as the body of an object; another size than expected is an error, not another object.
pub(crate) struct LocalBody {
    fs: Arc<dyn Fs>,
    path: PathBuf,
    size: u64,
}

impl LocalBody {
    pub(crate) fn new(fs: Arc<dyn Fs>, path: PathBuf, size: u64) -> Self {
        LocalBody { fs, path, size }
    }
}

impl Body for LocalBody {
    fn size(&self) -> u64 {
        self.size
    }

    fn open(&self) -> BoxStream<'static, io::Result<Bytes>> {
        let (fs, path, size) = (Arc::clone(&self.fs), self.path.clone(), self.size);
        let first = (None::<Arc<dyn RangeRead>>, 0);
        Box::pin(futures::stream::try_unfold(first, move |(file, at)| {
            let (fs, path) = (Arc::clone(&fs), path.clone());
            async move {
                if at >= size {
                    return Ok(None);
                }
                let (file, piece) = on_disk(move || {
                    let file = match file {
                        Some(file) => file,
                        None => fs.open(&path)?,
                    };
                    if file.len() != size {
                        return Err(io::Error::new(
                            io::ErrorKind::InvalidData,
                            "the file changes while it is read",
                        ));
                    }
                    let piece = file.read_range(at, PIECE_BYTES.min(size - at))?;
                    Ok((file, piece))
                })
                .await?;
                let next = at + piece.len() as u64;
                Ok(Some((piece, (Some(file), next))))
            }
        }))
    }
}

impl fmt::Debug for LocalBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalBody({}, {} bytes)", self.path.display(), self.size)
    }
}

/// The hash of a file on disk; `None` for [`HashFunc::None`].
pub(crate) async fn hash_file(
    fs: &Arc<dyn Fs>,
    path: PathBuf,
    func: HashFunc,
) -> io::Result<Option<FileHash>> {
    if func == HashFunc::None {
        return Ok(None);
    }
    let fs = Arc::clone(fs);
    on_disk(move || {
        let file = fs.open(&path)?;
        let (mut digest, mut at) = (Sha256::new(), 0);
        while at < file.len() {
            let piece = file.read_range(at, PIECE_BYTES.min(file.len() - at))?;
            at += piece.len() as u64;
            digest.update(&piece);
        }
        Ok(Some(sha256(digest)))
    })
    .await
}

/// A finished SHA-256 as meta.json has it.
pub(crate) fn sha256(digest: Sha256) -> FileHash {
    let mut value = String::with_capacity(64);
    for byte in digest.finalize() {
        for digit in [byte >> 4, byte & 15] {
            value.push(char::from_digit(digit.into(), 16).unwrap_or('0'));
        }
    }
    FileHash { hash_func: HashFunc::Sha256.as_str().to_owned(), value, extra: serde_json::Map::new() }
}
