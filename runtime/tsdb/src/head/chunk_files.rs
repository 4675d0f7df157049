//! Head chunk files: complete chunks of series that are still in the head; `docs/head_chunks.md`.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use crate::chunk::Encoding;
use crate::corruption::{Corruption, Fault, Section};
use crate::encoding::{At, Reader, crc32c, put_u32, put_u64, put_uvarint_bytes};
use crate::fs::{FileWrite, Fs, RangeRead};
use crate::wal::record::SeriesRef;

const MAGIC: u32 = 0x0130_bc91;
const VERSION: u8 = 1;
/// Magic number, version, three bytes of nothing.
const HEADER: u64 = 8;
/// Bytes after which a file ends.
const FILE_SIZE: u64 = 128 << 20;
/// In the byte of the encoding: the samples came out of order.
const OUT_OF_ORDER: u8 = 1 << 7;
/// Series, times, encoding, length and checksum of a chunk at most.
const AROUND: u64 = 8 + 8 + 8 + 1 + 5 + 4;
/// Bytes that are read from the disk at once.
const WINDOW: u64 = 4 << 20;

/// A chunk of a series, as it stands in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadChunk<'a> {
    /// The series.
    pub series: SeriesRef,
    /// The time of the first sample.
    pub min_time: i64,
    /// The time of the last sample.
    pub max_time: i64,
    /// How the samples are compressed; the byte as it is, because files of newer versions may hold others.
    pub encoding: u8,
    /// Whether the samples came out of order.
    pub out_of_order: bool,
    /// The chunk.
    pub data: &'a [u8],
}

impl HeadChunk<'_> {
    /// How many samples the chunk says it has.
    pub fn samples(&self) -> u16 {
        self.data.first_chunk().map(|count| u16::from_be_bytes(*count)).unwrap_or_default()
    }
}

/// Appends a chunk as it stands in a file.
fn put_chunk(to: &mut Vec<u8>, chunk: &HeadChunk<'_>) {
    let start = to.len();
    put_u64(to, chunk.series.0);
    put_u64(to, chunk.min_time as u64);
    put_u64(to, chunk.max_time as u64);
    to.push(chunk.encoding | if chunk.out_of_order { OUT_OF_ORDER } else { 0 });
    put_uvarint_bytes(to, chunk.data);
    let checksum = crc32c(to.get(start..).unwrap_or_default());
    put_u32(to, checksum);
}

/// Reads the chunk at the beginning of `bytes`, which stand at `offset` in their file; gives it and its length. `None` where
/// there are only zeros in the place of its head: the end of a file that was made longer in advance.
///
/// # Errors
/// A fault; [`Fault::Short`] where the bytes end before the chunk does.
pub fn read_chunk(bytes: &[u8], offset: u64) -> Result<Option<(HeadChunk<'_>, usize)>, At> {
    let mut reader = Reader::new(bytes, offset);
    let series = SeriesRef(reader.u64()?);
    let (min_time, max_time) = (reader.u64()? as i64, reader.u64()? as i64);
    if (series, min_time, max_time) == (SeriesRef(0), 0, 0) {
        return Ok(None);
    }
    let encoding = reader.u8()?;
    let data = reader.uvarint_bytes()?;
    let covered = bytes.len() - reader.len();
    let found = crc32c(bytes.get(..covered).unwrap_or_default());
    let expected = reader.u32()?;
    if found != expected {
        return Err(At { offset, fault: Fault::Checksum { expected, found } });
    }
    let out_of_order = encoding & OUT_OF_ORDER != 0;
    let encoding = encoding & !OUT_OF_ORDER;
    let chunk = HeadChunk { series, min_time, max_time, encoding, out_of_order, data };
    Ok(Some((chunk, covered + 4)))
}

/// Where a chunk lies: the number of its file in the upper half, its offset there in the lower.
const fn chunk_ref(file: u32, offset: u64) -> u64 {
    (file as u64) << 32 | offset & 0xffff_ffff
}

fn header() -> [u8; HEADER as usize] {
    let [first, second, third, fourth] = MAGIC.to_be_bytes();
    [first, second, third, fourth, VERSION, 0, 0, 0]
}

