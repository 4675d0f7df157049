//! Random blocks of one group: gaps, replicas, blocks that overlap, histograms of all kinds, resets, stale markers, tombstones.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use prom_model::{CUSTOM_BUCKETS_SCHEMA, CounterResetHint, FloatHistogram, Histogram, STALE_NAN, Span};
use tsdb::BlockId;
use tsdb::block::{BlockMeta, BlockReader, BlockWriter, ChunkData, Interval, Tombstones};
use tsdb::chunk::{
    Appended, Columns, Encoding, FloatHistogramAppender, HistogramAppender, HistogramColumns, Order,
    XorAppender, decode_float_histograms, decode_floats, decode_histograms,
};
use tsdb::fs::Fs;
use tsdb::fs::sim::Chance;
use tsdb::index::SymbolTable;

pub(crate) const START: i64 = 1_704_067_200_000;
pub(crate) const HOUR: i64 = 3_600_000;

pub(crate) type Labels = Vec<(String, String)>;

/// A value of any kind.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    /// The bits of a float.
    Float(u64),
    Whole(Histogram),
    FloatHistogram(FloatHistogram),
}

/// A chunk and what is in it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Chunk {
    pub(crate) encoding: Encoding,
    pub(crate) data: Vec<u8>,
    pub(crate) samples: Vec<(i64, Value)>,
}

impl Chunk {
    pub(crate) fn times(&self) -> (i64, i64) {
        (self.samples[0].0, self.samples[self.samples.len() - 1].0)
    }

    fn borrowed(&self) -> ChunkData<'_> {
        let (min_time, max_time) = self.times();
        ChunkData { min_time, max_time, encoding: self.encoding, data: &self.data }
    }

    fn new(encoding: Encoding, data: Vec<u8>) -> Self {
        let samples = match encoding {
            Encoding::Xor => {
                let mut columns = Columns::default();
                decode_floats(encoding, &data, Order::Rising, &mut columns).unwrap();
                columns.iter().map(|(time, value)| (time, Value::Float(value.to_bits()))).collect()
            }
            Encoding::Histogram => {
                let mut columns = HistogramColumns::default();
                decode_histograms(encoding, &data, Order::Rising, &mut columns).unwrap();
                columns.iter().map(|(time, value)| (time, Value::Whole(value))).collect()
            }
            _ => {
                let mut columns = HistogramColumns::default();
                decode_float_histograms(encoding, &data, Order::Rising, &mut columns).unwrap();
                columns.iter().map(|(time, value)| (time, Value::FloatHistogram(value))).collect()
            }
        };
        Chunk { encoding, data, samples }
    }
}

/// Encodes samples: cut after `most` of them, where their kind changes, and where a histogram asks for it.
pub(crate) fn encode(samples: &[(i64, Value)], most: usize) -> Vec<Chunk> {
    let mut chunks = Vec::new();
    let mut open = Open::None;
    let mut taken = 0;
    for (time, value) in samples {
        let full = taken >= most;
        let next = match (&mut open, value) {
            (Open::Floats(chunk), Value::Float(bits)) if !full => {
                chunk.append(*time, f64::from_bits(*bits));
                None
            }
            (Open::Wholes(chunk), Value::Whole(value)) if !full => match chunk.append(*time, value) {
                Appended::Cut(next) => Some(Open::Wholes(*next)),
                _ => None,
            },
            (Open::FloatHistograms(chunk), Value::FloatHistogram(value)) if !full => {
                match chunk.append(*time, value) {
                    Appended::Cut(next) => Some(Open::FloatHistograms(*next)),
                    _ => None,
                }
            }
            (_, Value::Float(bits)) => {
                let mut chunk = XorAppender::new();
                chunk.append(*time, f64::from_bits(*bits));
                Some(Open::Floats(chunk))
            }
            (_, Value::Whole(value)) => Some(Open::Wholes(HistogramAppender::begin(None, *time, value))),
            (_, Value::FloatHistogram(value)) => {
                Some(Open::FloatHistograms(FloatHistogramAppender::begin(None, *time, value)))
            }
        };
        if let Some(next) = next {
            chunks.extend(std::mem::replace(&mut open, next).close());
            taken = 0;
        }
        taken += 1;
    }
    chunks.extend(open.close());
    chunks
}

enum Open {
    None,
    Floats(XorAppender),
    Wholes(HistogramAppender),
    FloatHistograms(FloatHistogramAppender),
}

