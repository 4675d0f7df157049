//! Series of every kind by seed, and their chunks as Prometheus would write them.

use std::collections::BTreeMap;

use prom_model::{CounterResetHint, FloatHistogram, Histogram, STALE_NAN};
use tsdb::chunk::{Appended, Encoding, FloatHistogramAppender, HistogramAppender, XorAppender};
use tsdb::fs::sim::Chance;

use super::reference::{Dense, Source, Value, sparse};

/// A chunk, and the samples that are in it.
pub(crate) struct Chunk {
    pub(crate) encoding: Encoding,
    pub(crate) data: Vec<u8>,
    pub(crate) source: Source,
}

impl Chunk {
    pub(crate) fn times(&self) -> (i64, i64) {
        (self.source.samples[0].0, self.source.samples[self.source.samples.len() - 1].0)
    }
}

const START: i64 = 1_704_067_200_000;

/// The chunks of one series.
pub(crate) fn series(chance: &mut Chance) -> Vec<Chunk> {
    let mut chunks = Vec::new();
    // A few begin before 1970.
    let mut time = if chance.below(20) == 0 { -3_000_000 } else { START + chance.below(4_000_000) as i64 };
    for _ in 0..1 + chance.below(4) {
        let step = [15_000, 60_000, 60_000, 60_000, 300_000, 420_000, 4_000_000][chance.below(7) as usize];
        let most = [5, 100, 900, 900][chance.below(4) as usize];
        let count = 1 + chance.below(most);
        let times: Vec<i64> = (0..count)
            .map(|_| {
                let gap = if chance.below(60) == 0 { chance.below(20) as i64 * 1_000_000 } else { 0 };
                let jitter = if chance.below(4) == 0 { chance.below(step as u64 / 2) as i64 } else { 0 };
                time += step + gap + jitter;
                // Some are the last millisecond of a window, or the first of the next.
                match chance.below(30) {
                    0 => time += (300_000 - 1 - time.rem_euclid(300_000)).max(1),
                    1 => time += 300_000 - time.rem_euclid(300_000),
                    _ => {}
                }
                time
            })
            .collect();
        let most = [3, 120, 120, 400][chance.below(4) as usize];
        let size = 1 + chance.below(most) as usize;
        match chance.below(7) {
            0..=2 => floats(chance, &times, size, &mut chunks),
            kind => histograms(chance, &times, size, kind, &mut chunks),
        }
    }
    chunks
}

fn floats(chance: &mut Chance, times: &[i64], size: usize, into: &mut Vec<Chunk>) {
    let style = chance.below(5);
    let mut value = chance.below(1_000) as f64;
    let samples: Vec<(i64, f64)> = times
        .iter()
        .map(|time| {
            value = match style {
                0 | 1 if chance.below(50) == 0 => chance.below(10) as f64,
                0 => value + chance.below(100) as f64,
                1 => value + chance.below(1_000) as f64 / 7.0,
                2 => chance.below(2_000) as f64 / 3.0 - 300.0,
                3 => f64::from_bits(chance.next_u64()),
                _ => [0.0, -0.0, 1.0, f64::INFINITY, f64::NEG_INFINITY, 1e300, -1e300]
                    [chance.below(7) as usize],
            };
            let special = match chance.below(60) {
                0 => STALE_NAN,
                1 => f64::NAN,
                _ => value,
            };
            (*time, special)
        })
        .collect();
    for samples in samples.chunks(size) {
        let mut chunk = XorAppender::new();
        for (time, value) in samples {
            assert!(chunk.append(*time, *value));
        }
        let samples = samples.iter().map(|(time, value)| (*time, Value::Float(*value))).collect();
        let source = Source { floats: true, samples };
        into.push(Chunk { encoding: Encoding::Xor, data: chunk.into_bytes(), source });
    }
}

/// What a program that is measured has observed, in the finest buckets.
#[derive(Clone)]
struct Observed {
    dense: Dense,
}

impl Observed {
    fn new(custom: Option<Vec<f64>>) -> Self {
        let schema = if custom.is_some() { -53 } else { 4 };
        Observed {
            dense: Dense {
                schema,
                threshold: 0.0,
                zero: 0.0,
                count: 0.0,
                sum: 0.0,
                positive: BTreeMap::new(),
                negative: BTreeMap::new(),
                custom: custom.unwrap_or_default(),
            },
        }
    }

    fn observe(&mut self, chance: &mut Chance, weight: f64) {
        let dense = &mut self.dense;
        dense.count += weight;
        if dense.schema == -53 {
            let bucket = chance.below(dense.custom.len() as u64 + 1) as i64;
            *dense.positive.entry(bucket).or_default() += weight;
            dense.sum += weight * bucket as f64;
            return;
        }
        match chance.below(10) {
            0 => dense.zero += weight,
            1 | 2 => {
                *dense.negative.entry(chance.below(40) as i64 - 20).or_default() += weight;
                dense.sum -= weight;
            }
            _ => {
                *dense.positive.entry(chance.below(100) as i64 - 60).or_default() += weight;
                dense.sum += weight;
            }
        }
    }
}

