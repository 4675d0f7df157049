//! Random blocks come back bit by bit; whatever is damaged in them is an error, never another answer.
//!
//! `PROPTEST_CASES` sets how many blocks; each is written to a disk in memory, in segments of some hundred bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use prom_model::{MatchOp, Matcher};
use proptest::prelude::*;
use tsdb::BlockId;
use tsdb::block::{
    BlockFiles, BlockMeta, BlockReader, BlockWriter, ChunkData, Interval, ProblemKind, Tombstones, examine,
    segment_name,
};
use tsdb::chunk::{Columns, Encoding, Order, XorAppender, decode_floats};
use tsdb::fs::Fs;
use tsdb::fs::sim::SimFs;
use tsdb::index::{LabelArena, SeriesRef, SymbolTable};
use tsdb::stored::StoredFile;

type Labels = BTreeMap<String, String>;
/// Each chunk's samples: time and the bits of the value.
type Chunks = Vec<Vec<(i64, u64)>>;

const STALE: u64 = 0x7ff0_0000_0000_0002;

fn value() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => (0u32..1000).prop_map(|value| f64::from(value).to_bits()),
        1 => any::<u64>(),
        1 => Just(STALE),
        // NaNs with any payload.
        1 => any::<u64>().prop_map(|bits| bits | 0x7ff8_0000_0000_0000),
    ]
}

fn chunks() -> impl Strategy<Value = Chunks> {
    let samples = proptest::collection::vec((1i64..100_000, value()), 1..20);
    proptest::collection::vec(samples, 1..4).prop_map(|chunks| {
        let mut time = -5_000_000i64;
        let mut step = |(delta, value): (i64, u64)| {
            time += delta;
            (time, value)
        };
        chunks.into_iter().map(|samples| samples.into_iter().map(&mut step).collect()).collect()
    })
}

fn labels() -> impl Strategy<Value = Labels> {
    let name = prop_oneof![Just("__name__".to_owned()), "[a-c]{1,2}", "[a-c]\u{e9}\\.x"];
    proptest::collection::btree_map(name, prop_oneof!["[xyz]{1,3}", "\\PC{1,4}"], 1..5)
}

fn block() -> impl Strategy<Value = BTreeMap<Vec<(String, String)>, Chunks>> {
    let sorted = labels().prop_map(|labels| labels.into_iter().collect());
    proptest::collection::btree_map(sorted, chunks(), 1..16)
}

fn encode(samples: &[(i64, u64)]) -> Vec<u8> {
    let mut chunk = XorAppender::new();
    for (time, value) in samples {
        assert!(chunk.append(*time, f64::from_bits(*value)));
    }
    chunk.into_bytes()
}

/// The files of a block by their names.
type Files = BTreeMap<String, Bytes>;

fn write(
    block: &BTreeMap<Vec<(String, String)>, Chunks>,
    tombstones: &Tombstones,
    segment_bytes: u64,
) -> (BlockMeta, Files) {
    let texts = block.keys().flatten().flat_map(|(name, value)| [name.as_str(), value.as_str()]);
    let symbols = Arc::new(texts.collect::<SymbolTable>());
    let disk = SimFs::new();
    let parent = Path::new("/blocks");
    disk.create_dir_all(parent).unwrap();
    let id = BlockId::new(1, 2);
    let fs: Arc<dyn Fs> = Arc::new(disk.clone());
    let mut writer =
        BlockWriter::with_segments_of(fs, parent, id, Arc::clone(&symbols), segment_bytes).unwrap();
    for (labels, chunks) in block {
        let symbol = |text: &str| symbols.find(text).unwrap();
        let labels: Vec<(u32, u32)> =
            labels.iter().map(|(name, value)| (symbol(name), symbol(value))).collect();
        let encoded: Vec<Vec<u8>> = chunks.iter().map(|samples| encode(samples)).collect();
        let chunks: Vec<ChunkData<'_>> = chunks
            .iter()
            .zip(&encoded)
            .map(|(samples, data)| ChunkData {
                min_time: samples[0].0,
                max_time: samples[samples.len() - 1].0,
                encoding: Encoding::Xor,
                data,
            })
            .collect();
        writer.add_series(&labels, &chunks).unwrap();
    }
    let meta = BlockMeta::new(id, -5_000_000, 100_000_000);
    let meta = writer.finish(meta, tombstones).unwrap().unwrap();
    let folder = parent.join(id.to_string());
    let mut names = vec!["index".to_owned(), "meta.json".to_owned(), "tombstones".to_owned()];
    let segments = disk.list(&folder.join("chunks")).unwrap().len() as u32;
    names.extend((0..segments).map(segment_name));
    let contents = |name: String| (name.clone(), disk.contents(&folder.join(&name)).unwrap().into());
    (meta, names.into_iter().map(contents).collect())
}

