//! The files of a log: their names, their order.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::fs::Fs;

/// Bytes of a page; no fragment of a record reaches over the end of one.
pub const PAGE_SIZE: usize = 32 * 1024;
/// Bytes after which a segment ends.
pub const SEGMENT_SIZE: u64 = 128 * 1024 * 1024;

/// A segment of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentFile {
    /// Its number.
    pub index: u64,
    /// Where it lies.
    pub path: PathBuf,
    /// Its name in reports, as in `wal/00000003`.
    pub name: Arc<str>,
    /// Bytes.
    pub size: u64,
}

/// The name of the segment with this number: eight digits.
pub fn segment_name(index: u64) -> String {
    format!("{index:08}")
}

/// The name of a file of a log in reports: folder and file.
pub(crate) fn report_name(folder: &Path, file: &str) -> Arc<str> {
    let folder = folder.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    format!("{folder}/{file}").into()
}

/// The number of a name that consists of digits only, as `00000003` does.
pub(crate) fn numbered(name: &str) -> Option<u64> {
    let digits = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| name.parse().ok()).flatten()
}

/// The segments in a folder in the order of their numbers; files with other names are passed over. There are none in a folder
/// that does not exist.
///
/// # Errors
/// Whatever the disk says.
pub fn segments(fs: &dyn Fs, folder: &Path) -> io::Result<Vec<SegmentFile>> {
    let entries = match fs.list(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let files = entries.into_iter().filter(|entry| !entry.is_dir);
    let segment = |entry: crate::fs::Entry| {
        let index = numbered(&entry.name)?;
        let (path, name) = (folder.join(&entry.name), report_name(folder, &entry.name));
        Some(SegmentFile { index, path, name, size: entry.size })
    };
    let mut found: Vec<SegmentFile> = files.filter_map(segment).collect();
    found.sort_by_key(|segment| segment.index);
    Ok(found)
}
