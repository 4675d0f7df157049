//! A file of the simulated disk: its bytes, and which of them are durable.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::fs::{FileSync, FileWrite, RangeRead};

use super::{Chance, Fate, SimFs};

const PAGE: u64 = 4096;

#[derive(Debug, Clone, Default)]
pub(super) struct SimFile(Arc<Mutex<Bytes>>);

#[derive(Debug, Default)]
struct Bytes {
    now: Vec<u8>,
    durable: Vec<u8>,
    /// Pages that were written since the last sync.
    dirty: BTreeSet<u64>,
}

impl SimFile {
    fn bytes(&self) -> MutexGuard<'_, Bytes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is(&self, other: &SimFile) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(super) fn len(&self) -> u64 {
        self.bytes().now.len() as u64
    }

    pub(super) fn contents(&self) -> Vec<u8> {
        self.bytes().now.clone()
    }

    pub(super) fn replace(&self, bytes: &[u8]) {
        *self.bytes() = Bytes { now: bytes.to_vec(), durable: bytes.to_vec(), dirty: BTreeSet::new() };
    }

    pub(super) fn set_len(&self, length: u64) {
        let mut bytes = self.bytes();
        let before = bytes.now.len() as u64;
        bytes.now.resize(length as usize, 0);
        bytes.touch(length.min(before), length.max(before));
    }

    fn write_at(&self, data: &[u8], at: u64) {
        let mut bytes = self.bytes();
        let end = at + data.len() as u64;
        if (bytes.now.len() as u64) < end {
            bytes.now.resize(end as usize, 0);
        }
        if let Some(place) = bytes.now.get_mut(at as usize..end as usize) {
            place.copy_from_slice(data);
        }
        bytes.touch(at, end);
    }

    fn sync(&self) {
        let mut bytes = self.bytes();
        bytes.durable = bytes.now.clone();
        bytes.dirty.clear();
    }

    /// The pages that a sync could not write count as clean from now on: a second sync would say that all is well.
    fn lose(&self) {
        let mut bytes = self.bytes();
        let (durable, length) = (bytes.durable.clone(), bytes.now.len());
        bytes.now = durable;
        bytes.now.resize(length, 0);
        bytes.dirty.clear();
    }

    /// Keeps a part of the dirty pages, and a length between the durable one and the one now.
    pub(super) fn crash(&self, chance: &mut Chance) {
        let mut bytes = self.bytes();
        let (old, new) = (bytes.durable.len() as u64, bytes.now.len() as u64);
        let length = match chance.below(3) {
            0 => old,
            1 => new,
            _ => old.min(new) + chance.below(old.abs_diff(new) + 1),
        };
        let mut after = bytes.durable.clone();
        after.resize(length as usize, 0);
        for page in &bytes.dirty {
            let (from, to) = ((page * PAGE) as usize, ((page + 1) * PAGE).min(length).min(new) as usize);
            if chance.coin()
                && let (Some(place), Some(written)) = (after.get_mut(from..to), bytes.now.get(from..to))
            {
                place.copy_from_slice(written);
            }
        }
        *bytes = Bytes { now: after.clone(), durable: after, dirty: BTreeSet::new() };
    }
}

impl Bytes {
    fn touch(&mut self, from: u64, to: u64) {
        if from < to {
            self.dirty.extend(from / PAGE..=(to - 1) / PAGE);
        }
    }
}

#[derive(Debug)]
pub(super) struct SimReader {
    file: SimFile,
    length: u64,
}

impl SimReader {
    pub(super) fn new(file: SimFile) -> Self {
        let length = file.len();
        SimReader { file, length }
    }
}

impl RangeRead for SimReader {
    fn len(&self) -> u64 {
        self.length
    }

    fn read_exact_at(&self, into: &mut [u8], offset: u64) -> io::Result<()> {
        let bytes = self.file.bytes();
        let from = usize::try_from(offset).ok();
        let range = from.and_then(|from| bytes.now.get(from..from.checked_add(into.len())?));
        into.copy_from_slice(range.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

#[derive(Debug, Clone)]
pub(super) struct SimWriter {
    fs: SimFs,
    life: u64,
    file: SimFile,
    at: u64,
}

impl SimWriter {
    pub(super) const fn new(fs: SimFs, life: u64, file: SimFile, at: u64) -> Self {
        SimWriter { fs, life, file, at }
    }

    /// Writes as much as the disk takes.
    fn write_some(&self, data: &[u8], at: u64) -> io::Result<usize> {
        let mut world = self.fs.world();
        let fate = world.operation(self.life)?;
        let mut data = data;
        if fate == Fate::Dies {
            // Half of it reaches the disk.
            data = data.get(..data.len() / 2).unwrap_or_default();
        } else if let Some(capacity) = world.capacity {
            let grows = (at + data.len() as u64).saturating_sub(self.file.len());
            let room = capacity.saturating_sub(world.names.size());
            if grows > room {
                let keep = (data.len() as u64).saturating_sub(grows - room);
                data = data.get(..keep as usize).unwrap_or_default();
                if data.is_empty() {
                    return Err(io::ErrorKind::StorageFull.into());
                }
            }
        }
        self.file.write_at(data, at);
        if fate == Fate::Dies { Err(io::Error::other("the process is dead")) } else { Ok(data.len()) }
    }

    fn sync_now(&self) -> io::Result<()> {
        let mut world = self.fs.world();
        world.atomic(self.life)?;
        let number = world.syncs;
        world.syncs += 1;
        if world.fail_sync_at == Some(number) {
            self.file.lose();
            return Err(io::Error::other("input/output error"));
        }
        self.file.sync();
        Ok(())
    }
}

impl Write for SimWriter {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let written = self.write_some(data, self.at)?;
        self.at += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl FileWrite for SimWriter {
    fn sync(&mut self) -> io::Result<()> {
        self.sync_now()
    }

    fn syncer(&self) -> io::Result<Arc<dyn FileSync>> {
        Ok(Arc::new(self.clone()))
    }

    fn write_all_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        if self.write_some(bytes, offset)? < bytes.len() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }
}

impl FileSync for SimWriter {
    fn sync(&self) -> io::Result<()> {
        self.sync_now()
    }
}
