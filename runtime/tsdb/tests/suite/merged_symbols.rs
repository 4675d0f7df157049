//! Symbols of several indices become one table: every text once, in order, and every old symbol leads to its text.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use proptest::prelude::*;
use tsdb::BlockId;
use tsdb::block::{BlockMeta, BlockReader, BlockWriter, ChunkData, Tombstones};
use tsdb::chunk::{Encoding, XorAppender};
use tsdb::fs::Fs;
use tsdb::fs::sim::SimFs;
use tsdb::index::{IndexReader, MergeSymbolsError, OutputSymbols, SymbolTable, merge_symbols};
use tsdb::stored::Scratch;

use super::index_v1;

const PARENT: &str = "/blocks";

/// A block whose index has these symbols, of which one series uses the last two.
fn block(disk: &SimFs, number: u128, texts: &BTreeSet<String>) -> BlockReader {
    let table: SymbolTable = texts.iter().map(String::as_str).collect();
    let last = table.len() - 1;
    let fs: Arc<dyn Fs> = Arc::new(disk.clone());
    let id = BlockId::new(1, number);
    let mut writer = BlockWriter::create(fs, Path::new(PARENT), id, Arc::new(table)).unwrap();
    let mut chunk = XorAppender::new();
    assert!(chunk.append(5, 1.0));
    let data = chunk.into_bytes();
    let chunk = ChunkData { min_time: 5, max_time: 5, encoding: Encoding::Xor, data: &data };
    writer.add_series(&[(last - 1, last)], &[chunk]).unwrap();
    writer.finish(BlockMeta::new(id, 0, 10), &Tombstones::default()).unwrap();
    BlockReader::open(disk, &Path::new(PARENT).join(id.to_string())).unwrap()
}

fn texts_of(index: &IndexReader) -> Vec<String> {
    let (mut walk, mut text, mut texts) = (index.symbols().walk(), Vec::new(), Vec::new());
    while let Some(text) = walk.next_text(&mut text).unwrap() {
        texts.push(text.to_owned());
    }
    texts
}

fn all_texts(symbols: &OutputSymbols) -> Vec<String> {
    let mut texts = symbols.texts();
    (0..symbols.len()).map(|symbol| texts.get(symbol).unwrap().unwrap().to_owned()).collect()
}

fn scratch(disk: &SimFs, memory_bytes: u64) -> Scratch {
    Scratch::new(Arc::new(disk.clone()), PathBuf::from("/blocks/scratch"), memory_bytes)
}

fn disk() -> SimFs {
    let disk = SimFs::new();
    disk.create_dir_all(PARENT.as_ref()).unwrap();
    disk
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_symbol_leads_to_its_text(
        sources in proptest::collection::vec(proptest::collection::btree_set("[a-f]{1,4}|\\PC{0,2}", 3..200), 1..6),
        memory_bytes in prop_oneof![Just(0u64), Just(4 << 10), Just(1 << 30)],
        order in any::<u32>(),
    ) {
        let disk = disk();
        let blocks: Vec<BlockReader> =
            (0u128..).zip(&sources).map(|(number, texts)| block(&disk, number, texts)).collect();
        let indices: Vec<&IndexReader> = blocks.iter().map(BlockReader::index).collect();
        let scratch = scratch(&disk, memory_bytes);
        let merged = merge_symbols(&indices, &scratch).unwrap();
        let expected: BTreeSet<&String> = sources.iter().flatten().collect();
        prop_assert!(all_texts(merged.table()).iter().eq(expected.iter().copied()));
        let mut texts = merged.table().texts();
        for (number, source) in sources.iter().enumerate() {
            let mut map = merged.map(number).unwrap();
            let count = source.len() as u32;
            // In whatever order they are asked for.
            for step in 0..count {
                let symbol = ((u64::from(step) * u64::from(order | 1)) % u64::from(count)) as u32;
                let text = source.iter().nth(symbol as usize).map(String::as_str);
                prop_assert_eq!(texts.get(map.get(symbol).unwrap()).unwrap(), text);
            }
            let unknown = match map.get(count) {
                Err(MergeSymbolsError::Source { source_number, .. }) => Some(source_number),
                _ => None,
            };
            prop_assert_eq!(unknown, Some(number));
        }
        let spilled = disk.stat("/blocks/scratch".as_ref()).is_ok();
        prop_assert!(spilled || memory_bytes > 0);
        prop_assert!(!spilled || memory_bytes < 1 << 30);
        drop((texts, merged, scratch));
        prop_assert!(disk.stat("/blocks/scratch".as_ref()).is_err(), "scratch files are left");
    }
}

#[test]
fn offsets_of_format_1_lead_to_their_texts() {
    let disk = disk();
    let old = IndexReader::open(index_v1::file(index_v1::index())).unwrap();
    let new = block(&disk, 1, &["a0", "b", "x1"].map(str::to_owned).into());
    for memory_bytes in [0, 1 << 20] {
        let merged = merge_symbols(&[new.index(), &old], &scratch(&disk, memory_bytes)).unwrap();
        assert_eq!(all_texts(merged.table()), ["__name__", "a", "a0", "b", "job", "x", "x1", "y", "zone"]);
        let mut map = merged.map(1).unwrap();
        let (mut texts, mut scan) = (merged.table().texts(), old.scan());
        let mut series = tsdb::index::Series::default();
        while scan.next_into(&mut series).unwrap() {
            let labels = old.labels(&series).unwrap();
            map.translate(&mut series.labels).unwrap();
            let mut text = |symbol| texts.get(symbol).unwrap().unwrap().to_owned();
            let found: Vec<(String, String)> =
                series.labels.iter().map(|(name, value)| (text(*name), text(*value))).collect();
            let found = found.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            assert_eq!(found.collect::<prom_model::Labels>(), labels);
        }
        assert!(map.get(3).is_err(), "no symbol begins there");
    }
}

#[test]
fn a_full_disk_is_told_with_its_file_and_nothing_is_left() {
    let disk = disk();
    let texts: BTreeSet<String> = (0..2000).map(|number| format!("text {number}")).collect();
    let block = block(&disk, 1, &texts);
    assert_eq!(texts_of(block.index()).len(), 2000);
    disk.set_capacity(Some(30_000));
    let MergeSymbolsError::Scratch(error) =
        merge_symbols(&[block.index()], &scratch(&disk, 0)).expect_err("a full disk")
    else {
        panic!("not the disk");
    };
    assert_eq!(error.source.kind(), std::io::ErrorKind::StorageFull);
    assert!(error.path.starts_with("/blocks/scratch/"), "{error}");
    assert!(disk.stat("/blocks/scratch".as_ref()).is_err(), "scratch files are left");
}
