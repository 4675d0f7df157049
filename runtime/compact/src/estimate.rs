//! What a job will take at most, told before it begins: memory, and room on the disk.
//!
//! Pure but for [`SourceSize::read`], which asks the bucket for the last bytes of an index. All is counted as if no two blocks had
//! a series or a sample in common; where replicas are merged a block half as large comes out.

use std::io;
use std::sync::Arc;

use block::{Meta, layout};
use futures::TryStreamExt;
use objstore::{Bucket, BucketError, Listing};
use tsdb::block::{CHUNKS_FOLDER, INDEX_FILE, TOMBSTONES_FILE};
use tsdb::fs::RangeRead;
use tsdb::index::Toc;
use tsdb::stored::StoredFile;

/// The table of contents at the end of an index.
const TOC_BYTES: u64 = 52;
/// The program, its runtime, the buffers of the files of the new block.
const FIXED_BYTES: u64 = 16 << 20;
/// Buffers over the files of a source, beside what is read ahead.
const SOURCE_BYTES: u64 = 2 << 20;
/// The chunks of one series where nothing is known, in blocks that are larger.
const SERIES_CHUNKS_BYTES: u64 = 8 << 20;
/// meta.json, an empty file of tombstones, folders.
const SMALL_FILES_BYTES: u64 = 64 << 10;

/// How large a block is, and its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SourceSize {
    /// Series.
    pub series: u64,
    /// Samples.
    pub samples: u64,
    /// Its start, milliseconds, inclusive.
    pub min_time: i64,
    /// Its end, exclusive.
    pub max_time: i64,
    /// All segments.
    pub chunk_bytes: u64,
    /// The index.
    pub index_bytes: u64,
    /// Its symbol table.
    pub symbol_bytes: u64,
    /// Its lists of postings.
    pub postings_bytes: u64,
    /// Its postings offset table.
    pub table_bytes: u64,
    /// The tombstones.
    pub tombstone_bytes: u64,
}

/// What a job takes at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Estimate {
    /// Memory of the process.
    pub memory_bytes: u64,
    /// Room on the disk while it runs: the new block with scratch files.
    pub disk_bytes: u64,
    /// The new block.
    pub block_bytes: u64,
}

/// Bytes that are not in memory but for their end.
#[derive(Debug)]
struct Tail {
    length: u64,
    end: bytes::Bytes,
}

impl RangeRead for Tail {
    fn len(&self) -> u64 {
        self.length
    }

    fn read_exact_at(&self, into: &mut [u8], offset: u64) -> io::Result<()> {
        let start = self.length.saturating_sub(self.end.len() as u64);
        let inside = offset.checked_sub(start).ok_or(io::ErrorKind::UnexpectedEof)?;
        self.end.read_exact_at(into, inside)
    }
}

impl SourceSize {
    /// From meta.json alone, if it names the files; each part of the index may be nearly all of it then.
    pub fn of(meta: &Meta) -> Option<Self> {
        let files = &meta.thanos.files;
        let sizes = files.iter().map(|file| (file.rel_path.as_str(), file.size_bytes));
        let size = Self::of_files(meta, sizes);
        (size.index_bytes > 0).then_some(size)
    }

    /// From meta.json, a listing where that does not name the files, and the table of contents of the index.
    ///
    /// # Errors
    /// The store's answer. An index without a legible table of contents is no error here.
    pub async fn read(bucket: &dyn Bucket, meta: &Meta) -> Result<Self, BucketError> {
        let block = meta.block.ulid;
        let mut size = match Self::of(meta) {
            Some(size) => size,
            None => {
                let entries: Vec<objstore::Entry> =
                    bucket.list(&layout::folder(block), Listing::Recursive).try_collect().await?;
                let sizes = entries.iter().filter_map(|entry| {
                    let (_, path) = layout::block_of(&entry.name)?;
                    Some((path, entry.attributes?.size))
                });
                Self::of_files(meta, sizes)
            }
        };
        if size.index_bytes > TOC_BYTES {
            let (name, start) = (layout::object(block, INDEX_FILE), size.index_bytes - TOC_BYTES);
            let end = bucket.get_range(&name, start, TOC_BYTES).await?;
            let tail = Tail { length: size.index_bytes, end };
            if let Ok(toc) = Toc::read(&StoredFile::new(INDEX_FILE, Arc::new(tail))) {
                size.take(&toc);
            }
        }
        Ok(size)
    }

    fn of_files<'a>(meta: &Meta, sizes: impl Iterator<Item = (&'a str, u64)>) -> Self {
        let (stats, block) = (&meta.block.stats, &meta.block);
        let mut size = SourceSize {
            series: stats.num_series,
            samples: stats.num_samples,
            min_time: block.min_time,
            max_time: block.max_time,
            ..Self::default()
        };
        for (path, bytes) in sizes {
            let of_path = match path {
                INDEX_FILE => &mut size.index_bytes,
                TOMBSTONES_FILE => &mut size.tombstone_bytes,
                other if other.starts_with(CHUNKS_FOLDER) => &mut size.chunk_bytes,
                _ => continue,
            };
            *of_path = of_path.saturating_add(bytes);
        }
        size.symbol_bytes = size.index_bytes;
        size.postings_bytes = size.index_bytes;
        size.table_bytes = size.index_bytes;
        size
    }

    /// Takes what a table of contents says of the parts of the index.
    fn take(&mut self, toc: &Toc) {
        self.symbol_bytes = toc.series.saturating_sub(toc.symbols);
        self.postings_bytes = toc.postings_table.saturating_sub(toc.series_end());
        self.table_bytes = self.index_bytes.saturating_sub(toc.postings_table);
    }

    /// Bytes of all files: the room that a download takes.
    pub fn bytes(&self) -> u64 {
        self.chunk_bytes.saturating_add(self.index_bytes).saturating_add(self.tombstone_bytes)
    }

    /// How many label pairs all series have together, at most.
    const fn uses(&self) -> u64 {
        self.postings_bytes / 4
    }
}