impl Open {
    fn close(self) -> Option<Chunk> {
        match self {
            Open::None => None,
            Open::Floats(chunk) => Some(Chunk::new(Encoding::Xor, chunk.into_bytes())),
            Open::Wholes(chunk) => Some(Chunk::new(Encoding::Histogram, chunk.into_bytes())),
            Open::FloatHistograms(chunk) => Some(Chunk::new(Encoding::FloatHistogram, chunk.into_bytes())),
        }
    }
}

/// A block before it is written.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(crate) times: (i64, i64),
    pub(crate) series: BTreeMap<Labels, Vec<Chunk>>,
    pub(crate) deleted: BTreeMap<Labels, Vec<Interval>>,
}

/// What the values of a series are.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Counter,
    Gauge,
    Whole,
    GaugeHistogram,
    FloatHistogram,
    Custom,
    /// Floats and histograms in turn.
    Mixed,
}

const KINDS: [Kind; 7] = [
    Kind::Counter,
    Kind::Gauge,
    Kind::Whole,
    Kind::GaugeHistogram,
    Kind::FloatHistogram,
    Kind::Custom,
    Kind::Mixed,
];

/// One to four blocks; some are replicas of others, some the same, some go over the same hours as others.
pub(crate) fn sources(chance: &mut Chance) -> Vec<Source> {
    let step = [1_000, 15_000, 60_000, 300_000][chance.below(4) as usize];
    let mut sources: Vec<Source> = Vec::new();
    for _ in 0..1 + chance.below(4) {
        let copied = chance.below(8) == 0;
        if let Some(source) = sources.first().filter(|_| copied) {
            let mut copy = source.clone();
            copy.deleted.clear();
            sources.push(copy);
            continue;
        }
        let start = START + chance.below(4) as i64 * HOUR;
        let times = (start, start + (1 + chance.below(2) as i64) * HOUR);
        sources.push(source(times, step, chance));
    }
    sources
}

fn source(times: (i64, i64), step: i64, chance: &mut Chance) -> Source {
    let (offset, most) = (chance.below(7_000) as i64, 1 + chance.below(150) as usize);
    let mut source = Source { times, series: BTreeMap::new(), deleted: BTreeMap::new() };
    for (number, kind) in KINDS.iter().enumerate() {
        if chance.below(5) == 0 {
            continue;
        }
        let labels: Labels =
            [("__name__".to_owned(), format!("metric_{number}")), ("job".to_owned(), "a".to_owned())].into();
        let samples = samples(*kind, times, (offset, step), chance);
        if samples.is_empty() {
            continue;
        }
        if chance.below(6) == 0 {
            let mut tombstones = Vec::new();
            for _ in 0..1 + chance.below(3) {
                let min_time = times.0 + chance.below((times.1 - times.0) as u64) as i64;
                let max_time = min_time + chance.below(HOUR as u64) as i64;
                tombstones.push(Interval { min_time, max_time });
            }
            source.deleted.insert(labels.clone(), tombstones);
        }
        source.series.insert(labels, encode(&samples, most));
    }
    source
}

fn samples(kind: Kind, times: (i64, i64), scrapes: (i64, i64), chance: &mut Chance) -> Vec<(i64, Value)> {
    let (offset, step) = scrapes;
    let mut samples = Vec::new();
    let mut total = 1 + chance.below(100);
    let mut phase = 0;
    let mut time = times.0 + offset;
    let most = 1 + chance.below(300);
    while time < times.1 && (samples.len() as u64) < most {
        total = if chance.below(60) == 0 { 1 } else { total + chance.below(20) };
        let layout = (samples.len() / 40) as u32;
        let value = match kind {
            Kind::Counter => Value::Float((total as f64).to_bits()),
            Kind::Gauge => Value::Float(match chance.below(6) {
                0 => f64::NAN.to_bits(),
                1 => f64::INFINITY.to_bits(),
                2 => (-0.0f64).to_bits(),
                _ => chance.next_u64(),
            }),
            Kind::Whole => Value::Whole(histogram(total, layout, 3)),
            Kind::GaugeHistogram => {
                let mut gauge = histogram(1 + chance.below(50), chance.below(3) as u32, 1);
                gauge.counter_reset_hint = CounterResetHint::Gauge;
                Value::Whole(gauge)
            }
            Kind::FloatHistogram => Value::FloatHistogram(histogram(total, layout, 0).to_float()),
            Kind::Custom => Value::Whole(custom(total, layout)),
            Kind::Mixed => {
                phase += u64::from(chance.below(25) == 0);
                match phase % 3 {
                    0 => Value::Float((total as f64).to_bits()),
                    1 => Value::Whole(histogram(total, 0, 2)),
                    _ => Value::FloatHistogram(histogram(total, 1, 2).to_float()),
                }
            }
        };
        let value = match (chance.below(70), value) {
            (0, Value::Float(_)) => Value::Float(STALE_NAN.to_bits()),
            (0, Value::Whole(_)) => Value::Whole(Histogram::stale()),
            (0, Value::FloatHistogram(_)) => Value::FloatHistogram(FloatHistogram::stale()),
            (_, value) => value,
        };
        samples.push((time, value));
        let gap = if chance.below(30) == 0 { step * chance.below(20) as i64 } else { 0 };
        let jitter = if chance.below(8) == 0 { chance.below(step as u64 / 4) as i64 } else { 0 };
        // Scrapes come back to their rhythm, so that several blocks have samples of the same times.
        let rhythm = (time - times.0 - offset) / step * step + times.0 + offset;
        time = (rhythm + step + gap + jitter).max(time + 1);
    }
    samples
}

