//! Opens a block and streams its series with their chunks.

use std::io;
use std::path::Path;

use crate::corruption::{Corruption, Fault, Section};
use crate::fs::Fs;
use crate::index::{ChunkMeta, IndexReader, Postings, PostingsStream, Series, SeriesReader, SeriesRef};
use crate::stored::StoredFile;

use super::meta::BlockMeta;
use super::segments::{ChunkReader, Segments, StoredChunk};
use super::tombstones::{Interval, Tombstones};
use super::{CHUNKS_FOLDER, INDEX_FILE, META_FILE, TOMBSTONES_FILE, segment_name};

/// An open block.
#[derive(Debug, Clone)]
pub struct BlockReader {
    meta: BlockMeta,
    index: IndexReader,
    segments: Segments,
    tombstones: Tombstones,
}

impl BlockReader {
    /// Opens the block in a folder.
    ///
    /// # Errors
    /// What is wrong with its meta.json, index, segment headers or tombstones; [`Fault::Missing`] for a file that is not there.
    pub fn open(fs: &dyn Fs, folder: &Path) -> Result<Self, Corruption> {
        Self::open_folder(fs, folder, IndexReader::open)
    }

    /// As [`BlockReader::open`], for reading all series once: as little of the index stays in memory as
    /// [`IndexReader::open_to_scan`] keeps.
    ///
    /// # Errors
    /// As [`BlockReader::open`].
    pub fn open_to_scan(fs: &dyn Fs, folder: &Path) -> Result<Self, Corruption> {
        Self::open_folder(fs, folder, IndexReader::open_to_scan)
    }

    fn open_folder(
        fs: &dyn Fs,
        folder: &Path,
        open_index: impl FnOnce(StoredFile) -> Result<IndexReader, Corruption>,
    ) -> Result<Self, Corruption> {
        let meta = BlockMeta::read(&open_file(fs, folder, META_FILE)?)?;
        let index = open_file(fs, folder, INDEX_FILE)?;
        let tombstones = match open_file(fs, folder, TOMBSTONES_FILE) {
            Ok(file) => Some(file),
            Err(Corruption { fault: Fault::Missing, .. }) => None,
            Err(other) => return Err(other),
        };
        Self::assemble(meta, || open_index(index), open_segments(fs, folder)?, tombstones.as_ref())
    }

    /// Opens a block from files wherever they are; `segments` in the order of their numbers.
    ///
    /// # Errors
    /// As [`BlockReader::open`].
    pub fn from_files(
        meta: BlockMeta,
        index: StoredFile,
        segments: Vec<StoredFile>,
        tombstones: Option<&StoredFile>,
    ) -> Result<Self, Corruption> {
        Self::assemble(meta, || IndexReader::open(index), segments, tombstones)
    }

    /// As [`BlockReader::from_files`], for reading all series once.
    ///
    /// # Errors
    /// As [`BlockReader::open`].
    pub fn from_files_to_scan(
        meta: BlockMeta,
        index: StoredFile,
        segments: Vec<StoredFile>,
        tombstones: Option<&StoredFile>,
    ) -> Result<Self, Corruption> {
        Self::assemble(meta, || IndexReader::open_to_scan(index), segments, tombstones)
    }

    fn assemble(
        meta: BlockMeta,
        open_index: impl FnOnce() -> Result<IndexReader, Corruption>,
        segments: Vec<StoredFile>,
        tombstones: Option<&StoredFile>,
    ) -> Result<Self, Corruption> {
        let index = open_index()?;
        let segments = Segments::open(segments)?;
        let tombstones = tombstones.map(Tombstones::read).transpose()?.unwrap_or_default();
        Ok(BlockReader { meta, index, segments, tombstones })
    }

    /// What the block says about itself.
    pub fn meta(&self) -> &BlockMeta {
        &self.meta
    }

    /// Its index.
    pub fn index(&self) -> &IndexReader {
        &self.index
    }

    /// Its chunks.
    pub fn segments(&self) -> &Segments {
        &self.segments
    }

    /// What was deleted.
    pub fn tombstones(&self) -> &Tombstones {
        &self.tombstones
    }

