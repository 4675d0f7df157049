//! Random sets of blocks: the merge is, chunk by chunk and bit by bit, what the slow reference makes of them.
//!
//! `PRONOIA_MERGE_SETS` says how many sets there are.
#![expect(clippy::disallowed_methods, reason = "how much is tested comes from outside")]

use std::path::Path;
use std::sync::Arc;

use compact::Target;
use compact::merge::{Overlaps, merge};
use tsdb::BlockId;
use tsdb::block::{BlockFiles, BlockMeta, BlockReader, examine};
use tsdb::fs::Fs;
use tsdb::fs::sim::{Chance, SimFs};
use tsdb::stored::StoredFile;

use super::reference;
use super::world::{self, HOUR, START, Source};

fn sets() -> u64 {
    std::env::var("PRONOIA_MERGE_SETS").ok().map_or(60, |sets| sets.parse().expect("a number"))
}

#[test]
#[expect(clippy::print_stderr, reason = "the figures are what a run is for")]
fn sets_of_blocks_become_what_the_slow_reference_says() {
    let (mut blocks, mut series, mut samples) = (0, 0, 0);
    for seed in 0..sets() {
        let sources = world::sources(&mut Chance::new(seed));
        let sources: Vec<Source> = sources.into_iter().filter(|source| !source.series.is_empty()).collect();
        for overlaps in [Overlaps::OneToOne, Overlaps::Penalty] {
            let (of_series, of_samples) = check(seed, &sources, overlaps);
            (series, samples) = (series + of_series, samples + of_samples);
        }
        blocks += sources.len();
    }
    eprintln!("{} sets, {blocks} blocks, {series} merged series with {samples} samples: all equal", sets());
    assert!(samples > 0);
}

fn check(seed: u64, sources: &[Source], overlaps: Overlaps) -> (usize, u64) {
    let (disk, parent) = (SimFs::new(), Path::new("/blocks"));
    disk.create_dir_all(parent).unwrap();
    let fs: Arc<dyn Fs> = Arc::new(disk.clone());
    let blocks: Vec<BlockReader> =
        (1..).zip(sources).map(|(number, source)| world::write(&fs, parent, number, source)).collect();
    // Now and then a block ends before its sources do.
    let end = START + if seed.is_multiple_of(7) { 2 } else { 6 } * HOUR;
    let expected = reference::merged(sources, overlaps, (START, end - 1));
    let id = BlockId::new(START as u64, 99);
    let target = Target { fs, parent, id, memory_bytes: 1 << 20 };
    let merged = merge(&blocks, overlaps, &target, BlockMeta::new(id, START, end)).unwrap();
    merged.samples.balance().unwrap();
    let folder = parent.join(id.to_string());
    let Some(written) = merged.block else {
        assert!(expected.is_empty(), "seed {seed}");
        assert!(disk.stat(&folder).is_err());
        return (0, 0);
    };
    let block = BlockReader::open(&disk, &folder).unwrap();
    let found = world::read(&block);
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "seed {seed}");
    for (labels, chunks) in &found {
        let expected = &expected[labels];
        let shape = |chunks: &[world::Chunk]| -> Vec<_> {
            chunks.iter().map(|chunk| (chunk.times(), chunk.encoding, chunk.samples.len())).collect()
        };
        assert_eq!(shape(chunks), shape(expected), "seed {seed}, {overlaps:?}, {labels:?}");
        for (found, expected) in chunks.iter().zip(expected) {
            let differing = found.samples.iter().zip(&expected.samples).find(|(found, other)| found != other);
            assert_eq!(differing, None, "seed {seed}, {overlaps:?}, {labels:?}");
            assert_eq!(found.data, expected.data, "seed {seed}, {overlaps:?}, {labels:?}");
        }
    }
    let file = |name: &str| StoredFile::new(name, disk.open(&folder.join(name)).unwrap());
    let files = BlockFiles {
        index: Some(file("index")),
        segments: vec![file("chunks/000001")],
        tombstones: Some(file("tombstones")),
    };
    let examined = examine(&files, START, end);
    assert!(examined.problems.is_empty(), "seed {seed}: {:?}", examined.problems);
    assert_eq!(examined.counts.samples, written.meta.stats.num_samples);
    let left: Vec<String> = disk.list(parent).unwrap().into_iter().map(|entry| entry.name).collect();
    assert!(left.iter().all(|name| !name.contains('.')), "{left:?}");
    (found.len(), examined.counts.samples)
}
