//! Random series of random replicas, as chunks and as samples.

use prom_model::{FloatHistogram, STALE_NAN, Span};
use query::{Content, Encoded, Piece};
use tsdb::chunk::{Appended, Encoding, FloatHistogramAppender, XorAppender};

use super::iterators::Value;

/// Numbers that are the same in each run.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }

    pub(crate) fn one_in(&mut self, chances: u64) -> bool {
        self.below(chances) == 0
    }
}

/// One chunk both ways.
#[derive(Debug, Clone)]
pub(crate) struct Chunk {
    pub(crate) samples: Vec<(i64, Value)>,
    encoding: Encoding,
    data: Vec<u8>,
}

impl Chunk {
    fn new(samples: Vec<(i64, Value)>) -> Self {
        if let Some((time, Value::Histogram(first))) = samples.first().copied() {
            let mut appender = FloatHistogramAppender::begin(None, time, &histogram(first));
            for (time, value) in &samples[1..] {
                let Value::Histogram(number) = value else { unreachable!() };
                assert!(matches!(appender.append(*time, &histogram(*number)), Appended::Inside));
            }
            return Chunk { samples, encoding: Encoding::FloatHistogram, data: appender.into_bytes() };
        }
        let mut appender = XorAppender::new();
        for (time, value) in &samples {
            let Value::Float(value) = value else { unreachable!() };
            appender.append(*time, *value);
        }
        Chunk { samples, encoding: Encoding::Xor, data: appender.into_bytes() }
    }

    pub(crate) fn times(&self) -> (i64, i64) {
        let times = self.samples.iter().map(|(time, _)| *time);
        (times.clone().min().unwrap(), times.max().unwrap())
    }

    pub(crate) fn piece(&self) -> Piece<'_> {
        let (min_time, max_time) = self.times();
        let encoded = Encoded { encoding: Some(self.encoding), data: &self.data };
        Piece { min_time, max_time, is_raw: false, content: Content::Column(encoded) }
    }
}

fn histogram(number: i64) -> FloatHistogram {
    FloatHistogram {
        count: number as f64,
        sum: number as f64,
        positive_spans: vec![Span { offset: 0, length: 1 }],
        positive_buckets: vec![number as f64],
        ..FloatHistogram::default()
    }
}

/// The shape of a set of replicas.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) replicas: u64,
    pub(crate) counter: bool,
    /// Whether chunks may hold histograms.
    pub(crate) histograms: bool,
    /// Whether chunks of counters end with the last time once more.
    pub(crate) repeats_last: bool,
    /// Whether chunks are long and hardly any distance between samples is unlike the one before.
    pub(crate) calm: bool,
}

/// What several replicas have of one series, in the order of the chunks' times.
pub(crate) fn replicas(random: &mut Random, shape: Shape) -> Vec<Chunk> {
    let interval = [1000, 5000, 15_000, 60_000, 300_000][random.below(5) as usize];
    let mut chunks = Vec::new();
    // All replicas see the same target.
    let resets_every = 1 + random.below(40);
    for _ in 0..shape.replicas {
        let mut time = 1_700_000_000_000 + random.below(interval as u64 * 2) as i64;
        let mut value = random.below(50) as f64;
        let mut number = 1 + random.below(3) as i64;
        for _ in 0..1 + random.below(4) {
            let histograms = shape.histograms && random.one_in(2);
            let mut samples = Vec::new();
            let (rows, odd, nan) = if shape.calm { (200, 1000, 3000) } else { (25, 40, 30) };
            for _ in 0..1 + random.below(rows) {
                value += random.below(10) as f64;
                number += random.below(5) as i64;
                if random.one_in(resets_every) {
                    value = random.below(3) as f64;
                }
                let sample = match (histograms, random.below(nan)) {
                    (true, _) => Value::Histogram(number),
                    (false, 0) => Value::Float(STALE_NAN),
                    (false, 1) => Value::Float(f64::NAN),
                    (false, _) if shape.counter => Value::Float(value),
                    (false, other) => Value::Float(value - other as f64),
                };
                samples.push((time, sample));
                time += interval;
                match random.below(odd) {
                    0 => time += interval * random.below(30) as i64,
                    1..4 => time += interval,
                    4..8 => time += random.below(interval as u64) as i64,
                    8..12 => time -= random.below(interval as u64) as i64 / 2,
                    _ => {}
                }
            }
            if shape.repeats_last && !histograms {
                let (time, _) = samples[samples.len() - 1];
                samples.push((time, Value::Float(random.below(60) as f64)));
            }
            chunks.push(Chunk::new(samples));
            if random.one_in(6) {
                // A chunk that reaches back into the one before.
                time -= interval * random.below(12) as i64;
            }
        }
    }
    chunks.sort_by_key(Chunk::times);
    chunks
}
