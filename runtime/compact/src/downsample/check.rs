//! Looks at a block on the disk: its files, and for how many raw samples its windows stand.

use std::io;
use std::path::Path;

use tsdb::Corruption;
use tsdb::block::{BlockFiles, BlockReader, CHUNKS_FOLDER, INDEX_FILE, TOMBSTONES_FILE};
use tsdb::chunk::{Aggregate, AggregateChunk, ChunkError, Columns, Order, decode_floats};
use tsdb::fs::Fs;
use tsdb::stored::StoredFile;

/// The files of a block, as they are to be examined.
pub(super) fn files(fs: &dyn Fs, folder: &Path) -> io::Result<BlockFiles> {
    let open = |name: &str| match fs.open(&folder.join(name)) {
        Ok(bytes) => Ok(Some(StoredFile::new(name, bytes))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    };
    let mut segments = Vec::new();
    for entry in fs.list(&folder.join(CHUNKS_FOLDER))? {
        segments.extend(open(&format!("{CHUNKS_FOLDER}/{}", entry.name))?);
    }
    Ok(BlockFiles { index: open(INDEX_FILE)?, segments, tombstones: open(TOMBSTONES_FILE)? })
}

/// The sum of all counts of a downsampled block.
pub(super) fn raw_samples(fs: &dyn Fs, folder: &Path) -> Result<u64, Corruption> {
    let block = BlockReader::open(fs, folder)?;
    let mut scan = block.scan()?;
    let mut columns = Columns::default();
    let mut samples = 0u64;
    while scan.next_series()?.is_some() {
        let mut at = 0usize;
        let mut of_series = 0.0;
        while let Some((meta, stored)) = scan.chunk_at(at)? {
            columns.clear();
            let offset = u64::from(meta.reference.offset());
            let file = || tsdb::block::segment_name(meta.reference.segment());
            counts(stored.data, &mut columns).map_err(|error| error.in_file(file(), offset))?;
            of_series += columns.values.iter().sum::<f64>();
            at += 1;
        }
        samples = samples.saturating_add(of_series as u64);
    }
    Ok(samples)
}

fn counts(data: &[u8], into: &mut Columns) -> Result<(), ChunkError> {
    match AggregateChunk::new(data)?.get(Aggregate::Count) {
        Some(count) => decode_floats(count.encoding, count.data, Order::Rising, into).map(|_| ()),
        None => Ok(()),
    }
}
