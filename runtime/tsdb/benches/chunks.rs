//! Nanoseconds per sample of the chunk kernels: `cargo bench -p tsdb --bench chunks`.
//!
//! Each row goes through so many chunks of 120 samples that they do not fit into the first-level cache, again and again, and
//! shows the best of several rounds.
#![expect(clippy::print_stdout, reason = "the table is the result")]
#![expect(clippy::disallowed_methods, reason = "a measurement needs the clock")]
#![expect(clippy::unwrap_used, reason = "the chunks are made here")]

use std::hint::black_box;
use std::time::Instant;

use prom_model::{FloatHistogram, Histogram, Span};
use tsdb::chunk::{
    Appended, Columns, Encoding, FloatHistogramAppender, HistogramAppender, HistogramColumns, Order, Scratch,
    XorAppender, XorEncoder, decode_float_histograms, decode_floats, decode_histograms, summarise,
};

const SERIES: usize = 1_000;
const SAMPLES: usize = 120;
const START: i64 = 1_700_000_000_000;
const ROUNDS: u32 = 12;
const BUCKETS: usize = 160;

/// A generator that gives the same numbers each time.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, end: u64) -> u64 {
        (self.next() >> 33) % end
    }
}

fn main() {
    println!("{:<58}{:>12}{:>14}", "kernel", "ns/sample", "bytes/sample");
    let mut chance = Chance(42);
    let constant = floats(&mut chance, |_, n| (START + n * 15_000, 1.0));
    // Of ten counters one adds up to 199 each time, two up to 19, four one in a quarter of the cases, three in a fiftieth.
    let (mut number, mut value) = (0u64, 0.0);
    let mixed = floats(&mut chance, |chance, n| {
        if n == 0 {
            (number, value) = (number + 1, 0.0);
        }
        value += match number % 10 {
            0 => chance.below(200),
            1 | 2 => chance.below(20),
            3..=6 => u64::from(chance.below(4) == 0),
            _ => u64::from(chance.below(50) == 0),
        } as f64;
        (START + n * 15_000, value)
    });
    let mut value = 0.0;
    let counters = floats(&mut chance, |chance, n| {
        value += chance.below(20) as f64;
        (START + n * 15_000, value)
    });
    let jittered = floats(&mut chance, |chance, n| {
        value += chance.below(20) as f64;
        (START + n * 15_000 + chance.below(9) as i64 - 4, value)
    });
    let random = floats(&mut chance, |chance, n| (START + n * 15_000, f64::from_bits(chance.next())));
    for (name, series) in [
        ("constant", &constant),
        ("ten kinds of counters, fixed interval", &mixed),
        ("counters, fixed interval", &counters),
        ("counters, +-4 ms jitter", &jittered),
        ("random bits, fixed interval", &random),
    ] {
        xor(name, series);
    }
    histograms(&mut chance);
}

fn floats(
    chance: &mut Chance,
    mut sample: impl FnMut(&mut Chance, i64) -> (i64, f64),
) -> Vec<Vec<(i64, f64)>> {
    (0..SERIES).map(|_| (0..SAMPLES as i64).map(|n| sample(chance, n)).collect()).collect()
}

fn best(mut round: impl FnMut()) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        round();
        best = best.min(start.elapsed().as_nanos() as f64);
    }
    best / (SERIES * SAMPLES) as f64
}

fn row(kernel: &str, nanos: f64, bytes: usize) {
    println!("{kernel:<58}{nanos:>12.2}{:>14.2}", bytes as f64 / (SERIES * SAMPLES) as f64);
}

fn xor(name: &str, series: &[Vec<(i64, f64)>]) {
    let append = |samples: &Vec<(i64, f64)>| {
        let mut appender = XorAppender::new();
        for (timestamp, value) in samples {
            appender.append(*timestamp, *value);
        }
        appender
    };
    let chunks: Vec<Vec<u8>> = series.iter().map(|samples| append(samples).into_bytes()).collect();
    let bytes = chunks.iter().map(Vec::len).sum();
    let mut columns = Columns::default();
    for (order, how) in [(Order::Any, ""), (Order::Rising, ", order checked")] {
        let nanos = best(|| {
            for chunk in &chunks {
                columns.clear();
                decode_floats(Encoding::Xor, chunk, order, &mut columns).unwrap();
                black_box(&columns);
            }
        });
        row(&format!("XOR decode, {name}{how}"), nanos, bytes);
    }
    let mut scratch = Scratch::default();
    let nanos = best(|| {
        for chunk in &chunks {
            black_box(summarise(Encoding::Xor, chunk, &mut scratch).unwrap());
        }
    });
    row(&format!("XOR walk, {name}"), nanos, bytes);
    let columns: Vec<(Vec<i64>, Vec<f64>)> =
        series.iter().map(|samples| samples.iter().copied().unzip()).collect();
    let mut encoder = XorEncoder::default();
    let nanos = best(|| {
        for (timestamps, values) in &columns {
            black_box(encoder.encode(timestamps, values));
        }
    });
    row(&format!("XOR encode, {name}"), nanos, bytes);
    let nanos = best(|| {
        for four in columns.as_chunks::<4>().0 {
            let [(timestamps, _), ..] = four;
            black_box(encoder.encode_four(timestamps, four.each_ref().map(|(_, values)| values.as_slice())));
        }
    });
    row(&format!("XOR encode, {name}, four with one time"), nanos, bytes);
    let nanos = best(|| {
        for samples in series {
            black_box(append(samples).bytes());
        }
    });
    row(&format!("XOR append, {name}"), nanos, bytes);
}

