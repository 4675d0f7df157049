//! Blocks of aggregates: whole chunks pass through; of windows that several blocks have one is taken with all its aggregates, and
//! counters count what the source counted.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use compact::Target;
use compact::merge::{Overlaps, merge};
use tsdb::BlockId;
use tsdb::block::{BlockMeta, BlockReader, BlockWriter, ChunkData, Interval, Tombstones};
use tsdb::chunk::{
    Aggregate, AggregateChunk, AggregateChunkBuilder, Columns, Encoding, Order, XorAppender, decode_floats,
};
use tsdb::fs::Fs;
use tsdb::fs::sim::{Chance, SimFs};
use tsdb::index::SymbolTable;

use super::world::START;

const WINDOW: i64 = 300_000;
const WINDOWS: usize = 600;

/// The times of the windows, and what a counter has there, with resets.
fn counter(chance: &mut Chance) -> Vec<f64> {
    let mut value = 1000.0;
    let next = |_| {
        value = if chance.below(40) == 0 { chance.below(5) as f64 } else { value + chance.below(50) as f64 };
        value
    };
    (0..WINDOWS).map(next).collect()
}

fn time(window: usize) -> i64 {
    START + (window as i64 + 1) * WINDOW - 1
}

/// Chunks of these windows; what they say shows the block they are from.
fn chunks(raw: &[f64], windows: &[usize], block: usize, most: usize) -> Vec<(i64, i64, Vec<u8>)> {
    let chunk = |windows: &[usize]| {
        let encode = |value: &dyn Fn(usize) -> f64| {
            let mut chunk = XorAppender::new();
            for window in windows {
                chunk.append(time(*window), value(*window));
            }
            chunk
        };
        let said =
            |aggregate: usize| move |window: usize| (block * 100_000 + aggregate * 10_000 + window) as f64;
        let mut counted = XorAppender::new();
        // The first raw sample of the first window: where it stands depends on whether the counter was reset in it.
        let first = windows[0];
        let earlier = if first > 0 { raw[first - 1] } else { raw[first] };
        let start = if raw[first] >= earlier { earlier } else { 0.0 };
        counted.append(time(first) - WINDOW / 2, start);
        let (mut total, mut before) = (start, Some(start));
        for window in windows {
            let value = raw[*window];
            total += match before {
                Some(before) if value >= before => value - before,
                _ => value,
            };
            before = Some(value);
            counted.append(time(*window), total);
        }
        let (first, last) = (windows[0], windows[windows.len() - 1]);
        counted.append(time(last), raw[last]);
        let mut builder = AggregateChunkBuilder::new();
        for (at, aggregate) in Aggregate::ALL.into_iter().take(4).enumerate() {
            assert!(builder.push(aggregate, Encoding::Xor, encode(&said(at)).bytes()));
        }
        assert!(builder.push(Aggregate::Counter, Encoding::Xor, counted.bytes()));
        (time(first), time(last), builder.into_bytes())
    };
    windows.chunks(most).map(chunk).collect()
}

/// The windows of a chunk: what its first four aggregates say of each, and its counter as it stands.
type Read = (BTreeMap<i64, Vec<f64>>, Vec<(i64, f64)>);

fn read(data: &[u8]) -> Read {
    let chunk = AggregateChunk::new(data).unwrap();
    let mut windows: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
    let mut counted = Vec::new();
    for (aggregate, part) in chunk.iter() {
        let mut columns = Columns::default();
        decode_floats(part.encoding, part.data, Order::Any, &mut columns).unwrap();
        if aggregate == Aggregate::Counter {
            counted.extend(columns.iter());
        } else {
            columns.iter().for_each(|(time, value)| windows.entry(time).or_default().push(value));
        }
    }
    (windows, counted)
}

/// What was counted from the first window to the last, as queries find it.
fn increase<'c>(counters: impl Iterator<Item = &'c [(i64, f64)]>) -> f64 {
    let (mut total, mut last): (f64, Option<(i64, f64)>) = (0.0, None);
    for (time, value) in counters.flatten() {
        total += match last {
            None => 0.0,
            Some((before, _)) if before == *time => 0.0,
            Some((_, before)) if *value >= before => *value - before,
            Some(_) => *value,
        };
        last = Some((*time, *value));
    }
    total
}

struct World {
    fs: Arc<dyn Fs>,
    blocks: Vec<BlockReader>,
}

const PARENT: &str = "/blocks";

impl World {
    fn new() -> Self {
        let disk = SimFs::new();
        disk.create_dir_all(Path::new(PARENT)).unwrap();
        World { fs: Arc::new(disk), blocks: Vec::new() }
    }

    fn add(&mut self, chunks: &[(i64, i64, Vec<u8>)], deleted: Option<Interval>) {
        let symbols = Arc::new(["__name__", "requests_total"].into_iter().collect::<SymbolTable>());
        let id = BlockId::new(START as u64, 1 + self.blocks.len() as u128);
        let parent = Path::new(PARENT);
        let mut writer = BlockWriter::create(Arc::clone(&self.fs), parent, id, symbols).unwrap();
        let data = chunks.iter().map(|(min_time, max_time, data)| ChunkData {
            min_time: *min_time,
            max_time: *max_time,
            encoding: Encoding::Aggregate,
            data,
        });
        let reference = writer.add_series(&[(0, 1)], &data.collect::<Vec<_>>()).unwrap();
        let mut tombstones = Tombstones::default();
        if let Some(deleted) = deleted {
            tombstones.add(reference, deleted);
        }
        let end = time(WINDOWS) + 1;
        writer.finish(BlockMeta::new(id, START, end), &tombstones).unwrap();
        self.blocks.push(BlockReader::open(&*self.fs, &parent.join(id.to_string())).unwrap());
    }

