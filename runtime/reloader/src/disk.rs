//! The door to the file system: everything that the reloader reads and writes goes through [`Disk`].
//!
//! Tests put a failing or crashing disk in its place.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

mod real;

pub use real::RealDisk;

/// What an entry of a folder is, links not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Directory,
    /// A symbolic link.
    Link,
    /// A socket, a device, a pipe.
    Other,
}

/// One entry of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: OsString,
    /// What it is.
    pub kind: Kind,
}

/// The result of reading a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// All of it.
    Whole(Vec<u8>),
    /// It changed while it was read.
    Changing,
    /// It has more bytes than allowed.
    TooLarge,
}

/// A file system.
pub trait Disk: fmt::Debug + Send + Sync {
    /// Reads a file of at most `limit` bytes; tells when it changed meanwhile.
    ///
    /// # Errors
    /// As the system says.
    fn read(&self, path: &Path, limit: u64) -> io::Result<Content>;
    /// The entries of a folder, sorted by name.
    ///
    /// # Errors
    /// As the system says.
    fn list(&self, path: &Path) -> io::Result<Vec<Entry>>;
    /// What a path is, a link at its end not followed; `None` if nothing is there.
    ///
    /// # Errors
    /// As the system says, other than that nothing is there.
    fn kind(&self, path: &Path) -> io::Result<Option<Kind>>;
    /// The path without any links.
    ///
    /// # Errors
    /// As the system says.
    fn resolve(&self, path: &Path) -> io::Result<PathBuf>;
    /// Where a link points, as written.
    ///
    /// # Errors
    /// As the system says.
    fn link_target(&self, path: &Path) -> io::Result<PathBuf>;

    /// Writes a file with mode 0644 and waits until it is on the medium. What was there is overwritten.
    ///
    /// # Errors
    /// As the system says; a part may have been written.
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;
    /// Gives a file a second name.
    ///
    /// # Errors
    /// As the system says; some file systems have no such thing.
    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Makes a symbolic link.
    ///
    /// # Errors
    /// As the system says.
    fn symlink(&self, target: &Path, link: &Path) -> io::Result<()>;
    /// Gives a file another name in one step; what had that name is gone.
    ///
    /// # Errors
    /// As the system says.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file or a link.
    ///
    /// # Errors
    /// As the system says.
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    /// Removes a folder with everything in it.
    ///
    /// # Errors
    /// As the system says.
    fn remove_tree(&self, path: &Path) -> io::Result<()>;
    /// Makes a folder and those above it.
    ///
    /// # Errors
    /// As the system says.
    fn create_directories(&self, path: &Path) -> io::Result<()>;
    /// Waits until the names in a folder are on the medium.
    ///
    /// # Errors
    /// As the system says.
    fn sync_directory(&self, path: &Path) -> io::Result<()>;
}