fn histograms(chance: &mut Chance) {
    let mut series = Vec::new();
    for _ in 0..SERIES / 10 {
        let mut counts = vec![0i64; BUCKETS];
        let mut sum = 0.0;
        let samples: Vec<(i64, Histogram)> = (0..SAMPLES as i64)
            .map(|n| {
                for _ in 0..100 {
                    // Most observations fall into few buckets.
                    let bucket = (chance.below(40) * chance.below(40) / 10) as usize % BUCKETS;
                    counts[bucket] += 1;
                    sum += bucket as f64 / 100.0;
                }
                let mut before = 0;
                let deltas =
                    counts.iter().map(|count| count - std::mem::replace(&mut before, *count)).collect();
                let histogram = Histogram {
                    schema: 3,
                    zero_threshold: 2f64.powi(-128),
                    count: counts.iter().sum::<i64>() as u64,
                    sum,
                    positive_spans: vec![Span { offset: -80, length: BUCKETS as u32 }],
                    positive_buckets: deltas,
                    ..Histogram::default()
                };
                (START + n * 15_000, histogram)
            })
            .collect();
        series.push(samples);
    }
    let scale = SERIES as f64 / series.len() as f64;
    let append = |samples: &Vec<(i64, Histogram)>| {
        let mut appender = HistogramAppender::begin(None, samples[0].0, &samples[0].1);
        for (timestamp, histogram) in &samples[1..] {
            assert!(matches!(appender.append(*timestamp, histogram), Appended::Inside));
        }
        appender
    };
    let chunks: Vec<Vec<u8>> = series.iter().map(|samples| append(samples).into_bytes()).collect();
    let bytes = (chunks.iter().map(Vec::len).sum::<usize>() as f64 * scale) as usize;
    let mut floats = HistogramColumns::default();
    let nanos = best(|| {
        for chunk in &chunks {
            decode_float_histograms(Encoding::Histogram, chunk, Order::Rising, &mut floats).unwrap();
            black_box(&floats);
        }
    });
    row("histogram decode to floats, 160 buckets", nanos * scale, bytes);
    let mut whole = HistogramColumns::default();
    let nanos = best(|| {
        for chunk in &chunks {
            decode_histograms(Encoding::Histogram, chunk, Order::Rising, &mut whole).unwrap();
            black_box(&whole);
        }
    });
    row("histogram decode, 160 buckets", nanos * scale, bytes);
    let nanos = best(|| {
        for samples in &series {
            black_box(append(samples).bytes());
        }
    });
    row("histogram append, 160 buckets", nanos * scale, bytes);

    let rates: Vec<Vec<(i64, FloatHistogram)>> = series
        .iter()
        .map(|samples| samples.iter().map(|(at, histogram)| (*at, histogram.to_float())).collect())
        .collect();
    let append = |samples: &Vec<(i64, FloatHistogram)>| {
        let mut appender = FloatHistogramAppender::begin(None, samples[0].0, &samples[0].1);
        for (timestamp, histogram) in &samples[1..] {
            assert!(matches!(appender.append(*timestamp, histogram), Appended::Inside));
        }
        appender
    };
    let chunks: Vec<Vec<u8>> = rates.iter().map(|samples| append(samples).into_bytes()).collect();
    let bytes = (chunks.iter().map(Vec::len).sum::<usize>() as f64 * scale) as usize;
    let nanos = best(|| {
        for chunk in &chunks {
            decode_float_histograms(Encoding::FloatHistogram, chunk, Order::Rising, &mut floats).unwrap();
            black_box(&floats);
        }
    });
    row("float histogram decode, 160 buckets", nanos * scale, bytes);
    let nanos = best(|| {
        for samples in &rates {
            black_box(append(samples).bytes());
        }
    });
    row("float histogram append, 160 buckets", nanos * scale, bytes);
}
