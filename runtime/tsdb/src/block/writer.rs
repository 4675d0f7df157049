//! Writes a block: into a folder of another name, which gets the block's name once all of it is on the disk.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::block_id::BlockId;
use crate::chunk::{ChunkError, Encoding, sample_count};
use crate::fs::Fs;
use crate::index::{ChunkMeta, IndexWriteError, IndexWriter, OutputSymbols, SeriesRef};
use crate::stored::{Scratch, ScratchError};

use super::meta::{BlockMeta, BlockStats};
use super::segment_writer::{SEGMENT_BYTES_MAX, SegmentWriter};
use super::tombstones::Tombstones;
use super::{CHUNKS_FOLDER, INDEX_FILE, META_FILE, TOMBSTONES_FILE};

/// What is added to a block's name while it is written. Prometheus removes such folders when it starts.
const UNFINISHED: &str = ".tmp-for-creation";

/// A chunk to be written.
#[derive(Debug, Clone, Copy)]
pub struct ChunkData<'a> {
    /// The time of the first sample, milliseconds.
    pub min_time: i64,
    /// The time of the last sample, milliseconds, inclusive.
    pub max_time: i64,
    /// How the samples are compressed.
    pub encoding: Encoding,
    /// The samples.
    pub data: &'a [u8],
}

