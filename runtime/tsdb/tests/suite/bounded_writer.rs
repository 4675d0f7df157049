//! An index that is written in little memory has the bytes of one that is written in much, and a full disk leaves nothing.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use proptest::prelude::*;
use tsdb::BlockId;
use tsdb::block::{BlockMeta, BlockReader, BlockWriteError, BlockWriter, ChunkData, Tombstones};
use tsdb::chunk::{Encoding, XorAppender};
use tsdb::fs::Fs;
use tsdb::fs::sim::SimFs;
use tsdb::index::{Series, SymbolTable};
use tsdb::stored::Scratch;

type Labels = Vec<(u32, u32)>;

/// Series of up to 40 labels over 60 texts, some labels in nearly all series.
fn series() -> impl Strategy<Value = BTreeSet<Labels>> {
    let rare = proptest::collection::btree_map(0u32..60, 0u32..60, 1..5);
    let frequent = (0u32..3, 0u32..60).prop_map(|(one, two)| vec![(3, 10 + one), (7, two)]);
    let labels = (rare, frequent).prop_map(|(rare, frequent)| {
        let mut labels = rare;
        labels.extend(frequent);
        labels.into_iter().collect()
    });
    proptest::collection::btree_set(labels, 1..300)
}

fn disk() -> SimFs {
    let disk = SimFs::new();
    disk.create_dir_all("/blocks".as_ref()).unwrap();
    disk
}

fn write(
    disk: &SimFs,
    number: u128,
    series: &BTreeSet<Labels>,
    memory_bytes: Option<u64>,
) -> Result<PathBuf, BlockWriteError> {
    let texts: Vec<String> = (0..60).map(|number| format!("text {number:02}")).collect();
    let table: SymbolTable = texts.iter().map(String::as_str).collect();
    let (fs, parent) = (Arc::new(disk.clone()), Path::new("/blocks"));
    let id = BlockId::new(1, number);
    let mut writer = match memory_bytes {
        None => BlockWriter::create(fs, parent, id, Arc::new(table))?,
        Some(memory_bytes) => {
            let scratch = Scratch::new(Arc::new(disk.clone()), "/blocks/scratch".into(), memory_bytes);
            BlockWriter::bounded(fs, parent, id, Arc::new(table), &scratch)?
        }
    };
    let mut chunk = XorAppender::new();
    assert!(chunk.append(5, 1.0));
    let data = chunk.into_bytes();
    let chunk = ChunkData { min_time: 5, max_time: 5, encoding: Encoding::Xor, data: &data };
    for labels in series {
        writer.add_series(labels, &[chunk])?;
    }
    assert_eq!(writer.chunk_max_bytes(), data.len() as u64 + 6);
    let largest = series.iter().map(Vec::len).max().unwrap_or(0) as u64;
    assert!((2 * largest..2 * largest + 20).contains(&writer.series_max_bytes()), "{writer:?}");
    writer.finish(BlockMeta::new(id, 0, 10), &Tombstones::default())?;
    Ok(parent.join(id.to_string()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_bytes_are_the_same(series in series(), memory_bytes in prop_oneof![0u64..100, 0u64..20_000]) {
        let disk = disk();
        let expected = disk.contents(&write(&disk, 1, &series, None).unwrap().join("index")).unwrap();
        let folder = write(&disk, 2, &series, Some(memory_bytes)).unwrap();
        prop_assert!(disk.contents(&folder.join("index")).unwrap() == expected);
        prop_assert!(disk.stat("/blocks/scratch".as_ref()).is_err(), "scratch files are left");
        let block = BlockReader::open(&disk, &folder).unwrap();
        let (mut scan, mut found, mut one) = (block.index().scan(), BTreeSet::new(), Series::default());
        while scan.next_into(&mut one).unwrap() {
            found.insert(one.labels.clone());
        }
        prop_assert_eq!(found, series);
    }
}

#[test]
fn wherever_the_disk_fails_the_file_is_named_and_nothing_is_left() {
    let series: BTreeSet<Labels> =
        (0..300u32).map(|number| vec![(number / 60, number % 60), (7, number % 13)]).collect();
    let operations = {
        let disk = disk();
        let before = disk.operations();
        write(&disk, 1, &series, Some(600)).unwrap();
        disk.operations() - before
    };
    let mut files = BTreeSet::new();
    for step in 0..operations {
        let disk = disk();
        disk.fail_at(disk.operations() + step, io::ErrorKind::StorageFull);
        let Err(error) = write(&disk, 1, &series, Some(600)) else { continue };
        assert_eq!(error.io_kind(), Some(io::ErrorKind::StorageFull), "{error:?}");
        let BlockWriteError::Io { path, .. } = error else { panic!("{error:?}") };
        files.insert(path.strip_prefix("/blocks").unwrap().to_owned());
        let left = disk.list("/blocks".as_ref()).unwrap();
        let blocks = left.iter().filter(|entry| entry.name.len() == 26).count();
        assert_eq!(left.len(), blocks, "operation {step}: {left:?}");
    }
    let named = |name: &str| files.iter().any(|file| file.ends_with(name));
    for name in ["index", "chunks/000001", "meta.json", "scratch/0", "scratch/1"] {
        assert!(named(name), "{name} is not among {files:?}");
    }
}
