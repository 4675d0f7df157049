//! From the series of a recorded block we write the files that Prometheus or Thanos wrote: every byte.

use std::sync::Arc;

use tsdb::block::{BlockMeta, BlockReader, BlockWriter, ChunkData, Tombstones};
use tsdb::chunk::Encoding;
use tsdb::fs::RealFs;
use tsdb::index::SymbolTable;

use super::fixtures;

#[test]
fn index_and_segments() {
    let Some(fixtures) = fixtures::folder("writing of recorded blocks") else { return };
    let target = tempfile::tempdir().unwrap();
    for folder in fixtures::good_blocks(&fixtures) {
        let block = BlockReader::open(&RealFs, &folder).unwrap();
        let written = copy(&block, target.path());
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
        std::fs::remove_dir_all(written).unwrap();
    }
}

/// Writes a block again, below `parent`.
fn copy(block: &BlockReader, parent: &std::path::Path) -> std::path::PathBuf {
    let mut symbols = SymbolTable::default();
    let (mut walk, mut text) = (block.index().symbols().walk(), Vec::new());
    while let Some(symbol) = walk.next_text(&mut text).unwrap() {
        assert!(symbols.push(symbol));
    }
    let id = block.meta().ulid;
    let mut writer = BlockWriter::create(Arc::new(RealFs), parent, id, Arc::new(symbols)).unwrap();
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
