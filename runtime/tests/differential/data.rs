//! Random series: counters with resets, gauges with everything a float can be, classic histograms, series with gaps and ends.

use std::path::Path;
use std::sync::Arc;

use tsdb::BlockId;
use tsdb::block::{BlockMeta, BlockWriter, ChunkData, Tombstones};
use tsdb::chunk::{Encoding, XorAppender};
use tsdb::fs::RealFs;
use tsdb::index::SymbolTableBuilder;

/// The start of the data, milliseconds since the epoch: 2024-01-01.
pub(super) const START: i64 = 1_704_067_200_000;
/// The length of the data, milliseconds; one block.
pub(super) const LENGTH: i64 = 2 * 3_600_000;

pub(super) struct Chance(u64);

impl Chance {
    pub(super) fn new(seed: u64) -> Self {
        Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x1234_5678_9abc_def1)
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound.max(1)
    }

    pub(super) fn one_in(&mut self, bound: u64) -> bool {
        self.below(bound) == 0
    }

    pub(super) fn pick<'a, T: ?Sized>(&mut self, items: &[&'a T]) -> &'a T {
        items[self.below(items.len() as u64) as usize]
    }
}

struct Series {
    labels: Vec<(String, String)>,
    samples: Vec<(i64, f64)>,
}

/// Some of the samples, as one block.
pub(super) struct Part<'a> {
    /// Tells the ID of the block from those of other parts.
    pub(super) number: u128,
    /// A label that all series get; empty for none.
    pub(super) cluster: &'a str,
    /// Which series, by their numbers.
    pub(super) has: &'a dyn Fn(usize) -> bool,
    /// From which time to before which, milliseconds since the epoch.
    pub(super) times: (i64, i64),
}

impl Part<'_> {
    /// All there is.
    pub(super) const ALL: Part<'static> =
        Part { number: 7, cluster: "", has: &|_| true, times: (START, START + LENGTH) };
}

/// Writes series as one block; gives its ID. A part has of each series the same samples as the whole.
pub(super) fn write(seed: u64, folder: &Path, part: &Part<'_>) -> BlockId {
    let mut chance = Chance::new(seed);
    let mut all = series(&mut chance);
    let (from, to) = part.times;
    for (number, series) in all.iter_mut().enumerate() {
        series.samples.retain(|(time, _)| (from..to).contains(time) && (part.has)(number));
        if !part.cluster.is_empty() {
            series.labels.push(("cluster".to_owned(), part.cluster.to_owned()));
            series.labels.sort();
        }
    }
    all.retain(|series| !series.samples.is_empty());
    all.sort_by(|a, b| a.labels.cmp(&b.labels));
    let mut builder = SymbolTableBuilder::default();
    let numbers: Vec<Vec<(u32, u32)>> = all
        .iter()
        .map(|series| {
            series.labels.iter().map(|(name, value)| (builder.add(name), builder.add(value))).collect()
        })
        .collect();
    let (table, symbols) = builder.build();
    let id = BlockId::new(to as u64, part.number);
    let mut writer = BlockWriter::create(Arc::new(RealFs), folder, id, Arc::new(table)).expect("a block");
    for (series, labels) in all.iter().zip(numbers) {
        let labels: Vec<(u32, u32)> = labels
            .into_iter()
            .map(|(name, value)| (symbols[name as usize], symbols[value as usize]))
            .collect();
        let chunks: Vec<(i64, i64, Vec<u8>)> = series
            .samples
            .chunks(120)
            .map(|samples| {
                let mut appender = XorAppender::new();
                samples.iter().for_each(|(time, value)| assert!(appender.append(*time, *value)));
                (samples[0].0, samples[samples.len() - 1].0, appender.into_bytes())
            })
            .collect();
        let chunks: Vec<ChunkData<'_>> = chunks
            .iter()
            .map(|(min_time, max_time, data)| ChunkData {
                min_time: *min_time,
                max_time: *max_time,
                encoding: Encoding::Xor,
                data,
            })
            .collect();
        writer.add_series(&labels, &chunks).expect("a series");
    }
    writer.finish(BlockMeta::new(id, from, to), &Tombstones::default()).expect("a block");
    id
}

