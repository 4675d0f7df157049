//! The folder of a bucket on the disk: what blocks, and what keeps to the inside of the folder.
#![expect(clippy::disallowed_methods, reason = "the disk is what this bucket stands on")]

use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::UNIX_EPOCH;

use prom_model::TimestampMs;

use crate::{Attributes, BucketError, Entry, Put};

/// What the names of files begin with that are still being written.
const UNFINISHED: &str = ".pronoia-put-";
/// How often a write begins anew because somebody removed its folder, which had become empty.
const ATTEMPTS: usize = 100;

/// One number per unfinished file of this process.
static FILES: AtomicU64 = AtomicU64::new(0);

/// The folder.
pub(super) struct Root {
    directory: PathBuf,
    /// Without symbolic links, once it is there.
    real: OnceLock<PathBuf>,
}

/// What a folder has in it.
pub(super) enum FolderItem {
    /// An object.
    Object(Entry),
    /// The name of a folder, with a slash at its end.
    Folder(String),
}

/// A file that becomes an object.
pub(super) struct Unfinished {
    file: File,
    path: PathBuf,
    /// Folders that were made for it, the outermost first; their entries are not on the disk yet.
    made: Vec<PathBuf>,
    done: bool,
}

/// What went wrong, before it has the name of the object.
#[derive(Debug)]
pub(super) enum Failure {
    Disk(io::Error),
    Read { error: io::Error, offset: u64, length: u64 },
    OutOfRange { offset: u64, size: u64 },
    Outside,
    Exists,
    Name(&'static str),
    NoExclusiveCreate,
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::Disk(error)
    }
}

/// A symbolic link that leads out of the bucket.
#[derive(Debug, thiserror::Error)]
#[error("a symbolic link leads out of the bucket")]
struct LeadsOutside;

impl Failure {
    /// The error of the operation on this object.
    pub(super) fn of(self, name: &str) -> BucketError {
        let name = name.to_owned();
        match self {
            Failure::Disk(error) => match error.kind() {
                ErrorKind::NotFound | ErrorKind::NotADirectory => BucketError::NotFound { name },
                ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                    BucketError::AccessDenied { name, source: Box::new(error) }
                }
                ErrorKind::InvalidFilename => {
                    BucketError::InvalidName { name, rule: "a part is longer than the file system allows" }
                }
                _ => BucketError::Unavailable { name, source: Box::new(error) },
            },
            Failure::Read { error, offset, length } => Self::of_read(error, &name, offset, length),
            Failure::OutOfRange { offset, size } => BucketError::OutOfRange { name, offset, size },
            Failure::Outside => BucketError::AccessDenied { name, source: Box::new(LeadsOutside) },
            Failure::Exists => BucketError::AlreadyExists { name },
            Failure::Name(rule) => BucketError::InvalidName { name, rule },
            Failure::NoExclusiveCreate => {
                BucketError::NotSupported { bucket: name, what: "a write that replaces nothing" }
            }
        }
    }

    /// The error of a read in an open file: an end that comes early means that somebody cut the file.
    pub(super) fn of_read(error: io::Error, name: &str, offset: u64, expected: u64) -> BucketError {
        if error.kind() == ErrorKind::UnexpectedEof {
            return BucketError::ShortRead { name: name.to_owned(), offset, expected, got: 0 };
        }
        Failure::Disk(error).of(name)
    }
}

impl Root {
    pub(super) const fn new(directory: PathBuf) -> Self {
        Self { directory, real: OnceLock::new() }
    }

    /// Opens an object.
    pub(super) fn open(&self, name: &str) -> Result<(File, Attributes), Failure> {
        let file = File::open(self.inside(name)?)?;
        let attributes = of_file(&file.metadata()?)?;
        Ok((file, attributes))
    }

    /// Looks at an object.
    pub(super) fn attributes(&self, name: &str) -> Result<Attributes, Failure> {
        of_file(&fs::metadata(self.inside(name)?)?)
    }

    /// What is directly in a folder, sorted as whole names sort; without `deep`, only folders that have an object below.
    pub(super) fn read_folder(&self, prefix: &str, deep: bool) -> Result<Vec<FolderItem>, Failure> {
        let path = match self.inside(prefix.trim_end_matches('/')) {
            Ok(path) => path,
            Err(Failure::Disk(error)) if is_absence(&error) => return Ok(Vec::new()),
            Err(failure) => return Err(failure),
        };
        let files = match fs::read_dir(&path) {
            Ok(files) => files,
            Err(error) if is_absence(&error) => return Ok(Vec::new()),
            Err(error) => return Err(error.into()),
        };
        let mut items = Vec::new();
        for file in files {
            let file = file?;
            let Ok(part) = file.file_name().into_string() else { continue };
            if part.starts_with(UNFINISHED) {
                continue;
            }
            let name = format!("{prefix}{part}");
            let item = match self.item(&file, name, deep) {
                Ok(item) => item,
                // Somebody removed it after its name was read, or it is a link to nowhere.
                Err(Failure::Disk(error)) if is_absence(&error) => None,
                Err(failure) => return Err(failure),
            };
            items.extend(item);
        }
        items.sort_unstable_by(|one, other| one.name().cmp(other.name()));
        Ok(items)
    }