    /// The chunks of the merged block.
    fn merged(&self, overlaps: Overlaps) -> Vec<Vec<u8>> {
        let (id, parent) = (BlockId::new(START as u64, 99), Path::new(PARENT));
        let _ = self.fs.remove_dir_all(&parent.join(id.to_string()));
        let target = Target { fs: Arc::clone(&self.fs), parent, id, memory_bytes: 1 << 20 };
        let merged =
            merge(&self.blocks, overlaps, &target, BlockMeta::new(id, START, time(WINDOWS) + 1)).unwrap();
        merged.samples.balance().unwrap();
        let block = BlockReader::open(&*self.fs, &parent.join(id.to_string())).unwrap();
        let mut scan = block.scan().unwrap();
        scan.next_series().unwrap().unwrap();
        let (mut all, mut at) = (Vec::new(), 0);
        while let Some((_, stored)) = scan.chunk_at(at).unwrap() {
            assert_eq!(stored.encoding, 0xff);
            all.push(stored.data.to_vec());
            at += 1;
        }
        all
    }
}

fn windows(range: std::ops::Range<usize>, gaps: bool, chance: &mut Chance) -> Vec<usize> {
    range.filter(|_| !gaps || chance.below(30) != 0).collect()
}

#[test]
fn aggregates_of_one_window_come_from_one_block_and_counters_count_on() {
    for seed in 0..40 {
        let mut chance = Chance::new(seed);
        let raw = counter(&mut chance);
        let mut world = World::new();
        let mut expected: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
        for block in 0..2 + chance.below(2) as usize {
            let start = if block == 0 { 0 } else { chance.below(300) as usize };
            let end = if block == 1 { WINDOWS } else { 300 + chance.below(300) as usize };
            let gaps = block > 1 && seed % 2 == 1;
            let windows = windows(start..end, gaps, &mut chance);
            world.add(&chunks(&raw, &windows, block, 20 + chance.below(140) as usize), None);
            for window in windows {
                expected.entry(time(window)).or_default().push(block);
            }
        }
        for overlaps in [Overlaps::OneToOne, Overlaps::Penalty] {
            let merged: Vec<Read> = world.merged(overlaps).iter().map(|data| read(data)).collect();
            let mut found = 0;
            for (windows, counted) in &merged {
                for (time, said) in windows {
                    let window = (time - START) / WINDOW;
                    let block = (said[0] as usize) / 100_000;
                    assert!(expected[time].contains(&block), "seed {seed}: {time} of {block}");
                    let value =
                        |aggregate: usize| (block * 100_000 + aggregate * 10_000) as f64 + window as f64;
                    assert_eq!(*said, [value(0), value(1), value(2), value(3)], "seed {seed}: {time}");
                }
                found += windows.len();
                let times: Vec<i64> = windows.keys().copied().collect();
                let repeated: Vec<i64> = times.iter().chain(times.last()).copied().collect();
                let counted: Vec<i64> = counted.iter().map(|(time, _)| *time).collect();
                // A raw value may stand at the start, and stands there where a chunk of a source begins.
                assert!(counted.ends_with(&repeated) && counted.len() <= repeated.len() + 1, "seed {seed}");
            }
            if overlaps == Overlaps::OneToOne {
                assert_eq!(found, expected.len(), "seed {seed}");
                let truth: Vec<(i64, f64)> =
                    raw.iter().enumerate().map(|(window, value)| (time(window), *value)).collect();
                let counted = increase(merged.iter().map(|(_, counted)| counted.as_slice()));
                let truth = increase([truth.as_slice()].into_iter());
                // A block that has gaps does not see all resets.
                let least = if seed % 2 == 1 { truth * 0.95 } else { truth };
                assert!(least <= counted && counted <= truth, "seed {seed}: {counted} of {truth}");
                let end = merged.last().and_then(|(_, counted)| counted.last()).unwrap();
                assert_eq!(*end, (time(WINDOWS - 1), raw[WINDOWS - 1]), "seed {seed}");
            }
        }
    }
}

#[test]
fn chunks_that_do_not_overlap_pass_as_they_are_and_deleted_windows_go() {
    let mut chance = Chance::new(1);
    let raw = counter(&mut chance);
    let (first, second): (Vec<usize>, Vec<usize>) = (0..WINDOWS).partition(|window| *window < 300);
    let (first, second) = (chunks(&raw, &first, 0, 140), chunks(&raw, &second, 1, 140));
    let mut world = World::new();
    world.add(&second, None);
    world.add(&first, None);
    let expected: Vec<Vec<u8>> = first.iter().chain(&second).map(|(_, _, data)| data.clone()).collect();
    assert_eq!(world.merged(Overlaps::OneToOne), expected);

    let mut world = World::new();
    world.add(&first, Some(Interval { min_time: time(10), max_time: time(19) }));
    let merged = world.merged(Overlaps::OneToOne);
    let (windows, counted) = read(&merged[0]);
    let left: Vec<i64> = (0..140).filter(|window| !(10..20).contains(window)).map(time).collect();
    assert!(windows.keys().eq(&left));
    assert_eq!((counted[0].0, counted.last().unwrap().1), (time(0) - WINDOW / 2, raw[139]));
    assert_eq!(counted.len(), left.len() + 2);
    assert_eq!(merged[1..], expected[1..3]);
}