/// Why a block could not be written.
#[derive(Debug, thiserror::Error)]
pub enum BlockWriteError {
    /// The disk refused.
    #[error("{}: {doing}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was to be done.
        doing: &'static str,
        /// What the disk said.
        source: io::Error,
    },
    /// The index refused.
    #[error("the index of the block")]
    Index(#[source] IndexWriteError),
    /// Data that is no chunk.
    #[error("a chunk that cannot be written")]
    Chunk(#[from] ChunkError),
}

impl BlockWriteError {
    /// What the disk said, where it was the disk: a full one is [`io::ErrorKind::StorageFull`].
    pub fn io_kind(&self) -> Option<io::ErrorKind> {
        match self {
            BlockWriteError::Io { source, .. } => Some(source.kind()),
            BlockWriteError::Index(_) | BlockWriteError::Chunk(_) => None,
        }
    }
}

impl From<ScratchError> for BlockWriteError {
    fn from(ScratchError { path, doing, source }: ScratchError) -> Self {
        BlockWriteError::Io { path, doing, source }
    }
}

/// Writes one block.
#[derive(Debug)]
pub struct BlockWriter {
    fs: Arc<dyn Fs>,
    parent: PathBuf,
    unfinished: PathBuf,
    id: BlockId,
    chunks: Option<SegmentWriter>,
    index: Option<IndexWriter>,
    stats: BlockStats,
    metas: Vec<ChunkMeta>,
    done: bool,
}

impl BlockWriter {
    /// Begins a block that will be the folder `id` in `parent`. All texts of its labels have to be in `symbols`.
    ///
    /// # Errors
    /// [`BlockWriteError::Io`], [`BlockWriteError::Index`].
    pub fn create(
        fs: Arc<dyn Fs>,
        parent: &Path,
        id: BlockId,
        symbols: impl Into<OutputSymbols>,
    ) -> Result<Self, BlockWriteError> {
        Self::with_segments_of(fs, parent, id, symbols, SEGMENT_BYTES_MAX)
    }

    /// As [`BlockWriter::create`], in the memory of `scratch`: what does not fit lies in its files until the block is complete.
    ///
    /// # Errors
    /// As [`BlockWriter::create`].
    pub fn bounded(
        fs: Arc<dyn Fs>,
        parent: &Path,
        id: BlockId,
        symbols: impl Into<OutputSymbols>,
        scratch: &Scratch,
    ) -> Result<Self, BlockWriteError> {
        Self::begin(fs, parent, id, symbols.into(), SEGMENT_BYTES_MAX, Some(scratch))
    }

    /// As [`BlockWriter::create`], with another size at which segments are cut.
    ///
    /// # Errors
    /// As [`BlockWriter::create`].
    pub fn with_segments_of(
        fs: Arc<dyn Fs>,
        parent: &Path,
        id: BlockId,
        symbols: impl Into<OutputSymbols>,
        segment_bytes_max: u64,
    ) -> Result<Self, BlockWriteError> {
        Self::begin(fs, parent, id, symbols.into(), segment_bytes_max, None)
    }

    fn begin(
        fs: Arc<dyn Fs>,
        parent: &Path,
        id: BlockId,
        symbols: OutputSymbols,
        segment_bytes_max: u64,
        scratch: Option<&Scratch>,
    ) -> Result<Self, BlockWriteError> {
        let unfinished = parent.join(format!("{id}{UNFINISHED}"));
        match fs.remove_dir_all(&unfinished) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(io_error(&unfinished, "removing what an earlier attempt left")(error));
            }
            _ => {}
        }
        let chunks = unfinished.join(CHUNKS_FOLDER);
        fs.create_dir_all(&chunks).map_err(io_error(&chunks, "making the folder"))?;
        let mut writer = BlockWriter {
            parent: parent.to_owned(),
            id,
            chunks: Some(SegmentWriter::new(Arc::clone(&fs), chunks, segment_bytes_max)),
            index: None,
            stats: BlockStats::default(),
            metas: Vec::new(),
            done: false,
            unfinished,
            fs,
        };
        let path = writer.unfinished.join(INDEX_FILE);
        let file = writer.fs.create(&path).map_err(io_error(&path, "making the file"))?;
        let index = match scratch {
            Some(scratch) => IndexWriter::bounded(file, symbols, scratch),
            None => IndexWriter::create(file, symbols),
        };
        writer.index = Some(index.map_err(|error| writer.index_error(error))?);
        Ok(writer)
    }

    /// Appends a series with its chunks and gives its reference, as tombstones need it: labels as symbols, sorted, behind the series before; chunks in order of time, without
    /// overlap.
    ///
    /// # Errors
    /// [`BlockWriteError::Index`] for a series that no index may have, [`BlockWriteError::Chunk`], [`BlockWriteError::Io`]. The
    /// block is not to be finished then.
    pub fn add_series(
        &mut self,
        labels: &[(u32, u32)],
        chunks: &[ChunkData<'_>],
    ) -> Result<SeriesRef, BlockWriteError> {
        let (Some(segments), Some(index)) = (self.chunks.as_mut(), self.index.as_mut()) else {
            return Ok(SeriesRef::default());
        };
        self.metas.clear();
        segments.begin_series();
        for chunk in chunks {
            let samples = u64::from(sample_count(chunk.encoding, chunk.data)?);
            self.stats.num_samples = self.stats.num_samples.saturating_add(samples);
            // As Prometheus counts: what is no histogram is a float.
            let of_kind = if chunk.encoding.is_histogram() {
                &mut self.stats.num_histogram_samples
            } else {
                &mut self.stats.num_float_samples
            };
            *of_kind = of_kind.saturating_add(samples);
            let written = segments.write(chunk.encoding.as_u8(), chunk.data);
            let reference = written.map_err(|error| io_error(&segments.path(), "writing a chunk")(error))?;
            let (min_time, max_time) = (chunk.min_time, chunk.max_time);
            self.metas.push(ChunkMeta { min_time, max_time, reference });
        }
        let reference = match index.add_series(labels, &self.metas) {
            Ok(reference) => reference,
            Err(error) => return Err(self.index_error(error)),
        };
        self.stats.num_series = self.stats.num_series.saturating_add(1);
        self.stats.num_chunks = self.stats.num_chunks.saturating_add(chunks.len() as u64);
        Ok(reference)
    }

    /// What was written so far.
    pub fn stats(&self) -> &BlockStats {
        &self.stats
    }

    /// The bytes of the largest entry of a series so far, with length and checksum.
    pub fn series_max_bytes(&self) -> u64 {
        self.index.as_ref().map_or(0, IndexWriter::series_max_bytes)
    }

    /// The bytes of the largest chunk so far, with length, encoding and checksum.
    pub fn chunk_max_bytes(&self) -> u64 {
        self.chunks.as_ref().map_or(0, SegmentWriter::chunk_max_bytes)
    }

    /// An error of the index with the name of the file, where it has to do with one.
    fn index_error(&self, error: IndexWriteError) -> BlockWriteError {
        match error {
            IndexWriteError::Io(error) => {
                io_error(&self.unfinished.join(INDEX_FILE), "writing the file")(error)
            }
            IndexWriteError::Scratch(error) => error.into(),
            other => BlockWriteError::Index(other),
        }
    }

    /// Completes the block: index, tombstones, meta.json with the counts of what was written, all synced, then the rename.
    /// `None`, and no block, where no series was written.
    ///
    /// # Errors
    /// [`BlockWriteError::Io`], [`BlockWriteError::Index`]; there is no block then.
    pub fn finish(
        mut self,
        mut meta: BlockMeta,
        tombstones: &Tombstones,
    ) -> Result<Option<BlockMeta>, BlockWriteError> {
        let (Some(segments), Some(index)) = (self.chunks.take(), self.index.take()) else { return Ok(None) };
        if self.stats.num_series == 0 {
            return Ok(None);
        }
        let segment = segments.path();
        segments.finish().map_err(io_error(&segment, "completing the file"))?;
        index.finish().map_err(|error| self.index_error(error))?;
        meta.ulid = self.id;
        let extra = std::mem::take(&mut meta.stats.extra);
        meta.stats = BlockStats { extra, num_tombstones: tombstones.len(), ..self.stats.clone() };
        self.write_file(TOMBSTONES_FILE, &tombstones.to_bytes())?;
        self.write_file(META_FILE, &meta.to_json())?;
        let (unfinished, block) = (self.unfinished.clone(), self.parent.join(self.id.to_string()));
        self.fs.sync_dir(&unfinished).map_err(io_error(&unfinished, "syncing the folder"))?;
        self.fs.rename(&unfinished, &block).map_err(io_error(&block, "giving the block its name"))?;
        self.done = true;
        self.fs.sync_dir(&self.parent).map_err(io_error(&self.parent, "syncing the folder"))?;
        Ok(Some(meta))
    }

    fn write_file(&self, name: &str, bytes: &[u8]) -> Result<(), BlockWriteError> {
        let path = self.unfinished.join(name);
        let write = || {
            let mut file = self.fs.create(&path)?;
            file.write_all(bytes)?;
            file.flush()?;
            file.sync()
        };
        write().map_err(io_error(&path, "writing the file"))
    }
}

impl Drop for BlockWriter {
    /// Removes what was written of a block that was not completed.
    fn drop(&mut self) {
        if !self.done {
            // Whoever starts next removes what could not be removed here.
            let _ = self.fs.remove_dir_all(&self.unfinished);
        }
    }
}

fn io_error(path: &Path, doing: &'static str) -> impl FnOnce(io::Error) -> BlockWriteError {
    let path = path.to_owned();
    move |source| BlockWriteError::Io { path, doing, source }
}