fn stored(name: &str, bytes: &Bytes) -> StoredFile {
    StoredFile::new(name, Arc::new(bytes.clone()))
}

fn segments(files: &Files) -> Vec<StoredFile> {
    let segments = files.iter().filter(|(name, _)| name.starts_with("chunks/"));
    segments.map(|(name, bytes)| stored(name, bytes)).collect()
}

fn open(files: &Files) -> Result<BlockReader, tsdb::Corruption> {
    let meta = BlockMeta::parse(files["meta.json"].clone())?;
    let tombstones = stored("tombstones", &files["tombstones"]);
    BlockReader::from_files(meta, stored("index", &files["index"]), segments(files), Some(&tombstones))
}

fn open_to_scan(files: &Files) -> Result<BlockReader, tsdb::Corruption> {
    let meta = BlockMeta::parse(files["meta.json"].clone())?;
    let (index, tombstones) = (stored("index", &files["index"]), stored("tombstones", &files["tombstones"]));
    BlockReader::from_files_to_scan(meta, index, segments(files), Some(&tombstones))
}

/// Everything that a reader gets out of a block: series with samples, or the error at which it stops.
fn read(block: &BlockReader) -> Result<BTreeMap<Vec<(String, String)>, Chunks>, tsdb::Corruption> {
    let mut all = BTreeMap::new();
    let (mut cache, mut arena) = (block.index().symbol_cache(), LabelArena::default());
    let mut scan = block.scan()?;
    let mut columns = Columns::default();
    while let Some(series) = scan.next_series()? {
        cache.resolve(&series.labels, &mut arena)?;
        let labels = arena.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let mut chunks = Vec::new();
        for at in 0..scan.series().chunks.len() {
            let (meta, chunk) = scan.chunk_at(at)?.unwrap();
            let of_chunk = |fault| tsdb::Corruption {
                file: "chunks".into(),
                section: tsdb::Section::Chunk,
                offset: meta.reference.offset().into(),
                fault,
            };
            let encoding = Encoding::from_u8(chunk.encoding).map_err(of_chunk)?;
            columns.clear();
            decode_floats(encoding, chunk.data, Order::Rising, &mut columns)
                .map_err(|error| error.in_file("chunks", 0))?;
            chunks.push(columns.iter().map(|(time, value)| (time, value.to_bits())).collect());
        }
        all.insert(labels, chunks);
    }
    Ok(all)
}

