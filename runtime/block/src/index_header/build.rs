//! Copies the parts of an index out of a bucket.

use std::io;
use std::mem::take;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use error_kind::{ErrorKind, Kind, kind_of_io};
use objstore::{Bucket, BucketError};
use tsdb::encoding::{crc32c, put_u32, put_u64};
use tsdb::fs::{FileWrite, Fs, RangeRead};
use tsdb::index::Toc;
use tsdb::stored::StoredFile;
use tsdb::{BlockId, Corruption, Fault, Section};

use super::{HEADER_BYTES, MAGIC, VERSION};
use crate::blocking::on_disk;
use crate::layout;

/// How much is read from the bucket at once.
const PART_BYTES: u64 = 8 << 20;
/// Magic number and version of an index.
const INDEX_HEADER_BYTES: u64 = 5;
/// The table of contents at the end of an index.
const INDEX_TOC_BYTES: u64 = 52;

/// An index-header that was not built or cannot be used; the file that was there is as it was.
#[derive(Debug, thiserror::Error)]
pub enum IndexHeaderError {
    /// The store's answer.
    #[error("index of block {block}: the bucket failed")]
    Bucket {
        /// The block.
        block: BlockId,
        /// The store's answer.
        #[source]
        source: BucketError,
    },
    /// The index in the bucket is damaged.
    #[error("index of block {block} is damaged")]
    Corrupt {
        /// The block.
        block: BlockId,
        /// What is wrong.
        #[source]
        source: Corruption,
    },
    /// The file cannot be written or read.
    #[error("index-header of block {block}: the disk failed")]
    Local {
        /// The block.
        block: BlockId,
        /// What the disk says.
        #[source]
        source: io::Error,
    },
}

impl Kind for IndexHeaderError {
    fn kind(&self) -> ErrorKind {
        match self {
            IndexHeaderError::Bucket { source, .. } => source.kind(),
            IndexHeaderError::Corrupt { source, .. } => source.kind(),
            IndexHeaderError::Local { source, .. } => kind_of_io(source),
        }
    }
}

/// Builds the index-header of a block: under another name first, then renamed.
///
/// It is not synced: a loss of power may leave a part of it, but whoever opens it checks all of it, and builds it again. With
/// thousands of blocks, waiting for the disk after each would be most of a first start.
///
/// # Errors
/// See [`IndexHeaderError`].
pub async fn build(
    bucket: &dyn Bucket,
    block: BlockId,
    fs: &Arc<dyn Fs>,
    path: &Path,
) -> Result<(), IndexHeaderError> {
    let unfinished = path.with_extension("tmp");
    let built = build_as(bucket, block, fs, &unfinished, path).await;
    if built.is_err() {
        let fs = Arc::clone(fs);
        // What cannot be removed is replaced by the next attempt.
        drop(on_disk(move || fs.remove_file(&unfinished)).await);
    }
    built
}

async fn build_as(
    bucket: &dyn Bucket,
    block: BlockId,
    fs: &Arc<dyn Fs>,
    unfinished: &Path,
    path: &Path,
) -> Result<(), IndexHeaderError> {
    let name = layout::object(block, layout::INDEX);
    let index = RemoteIndex { bucket, block, name: &name };
    let size = bucket.attributes(&name).await.map_err(|source| index.failed(source))?.size;
    let (version, toc) = index.frame(size).await?;
    let mut file = Growing { fs, path: unfinished, file: None, waiting: Vec::new() };
    put_u32(&mut file.waiting, MAGIC);
    file.waiting.extend([VERSION, version]);
    put_u64(&mut file.waiting, toc.postings_table);
    index.copy(&mut file, toc.symbols, toc.series).await?;
    index.copy(&mut file, toc.postings_table, size).await?;
    let mut end = Vec::new();
    put_u64(&mut end, HEADER_BYTES);
    put_u64(&mut end, HEADER_BYTES + (toc.series - toc.symbols));
    let sum = crc32c(&end);
    put_u32(&mut end, sum);
    file.waiting.append(&mut end);
    file.finish(path).await.map_err(|source| IndexHeaderError::Local { block, source })
}

/// A file that is written in few steps, a small one in a single one.
struct Growing<'a> {
    fs: &'a Arc<dyn Fs>,
    path: &'a Path,
    /// None before the first bytes go to the disk.
    file: Option<Box<dyn FileWrite>>,
    waiting: Vec<u8>,
}

