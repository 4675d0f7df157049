//! Writes segments, cut where Prometheus cuts them; `docs/block.md`, "Segments".

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::encoding::{put_u32, put_uvarint};
use crate::fs::Fs;
use crate::index::ChunkRef;
use crate::stored::Output;

use super::segments::{HEADER_BYTES, MAGIC, VERSION};

/// The size that a segment has at most.
pub const SEGMENT_BYTES_MAX: u64 = 512 << 20;
/// What a chunk takes beside its data, as the cutting rule counts it: the longest length, the encoding, the checksum.
const CHUNK_OVERHEAD_BYTES: u64 = 5 + 1 + 4;

/// Writes the segments of one block.
#[derive(Debug)]
pub struct SegmentWriter {
    fs: Arc<dyn Fs>,
    folder: PathBuf,
    bytes_max: u64,
    open: Option<Output>,
    /// Segments begun so far.
    begun: u32,
    /// What the rule takes the segment's size to be: exact where the series began, the most that is possible from there on.
    counted: u64,
    files: Vec<(String, u64)>,
    chunk_max_bytes: u64,
}

impl SegmentWriter {
    /// Writes into `folder`, which is there and empty, segments of at most `bytes_max` bytes each, unless one chunk is larger.
    pub fn new(fs: Arc<dyn Fs>, folder: PathBuf, bytes_max: u64) -> Self {
        SegmentWriter {
            fs,
            folder,
            bytes_max,
            open: None,
            begun: 0,
            counted: 0,
            files: Vec::new(),
            chunk_max_bytes: 0,
        }
    }

    /// Says that the chunks of another series follow.
    pub fn begin_series(&mut self) {
        self.counted = self.open.as_ref().map_or(HEADER_BYTES, Output::position);
    }

    /// Appends a chunk, in a new segment where this one is full.
    ///
    /// # Errors
    /// Whatever the disk says; [`io::ErrorKind::FileTooLarge`] for a chunk whose offset does not fit into a reference.
    pub fn write(&mut self, encoding: u8, data: &[u8]) -> io::Result<ChunkRef> {
        let size = CHUNK_OVERHEAD_BYTES.saturating_add(data.len() as u64);
        let full = self.counted.saturating_add(size) > self.bytes_max;
        let empty = self.open.as_ref().is_none_or(|open| open.position() <= HEADER_BYTES);
        if self.open.is_none() || (full && !empty) {
            self.cut()?;
            self.counted = HEADER_BYTES;
        }
        self.counted = self.counted.saturating_add(size);
        let Some(out) = self.open.as_mut() else { return Err(io::ErrorKind::NotFound.into()) };
        let offset = u32::try_from(out.position()).map_err(|_| io::ErrorKind::FileTooLarge)?;
        put_uvarint(out.buffer(), data.len() as u64);
        let buffer = out.buffer();
        let start = buffer.len();
        buffer.push(encoding);
        buffer.extend_from_slice(data);
        let sum = crate::encoding::crc32c(buffer.get(start..).unwrap_or(&[]));
        put_u32(buffer, sum);
        let bytes = out.position().saturating_sub(u64::from(offset));
        self.chunk_max_bytes = self.chunk_max_bytes.max(bytes);
        out.drain()?;
        Ok(ChunkRef::new(self.begun.saturating_sub(1), offset))
    }

    /// The bytes of the largest chunk so far, with length, encoding and checksum.
    pub fn chunk_max_bytes(&self) -> u64 {
        self.chunk_max_bytes
    }

    /// The segment that is being written, or the first one.
    pub fn path(&self) -> PathBuf {
        self.folder.join(format!("{:06}", self.begun.max(1)))
    }

    fn cut(&mut self) -> io::Result<()> {
        self.close()?;
        let name = format!("{:06}", u64::from(self.begun) + 1);
        let mut out = Output::new(self.fs.create(&self.folder.join(name))?);
        put_u32(out.buffer(), MAGIC);
        out.buffer().extend_from_slice(&[VERSION, 0, 0, 0]);
        self.open = Some(out);
        self.begun = self.begun.saturating_add(1);
        Ok(())
    }

    fn close(&mut self) -> io::Result<()> {
        if let Some(out) = self.open.take() {
            let length = out.finish()?;
            let segment = self.begun.saturating_sub(1);
            self.files.push((super::segment_name(segment), length));
        }
        Ok(())
    }

    /// Waits until all segments would survive a loss of power. Gives their names, relative to the block, and sizes.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn finish(mut self) -> io::Result<Vec<(String, u64)>> {
        self.close()?;
        self.fs.sync_dir(&self.folder)?;
        Ok(std::mem::take(&mut self.files))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;
    use crate::fs::sim::SimFs;

    /// Where chunks of these sizes come to lie by the rule, series by series: first the series' chunks are divided, by the
    /// most that each can take, then all are written.
    fn segments_by_the_rule(series: &[Vec<usize>], bytes_max: u64) -> Vec<u32> {
        let (mut segment, mut position) = (0u32, HEADER_BYTES);
        let mut segments = Vec::new();
        for chunks in series {
            let mut planned = 0u64;
            let mut divided = false;
            let begun = position > HEADER_BYTES;
            let mut places = Vec::new();
            for (number, data) in chunks.iter().enumerate() {
                let most = *data as u64 + 10;
                planned += most;
                let cut = if begun && !divided {
                    planned + position > bytes_max
                } else {
                    number > 0 && planned + HEADER_BYTES > bytes_max
                };
                if cut {
                    divided = true;
                    planned = most;
                }
                places.push(cut);
            }
            for (cut, data) in places.into_iter().zip(chunks) {
                if cut {
                    segment += 1;
                    position = HEADER_BYTES;
                }
                segments.push(segment);
                position += *data as u64 + 6 + u64::from(*data >= 128);
            }
        }
        segments
    }

    proptest! {
        #[test]
        fn segments_are_cut_by_prometheus_rule(
            series in proptest::collection::vec(proptest::collection::vec(0usize..300, 1..5), 1..20),
            bytes_max in 20u64..900,
        ) {
            let disk = SimFs::new();
            let folder = Path::new("/chunks");
            disk.create_dir_all(folder).unwrap();
            let mut writer = SegmentWriter::new(Arc::new(disk), folder.to_owned(), bytes_max);
            let mut segments = Vec::new();
            for chunks in &series {
                writer.begin_series();
                for data in chunks {
                    segments.push(writer.write(1, &vec![7; *data]).unwrap().segment());
                }
            }
            prop_assert_eq!(&segments, &segments_by_the_rule(&series, bytes_max));
            prop_assert_eq!(writer.finish().unwrap().len() as u32, segments[segments.len() - 1] + 1);
        }
    }
}