fn file_name(number: u32) -> String {
    format!("{number:06}")
}

#[derive(Debug)]
struct Current {
    number: u32,
    file: Box<dyn FileWrite>,
    length: u64,
    half_written: bool,
}

/// The files of a head, open for reading and writing.
#[derive(Debug)]
pub(super) struct ChunkFiles {
    fs: Arc<dyn Fs>,
    folder: PathBuf,
    current: Option<Current>,
    last: u32,
    readers: Mutex<BTreeMap<u32, Arc<dyn RangeRead>>>,
    buffer: Vec<u8>,
}

/// What was found on opening.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) damage: Vec<Corruption>,
    /// The last chunk that was found.
    pub(super) last: u64,
    /// Whether a crash cut off the last chunk; its samples are in the log.
    pub(super) torn: bool,
}

impl ChunkFiles {
    /// Opens the files in a folder, which is made if it is not there, and gives every chunk to `visit`, in order. What is
    /// damaged is set aside, with all files after it.
    pub(super) fn open(
        fs: Arc<dyn Fs>,
        folder: &Path,
        visit: &mut dyn FnMut(u64, &HeadChunk<'_>) -> Result<(), Fault>,
    ) -> io::Result<(Self, Found)> {
        fs.create_dir_all(folder)?;
        let mut files = ChunkFiles {
            fs,
            folder: folder.to_owned(),
            current: None,
            last: 0,
            readers: Mutex::default(),
            buffer: Vec::new(),
        };
        let mut found = Found::default();
        let numbers = files.numbers()?;
        for (at, number) in numbers.iter().enumerate() {
            let gap = at > 0 && numbers.get(at - 1).is_some_and(|before| before + 1 != *number);
            let scanned = match gap {
                true => Err((HEADER, Fault::Rule("the file before this one is missing"), 0)),
                false => files.scan(*number, at + 1 == numbers.len(), visit, &mut found)?,
            };
            if !gap {
                files.last = *number;
            }
            if let Err((offset, fault, good)) = scanned {
                let file = files.report_name(*number);
                found.damage.push(Corruption { file, section: Section::Chunk, offset, fault });
                for later in numbers.iter().skip(at + 1).rev() {
                    files.set_aside(*later, (!gap).then_some(0))?;
                }
                files.set_aside(*number, (!gap).then_some(good))?;
                break;
            }
        }
        Ok((files, found))
    }

    fn numbers(&self) -> io::Result<Vec<u32>> {
        let digits = |name: &str| crate::wal::numbered(name).and_then(|number| u32::try_from(number).ok());
        let entries = self.fs.list(&self.folder)?.into_iter().filter(|entry| !entry.is_dir);
        let mut numbers: Vec<u32> = entries.filter_map(|entry| digits(&entry.name)).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    fn path(&self, number: u32) -> PathBuf {
        self.folder.join(file_name(number))
    }

    fn report_name(&self, number: u32) -> Arc<str> {
        crate::wal::report_name(&self.folder, &file_name(number))
    }

    /// Renames a file; one with its first `good` bytes takes its place, so that its number is not given again: the log of
    /// out-of-order samples may still name its chunks. Without `good` there is a gap before it that cannot be filled.
    fn set_aside(&mut self, number: u32, good: Option<u64>) -> io::Result<()> {
        let path = self.path(number);
        let aside = crate::wal::free_name(&*self.fs, &path)?;
        match good {
            None => self.fs.rename(&path, &aside)?,
            Some(good) if good > HEADER => crate::wal::replace(&*self.fs, &path, &aside, good)?,
            Some(_) => {
                self.fs.hard_link(&path, &aside)?;
                self.write_empty(number)?;
            }
        }
        if good.is_some() {
            self.last = self.last.max(number);
        }
        self.fs.sync_dir(&self.folder)
    }

    /// Puts a file without chunks in the place of one, in one step.
    fn write_empty(&self, number: u32) -> io::Result<()> {
        let path = self.path(number);
        let copy = path.with_extension("repaired");
        let mut file = self.fs.create(&copy)?;
        file.write_all(&header())?;
        file.sync()?;
        self.fs.rename(&copy, &path)
    }

    /// Reads all chunks of a file. The inner error is damage: where, what, and how many bytes before it are good.
    fn scan(
        &self,
        number: u32,
        last: bool,
        visit: &mut dyn FnMut(u64, &HeadChunk<'_>) -> Result<(), Fault>,
        found: &mut Found,
    ) -> io::Result<Result<(), (u64, Fault, u64)>> {
        let path = self.path(number);
        let source = self.fs.open(&path)?;
        let length = source.len();
        let head = source.read_range(0, length.min(HEADER))?;
        if last && (length < HEADER || head.iter().all(|byte| *byte == 0)) {
            // A crash came before the header was there.
            self.write_empty(number)?;
            self.fs.sync_dir(&self.folder)?;
            return Ok(Ok(()));
        }
        let mut reader = Reader::new(&head, 0);
        match (reader.u32(), reader.u8()) {
            (Ok(MAGIC), Ok(VERSION)) if length >= HEADER => {}
            (Ok(MAGIC), Ok(version)) if version != VERSION => {
                return Ok(Err((4, Fault::Version(version.into()), 0)));
            }
            (Ok(found), _) if found != MAGIC => {
                return Ok(Err((0, Fault::Magic { expected: MAGIC, found }, 0)));
            }
            _ => return Ok(Err((0, Fault::Short { missing: HEADER - length.min(HEADER) }, 0))),
        }
        let (mut offset, mut window, mut window_start, mut want) = (HEADER, Bytes::new(), HEADER, WINDOW);
        while offset < length {
            let from = usize::try_from(offset - window_start).unwrap_or(usize::MAX);
            let bytes = window.get(from..).unwrap_or_default();
            let at_end = window_start + window.len() as u64 == length;
            match read_chunk(bytes, offset) {
                Ok(Some((chunk, size))) => {
                    if let Err(fault) = visit(chunk_ref(number, offset), &chunk) {
                        return Ok(Err((offset, fault, offset)));
                    }
                    found.last = chunk_ref(number, offset);
                    offset += size as u64;
                    want = WINDOW;
                }
                Ok(None) => {
                    let mut zeros = offset;
                    while zeros < length {
                        let part = source.read_range(zeros, (length - zeros).min(WINDOW))?;
                        if let Some(at) = part.iter().position(|byte| *byte != 0) {
                            let fault = Fault::Rule("chunks behind an empty place");
                            return Ok(Err((zeros + at as u64, fault, offset)));
                        }
                        zeros += part.len() as u64;
                    }
                    break;
                }
                Err(At { fault: Fault::Short { .. }, .. }) if !at_end => {
                    // The chunk ends outside the window: a wider one, from the chunk on.
                    if from == 0 && !window.is_empty() {
                        want = want.saturating_mul(2);
                    }
                    window = source.read_range(offset, (length - offset).min(want))?;
                    window_start = offset;
                }
                Err(_) if bytes.iter().all(|byte| *byte == 0) => break,
                Err(At { fault: Fault::Short { .. }, .. }) if last => {
                    self.fs.truncate(&path, offset)?;
                    self.fs.append(&path)?.sync()?;
                    found.torn = true;
                    break;
                }
                Err(At { offset: at, fault }) => return Ok(Err((at, fault, offset))),
            }
        }
        Ok(Ok(()))
    }

    /// Writes chunks and gives the place of each. After an error none is written.
    pub(super) fn write(&mut self, chunks: &[HeadChunk<'_>]) -> io::Result<Vec<u64>> {
        let mut places = Vec::with_capacity(chunks.len());
        self.buffer.clear();
        for chunk in chunks {
            let room = AROUND + chunk.data.len() as u64;
            let full = self.current.as_ref().is_none_or(|current| {
                current.length + self.buffer.len() as u64 + room > FILE_SIZE && current.length > HEADER
            });
            if full {
                self.flush()?;
                self.begin_file()?;
            }
            if let Some(current) = &self.current {
                places.push(chunk_ref(current.number, current.length + self.buffer.len() as u64));
            }
            put_chunk(&mut self.buffer, chunk);
        }
        self.flush()?;
        Ok(places)
    }

    fn flush(&mut self) -> io::Result<()> {
        let Some(current) = &mut self.current else {
            return Ok(());
        };
        if current.half_written {
            let path = self.folder.join(file_name(current.number));
            self.fs.truncate(&path, current.length)?;
            current.file = self.fs.append(&path)?;
            current.half_written = false;
        }
        current.half_written = true;
        current.file.write_all(&self.buffer)?;
        current.half_written = false;
        current.length += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    /// Ends the current file, durably, and begins the next.
    fn begin_file(&mut self) -> io::Result<()> {
        if let Some(current) = &mut self.current {
            // A file that has a successor is whole, also after a loss of power.
            current.file.sync()?;
        }
        let number =
            self.last.checked_add(1).ok_or_else(|| io::Error::other("no number is left for a file"))?;
        let mut file = self.fs.create(&self.path(number))?;
        file.write_all(&header())?;
        self.fs.sync_dir(&self.folder)?;
        self.current = Some(Current { number, file, length: HEADER, half_written: false });
        self.last = number;
        Ok(())
    }

    /// The file of a chunk, for reading, and its name in reports.
    pub(super) fn reader(&self, place: u64) -> Result<StoredAt, Corruption> {
        let (number, offset) = ((place >> 32) as u32, place & 0xffff_ffff);
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        let known = readers.get(&number).filter(|file| file.len() > offset + AROUND);
        let name = self.report_name(number);
        let file = match known {
            Some(file) => file.clone(),
            None => {
                // The file has grown since it was opened, or was not opened yet.
                let file = self.fs.open(&self.path(number)).map_err(|error| {
                    let fault = Fault::Io(error.to_string().into());
                    Corruption { file: name.clone(), section: Section::Chunk, offset, fault }
                })?;
                readers.insert(number, file.clone());
                file
            }
        };
        Ok(StoredAt { file, name, offset })
    }

    /// Removes the files before this one.
    pub(super) fn truncate(&mut self, before: u32) -> io::Result<()> {
        for number in self.numbers()? {
            if number < before && self.current.as_ref().is_none_or(|current| current.number != number) {
                self.readers.lock().unwrap_or_else(PoisonError::into_inner).remove(&number);
                self.fs.remove_file(&self.path(number))?;
            }
        }
        Ok(())
    }

    /// Lets the next chunk begin a file, so that the current one can be removed later.
    pub(super) fn end_file(&mut self) -> io::Result<()> {
        if self.current.as_ref().is_some_and(|current| current.length > HEADER) {
            self.begin_file()?;
        }
        Ok(())
    }

    /// Makes everything that was written durable.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        match &mut self.current {
            Some(current) => current.file.sync(),
            None => Ok(()),
        }
    }
}

/// A chunk in a head chunk file. It can be read as long as this is held, also when the file was removed meanwhile.
#[derive(Debug, Clone)]
pub(super) struct StoredAt {
    file: Arc<dyn RangeRead>,
    name: Arc<str>,
    offset: u64,
}

impl StoredAt {
    /// Reads the chunk and checks it.
    pub(super) fn read(&self) -> Result<(Encoding, Bytes), Corruption> {
        let damage = |offset, fault| {
            let file = self.name.clone();
            Corruption { file, section: Section::Chunk, offset, fault }
        };
        let left = self.file.len().saturating_sub(self.offset);
        let mut want = 2048.min(left);
        loop {
            let bytes = self.file.read_range(self.offset, want);
            let bytes = bytes.map_err(|error| damage(self.offset, Fault::Io(error.to_string().into())))?;
            match read_chunk(&bytes, self.offset) {
                Ok(Some((chunk, size))) => {
                    let encoding =
                        Encoding::from_u8(chunk.encoding).map_err(|fault| damage(self.offset, fault))?;
                    let end = size - 4;
                    return Ok((encoding, bytes.slice(end - chunk.data.len()..end)));
                }
                Ok(None) => return Err(damage(self.offset, Fault::Missing)),
                Err(At { fault: Fault::Short { missing }, .. }) if want < left => {
                    want = want.saturating_add(missing).saturating_add(AROUND).min(left);
                }
                Err(At { offset, fault }) => return Err(damage(offset, fault)),
            }
        }
    }
}
