//! Writes a log: records into fragments, fragments into pages, pages into segments.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::encoding::{crc32c, put_u16, put_u32};
use crate::fs::{FileSync, FileWrite, Fs};

use super::fragment::{HEADER_SIZE, Kind, Packing, Part, RECORD_SIZE_MAX};
use super::segment::{PAGE_SIZE, SEGMENT_SIZE, segment_name, segments};

/// How records are compressed on disk; readers need not know. A record that does not become smaller stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// Not at all.
    None,
    /// Snappy, Prometheus' default.
    #[default]
    Snappy,
    /// Zstandard at its lowest level.
    Zstd,
}

/// How a log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WalOptions {
    /// How records are compressed.
    pub compression: Compression,
    /// Bytes of a segment, a multiple of [`PAGE_SIZE`]; a longer record makes a longer segment.
    pub segment_size: u64,
}

impl Default for WalOptions {
    fn default() -> Self {
        WalOptions { compression: Compression::default(), segment_size: SEGMENT_SIZE }
    }
}

/// A record could not be written. Nothing of the call counts as written.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The disk refused. The next call tries to mend what was half written; it may succeed once there is room again.
    #[error("write-ahead log: writing {}", path.display())]
    Write {
        /// The segment.
        path: PathBuf,
        /// What the disk said.
        #[source]
        source: io::Error,
    },
    /// The disk could not make durable what it had accepted. What was acknowledged may be lost; the log takes nothing more.
    #[error("write-ahead log: syncing {}", path.display())]
    Sync {
        /// The segment.
        path: PathBuf,
        /// What the disk said.
        #[source]
        source: io::Error,
    },
    /// An earlier sync failed: the log takes nothing more until it is opened again.
    #[error("write-ahead log: closed after a failed sync")]
    Failed,
    /// A record longer than 256 MiB.
    #[error("write-ahead log: a record of {0} bytes is too long")]
    TooLong(usize),
}

impl error_kind::Kind for LogError {
    fn kind(&self) -> error_kind::ErrorKind {
        match self {
            LogError::TooLong(_) => error_kind::ErrorKind::InvalidArgument,
            LogError::Write { .. } | LogError::Sync { .. } | LogError::Failed => {
                error_kind::ErrorKind::Unavailable
            }
        }
    }
}

/// A place in a log: everything before it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The number of the segment.
    pub segment: u64,
    /// Bytes from the start of the segment.
    pub offset: u64,
}

/// The end of a log, open for writing.
#[derive(Debug)]
pub struct Wal {
    fs: Arc<dyn Fs>,
    folder: PathBuf,
    options: WalOptions,
    index: u64,
    file: Box<dyn FileWrite>,
    /// Bytes of the current segment that hold whole records and padding.
    offset: u64,
    /// Bytes behind `offset` may be on disk.
    half_written: bool,
    failed: bool,
    /// Ended segments that nobody has synced yet.
    ended: Vec<(PathBuf, Arc<dyn FileSync>)>,
    pending: Vec<u8>,
    packed: Vec<u8>,
    snappy: snap::raw::Encoder,
}

