//! Random blocks: the chunks are those of the reference; and what queries ask of the windows, is what they ask of the raw samples.
//!
//! `PRONOIA_DOWNSAMPLE_SETS` is the number of blocks, 60 when it is not set; `PRONOIA_DOWNSAMPLE_SEED` is the first seed.
#![expect(clippy::disallowed_methods, reason = "the environment says how many sets there are")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use compact::Target;
use compact::downsample::downsample;
use prom_model::is_stale;
use tsdb::BlockId;
use tsdb::block::{
    BlockFiles, BlockMeta, BlockReader, BlockWriter, ChunkData, Examination, Interval, Tombstones, examine,
};
use tsdb::chunk::{
    Aggregate, AggregateChunk, Columns, CounterReset, Encoding, HistogramColumns, Order, SubChunk,
    counter_reset, decode_float_histograms, decode_floats,
};
use tsdb::fs::Fs;
use tsdb::fs::sim::{Chance, SimFs};
use tsdb::index::SymbolTable;
use tsdb::stored::StoredFile;

use super::generated::{self, Chunk};
use super::reference::{self, Column, Dense, Source, Value, Windows, dense, read_counters};

const FIVE_MINUTES: i64 = 300_000;
const HOUR: i64 = 3_600_000;

fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).map_or(otherwise, |text| text.parse().expect("a number"))
}

#[test]
fn random_blocks_become_what_the_reference_says() {
    let (sets, first) = (number("PRONOIA_DOWNSAMPLE_SETS", 60), number("PRONOIA_DOWNSAMPLE_SEED", 1));
    let (mut chunks, mut samples) = (0, 0);
    for seed in first..first + sets {
        let (of_chunks, of_samples) = one_set(seed);
        chunks += of_chunks;
        samples += of_samples;
    }
    eprintln(&format!("{sets} sets as the reference: {samples} raw samples, {chunks} chunks of windows"));
}

#[expect(clippy::print_stderr, reason = "the figures are what a long run is for")]
fn eprintln(text: &str) {
    eprintln!("{text}");
}

/// One block; gives how many chunks were compared and of how many raw samples they were made.
fn one_set(seed: u64) -> (usize, usize) {
    let mut chance = Chance::new(seed);
    let count = 1 + chance.below(4) as usize;
    let all: Vec<Vec<Chunk>> = (0..count).map(|_| generated::series(&mut chance)).collect();
    let disk: Arc<dyn Fs> = Arc::new(SimFs::new());
    let folder = Path::new("/blocks");
    disk.create_dir_all(folder).unwrap();
    let with_tombstones = chance.below(4) == 0;
    let (raw, deleted) = write(&disk, folder, &all, with_tombstones.then_some(&mut chance));
    let five = make(&disk, folder, &raw, 0, FIVE_MINUTES, 2);
    let hour = five.as_ref().and_then(|five| make(&disk, folder, five, FIVE_MINUTES, HOUR, 3));
    let found_five = five.as_ref().map_or_else(BTreeMap::new, read);
    let found_hour = hour.as_ref().map_or_else(BTreeMap::new, read);
    let (mut chunks, mut samples) = (0, 0);
    for (number, (source, deleted)) in all.iter().zip(&deleted).enumerate() {
        let kept: Vec<Source> = source.iter().map(|chunk| without(&chunk.source, deleted)).collect();
        let kept: Vec<Source> = kept.into_iter().filter(|chunk| !chunk.samples.is_empty()).collect();
        let expected_five = reference::raw(&kept, FIVE_MINUTES);
        let nothing = Vec::new();
        let five = found_five.get(&number).unwrap_or(&nothing);
        assert_same(&expected_five, five, &format!("seed {seed}, series {number}, 5m"));
        let expected_hour = reference::wider(&expected_five, FIVE_MINUTES, HOUR);
        let hour = found_hour.get(&number).unwrap_or(&nothing);
        assert_same(&expected_hour, hour, &format!("seed {seed}, series {number}, 1h"));
        for (windows, length) in [(five, FIVE_MINUTES), (hour, HOUR)] {
            assert_truth(&kept, windows, length, &format!("seed {seed}, series {number}, {length} ms"));
        }
        chunks += five.len() + hour.len();
        samples += kept.iter().map(|chunk| chunk.samples.len()).sum::<usize>();
    }
    (chunks, samples)
}

/// A chunk without what was deleted. Readers know the same of its samples as before.
fn without(chunk: &Source, deleted: &[Interval]) -> Source {
    let is_kept = |time: i64| !deleted.iter().any(|interval| interval.contains(time));
    Source {
        floats: chunk.floats,
        samples: chunk.samples.iter().filter(|(time, _)| is_kept(*time)).cloned().collect(),
    }
}

type Deleted = Vec<Vec<Interval>>;