    fn item(&self, file: &fs::DirEntry, name: String, deep: bool) -> Result<Option<FolderItem>, Failure> {
        let kind = file.file_type()?;
        if kind.is_dir() {
            let shown = deep || has_object(&file.path())?;
            return Ok(shown.then(|| FolderItem::Folder(format!("{name}/"))));
        }
        let metadata = if kind.is_symlink() {
            match self.inside(&name) {
                Ok(path) => fs::metadata(path)?,
                Err(Failure::Outside) => return Ok(None),
                Err(failure) => return Err(failure),
            }
        } else {
            file.metadata()?
        };
        if !metadata.is_file() {
            return Ok(None);
        }
        let attributes = Some(of_file(&metadata)?);
        Ok(Some(FolderItem::Object(Entry { name, attributes })))
    }

    /// Makes a file beside an object that is to be.
    pub(super) fn begin(&self, name: &str) -> Result<Unfinished, Failure> {
        if name.split('/').any(|part| part.starts_with(UNFINISHED)) {
            return Err(Failure::Name("a part begins as the names of unfinished files do"));
        }
        let mut made = Vec::new();
        for _ in 0..ATTEMPTS {
            let folder = match self.make_folder(name, &mut made) {
                Err(Failure::Disk(error)) if error.kind() == ErrorKind::NotFound => continue,
                other => other?,
            };
            let number = FILES.fetch_add(1, Ordering::Relaxed);
            let path = folder.join(format!("{UNFINISHED}{}-{number}", std::process::id()));
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => {
                    // Whoever cleans up takes only files that it can lock; where there are no locks, it takes none.
                    let _ = file.lock();
                    if file.metadata()?.nlink() > 0 {
                        return Ok(Unfinished { file, path, made, done: false });
                    }
                }
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::AlreadyExists) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Failure::Disk(io::Error::other("its folder is removed again and again")))
    }

    /// Gives a written file its name.
    pub(super) fn finish(mut target: Unfinished, name: &str, put: Put) -> Result<(), Failure> {
        target.file.sync_all()?;
        let last = name.rsplit_once('/').map_or(name, |(_, last)| last);
        let object = target.path.with_file_name(last);
        match put {
            Put::Replace => rename(&target.path, &object)?,
            Put::Create => fs::hard_link(&target.path, &object).map_err(|error| match error.kind() {
                ErrorKind::AlreadyExists => Failure::Exists,
                ErrorKind::Unsupported | ErrorKind::PermissionDenied => Failure::NoExclusiveCreate,
                _ => vanished(error),
            })?,
        }
        target.done = put == Put::Replace;
        sync_folder(object.parent())?;
        for folder in target.made.iter().rev() {
            sync_folder(folder.parent())?;
        }
        Ok(())
    }

    /// Removes an object, and the folders that have become empty.
    pub(super) fn remove(&self, name: &str) -> Result<(), Failure> {
        let (folder, last) = name.rsplit_once('/').unwrap_or(("", name));
        let folder = self.inside(folder)?;
        let object = folder.join(last);
        if fs::symlink_metadata(&object)?.is_dir() {
            return Err(Failure::Disk(ErrorKind::NotFound.into()));
        }
        fs::remove_file(&object)?;
        sync_folder(Some(&folder))?;
        let mut empty = self.directory.join(name);
        while empty.pop() && empty != self.directory {
            remove_unfinished(&empty);
            if fs::remove_dir(&empty).is_err() {
                break;
            }
        }
        Ok(())
    }

    /// The place of a name that exists, without symbolic links; `""` is the root.
    fn inside(&self, name: &str) -> Result<PathBuf, Failure> {
        let real = self.real()?;
        let mut path = real.to_owned();
        // What leads to the root was resolved once; below it there are mostly no links, and a look at each part tells.
        for part in name.split('/').filter(|part| !part.is_empty()) {
            path.push(part);
            if fs::symlink_metadata(&path)?.is_symlink() {
                let path = fs::canonicalize(real.join(name))?;
                return if path.starts_with(real) { Ok(path) } else { Err(Failure::Outside) };
            }
        }
        if path == real {
            fs::symlink_metadata(&path)?;
        }
        Ok(path)
    }

    fn real(&self) -> Result<&Path, Failure> {
        if self.real.get().is_none() {
            let real = fs::canonicalize(&self.directory)?;
            self.real.get_or_init(|| real);
        }
        self.real.get().map(PathBuf::as_path).ok_or(Failure::Outside)
    }

    /// Makes the folder that an object is in.
    fn make_folder(&self, name: &str, made: &mut Vec<PathBuf>) -> Result<PathBuf, Failure> {
        if self.real.get().is_none() {
            fs::create_dir_all(&self.directory)?;
        }
        let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
        match self.inside(folder) {
            Ok(path) if path.is_dir() => return Ok(path),
            Ok(_) => return Err(Failure::Name("a part of it is an object")),
            Err(Failure::Disk(error)) if error.kind() == ErrorKind::NotADirectory => {
                return Err(Failure::Name("a part of it is an object"));
            }
            Err(Failure::Disk(error)) if error.kind() == ErrorKind::NotFound => {}
            Err(failure) => return Err(failure),
        }
        // The root itself may have been taken away.
        fs::create_dir_all(&self.directory)?;
        // Part by part, so that nothing is made on the other side of a link.
        let mut path = self.real()?.to_owned();
        let mut so_far = String::new();
        for part in folder.split('/') {
            if !so_far.is_empty() {
                so_far.push('/');
            }
            so_far.push_str(part);
            path.push(part);
            match fs::create_dir(&path) {
                Ok(()) => made.push(path.clone()),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => path = self.inside(&so_far)?,
                Err(error) if error.kind() == ErrorKind::NotADirectory => {
                    return Err(Failure::Name("a part of it is an object"));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(path)
    }
}

impl FolderItem {
    fn name(&self) -> &str {
        match self {
            FolderItem::Object(entry) => &entry.name,
            FolderItem::Folder(name) => name,
        }
    }
}

impl Unfinished {
    /// Appends bytes.
    pub(super) fn write(&mut self, piece: &[u8]) -> Result<(), Failure> {
        Ok(self.file.write_all(piece)?)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.done {
            // What cannot be removed now goes when its folder does.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Moves a finished file to its name.
fn rename(from: &Path, to: &Path) -> Result<(), Failure> {
    match fs::rename(from, to) {
        // A folder that somebody left empty is no object and no folder of objects.
        Err(error) if error.kind() == ErrorKind::IsADirectory => match fs::remove_dir(to) {
            Ok(()) => fs::rename(from, to).map_err(vanished),
            Err(_) => Err(Failure::Name("it is a folder of other objects")),
        },
        other => other.map_err(vanished),
    }
}

/// A file that is gone before it got its name is no missing object: the same write may succeed.
fn vanished(error: io::Error) -> Failure {
    match error.kind() {
        ErrorKind::NotFound => Failure::Disk(io::Error::other("it was removed while it was written")),
        _ => Failure::Disk(error),
    }
}

fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

fn of_file(metadata: &Metadata) -> Result<Attributes, Failure> {
    if !metadata.is_file() {
        return Err(Failure::Disk(ErrorKind::NotFound.into()));
    }
    let millis = |time: std::time::Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    let modified = match metadata.modified()?.duration_since(UNIX_EPOCH) {
        Ok(after) => millis(after),
        Err(before) => -millis(before.duration()),
    };
    Ok(Attributes { size: metadata.len(), modified: TimestampMs::from_millis(modified) })
}

/// Whether there is an object anywhere below.
fn has_object(folder: &Path) -> Result<bool, Failure> {
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        for file in fs::read_dir(&folder)? {
            let file = file?;
            if file.file_type()?.is_dir() {
                waiting.push(file.path());
            } else if !file.file_name().to_string_lossy().starts_with(UNFINISHED) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Removes what writes that never ended have left in a folder, if there is nothing else in it.
fn remove_unfinished(folder: &Path) {
    let Ok(files) = fs::read_dir(folder) else { return };
    let paths: Vec<PathBuf> = files.filter_map(Result::ok).map(|file| file.path()).collect();
    let unfinished =
        |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(UNFINISHED));
    if !paths.iter().all(unfinished) {
        return;
    }
    for path in paths {
        let Ok(file) = File::open(&path) else { continue };
        match file.try_lock() {
            Ok(()) => drop(fs::remove_file(&path)),
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => {}
        }
    }
}

fn sync_folder(folder: Option<&Path>) -> Result<(), Failure> {
    match folder {
        Some(folder) => match File::open(folder).and_then(|folder| folder.sync_all()) {
            // The object was removed again, and its folder with it.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            other => Ok(other?),
        },
        None => Ok(()),
    }
}
