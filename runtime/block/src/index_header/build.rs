//! Copies the parts of an index out of a bucket.

use std::io::{self, Write};
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
    let local = |source| IndexHeaderError::Local { block, source };
    let (create_fs, create_path) = (Arc::clone(fs), unfinished.to_owned());
    let created = on_disk(move || {
        if let Some(folder) = create_path.parent() {
            create_fs.create_dir_all(folder)?;
        }
        create_fs.create(&create_path)
    });
    let file = created.await.map_err(local)?;

    let mut header = Vec::new();
    put_u32(&mut header, MAGIC);
    header.extend([VERSION, version]);
    put_u64(&mut header, toc.postings_table);
    let file = write(file, header.into()).await.map_err(local)?;
    let file = index.copy(file, toc.symbols, toc.series).await?;
    let file = index.copy(file, toc.postings_table, size).await?;
    let mut end = Vec::new();
    put_u64(&mut end, HEADER_BYTES);
    put_u64(&mut end, HEADER_BYTES + (toc.series - toc.symbols));
    let sum = crc32c(&end);
    put_u32(&mut end, sum);
    let mut file = write(file, end.into()).await.map_err(local)?;
    let (fs, path, unfinished) = (Arc::clone(fs), path.to_owned(), unfinished.to_owned());
    let done = on_disk(move || {
        file.sync()?;
        drop(file);
        fs.rename(&unfinished, &path)
    });
    done.await.map_err(local)
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
    async fn copy(
        &self,
        mut file: Box<dyn FileWrite>,
        from: u64,
        to: u64,
    ) -> Result<Box<dyn FileWrite>, IndexHeaderError> {
        let mut at = from;
        while at < to {
            let bytes = self.range(at, PART_BYTES.min(to - at)).await?;
            at += bytes.len() as u64;
            let written = write(file, bytes).await;
            file = written.map_err(|source| IndexHeaderError::Local { block: self.block, source })?;
        }
        Ok(file)
    }
}

async fn write(mut file: Box<dyn FileWrite>, bytes: Bytes) -> io::Result<Box<dyn FileWrite>> {
    on_disk(move || file.write_all(&bytes).map(|()| file)).await
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