fn write(
    disk: &Arc<dyn Fs>,
    folder: &Path,
    all: &[Vec<Chunk>],
    chance: Option<&mut Chance>,
) -> (BlockReader, Deleted) {
    let names: Vec<String> = (0..all.len()).map(|number| format!("s{number}")).collect();
    let symbols: SymbolTable = names.iter().map(String::as_str).chain(["__name__"]).collect();
    let symbols = Arc::new(symbols);
    let symbol = |text: &str| symbols.find(text).unwrap();
    let id = BlockId::new(1, 1);
    let mut writer = BlockWriter::create(Arc::clone(disk), folder, id, Arc::clone(&symbols)).unwrap();
    let mut tombstones = Tombstones::default();
    let mut deleted = vec![Vec::new(); all.len()];
    let (mut first, mut last) = (i64::MAX, i64::MIN);
    let mut chance = chance;
    for (number, chunks) in all.iter().enumerate() {
        let data: Vec<ChunkData<'_>> = chunks
            .iter()
            .map(|chunk| {
                let (min_time, max_time) = chunk.times();
                (first, last) = (first.min(min_time), last.max(max_time));
                ChunkData { min_time, max_time, encoding: chunk.encoding, data: &chunk.data }
            })
            .collect();
        let labels = [(symbol("__name__"), symbol(&names[number]))];
        let reference = writer.add_series(&labels, &data).unwrap();
        if let Some(chance) = chance.as_deref_mut() {
            let (start, end) = (chunks[0].times().0, chunks[chunks.len() - 1].times().1);
            for _ in 0..chance.below(4) {
                let min_time = start + chance.below((end - start) as u64 + 1) as i64;
                let max_time = min_time + chance.below((end - start) as u64 / 3 + 1) as i64;
                tombstones.add(reference, Interval { min_time, max_time });
            }
            deleted[number] = tombstones.of(reference).to_vec();
        }
    }
    writer.finish(BlockMeta::new(id, first, last + 1), &tombstones).unwrap().unwrap();
    (BlockReader::open(disk.as_ref(), &folder.join(id.to_string())).unwrap(), deleted)
}

/// Downsamples a block; what was made passes every check.
fn make(
    disk: &Arc<dyn Fs>,
    folder: &Path,
    source: &BlockReader,
    from: i64,
    to: i64,
    id: u64,
) -> Option<BlockReader> {
    let id = BlockId::new(id, 1);
    let target = Target { fs: Arc::clone(disk), parent: folder, id, memory_bytes: 1 << 20 };
    let made = downsample(source, from, to, &target, source.meta().clone()).unwrap()?;
    let folder = folder.join(id.to_string());
    let examined = examined(disk, &folder, source.meta().min_time, source.meta().max_time);
    assert!(examined.problems.is_empty(), "{:?}", examined.problems);
    assert_eq!(examined.counts.samples, made.written.meta.stats.num_samples);
    assert_eq!(examined.counts.chunks, made.written.meta.stats.num_chunks);
    Some(BlockReader::open(disk.as_ref(), &folder).unwrap())
}

/// What every check says of a block.
pub(super) fn examined(disk: &Arc<dyn Fs>, folder: &Path, min_time: i64, max_time: i64) -> Examination {
    let open = |name: &str| Some(StoredFile::new(name, disk.open(&folder.join(name)).ok()?));
    let segments = open("chunks/000001").into_iter().collect();
    let files = BlockFiles { index: open("index"), segments, tombstones: open("tombstones") };
    examine(&files, min_time, max_time)
}

/// The chunks of each series by its number.
fn read(block: &BlockReader) -> BTreeMap<usize, Vec<Windows>> {
    let mut scan = block.scan().unwrap();
    let mut all = BTreeMap::new();
    while scan.next_series().unwrap().is_some() {
        let name = block.index().labels(scan.series()).unwrap();
        let number = name.get("__name__").unwrap()[1..].parse().unwrap();
        let (mut chunks, mut at) = (Vec::new(), 0);
        while let Some((meta, stored)) = scan.chunk_at(at).unwrap() {
            assert_eq!(stored.encoding, Encoding::Aggregate.as_u8());
            let windows = windows(&AggregateChunk::new(stored.data).unwrap());
            let (Windows::Floats { count, .. } | Windows::Histograms { count, .. }) = &windows;
            assert_eq!((meta.min_time, meta.max_time), (count[0].0, count[count.len() - 1].0), "{name}");
            chunks.push(windows);
            at += 1;
        }
        all.insert(number, chunks);
    }
    all
}

fn windows(chunk: &AggregateChunk<'_>) -> Windows {
    let floats = |aggregate| chunk.get(aggregate).map_or_else(Vec::new, column);
    let count = floats(Aggregate::Count);
    match chunk.get(Aggregate::Counter) {
        Some(counter) if counter.encoding.is_histogram() => {
            let sum = chunk.get(Aggregate::Sum).unwrap();
            let reset = |chunk: SubChunk<'_>| counter_reset(chunk.encoding, chunk.data).unwrap().unwrap();
            assert_eq!(reset(sum), CounterReset::Gauge, "a sum may fall");
            let gauge = reset(counter) == CounterReset::Gauge;
            assert!(gauge || reset(counter) == CounterReset::NotReset, "{:?}", reset(counter));
            assert_eq!((chunk.get(Aggregate::Min), chunk.get(Aggregate::Max)), (None, None));
            Windows::Histograms { gauge, count, sum: histograms(sum), counter: histograms(counter) }
        }
        _ => Windows::Floats {
            count,
            sum: floats(Aggregate::Sum),
            min: floats(Aggregate::Min),
            max: floats(Aggregate::Max),
            counter: floats(Aggregate::Counter),
        },
    }
}

