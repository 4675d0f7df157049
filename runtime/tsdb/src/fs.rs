//! The disk as this crate sees it: the one door through which files are read and written.
//!
//! [`RealFs`] is the operating system's. Tests put others in its place: disks that fill up, that fail, that lose what was not
//! synced.

mod real;
pub mod sim;

use std::fmt::Debug;
use std::io;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

pub use real::RealFs;

/// Bytes of a known length that can be read anywhere: a file, an object, memory.
pub trait RangeRead: Debug + Send + Sync {
    /// How many bytes there are.
    fn len(&self) -> u64;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fills `into` with the bytes from `offset` on.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`] where the bytes end before; whatever the disk says.
    fn read_exact_at(&self, into: &mut [u8], offset: u64) -> io::Result<()>;

    /// `length` bytes from `offset` on, without a copy where they are in memory already. Nothing is allocated for a range that
    /// is not there.
    ///
    /// # Errors
    /// As [`RangeRead::read_exact_at`].
    fn read_range(&self, offset: u64, length: u64) -> io::Result<Bytes> {
        let end = offset.checked_add(length).filter(|end| *end <= self.len());
        let (Some(_), Ok(length)) = (end, usize::try_from(length)) else {
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
        let mut bytes = vec![0; length];
        self.read_exact_at(&mut bytes, offset)?;
        Ok(bytes.into())
    }

    /// All bytes, where they are in memory already: readers then look at them in place instead of copying windows.
    fn in_memory(&self) -> Option<&[u8]> {
        None
    }
}

impl RangeRead for Bytes {
    fn len(&self) -> u64 {
        Bytes::len(self) as u64
    }

    fn read_exact_at(&self, into: &mut [u8], offset: u64) -> io::Result<()> {
        into.copy_from_slice(&self.read_range(offset, into.len() as u64)?);
        Ok(())
    }

    fn read_range(&self, offset: u64, length: u64) -> io::Result<Bytes> {
        let end = offset.checked_add(length).filter(|end| *end <= RangeRead::len(self));
        match (usize::try_from(offset), end.map(usize::try_from)) {
            (Ok(start), Some(Ok(end))) => Ok(self.slice(start..end)),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    fn in_memory(&self) -> Option<&[u8]> {
        Some(self)
    }
}

/// A file that is being written.
pub trait FileWrite: io::Write + Debug + Send + Sync {
    /// Returns once everything written so far would survive a loss of power.
    ///
    /// # Errors
    /// Whatever the disk says. After an error nothing is known about what was written; do not try again and call it done.
    fn sync(&mut self) -> io::Result<()>;

    /// What syncs this file without holding it, so that others can write meanwhile.
    ///
    /// # Errors
    /// Whatever the disk says.
    fn syncer(&self) -> io::Result<Arc<dyn FileSync>>;

    /// Overwrites bytes that were written before.
    ///
    /// # Errors
    /// Whatever the disk says.
    fn write_all_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()>;
}

/// Makes a file durable that somebody else writes.
pub trait FileSync: Debug + Send + Sync {
    /// As [`FileWrite::sync`], for everything that was written before the call.
    ///
    /// # Errors
    /// As [`FileWrite::sync`].
    fn sync(&self) -> io::Result<()>;
}

/// One name in a folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// The name, without the folder.
    pub name: String,
    /// Whether it is a folder.
    pub is_dir: bool,
    /// Bytes, of a file.
    pub size: u64,
}

/// What can be done to files and folders.
pub trait Fs: Debug + Send + Sync {
    /// Opens a file for reading.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`]; whatever the disk says. So do all below.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn RangeRead>>;
    /// Makes a file, or empties the one that is there.
    fn create(&self, path: &Path) -> io::Result<Box<dyn FileWrite>>;
    /// Opens a file to write at its end; makes it if it is not there.
    fn append(&self, path: &Path) -> io::Result<Box<dyn FileWrite>>;
    /// The entries of a folder, sorted by name. Names that are not UTF-8 are left out: none of ours are.
    fn list(&self, folder: &Path) -> io::Result<Vec<Entry>>;
    /// What stands at a path; links are followed.
    fn stat(&self, path: &Path) -> io::Result<Entry>;
    /// Makes a folder and those above it.
    fn create_dir_all(&self, folder: &Path) -> io::Result<()>;
    /// Gives a file or folder another name, in one step; replaces a file of that name.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Gives a file a second name.
    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Cuts a file to so many bytes.
    fn truncate(&self, path: &Path, length: u64) -> io::Result<()>;
    /// Removes a file.
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    /// Removes a folder with all in it.
    fn remove_dir_all(&self, folder: &Path) -> io::Result<()>;
    /// Returns once the names in a folder would survive a loss of power.
    fn sync_dir(&self, folder: &Path) -> io::Result<()>;
    /// Makes a file, if it is not there, and locks it against other processes until what is returned is dropped;
    /// [`io::ErrorKind::WouldBlock`] where another one has it.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn Debug + Send + Sync>>;
}
