//! Makes a damaged log writable again. Nothing is deleted: what cannot be used is renamed beside the log.

use std::io;
use std::path::{Path, PathBuf};

use crate::fs::Fs;

use super::segment::segments;

/// What was renamed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Repaired {
    /// The damaged segment, and those that followed it, under their new names.
    pub set_aside: Vec<PathBuf>,
}

/// A log that could not be repaired.
#[derive(Debug, thiserror::Error)]
#[error("write-ahead log: setting {} aside", path.display())]
pub struct RepairError {
    /// The segment.
    pub path: PathBuf,
    /// What the disk said.
    #[source]
    pub source: io::Error,
}

impl error_kind::Kind for RepairError {
    fn kind(&self) -> error_kind::ErrorKind {
        error_kind::ErrorKind::Unavailable
    }
}

/// Sets a damaged segment and those after it aside, as `NAME.damaged`, and puts the first `good` bytes of the damaged one in its
/// place, if there are any to be kept. Interrupted at any point, it can be done again.
///
/// # Errors
/// [`RepairError`].
pub fn set_aside(
    fs: &dyn Fs,
    folder: &Path,
    damaged: u64,
    good: Option<u64>,
) -> Result<Repaired, RepairError> {
    let failed = |path: &Path, source| RepairError { path: path.to_owned(), source };
    let all = segments(fs, folder).map_err(|source| failed(folder, source))?;
    let mut repaired = Repaired::default();
    // From the last one down: the log never has a gap.
    for segment in all.iter().rev().filter(|segment| segment.index >= damaged) {
        let aside = free_name(fs, &segment.path).map_err(|source| failed(&segment.path, source))?;
        let done = match good.filter(|_| segment.index == damaged) {
            Some(good) => replace(fs, &segment.path, &aside, good),
            None => fs.rename(&segment.path, &aside),
        };
        done.and_then(|()| fs.sync_dir(folder)).map_err(|source| failed(&segment.path, source))?;
        repaired.set_aside.push(aside);
    }
    Ok(repaired)
}

/// Cuts off what a crash left behind the last whole record of a segment, durably.
///
/// # Errors
/// [`RepairError`].
pub fn cut_torn_tail(fs: &dyn Fs, segment: &Path, good: u64) -> Result<(), RepairError> {
    let cut = || {
        fs.truncate(segment, good)?;
        fs.append(segment)?.sync()
    };
    cut().map_err(|source| RepairError { path: segment.to_owned(), source })
}

pub(crate) fn replace(fs: &dyn Fs, segment: &Path, aside: &Path, good: u64) -> io::Result<()> {
    let copy = segment.with_extension("repaired");
    let source = fs.open(segment)?;
    let mut file = fs.create(&copy)?;
    let (mut offset, good) = (0, good.min(source.len()));
    while offset < good {
        let part = source.read_range(offset, (good - offset).min(1 << 20))?;
        file.write_all(&part)?;
        offset += part.len() as u64;
    }
    file.sync()?;
    fs.hard_link(segment, aside)?;
    fs.rename(&copy, segment)
}

/// A name beside the segment that is not in use.
pub(crate) fn free_name(fs: &dyn Fs, path: &Path) -> io::Result<PathBuf> {
    let mut number = 0u64;
    loop {
        let name = path.with_extension(match number {
            0 => "damaged".to_owned(),
            number => format!("damaged-{number}"),
        });
        match fs.stat(&name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(name),
            Err(error) => return Err(error),
            Ok(_) => number += 1,
        }
    }
}