fn column(chunk: SubChunk<'_>) -> Column {
    let mut columns = Columns::default();
    decode_floats(chunk.encoding, chunk.data, Order::Any, &mut columns).unwrap();
    columns.iter().map(|(time, value)| (time, value.to_bits())).collect()
}

fn histograms(chunk: SubChunk<'_>) -> Vec<(i64, Dense)> {
    let mut columns = HistogramColumns::default();
    decode_float_histograms(chunk.encoding, chunk.data, Order::Rising, &mut columns).unwrap();
    columns.iter().map(|(time, histogram)| (time, dense(&histogram))).collect()
}

fn assert_same(expected: &[Windows], found: &[Windows], what: &str) {
    for (at, (expected, found)) in expected.iter().zip(found).enumerate() {
        if expected == found || same_but_for_payloads(expected, found) {
            continue;
        }
        let (expected, found) = (format!("{expected:?}"), format!("{found:?}"));
        let from = expected
            .bytes()
            .zip(found.bytes())
            .take_while(|(one, other)| one == other)
            .count()
            .saturating_sub(300);
        let part = |text: &str| text.get(from..).unwrap_or("").chars().take(700).collect::<String>();
        panic!("{what}, chunk {at}, from byte {from}:\n  {}\n  {}", part(&expected), part(&found));
    }
    assert_eq!(expected.len(), found.len(), "{what}: chunks");
}

/// The sign and the payload of a NaN that comes of an addition are the processor's affair.
fn same_but_for_payloads(expected: &Windows, found: &Windows) -> bool {
    let plain = |column: &Column| -> Column {
        let bits = |bits: u64| if f64::from_bits(bits).is_nan() { f64::NAN.to_bits() } else { bits };
        column.iter().map(|(time, value)| (*time, bits(*value))).collect()
    };
    let columns = |windows: &Windows| match windows {
        Windows::Floats { count, sum, min, max, counter } => Some([count, sum, min, max, counter].map(plain)),
        Windows::Histograms { .. } => None,
    };
    columns(expected).is_some() && columns(expected) == columns(found)
}

/// What aggregations over time and `increase` ask of the windows of floats: over whole windows the answer is that of the samples.
fn assert_truth(raw: &[Source], chunks: &[Windows], length: i64, what: &str) {
    let samples: Vec<(i64, f64)> = raw
        .iter()
        .filter(|chunk| chunk.floats)
        .flat_map(|chunk| &chunk.samples)
        .filter_map(|(time, value)| match value {
            Value::Float(value) if !value.is_nan() && !is_stale(*value) => Some((*time, *value)),
            _ => None,
        })
        .collect();
    let window = |time: i64| time.div_euclid(length);
    let mut expected: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
    for (time, value) in &samples {
        expected.entry(window(*time)).or_default().push(*value);
    }
    let mut found: BTreeMap<i64, [Vec<f64>; 4]> = BTreeMap::new();
    for chunk in chunks {
        let Windows::Floats { count, sum, min, max, .. } = chunk else { continue };
        for (which, column) in [count, sum, min, max].into_iter().enumerate() {
            for (time, bits) in column {
                found.entry(window(*time)).or_default()[which].push(f64::from_bits(*bits));
            }
        }
    }
    assert!(expected.keys().eq(found.keys()), "{what}: windows");
    for (window, values) in &expected {
        let [count, sum, min, max] = &found[window];
        assert_eq!(count.iter().sum::<f64>(), values.len() as f64, "{what}: count_over_time");
        if values.iter().all(|value| value.abs() < 1e100) {
            let (whole, parts) = (values.iter().sum::<f64>(), sum.iter().sum::<f64>());
            let scale = values.iter().map(|value| value.abs()).sum::<f64>();
            assert!((whole - parts).abs() <= 1e-12 * scale, "{what}: sum_over_time {whole} {parts}");
            let least = |values: &[f64]| values.iter().copied().fold(f64::INFINITY, f64::min);
            let most = |values: &[f64]| values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            assert_eq!((least(values), most(values)), (least(min), most(max)), "{what}: min and max");
        }
    }
    let tame = samples.iter().all(|(_, value)| (0.0..1e100).contains(value));
    if tame && chunks.iter().all(|chunk| matches!(chunk, Windows::Floats { .. })) {
        let (counters, _) = read_counters(chunks);
        let mut grown = vec![0.0];
        for pair in samples.windows(2) {
            let by = if pair[1].1 < pair[0].1 { pair[1].1 } else { pair[1].1 - pair[0].1 };
            grown.push(grown[grown.len() - 1] + by);
        }
        for (time, total) in counters {
            let until = samples.partition_point(|(other, _)| *other <= time);
            let (grown, found) = (grown[until - 1], total - samples[0].1);
            assert!(
                (grown - found).abs() <= 1e-9 * grown.max(1.0),
                "{what}: increase until {time}: {grown} {found}"
            );
        }
    }
}
