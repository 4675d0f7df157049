//! Series for the workloads, the same for the same seed, as blocks of two hours.

use std::path::Path;
use std::sync::Arc;

use prom_model::{Histogram, Span};
use tsdb::BlockId;
use tsdb::block::{BlockMeta, BlockWriter, ChunkData, Tombstones};
use tsdb::chunk::{Encoding, HistogramAppender, XorAppender};
use tsdb::fs::RealFs;
use tsdb::index::SymbolTableBuilder;

/// The beginning of the data.
pub(crate) const START: i64 = 1_704_067_200_000;
/// The first sample is not on a step, so that ranges that are closed or open at their start have the same samples.
pub(crate) const OFFSET: i64 = 7;
const BLOCK: i64 = 2 * 3_600_000;
const CHUNK_SAMPLES: usize = 120;

/// Series of one metric.
#[derive(Clone)]
pub(crate) struct Set {
    pub(crate) metric: &'static str,
    /// Labels of a series by its number, sorted by name, without the metric's.
    pub(crate) labels: fn(usize) -> Vec<(&'static str, String)>,
    pub(crate) series: usize,
    pub(crate) interval: i64,
    pub(crate) samples: usize,
    pub(crate) kind: Kind,
    /// Milliseconds from a step to the first sample: replicas of one target differ in it.
    pub(crate) offset: i64,
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    /// Of ten series one adds 0 to 199, two 0 to 19, four 1 in a quarter of the cases, three 1 in a fiftieth.
    Counter,
    /// Native histograms with 160 buckets.
    Histogram,
}

impl Set {
    /// Values of a counter, one per sample.
    pub(crate) fn values(&self, series: usize) -> impl Iterator<Item = (i64, f64)> + use<> {
        let (interval, samples, offset) = (self.interval, self.samples, self.offset);
        let mut chance = Chance::new(series as u64 + 1);
        let mut value = 0_u64;
        (0..samples).map(move |at| {
            value += match series % 10 {
                0 => chance.below(200),
                1 | 2 => chance.below(20),
                3..=6 => u64::from(chance.below(4) == 0),
                _ => u64::from(chance.below(50) == 0),
            };
            (START + offset + at as i64 * interval, value as f64)
        })
    }
}

struct Chance(u64);

impl Chance {
    fn new(seed: u64) -> Self {
        Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }
}

/// Writes a set as blocks into a folder; gives the number of samples.
pub(crate) fn write(set: &Set, folder: &Path) -> u64 {
    let mut builder = SymbolTableBuilder::default();
    let mut all: Vec<(usize, Vec<(&str, String)>)> = (0..set.series)
        .map(|series| {
            let mut labels = (set.labels)(series);
            labels.push(("__name__", set.metric.to_owned()));
            labels.sort();
            (series, labels)
        })
        .collect();
    all.sort_by(|a, b| a.1.cmp(&b.1));
    let numbers: Vec<Vec<(u32, u32)>> = all
        .iter()
        .map(|(_, labels)| {
            labels.iter().map(|(name, value)| (builder.add(name), builder.add(value))).collect()
        })
        .collect();
    let (table, symbols) = builder.build();
    let table = Arc::new(table);
    let span = set.interval * set.samples as i64;
    let blocks = (span + BLOCK - 1) / BLOCK;
    let number = set
        .metric
        .bytes()
        .fold(7_u128, |number, byte| number.wrapping_mul(31).wrapping_add(u128::from(byte)));
    for block in 0..blocks {
        let (from, to) = (START + block * BLOCK, START + (block + 1) * BLOCK);
        let id = BlockId::new(to as u64, number.wrapping_add(block as u128));
        let mut writer = BlockWriter::create(Arc::new(RealFs), folder, id, table.clone()).expect("a block");
        for ((series, _), labels) in all.iter().zip(&numbers) {
            let symbol = |at: u32| symbols.get(at as usize).copied().unwrap_or_default();
            let labels: Vec<(u32, u32)> =
                labels.iter().map(|(name, value)| (symbol(*name), symbol(*value))).collect();
            let chunks = match set.kind {
                Kind::Counter => float_chunks(set, *series, from, to),
                Kind::Histogram => histogram_chunks(set, *series, from, to),
            };
            let chunks: Vec<ChunkData<'_>> = chunks
                .iter()
                .map(|(min_time, max_time, encoding, data)| ChunkData {
                    min_time: *min_time,
                    max_time: *max_time,
                    encoding: *encoding,
                    data,
                })
                .collect();
            writer.add_series(&labels, &chunks).expect("a series");
        }
        writer.finish(BlockMeta::new(id, from, to), &Tombstones::default()).expect("a block");
    }
    (set.series * set.samples) as u64
}

type Chunk = (i64, i64, Encoding, Vec<u8>);

fn float_chunks(set: &Set, series: usize, from: i64, to: i64) -> Vec<Chunk> {
    let samples: Vec<(i64, f64)> = set.values(series).filter(|(time, _)| (from..to).contains(time)).collect();
    samples
        .chunks(CHUNK_SAMPLES)
        .filter_map(|samples| {
            let mut appender = XorAppender::new();
            for (time, value) in samples {
                appender.append(*time, *value);
            }
            Some((samples.first()?.0, samples.last()?.0, Encoding::Xor, appender.into_bytes()))
        })
        .collect()
}

fn histogram_chunks(set: &Set, series: usize, from: i64, to: i64) -> Vec<Chunk> {
    const BUCKETS: usize = 160;
    let mut chance = Chance::new(series as u64 + 1);
    let mut counts = vec![1_i64; BUCKETS];
    let mut samples = Vec::new();
    for at in 0..set.samples {
        for _ in 0..20 {
            if let Some(count) = counts.get_mut(chance.below(BUCKETS as u64) as usize) {
                *count += 1;
            }
        }
        let time = START + set.offset + at as i64 * set.interval;
        if !(from..to).contains(&time) {
            continue;
        }
        let total: i64 = counts.iter().sum();
        let mut before = 0;
        let deltas = counts.iter().map(|count| count - std::mem::replace(&mut before, *count)).collect();
        samples.push((
            time,
            Histogram {
                schema: 3,
                zero_threshold: 1e-128,
                count: total as u64,
                sum: total as f64 * 1.5,
                positive_spans: vec![Span { offset: -80, length: BUCKETS as u32 }],
                positive_buckets: deltas,
                ..Histogram::default()
            },
        ));
    }
    let mut before: Option<HistogramAppender> = None;
    samples
        .chunks(CHUNK_SAMPLES)
        .filter_map(|samples| {
            let (first, rest) = samples.split_first()?;
            let mut appender = HistogramAppender::begin(before.as_ref(), first.0, &first.1);
            for (time, histogram) in rest {
                appender.append(*time, histogram);
            }
            let bytes = appender.bytes().to_vec();
            before = Some(appender);
            Some((first.0, samples.last()?.0, Encoding::Histogram, bytes))
        })
        .collect()
}
