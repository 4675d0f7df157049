//! A disk in memory that fails on command: for the tests of every crate that writes files.
//!
//! Files have what is durable and what is only written, in pages of 4 KiB; folders have names that are durable and changes of
//! names that are not. [`SimFs::crash`] is a loss of power: what was not synced survives in part, by chance from a seed.
//! [`SimFs::restart`] is the death of the process: everything written stays. Operations are counted, so that a test can go
//! through all of them: [`SimFs::fail_at`], [`SimFs::kill_at`], [`SimFs::set_capacity`].

mod file;
mod names;

use std::fmt::Debug;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use file::{SimReader, SimWriter};
use names::Names;

use super::{Entry, FileWrite, Fs, RangeRead};

/// A seeded source of chance: splitmix64.
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    /// The same seed gives the same numbers.
    pub const fn new(seed: u64) -> Self {
        Chance(seed)
    }

    /// The next 64 bits.
    pub const fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// A number from 0 up to, not including, `bound`; 0 for the bound 0.
    pub const fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.next_u64() % bound }
    }

    /// Heads or tails.
    pub const fn coin(&mut self) -> bool {
        self.next_u64() & 1 == 1
    }
}

/// The disk. Clones are the same disk.
#[derive(Debug, Clone, Default)]
pub struct SimFs {
    world: Arc<Mutex<World>>,
}

#[derive(Debug, Default)]
struct World {
    names: Names,
    operations: u64,
    /// Handles of an earlier life are of no use.
    life: u64,
    killed: bool,
    kill_at: Option<u64>,
    fail_at: Option<(u64, io::ErrorKind)>,
    fail_sync_at: Option<u64>,
    syncs: u64,
    capacity: Option<u64>,
}

/// What an operation may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Done,
    /// The process dies in the middle of it.
    Dies,
}

impl World {
    /// Counts an operation and decides about it.
    fn operation(&mut self, life: u64) -> io::Result<Fate> {
        if self.killed || self.life != life {
            return Err(io::Error::other("the process is dead"));
        }
        let number = self.operations;
        self.operations += 1;
        if self.kill_at == Some(number) {
            self.killed = true;
            return Ok(Fate::Dies);
        }
        match self.fail_at {
            Some((at, kind)) if at == number => Err(kind.into()),
            _ => Ok(Fate::Done),
        }
    }

    /// An operation that is done whole or not at all.
    fn atomic(&mut self, life: u64) -> io::Result<()> {
        match self.operation(life)? {
            Fate::Done => Ok(()),
            Fate::Dies => Err(io::Error::other("the process is dead")),
        }
    }
}

impl SimFs {
    /// An empty disk that does not fail.
    pub fn new() -> Self {
        SimFs::default()
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many operations were begun so far.
    pub fn operations(&self) -> u64 {
        self.world().operations
    }

    /// How many syncs of files were begun so far.
    pub fn syncs(&self) -> u64 {
        self.world().syncs
    }

    /// The operation of this number dies half done, and all after it fail, until [`SimFs::restart`] or [`SimFs::crash`].
    pub fn kill_at(&self, operation: u64) {
        self.world().kill_at = Some(operation);
    }

    /// The operation of this number fails with an error of this kind, once.
    pub fn fail_at(&self, operation: u64, kind: io::ErrorKind) {
        self.world().fail_at = Some((operation, kind));
    }

    /// The sync of this number, counted over files, fails, and what it was to make durable is lost, as Linux does it.
    pub fn fail_sync_at(&self, sync: u64) {
        self.world().fail_sync_at = Some(sync);
    }

    /// Files may grow to so many bytes in all, then the disk is full; `None` is without end.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.world().capacity = bytes;
    }

    /// Whether the process was killed.
    pub fn is_dead(&self) -> bool {
        self.world().killed
    }

    /// The process is gone, the disk stays as it was written. Ends all faults.
    pub fn restart(&self) {
        let mut world = self.world();
        let life = world.life + 1;
        *world = World { names: std::mem::take(&mut world.names), life, ..World::default() };
    }

    /// The power is gone: of what was not synced a part survives, by chance. Ends all faults.
    pub fn crash(&self, seed: u64) {
        self.restart();
        self.world().names.crash(&mut Chance::new(seed));
    }

    /// The bytes of a file, as they would be read now; for damaging them.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`].
    pub fn contents(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.world().names.file(path).map(|file| file.contents())
    }

    /// Puts these bytes into a file, durable, without counting.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] where the folder is not there.
    pub fn put(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let file = self.world().names.create(path)?;
        file.replace(bytes);
        Ok(())
    }

    fn name_change<T>(&self, change: impl FnOnce(&mut Names) -> io::Result<T>) -> io::Result<T> {
        let mut world = self.world();
        let life = world.life;
        world.atomic(life)?;
        change(&mut world.names)
    }

    fn writer(&self, file: file::SimFile, at: u64) -> Box<dyn FileWrite> {
        let life = self.world().life;
        Box::new(SimWriter::new(self.clone(), life, file, at))
    }
}

impl Fs for SimFs {
    fn open(&self, path: &Path) -> io::Result<Arc<dyn RangeRead>> {
        let file = self.name_change(|names| names.file(path))?;
        Ok(Arc::new(SimReader::new(file)))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn FileWrite>> {
        let file = self.name_change(|names| names.create(path))?;
        file.set_len(0);
        Ok(self.writer(file, 0))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn FileWrite>> {
        let file = self.name_change(|names| names.create(path))?;
        let end = file.len();
        Ok(self.writer(file, end))
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<Entry>> {
        self.name_change(|names| names.list(folder))
    }

    fn stat(&self, path: &Path) -> io::Result<Entry> {
        self.name_change(|names| names.stat(path))
    }

    fn create_dir_all(&self, folder: &Path) -> io::Result<()> {
        self.name_change(|names| names.create_dir_all(folder))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.name_change(|names| names.rename(from, to))
    }

    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.name_change(|names| names.hard_link(from, to))
    }

    fn truncate(&self, path: &Path, length: u64) -> io::Result<()> {
        self.name_change(|names| names.file(path).map(|file| file.set_len(length)))
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.name_change(|names| names.remove_file(path))
    }

    fn remove_dir_all(&self, folder: &Path) -> io::Result<()> {
        self.name_change(|names| names.remove_dir_all(folder))
    }

    fn sync_dir(&self, folder: &Path) -> io::Result<()> {
        self.name_change(|names| names.sync(folder))
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Debug + Send + Sync>> {
        self.name_change(|names| names.create(path))?;
        Ok(Box::new(()))
    }
}

/// The folder in which a path's last name stands.
fn parent(path: &Path) -> PathBuf {
    path.parent().map(Path::to_owned).unwrap_or_default()
}