fn matchers() -> impl Strategy<Value = Vec<Matcher>> {
    let op = prop_oneof![
        Just(MatchOp::Equal),
        Just(MatchOp::NotEqual),
        Just(MatchOp::Regex),
        Just(MatchOp::NotRegex)
    ];
    let name = prop_oneof![Just("__name__".to_owned()), "[a-c]{1,2}"];
    let value = prop_oneof![
        Just(String::new()),
        "[xyz]{1,2}",
        "[xyz]{1,2}\\|[xyz]{1,2}",
        "[xyz]\\.\\*",
        "\\.\\*[xyz]\\.\\*",
        "\\.\\+",
        "\\.\\*",
        "[xyz]\\?",
        "[xyz]\\|",
    ];
    let one = (op, name, value).prop_map(|(op, name, value)| Matcher::new(op, name, value).unwrap());
    proptest::collection::vec(one, 0..4)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(300), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read(
        block in block(),
        selections in proptest::collection::vec(matchers(), 4),
        segment_bytes in 64u64..2000,
    ) {
        let (meta, files) = write(&block, &Tombstones::default(), segment_bytes);
        prop_assert_eq!(meta.stats.num_series, block.len() as u64);
        let samples: usize = block.values().flatten().map(Vec::len).sum();
        prop_assert_eq!(meta.stats.num_samples, samples as u64);
        let reader = open(&files).unwrap();
        prop_assert_eq!(reader.meta(), &meta);
        prop_assert_eq!(&read(&reader).unwrap(), &block);
        let to_scan = open_to_scan(&files).unwrap();
        prop_assert_eq!(&read(&to_scan).unwrap(), &block);
        let found = BlockFiles {
            index: Some(stored("index", &files["index"])),
            segments: segments(&files),
            tombstones: Some(stored("tombstones", &files["tombstones"])),
        };
        let found = examine(&found, meta.min_time, meta.max_time);
        // A series without a metric name is odd, not wrong.
        let wrong = found.problems.iter().find(|problem| problem.kind != ProblemKind::SeriesNoName);
        prop_assert_eq!(wrong, None);
        prop_assert_eq!(found.counts.samples, meta.stats.num_samples);
        // A segment is larger than it may be only for the sake of a single chunk.
        for (name, bytes) in files.iter().filter(|(name, _)| name.starts_with("chunks/")) {
            prop_assert!(bytes.len() as u64 <= segment_bytes.max(64 + 20 * 20), "{}: {}", name, bytes.len());
        }
        let all: Vec<SeriesRef> = reader.index().all_postings().unwrap().iter().collect();
        for matchers in selections {
            let satisfies = |labels: &Vec<(String, String)>| {
                let value = |name: &str| labels.iter().find(|(found, _)| found == name).map_or("", |(_, value)| value);
                matchers.iter().all(|matcher| matcher.matches(value(matcher.name())))
            };
            let expected: Vec<SeriesRef> =
                block.keys().zip(&all).filter(|(labels, _)| satisfies(labels)).map(|(_, series)| *series).collect();
            let found: Vec<SeriesRef> = reader.index().postings_for_matchers(&matchers).unwrap().iter().collect();
            prop_assert_eq!(&found, &expected, "{:?}", matchers);
            let found: Vec<SeriesRef> = to_scan.index().postings_for_matchers(&matchers).unwrap().iter().collect();
            prop_assert_eq!(found, expected, "{:?}", matchers);
        }
        let names: BTreeSet<&str> = block.keys().flatten().map(|(name, _)| name.as_str()).collect();
        prop_assert!(reader.index().label_names().map(|(name, _)| name).eq(names.iter().copied()));
    }

    #[test]
    fn damage_is_an_error_or_changes_nothing(
        block in block(),
        file in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        change in 0u8..10,
    ) {
        let mut tombstones = Tombstones::default();
        tombstones.add(SeriesRef(2), Interval { min_time: -7_000_000, max_time: -6_000_000 });
        let (_, files) = write(&block, &tombstones, 512);
        let names: Vec<String> = files.keys().filter(|name| *name != "meta.json").cloned().collect();
        let name = file.get(&names);
        let mut bytes = files[name].to_vec();
        let at = at.index(bytes.len());
        match change {
            0..8 => bytes[at] ^= 1 << change,
            8 => bytes.truncate(at),
            _ => { bytes.insert(at, 0); }
        }
        let mut damaged = files.clone();
        damaged.insert(name.clone(), bytes.into());
        let original = open(&files).unwrap();
        for opened in [open(&damaged), open_to_scan(&damaged)] {
            if let Ok(reader) = opened
                && let Ok(found) = read(&reader)
            {
                prop_assert_eq!(&found, &block, "{} at {}", name, at);
                prop_assert_eq!(reader.tombstones(), original.tombstones());
            }
        }
        // Whatever happens to be found, looking at everything ends.
        let files = BlockFiles {
            index: Some(stored("index", &damaged["index"])),
            segments: segments(&damaged),
            tombstones: Some(stored("tombstones", &damaged["tombstones"])),
        };
        examine(&files, i64::MIN, i64::MAX);
    }
}

/// How many cases: `PROPTEST_CASES`, else few enough for every run of the suite.
fn cases(without: u32) -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(without)
}

#[test]
fn a_block_is_there_as_a_whole_or_not_at_all() {
    let texts: SymbolTable = ["a", "b"].into_iter().collect();
    let symbols = Arc::new(texts);
    let parent = Path::new("/blocks");
    let id = BlockId::new(3, 4);
    let write = |disk: &SimFs| -> Result<(), Box<dyn std::error::Error>> {
        let fs: Arc<dyn Fs> = Arc::new(disk.clone());
        let mut writer = BlockWriter::create(fs, parent, id, Arc::clone(&symbols))?;
        let data = encode(&[(1, 2), (3, 4)]);
        writer.add_series(
            &[(0, 1)],
            &[ChunkData { min_time: 1, max_time: 3, encoding: Encoding::Xor, data: &data }],
        )?;
        writer.finish(BlockMeta::new(id, 0, 10), &Tombstones::default())?;
        Ok(())
    };
    let operations = {
        let disk = SimFs::new();
        disk.create_dir_all(parent).unwrap();
        let before = disk.operations();
        write(&disk).unwrap();
        disk.operations() - before
    };
    assert!(operations > 10);
    for dies_at in 0..=operations {
        for seed in 0..8 {
            let disk = SimFs::new();
            disk.create_dir_all(parent).unwrap();
            disk.sync_dir(Path::new("/")).unwrap();
            disk.kill_at(disk.operations() + dies_at);
            let written = write(&disk).is_ok();
            disk.crash(seed);
            let folder = parent.join(id.to_string());
            let is_there = disk.stat(&folder).is_ok();
            assert!(is_there || !written, "acknowledged and gone: operation {dies_at}, seed {seed}");
            if is_there {
                let block = BlockReader::open(&disk, &folder);
                let block = block.unwrap_or_else(|error| panic!("operation {dies_at}, seed {seed}: {error}"));
                assert_eq!(read(&block).unwrap().len(), 1);
            }
        }
    }
}