fn series(chance: &mut Chance) -> Vec<Series> {
    let mut all = Vec::new();
    for job in ["api", "db"] {
        for instance in ["a:1", "b:2", "c:3"] {
            let base = |name: &str| {
                vec![
                    ("__name__".to_owned(), name.to_owned()),
                    ("instance".to_owned(), instance.to_owned()),
                    ("job".to_owned(), job.to_owned()),
                ]
            };
            for code in ["200", "404", "500"] {
                let mut labels = base("requests_total");
                labels.push(("code".to_owned(), code.to_owned()));
                all.push(Series { labels, samples: counter(chance) });
            }
            all.push(Series { labels: base("temperature"), samples: gauge(chance) });
            all.push(Series { labels: base("odd"), samples: odd(chance) });
            all.push(Series { labels: base("memory_bytes"), samples: gauge(chance) });
            if chance.below(3) > 0 {
                all.push(Series { labels: base("up"), samples: up(chance) });
            }
            buckets(chance, &base("duration_seconds_bucket"), &mut all);
        }
        let labels =
            [("__name__", "build_info"), ("job", job), ("version", if job == "api" { "1.2" } else { "2.0" })];
        let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        all.push(Series {
            labels,
            samples: times(chance, 30_000).into_iter().map(|time| (time, 1.0)).collect(),
        });
    }
    for series in &mut all {
        series.labels.sort();
    }
    all
}

/// Scrape times with gaps, jitter, an early end or a late start. Never a whole second: see the module.
fn times(chance: &mut Chance, interval: i64) -> Vec<i64> {
    let first = if chance.one_in(5) { chance.below(LENGTH as u64 / 2) as i64 } else { 0 };
    let last = if chance.one_in(5) { chance.below(LENGTH as u64) as i64 } else { LENGTH };
    let offset = 1000 * chance.below(interval as u64 / 1000) as i64;
    let mut times = Vec::new();
    let mut gap_until = 0;
    for scrape in 0..LENGTH / interval {
        let time = scrape * interval + offset + 137 + chance.below(300) as i64;
        if chance.one_in(150) {
            gap_until = time + chance.below(900_000) as i64;
        }
        if time >= first && time < last.min(LENGTH) && time >= gap_until && !chance.one_in(40) {
            times.push(START + time);
        }
    }
    if times.is_empty() {
        times.push(START + LENGTH / 2 + 137);
    }
    times
}

/// Whole numbers far from zero, so that rates do not depend on where zero is.
fn counter(chance: &mut Chance) -> Vec<(i64, f64)> {
    let mut value = 2_000_000 + chance.below(1000);
    let speed = 1 + chance.below(200);
    let interval = [15_000, 30_000, 60_000][chance.below(3) as usize];
    let samples = times(chance, interval).into_iter().map(|time| {
        value =
            if chance.one_in(100) { 1_000_000 + chance.below(100_000) } else { value + chance.below(speed) };
        (time, value as f64)
    });
    let mut samples: Vec<(i64, f64)> = samples.collect();
    end(chance, &mut samples);
    samples
}

fn gauge(chance: &mut Chance) -> Vec<(i64, f64)> {
    let mut value = chance.below(1000) as f64 / 8.0;
    let mut samples: Vec<(i64, f64)> = times(chance, 15_000)
        .into_iter()
        .map(|time| {
            value += (chance.below(41) as f64 - 20.0) / 16.0;
            (time, value)
        })
        .collect();
    end(chance, &mut samples);
    samples
}

/// Everything that a float can be.
fn odd(chance: &mut Chance) -> Vec<(i64, f64)> {
    let all = [
        0.0,
        -0.0,
        1.0,
        -1.0,
        0.1,
        1e300,
        -1e300,
        5e-324,
        1e-310,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::NAN,
        42.0,
        1e15,
        123_456_789.125,
        1e21,
        1e-7,
    ];
    times(chance, 30_000)
        .into_iter()
        .map(|time| (time, all[chance.below(all.len() as u64) as usize]))
        .collect()
}

fn up(chance: &mut Chance) -> Vec<(i64, f64)> {
    times(chance, 15_000).into_iter().map(|time| (time, f64::from(u8::from(!chance.one_in(10))))).collect()
}

/// Some series end, and say so.
fn end(chance: &mut Chance, samples: &mut Vec<(i64, f64)>) {
    if chance.one_in(4)
        && let Some((last, _)) = samples.last()
    {
        samples.push((last + 1001, f64::from_bits(0x7ff0_0000_0000_0002)));
    }
}

fn buckets(chance: &mut Chance, labels: &[(String, String)], all: &mut Vec<Series>) {
    let bounds = ["0.1", "0.5", "1", "2.5", "+Inf"];
    let times = times(chance, 30_000);
    let mut counts = [1_000_000_u64; 5];
    let mut columns: Vec<Vec<(i64, f64)>> = vec![Vec::new(); bounds.len()];
    for time in times {
        for count in &mut counts {
            *count += chance.below(6);
        }
        let mut sum = 0;
        for (column, count) in columns.iter_mut().zip(counts) {
            sum += count;
            column.push((time, sum as f64));
        }
    }
    for (bound, samples) in bounds.into_iter().zip(columns) {
        let mut labels = labels.to_vec();
        labels.push(("le".to_owned(), bound.to_owned()));
        all.push(Series { labels, samples });
    }
}