/// What merging these blocks takes, with `memory_bytes` as the target's and with so much for reading ahead for each source.
pub fn merge(sources: &[SourceSize], memory_bytes: u64, ahead_bytes: u64) -> Estimate {
    let all = sum(sources);
    // Chunks of the same time are written anew, and what was two may be one that is harder to compress.
    let mut times: Vec<(i64, i64)> =
        sources.iter().map(|source| (source.min_time, source.max_time)).collect();
    times.sort_unstable();
    let apart = times.is_sorted_by(|one, next| one.1 <= next.0);
    let chunks = if !apart { all.chunk_bytes.saturating_mul(5) / 4 } else { all.chunk_bytes };
    written(&all, chunks, sources, memory_bytes, ahead_bytes)
}

/// What downsampling a block takes, whose samples are `from` milliseconds apart (0: raw), to one window per `to` milliseconds.
pub fn downsample(source: &SourceSize, from: u64, to: u64, memory_bytes: u64) -> Estimate {
    let range = u64::try_from(source.max_time.saturating_sub(source.min_time)).unwrap_or(0);
    let windows = source.series.saturating_mul((range / to.max(1)).saturating_add(2));
    let windows = windows.min(source.samples).max(1);
    // Of each window five aggregates are kept, each about as large as a sample; of aggregates as many as before, with more digits.
    let share = source.chunk_bytes.saturating_mul(windows) / source.samples.max(1);
    let chunks = if from == 0 { share.saturating_mul(4) } else { share.saturating_mul(4) / 3 };
    let chunks = chunks.saturating_add(source.series.saturating_mul(64));
    written(source, chunks, std::slice::from_ref(source), memory_bytes, 0)
}

fn written(
    all: &SourceSize,
    chunks: u64,
    sources: &[SourceSize],
    memory_bytes: u64,
    ahead_bytes: u64,
) -> Estimate {
    let many = sources.len() > 1;
    // Numbers of symbols, offsets of chunks and places of lists may need another byte where there are more of them.
    let growth =
        if many { all.uses().saturating_mul(2).saturating_add(all.series.saturating_mul(8)) } else { 0 };
    let index = all.index_bytes.saturating_add(growth.min(all.index_bytes / 4));
    let block = chunks.saturating_add(index).saturating_add(SMALL_FILES_BYTES);
    let mut disk = block;
    // Each holds its share at most; what is more is on the disk.
    let mut held = |wanted: u64, share: u64, scratch: u64| {
        if wanted > share {
            disk = disk.saturating_add(scratch);
        }
        wanted.min(share)
    };
    let table_wanted = all.symbol_bytes.saturating_mul(2);
    let table = held(table_wanted, memory_bytes / 8, all.symbol_bytes);
    let maps = held(all.symbol_bytes / 4, memory_bytes / 8, all.symbol_bytes / 4);
    let uses = held(all.uses().saturating_mul(8), memory_bytes / 4, all.postings_bytes.saturating_mul(3) / 4);
    let entries =
        held(all.table_bytes, memory_bytes / 16, all.table_bytes.saturating_add(all.table_bytes / 8));
    // What grows takes twice as much while it does. First there are the symbols; a table that is on the disk is not in memory when
    // the series come, of which the lists of one name are sorted in memory of their own.
    let first = table.saturating_mul(2);
    let kept = if table < table_wanted { 0 } else { first };
    let sorting = all.uses().saturating_mul(8).min(memory_bytes / 8);
    let then = uses.saturating_add(entries).saturating_mul(2).saturating_add(sorting).saturating_add(kept);
    // Of each 32nd symbol its place, of each source and of the new table.
    let places = all.symbol_bytes / 16;
    let mut memory = [FIXED_BYTES, first.max(then), maps, places].into_iter().fold(0, u64::saturating_add);
    for source in sources {
        let buffers = SOURCE_BYTES.min(source.bytes().saturating_mul(2)).saturating_add(ahead_bytes);
        // An interval of a tombstone takes nine bytes or so in the file.
        let tombstones = source.tombstone_bytes.saturating_mul(12);
        memory = memory.saturating_add(buffers).saturating_add(tombstones);
    }
    // All chunks of one series, as bytes and as samples.
    let series = all.chunk_bytes.min(SERIES_CHUNKS_BYTES).saturating_mul(2);
    Estimate { memory_bytes: memory.saturating_add(series), disk_bytes: disk, block_bytes: block }
}

fn sum(sources: &[SourceSize]) -> SourceSize {
    let mut all = SourceSize::default();
    for source in sources {
        for (sum, one) in [
            (&mut all.series, source.series),
            (&mut all.samples, source.samples),
            (&mut all.chunk_bytes, source.chunk_bytes),
            (&mut all.index_bytes, source.index_bytes),
            (&mut all.symbol_bytes, source.symbol_bytes),
            (&mut all.postings_bytes, source.postings_bytes),
            (&mut all.table_bytes, source.table_bytes),
            (&mut all.tombstone_bytes, source.tombstone_bytes),
        ] {
            *sum = sum.saturating_add(one);
        }
    }
    all
}