fn histogram(total: u64, layout: u32, schema: i32) -> Histogram {
    let spans = vec![Span { offset: 0, length: 2 + layout }, Span { offset: 3, length: 1 }];
    let mut before = 0;
    let counts = (0..u64::from(3 + layout)).map(|bucket| (total / (1 + bucket)) as i64);
    let buckets: Vec<i64> = counts.map(|count| count - std::mem::replace(&mut before, count)).collect();
    Histogram {
        schema,
        zero_threshold: 0.001,
        zero_count: total / 3,
        count: total * 4,
        sum: total as f64 * 1.5,
        positive_spans: spans,
        positive_buckets: buckets,
        negative_spans: vec![Span { offset: 1, length: 1 }],
        negative_buckets: vec![(total / 5) as i64],
        ..Histogram::default()
    }
}

fn custom(total: u64, layout: u32) -> Histogram {
    Histogram {
        schema: CUSTOM_BUCKETS_SCHEMA,
        count: total * 2,
        sum: total as f64,
        positive_spans: vec![Span { offset: 0, length: 3 }],
        positive_buckets: vec![total as i64, 0, 0],
        custom_values: if layout < 2 { vec![0.5, 1.0] } else { vec![0.25, 1.0] },
        ..Histogram::default()
    }
}

/// Writes a block.
pub(crate) fn write(fs: &Arc<dyn Fs>, parent: &Path, number: u64, source: &Source) -> BlockReader {
    let texts = source.series.keys().flatten().flat_map(|(name, value)| [name.as_str(), value.as_str()]);
    let symbols = Arc::new(texts.collect::<SymbolTable>());
    let id = BlockId::new(START as u64, number.into());
    let mut writer = BlockWriter::create(Arc::clone(fs), parent, id, Arc::clone(&symbols)).unwrap();
    let mut tombstones = Tombstones::default();
    for (labels, chunks) in &source.series {
        let symbol = |text: &str| symbols.find(text).unwrap();
        let pairs: Vec<(u32, u32)> =
            labels.iter().map(|(name, value)| (symbol(name), symbol(value))).collect();
        let chunks: Vec<ChunkData<'_>> = chunks.iter().map(Chunk::borrowed).collect();
        let reference = writer.add_series(&pairs, &chunks).unwrap();
        for interval in source.deleted.get(labels).into_iter().flatten() {
            tombstones.add(reference, *interval);
        }
    }
    let meta = BlockMeta::new(id, source.times.0, source.times.1);
    // A block without series is no block; its folder is not looked at then.
    writer.finish(meta, &tombstones).unwrap().unwrap();
    BlockReader::open(&**fs, &parent.join(id.to_string())).unwrap()
}

/// All that is in a block.
pub(crate) fn read(block: &BlockReader) -> BTreeMap<Labels, Vec<Chunk>> {
    let mut all = BTreeMap::new();
    let mut scan = block.scan().unwrap();
    while scan.next_series().unwrap().is_some() {
        let mut chunks = Vec::new();
        let mut at = 0;
        while let Some((meta, stored)) = scan.chunk_at(at).unwrap() {
            let chunk = Chunk::new(Encoding::from_u8(stored.encoding).unwrap(), stored.data.to_vec());
            assert_eq!(chunk.times(), (meta.min_time, meta.max_time));
            chunks.push(chunk);
            at += 1;
        }
        let labels = block.index().labels(scan.series()).unwrap();
        let labels = labels.iter().map(|label| (label.name.to_string(), label.value.to_string())).collect();
        assert!(all.insert(labels, chunks).is_none());
    }
    all
}