impl Growing<'_> {
    /// Appends bytes; they may wait for more.
    async fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.waiting.extend_from_slice(bytes);
        if self.waiting.len() as u64 >= PART_BYTES {
            let write = self.write();
            self.file = Some(on_disk(write).await?);
        }
        Ok(())
    }

    /// Writes what waits, and gives the file its name.
    async fn finish(mut self, name: &Path) -> io::Result<()> {
        let (fs, path, name) = (Arc::clone(self.fs), self.path.to_owned(), name.to_owned());
        let write = self.write();
        on_disk(move || {
            write()?;
            fs.rename(&path, &name)
        })
        .await
    }

    /// What is to be done on the disk: the file is made first where there is none.
    fn write(&mut self) -> impl FnOnce() -> io::Result<Box<dyn FileWrite>> + Send + 'static {
        let (fs, path) = (Arc::clone(self.fs), self.path.to_owned());
        let (file, bytes) = (self.file.take(), take(&mut self.waiting));
        move || {
            let mut file = match file {
                Some(file) => file,
                None => {
                    path.parent().map_or(Ok(()), |folder| fs.create_dir_all(folder))?;
                    fs.create(&path)?
                }
            };
            file.write_all(&bytes)?;
            Ok(file)
        }
    }
}

struct RemoteIndex<'a> {
    bucket: &'a dyn Bucket,
    block: BlockId,
    name: &'a str,
}

impl RemoteIndex<'_> {
    fn failed(&self, source: BucketError) -> IndexHeaderError {
        IndexHeaderError::Bucket { block: self.block, source }
    }

    /// Exactly so many bytes.
    async fn range(&self, offset: u64, length: u64) -> Result<Bytes, IndexHeaderError> {
        let got =
            self.bucket.get_range(self.name, offset, length).await.map_err(|source| self.failed(source))?;
        if got.len() as u64 != length {
            let got = got.len() as u64;
            let name = self.name.to_owned();
            return Err(self.failed(BucketError::ShortRead { name, offset, expected: length, got }));
        }
        Ok(got)
    }

    /// The version of the index, and where its sections are.
    async fn frame(&self, size: u64) -> Result<(u8, Toc), IndexHeaderError> {
        let corrupt = |source| IndexHeaderError::Corrupt { block: self.block, source };
        let Some(toc_at) = size.checked_sub(INDEX_TOC_BYTES).filter(|at| *at >= INDEX_HEADER_BYTES) else {
            let missing = (INDEX_HEADER_BYTES + INDEX_TOC_BYTES).saturating_sub(size);
            let (file, fault) = (layout::INDEX.into(), Fault::Short { missing });
            return Err(corrupt(Corruption { file, section: Section::Toc, offset: size, fault }));
        };
        let start = self.range(0, INDEX_HEADER_BYTES).await?;
        let end = self.range(toc_at, INDEX_TOC_BYTES).await?;
        let frame =
            StoredFile::new(layout::INDEX, Arc::new(Frame { size, start, end }) as Arc<dyn RangeRead>);
        let version = Toc::read_version(&frame).map_err(corrupt)?;
        Ok((version.number(), Toc::read(&frame).map_err(corrupt)?))
    }

    /// Appends the bytes of a range to a file.
    async fn copy(&self, file: &mut Growing<'_>, from: u64, to: u64) -> Result<(), IndexHeaderError> {
        let mut at = from;
        while at < to {
            let bytes = self.range(at, PART_BYTES.min(to - at)).await?;
            at += bytes.len() as u64;
            let pushed = file.push(&bytes).await;
            pushed.map_err(|source| IndexHeaderError::Local { block: self.block, source })?;
        }
        Ok(())
    }
}

/// The first and the last bytes of an index.
#[derive(Debug)]
struct Frame {
    size: u64,
    start: Bytes,
    end: Bytes,
}

impl RangeRead for Frame {
    fn len(&self) -> u64 {
        self.size
    }

    fn read_exact_at(&self, into: &mut [u8], offset: u64) -> io::Result<()> {
        let end_at = self.size.saturating_sub(self.end.len() as u64);
        let (bytes, offset) =
            if offset >= end_at { (&self.end, offset - end_at) } else { (&self.start, offset) };
        bytes.read_exact_at(into, offset)
    }
}