    /// Streams all series in the order of their labels.
    ///
    /// # Errors
    /// What is wrong with the list of all series.
    pub fn scan(&self) -> Result<BlockScan<'_>, Corruption> {
        let all = self.index.all_postings_stream()?;
        Ok(self.scan_of(Order::All(Box::new(all))))
    }

    /// Streams these series, in the order of their labels.
    pub fn select(&self, postings: Postings) -> BlockScan<'_> {
        self.scan_of(Order::Selected(postings, 0))
    }

    fn scan_of(&self, order: Order) -> BlockScan<'_> {
        let (reader, chunks) = (self.index.series_reader(), self.segments.reader());
        BlockScan { block: self, order, reader, chunks, series: Series::default() }
    }
}

/// Which series a scan goes through.
#[derive(Debug)]
enum Order {
    All(Box<PostingsStream>),
    Selected(Postings, usize),
}

impl Order {
    fn next(&mut self) -> Result<Option<SeriesRef>, Corruption> {
        match self {
            Order::All(stream) => stream.next_series(),
            Order::Selected(postings, at) => {
                let reference = postings.get(*at);
                *at = at.saturating_add(1);
                Ok(reference)
            }
        }
    }
}

/// Streams series; one buffer serves them all.
#[derive(Debug)]
pub struct BlockScan<'a> {
    block: &'a BlockReader,
    order: Order,
    reader: SeriesReader<'a>,
    chunks: ChunkReader<'a>,
    series: Series,
}

impl BlockScan<'_> {
    /// Goes to the next series; `None` at the end. Chunks all of whose samples were deleted are left out; of the others
    /// [`BlockScan::deleted`] says what to skip.
    ///
    /// # Errors
    /// What is wrong with this series; the next call goes on behind it.
    pub fn next_series(&mut self) -> Result<Option<&Series>, Corruption> {
        let Some(reference) = self.order.next()? else { return Ok(None) };
        self.reader.read(reference, &mut self.series)?;
        let deleted = self.block.tombstones.of(reference);
        if !deleted.is_empty() {
            self.series.chunks.retain(|chunk| {
                !deleted.iter().any(|interval| interval.covers(chunk.min_time, chunk.max_time))
            });
        }
        Ok(Some(&self.series))
    }

    /// The series that [`BlockScan::next_series`] went to.
    pub fn series(&self) -> &Series {
        &self.series
    }

    /// What was deleted of it.
    pub fn deleted(&self) -> &[Interval] {
        self.block.tombstones.of(self.series.reference)
    }

    /// Reads the chunk of a place in the series' list.
    ///
    /// # Errors
    /// As [`ChunkReader::read`].
    pub fn chunk_at(&mut self, at: usize) -> Result<Option<(ChunkMeta, StoredChunk<'_>)>, Corruption> {
        let Some(meta) = self.series.chunks.get(at).copied() else { return Ok(None) };
        Ok(Some((meta, self.chunks.read(meta.reference)?)))
    }
}

/// Opens one file of a block.
pub(crate) fn open_file(fs: &dyn Fs, folder: &Path, name: &str) -> Result<StoredFile, Corruption> {
    match fs.open(&folder.join(name)) {
        Ok(bytes) => Ok(StoredFile::new(name, bytes)),
        Err(error) => {
            let fault = match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Fault::Missing,
                _ => Fault::Io(error.to_string().into()),
            };
            Err(Corruption { file: name.into(), section: Section::Header, offset: 0, fault })
        }
    }
}

/// The segments of a block: all files whose name is a number, which have to be 1, 2, 3 and so on.
fn open_segments(fs: &dyn Fs, folder: &Path) -> Result<Vec<StoredFile>, Corruption> {
    let listed = fs.list(&folder.join(CHUNKS_FOLDER)).map_err(|error| Corruption {
        file: CHUNKS_FOLDER.into(),
        section: Section::Header,
        offset: 0,
        fault: match error.kind() {
            io::ErrorKind::NotFound => Fault::Missing,
            _ => Fault::Io(error.to_string().into()),
        },
    })?;
    let numbers = listed.iter().filter(|entry| entry.name.parse::<u64>().is_ok()).count();
    (0..numbers as u32).map(|segment| open_file(fs, folder, &segment_name(segment))).collect()
}
