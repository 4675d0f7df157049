//! The files of a block on the disk.

use std::io;
use std::path::Path;

use tsdb::block::{BlockFiles, CHUNKS_FOLDER, INDEX_FILE, TOMBSTONES_FILE};
use tsdb::fs::Fs;
use tsdb::stored::StoredFile;

/// The files of a block, as they are to be examined.
pub(super) fn files_of(fs: &dyn Fs, folder: &Path) -> io::Result<BlockFiles> {
    let open = |name: &str| match fs.open(&folder.join(name)) {
        Ok(bytes) => Ok(Some(StoredFile::new(name, bytes))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    };
    let mut segments = Vec::new();
    for entry in fs.list(&folder.join(CHUNKS_FOLDER))? {
        segments.extend(open(&format!("{CHUNKS_FOLDER}/{}", entry.name))?);
    }
    Ok(BlockFiles { index: open(INDEX_FILE)?, segments, tombstones: open(TOMBSTONES_FILE)? })
}