/// `kind`: 3 counters, 4 gauges, 5 counters of floats, 6 custom buckets.
fn histograms(chance: &mut Chance, times: &[i64], size: usize, kind: u64, into: &mut Vec<Chunk>) {
    let bounds =
        |chance: &mut Chance| -> Vec<f64> { (1..3 + chance.below(6)).map(|at| at as f64 * 2.5).collect() };
    let custom = kind == 6;
    let mut observed = Observed::new(custom.then(|| bounds(chance)));
    let (gauge, of_floats) =
        (kind == 4 || (custom && chance.below(3) == 0), kind == 5 || chance.below(4) == 0);
    let (mut schema, mut threshold) = (chance.below(5) as i32, [0.0, 0.001, 0.25][chance.below(3) as usize]);
    let weight = if of_floats { 0.25 } else { 1.0 };
    let changes = chance.below(3) == 0;
    let mut made = Maker { of_floats, size, open: None, samples: Vec::new() };
    for time in times {
        if gauge && chance.below(3) == 0 {
            observed = Observed::new(custom.then(|| observed.dense.custom.clone()));
        }
        for _ in 0..chance.below(6) {
            let times = 1 + chance.below(3);
            observed.observe(chance, weight * times as f64);
        }
        if changes && chance.below(40) == 0 {
            match chance.below(4) {
                0 => schema = (schema - 1).max(-2),
                1 => schema = (schema + 1).min(4),
                2 => threshold = [0.0, 0.001, 0.25, 1.0, 3.0][chance.below(5) as usize],
                _ if custom => observed = Observed::new(Some(bounds(chance))),
                _ => {}
            }
        }
        if chance.below(150) == 0 {
            observed = Observed::new(custom.then(|| observed.dense.custom.clone()));
        }
        let shown =
            if custom { observed.dense.clone() } else { observed.dense.coarser(schema).wider(threshold) };
        let hint = if gauge { CounterResetHint::Gauge } else { CounterResetHint::Unknown };
        let mut histogram = sparse(&shown, hint);
        match chance.below(80) {
            0 => histogram.sum = f64::NAN,
            1 => histogram = FloatHistogram { counter_reset_hint: hint, ..FloatHistogram::stale() },
            _ => {}
        }
        made.push(*time, &histogram, into);
    }
    made.finish(into);
}

/// Appends histograms to chunks.
struct Maker {
    of_floats: bool,
    size: usize,
    open: Option<Open>,
    samples: Vec<(i64, FloatHistogram)>,
}

enum Open {
    Whole(Box<HistogramAppender>),
    Floats(Box<FloatHistogramAppender>),
}

impl Maker {
    fn push(&mut self, time: i64, histogram: &FloatHistogram, into: &mut Vec<Chunk>) {
        if self.samples.len() >= self.size {
            self.finish(into);
        }
        let next = match &mut self.open {
            None if self.of_floats => {
                Some(Open::Floats(FloatHistogramAppender::begin(None, time, histogram).into()))
            }
            None => Some(Open::Whole(HistogramAppender::begin(None, time, &whole(histogram)).into())),
            Some(Open::Whole(chunk)) => match chunk.append(time, &whole(histogram)) {
                Appended::Cut(next) => Some(Open::Whole(next)),
                _ => None,
            },
            Some(Open::Floats(chunk)) => match chunk.append(time, histogram) {
                Appended::Cut(next) => Some(Open::Floats(next)),
                _ => None,
            },
        };
        if let Some(next) = next {
            self.finish(into);
            self.open = Some(next);
        }
        self.samples.push((time, histogram.clone()));
    }

    fn finish(&mut self, into: &mut Vec<Chunk>) {
        let samples = std::mem::take(&mut self.samples);
        let (encoding, data) = match self.open.take() {
            None => return,
            Some(Open::Whole(chunk)) => (Encoding::Histogram, chunk.into_bytes()),
            Some(Open::Floats(chunk)) => (Encoding::FloatHistogram, chunk.into_bytes()),
        };
        // As readers know them: of all but the first it is known that the counter was not reset.
        let hinted = samples.into_iter().enumerate().map(|(at, (time, mut histogram))| {
            if histogram.counter_reset_hint != CounterResetHint::Gauge && at > 0 {
                histogram.counter_reset_hint = CounterResetHint::NotCounterReset;
            }
            (time, Value::Histogram(Box::new(histogram)))
        });
        let source = Source { floats: false, samples: hinted.collect() };
        into.push(Chunk { encoding, data, source });
    }
}

fn whole(histogram: &FloatHistogram) -> Histogram {
    let deltas = |counts: &[f64]| {
        let mut before = 0;
        counts.iter().map(|count| *count as i64 - std::mem::replace(&mut before, *count as i64)).collect()
    };
    Histogram {
        counter_reset_hint: histogram.counter_reset_hint,
        schema: histogram.schema,
        zero_threshold: histogram.zero_threshold,
        zero_count: histogram.zero_count as u64,
        count: histogram.count as u64,
        sum: histogram.sum,
        positive_spans: histogram.positive_spans.clone(),
        negative_spans: histogram.negative_spans.clone(),
        positive_buckets: deltas(&histogram.positive_buckets),
        negative_buckets: deltas(&histogram.negative_buckets),
        custom_values: histogram.custom_values.clone(),
    }
}