impl Wal {
    /// Opens the log in a folder, which is made if it is not there, and begins a segment after the last.
    ///
    /// Whoever opens a log that was in use before reads it first, and repairs it: see [`super::set_aside`].
    ///
    /// # Errors
    /// [`LogError::Write`].
    pub fn open(fs: Arc<dyn Fs>, folder: &Path, options: WalOptions) -> Result<Self, LogError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| LogError::Write { path, source }
        };
        fs.create_dir_all(folder).map_err(failed(folder))?;
        let index = match segments(&*fs, folder).map_err(failed(folder))?.last() {
            Some(last) => last.index + 1,
            None => 0,
        };
        let path = folder.join(segment_name(index));
        let file = fs.create(&path).map_err(failed(&path))?;
        fs.sync_dir(folder).map_err(failed(folder))?;
        Ok(Wal {
            fs,
            folder: folder.to_owned(),
            options,
            index,
            file,
            offset: 0,
            half_written: false,
            failed: false,
            ended: Vec::new(),
            pending: Vec::new(),
            packed: Vec::new(),
            snappy: snap::raw::Encoder::new(),
        })
    }

    /// The folder of the segments.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// How the log is written.
    pub const fn options(&self) -> WalOptions {
        self.options
    }

    /// The end of what was written.
    pub const fn position(&self) -> Position {
        Position { segment: self.index, offset: self.offset }
    }

    /// Writes records, all or none, and hands them to the operating system: they survive the death of this process. To
    /// survive a loss of power too they have to be synced.
    ///
    /// # Errors
    /// [`LogError`].
    pub fn log(&mut self, records: &[&[u8]]) -> Result<(), LogError> {
        if self.failed {
            return Err(LogError::Failed);
        }
        self.mend()?;
        if let Some(record) = records.iter().find(|record| record.len() > RECORD_SIZE_MAX) {
            return Err(LogError::TooLong(record.len()));
        }
        let begin = self.position();
        self.pending.clear();
        for record in records {
            if let Err(error) = self.put(record) {
                self.undo(begin)?;
                return Err(error);
            }
        }
        let written = self.flush();
        if written.is_err() {
            self.undo(begin)?;
        }
        written
    }

    /// What makes the current segment durable; to be used without holding the log.
    ///
    /// # Errors
    /// [`LogError::Write`].
    pub fn syncer(&self) -> Result<Arc<dyn FileSync>, LogError> {
        self.file.syncer().map_err(|source| LogError::Write { path: self.path(), source })
    }

    /// Ended segments that are to be synced, once each; see [`Wal::fail`].
    pub fn take_ended(&mut self) -> Vec<(PathBuf, Arc<dyn FileSync>)> {
        std::mem::take(&mut self.ended)
    }

    /// Whether [`Wal::take_ended`] has something to give.
    pub const fn has_ended(&self) -> bool {
        !self.ended.is_empty()
    }

    /// A sync of this log failed: takes nothing more.
    pub const fn fail(&mut self) {
        self.failed = true;
    }

    /// Ends the current segment and begins the next; gives the number of the new one.
    ///
    /// # Errors
    /// [`LogError`].
    pub fn next_segment(&mut self) -> Result<u64, LogError> {
        if self.failed {
            return Err(LogError::Failed);
        }
        self.mend()?;
        self.pending.clear();
        self.begin_segment()?;
        Ok(self.index)
    }

    /// Makes everything that was written durable.
    ///
    /// # Errors
    /// [`LogError::Sync`], after which the log takes nothing more.
    pub fn sync(&mut self) -> Result<(), LogError> {
        if self.failed {
            return Err(LogError::Failed);
        }
        let synced = self
            .take_ended()
            .into_iter()
            .try_for_each(|(path, ended)| ended.sync().map_err(|source| LogError::Sync { path, source }));
        let synced = synced
            .and_then(|()| self.file.sync().map_err(|source| LogError::Sync { path: self.path(), source }));
        if synced.is_err() {
            self.failed = true;
        }
        synced
    }

    /// Removes the segments before this one.
    ///
    /// # Errors
    /// [`LogError::Write`].
    pub fn truncate(&mut self, before: u64) -> Result<(), LogError> {
        let failed = |path: &Path, source| LogError::Write { path: path.to_owned(), source };
        let all = segments(&*self.fs, &self.folder).map_err(|error| failed(&self.folder, error))?;
        for segment in all.iter().filter(|segment| segment.index < before.min(self.index)) {
            self.fs.remove_file(&segment.path).map_err(|error| failed(&segment.path, error))?;
        }
        self.fs.sync_dir(&self.folder).map_err(|error| failed(&self.folder, error))
    }

    fn path(&self) -> PathBuf {
        self.folder.join(segment_name(self.index))
    }

    /// Where in the segment the next fragment would go.
    const fn end(&self) -> u64 {
        self.offset + self.pending.len() as u64
    }

    const fn left_in_page(&self) -> usize {
        PAGE_SIZE - (self.end() % PAGE_SIZE as u64) as usize
    }

    fn put(&mut self, record: &[u8]) -> Result<(), LogError> {
        let mut packed = std::mem::take(&mut self.packed);
        let packing = self.pack(record, &mut packed);
        let bytes = if packing == Packing::None { record } else { packed.as_slice() };
        let done = self.put_fragments(packing, bytes);
        self.packed = packed;
        done
    }

    /// Compresses where that makes the record smaller.
    fn pack(&mut self, record: &[u8], packed: &mut Vec<u8>) -> Packing {
        let packing = match self.options.compression {
            Compression::None => return Packing::None,
            Compression::Snappy => {
                packed.resize(snap::raw::max_compress_len(record.len()), 0);
                let Ok(length) = self.snappy.compress(record, packed) else {
                    return Packing::None;
                };
                packed.truncate(length);
                Packing::Snappy
            }
            Compression::Zstd => {
                let Ok(bytes) = zstd::bulk::compress(record, 1) else {
                    return Packing::None;
                };
                *packed = bytes;
                Packing::Zstd
            }
        };
        if packed.len() < record.len() { packing } else { Packing::None }
    }

    fn put_fragments(&mut self, packing: Packing, mut bytes: &[u8]) -> Result<(), LogError> {
        if self.end() > 0 && bytes.len() as u64 > self.room() {
            self.flush()?;
            self.begin_segment()?;
        }
        let mut first = true;
        loop {
            let left = self.left_in_page();
            if left < HEADER_SIZE {
                self.pending.resize(self.pending.len() + left, 0);
                continue;
            }
            let (now, later) = bytes.split_at(bytes.len().min(left - HEADER_SIZE));
            let part = match (first, later.is_empty()) {
                (true, true) => Part::Full,
                (true, false) => Part::First,
                (false, true) => Part::Last,
                (false, false) => Part::Middle,
            };
            self.pending.push(Kind { part, packing }.byte());
            put_u16(&mut self.pending, now.len() as u16);
            put_u32(&mut self.pending, crc32c(now));
            self.pending.extend_from_slice(now);
            if later.is_empty() {
                break;
            }
            (bytes, first) = (later, false);
        }
        // A page in which no header fits is full.
        let left = self.left_in_page();
        if left < HEADER_SIZE {
            self.pending.resize(self.pending.len() + left, 0);
        }
        Ok(())
    }

    /// Bytes of a record for which the current segment has room.
    const fn room(&self) -> u64 {
        let pages = self.options.segment_size / PAGE_SIZE as u64;
        let done = self.end() / PAGE_SIZE as u64;
        let in_page = (self.left_in_page() as u64).saturating_sub(HEADER_SIZE as u64);
        if done >= pages { 0 } else { in_page + (pages - done - 1) * (PAGE_SIZE - HEADER_SIZE) as u64 }
    }

    fn flush(&mut self) -> Result<(), LogError> {
        if self.pending.is_empty() {
            return Ok(());
        }
        self.half_written = true;
        self.file
            .write_all(&self.pending)
            .map_err(|source| LogError::Write { path: self.folder.join(segment_name(self.index)), source })?;
        self.half_written = false;
        self.offset += self.pending.len() as u64;
        self.pending.clear();
        Ok(())
    }

    fn begin_segment(&mut self) -> Result<(), LogError> {
        let (old, new) = (self.path(), self.folder.join(segment_name(self.index + 1)));
        let failed = |source| LogError::Write { path: new.clone(), source };
        let ended = self.file.syncer().map_err(failed)?;
        let file = self.fs.create(&new).map_err(failed)?;
        if let Err(source) = self.fs.sync_dir(&self.folder) {
            // The records go on in the old segment; an empty one after it does no harm but would be in the way.
            let _ = self.fs.remove_file(&new);
            return Err(failed(source));
        }
        self.file = file;
        self.ended.push((old, ended));
        (self.index, self.offset) = (self.index + 1, 0);
        Ok(())
    }

    /// Takes back what was written since `begin`, or leaves it to [`Wal::mend`].
    fn undo(&mut self, begin: Position) -> Result<(), LogError> {
        self.pending.clear();
        if self.index != begin.segment {
            // Whole records of the call stand at the end of an older segment: the segments after it go first.
            while self.index > begin.segment {
                let path = self.path();
                self.ended.pop();
                if let Err(source) = self.fs.remove_file(&path) {
                    self.failed = true;
                    return Err(LogError::Write { path, source });
                }
                self.index -= 1;
            }
            self.half_written = true;
        }
        self.half_written |= self.offset != begin.offset;
        self.offset = begin.offset;
        Ok(())
    }

    /// Cuts off what a failed call may have left behind the last whole record.
    fn mend(&mut self) -> Result<(), LogError> {
        if !self.half_written {
            return Ok(());
        }
        let path = self.path();
        let mended = self.fs.truncate(&path, self.offset).and_then(|()| self.fs.append(&path));
        self.file = mended.map_err(|source| LogError::Write { path, source })?;
        self.half_written = false;
        Ok(())
    }
}
