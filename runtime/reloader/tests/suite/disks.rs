//! A disk that fails: at one operation, or from one operation on as after a crash.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use reloader::disk::{Content, Disk, Entry, Kind, RealDisk};

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The operation fails, later ones work: a full disk that is freed.
    Once,
    /// Nothing works from there on: the program is dead.
    Crash,
    /// A write leaves half of its bytes behind, then as [`Fault::Crash`].
    TornCrash,
}

/// The real disk, until the chosen change of it.
#[derive(Debug)]
pub(crate) struct FaultyDisk {
    fault: Fault,
    at: u64,
    changes: AtomicU64,
    armed: AtomicBool,
}

impl FaultyDisk {
    /// Fails at change number `at`, counted from 0 and from [`FaultyDisk::arm`].
    pub(crate) fn new(fault: Fault, at: u64) -> Self {
        Self { fault, at, changes: AtomicU64::new(0), armed: AtomicBool::new(false) }
    }

    pub(crate) fn arm(&self) {
        self.armed.store(true, Ordering::SeqCst);
    }

    /// Changes since it was armed.
    pub(crate) fn changes(&self) -> u64 {
        self.changes.load(Ordering::SeqCst)
    }

    /// Whether the next change fails, and whether it is the first one to do so.
    fn fails(&self) -> Option<bool> {
        if !self.armed.load(Ordering::SeqCst) {
            return None;
        }
        let number = self.changes.fetch_add(1, Ordering::SeqCst);
        match self.fault {
            Fault::Once => (number == self.at).then_some(true),
            Fault::Crash | Fault::TornCrash => (number >= self.at).then_some(number == self.at),
        }
    }

    fn change(&self, change: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        match self.fails() {
            Some(_) => Err(io::ErrorKind::StorageFull.into()),
            None => change(),
        }
    }
}

impl Disk for FaultyDisk {
    fn read(&self, path: &Path, limit: u64) -> io::Result<Content> {
        RealDisk.read(path, limit)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        RealDisk.list(path)
    }

    fn kind(&self, path: &Path) -> io::Result<Option<Kind>> {
        RealDisk.kind(path)
    }

    fn resolve(&self, path: &Path) -> io::Result<PathBuf> {
        RealDisk.resolve(path)
    }

    fn link_target(&self, path: &Path) -> io::Result<PathBuf> {
        RealDisk.link_target(path)
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        match self.fails() {
            None => RealDisk.write(path, bytes),
            Some(first) => {
                if first && self.fault == Fault::TornCrash {
                    RealDisk.write(path, &bytes[..bytes.len() / 2])?;
                }
                Err(io::ErrorKind::StorageFull.into())
            }
        }
    }

    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.change(|| RealDisk.hard_link(from, to))
    }

    fn symlink(&self, target: &Path, link: &Path) -> io::Result<()> {
        self.change(|| RealDisk.symlink(target, link))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.change(|| RealDisk.rename(from, to))
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.change(|| RealDisk.remove_file(path))
    }

    fn remove_tree(&self, path: &Path) -> io::Result<()> {
        self.change(|| RealDisk.remove_tree(path))
    }

    fn create_directories(&self, path: &Path) -> io::Result<()> {
        self.change(|| RealDisk.create_directories(path))
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        self.change(|| RealDisk.sync_directory(path))
    }
}
