//! From the series of a recorded block we write the files that Prometheus or Thanos wrote: every byte.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tsdb::block::{BlockMeta, BlockReader, BlockWriter, ChunkData, Tombstones};
use tsdb::chunk::Encoding;
use tsdb::fs::RealFs;
use tsdb::index::{SymbolTable, merge_symbols};
use tsdb::stored::Scratch;

use super::fixtures;

#[test]
fn index_and_segments() {
    let Some(fixtures) = fixtures::folder("writing of recorded blocks") else { return };
    let target = tempfile::tempdir().unwrap();
    for folder in fixtures::good_blocks(&fixtures) {
        let block = BlockReader::open(&RealFs, &folder).unwrap();
        let written = copy(&block, target.path(), None);
        for file in ["index", "chunks/000001"] {
            let (theirs, ours) = (std::fs::read(folder.join(file)), std::fs::read(written.join(file)));
            assert!(theirs.unwrap() == ours.unwrap(), "{}: {file} differs", folder.display());
        }
        let meta = BlockMeta::parse(std::fs::read(written.join("meta.json")).unwrap()).unwrap();
        let (ours, theirs) = (&meta.stats, &block.meta().stats);
        assert_eq!(
            (ours.num_samples, ours.num_chunks, ours.num_series),
            (theirs.num_samples, theirs.num_chunks, theirs.num_series),
            "{}",
            folder.display()
        );
        // Buckets share blocks.
        let index = std::fs::read(written.join("index")).unwrap();
        std::fs::remove_dir_all(written).unwrap();
        // In next to no memory, through scratch files, and in as much as is needed for nearly all.
        for memory_bytes in [3 << 10, 400 << 10] {
            let written = copy(&block, target.path(), Some(memory_bytes));
            assert!(std::fs::read(written.join("index")).unwrap() == index, "{memory_bytes} bytes of memory");
            std::fs::remove_dir_all(written).unwrap();
            let left = std::fs::read_dir(target.path()).unwrap().count();
            assert_eq!(left, 0, "something is left");
        }
    }
}

/// Writes a block again, below `parent`; in bounded memory, its symbols merged, where a bound is given.
fn copy(block: &BlockReader, parent: &Path, memory_bytes: Option<u64>) -> PathBuf {
    let id = block.meta().ulid;
    let mut writer = match memory_bytes {
        None => {
            let mut symbols = SymbolTable::default();
            let (mut walk, mut text) = (block.index().symbols().walk(), Vec::new());
            while let Some(symbol) = walk.next_text(&mut text).unwrap() {
                assert!(symbols.push(symbol));
            }
            BlockWriter::create(Arc::new(RealFs), parent, id, Arc::new(symbols)).unwrap()
        }
        Some(memory_bytes) => {
            let scratch = Scratch::new(Arc::new(RealFs), parent.join("scratch"), memory_bytes);
            let symbols = merge_symbols(&[block.index(), block.index()], &scratch).unwrap();
            BlockWriter::bounded(Arc::new(RealFs), parent, id, symbols.table().clone(), &scratch).unwrap()
        }
    };
    let mut scan = block.scan().unwrap();
    while scan.next_series().unwrap().is_some() {
        let mut chunks = Vec::new();
        for at in 0..scan.series().chunks.len() {
            let (meta, chunk) = scan.chunk_at(at).unwrap().unwrap();
            chunks.push((meta, Encoding::from_u8(chunk.encoding).unwrap(), chunk.data.to_vec()));
        }
        let chunks: Vec<ChunkData<'_>> = chunks
            .iter()
            .map(|(meta, encoding, data)| ChunkData {
                min_time: meta.min_time,
                max_time: meta.max_time,
                encoding: *encoding,
                data,
            })
            .collect();
        writer.add_series(&scan.series().labels, &chunks).unwrap();
    }
    let meta = writer.finish(block.meta().clone(), &Tombstones::default()).unwrap().unwrap();
    parent.join(meta.ulid.to_string())
}
