//! Chunks of one and of two replicas to the samples of one series: `cargo bench -p query --bench dedup`.
//!
//! Ten thousand series of twelve chunks of 120 samples, 15 s apart, as a query over six hours reads them. The second replica is
//! scraped four seconds later; every chunk of it lies beside one of the first. Times are CPU time of the thread, the best of
//! several runs.
#![expect(clippy::print_stdout, reason = "the table is the result")]
#![expect(clippy::disallowed_methods, reason = "a measurement needs the thread's time")]

use promql::Samples;
use query::{Content, Deduplication, Encoded, Merger, Merging, Piece};
use tsdb::chunk::{Encoding, XorAppender};

const SERIES: usize = 10_000;
const CHUNKS: usize = 12;
const SAMPLES: usize = 120;
const START: i64 = 1_704_067_200_000;
const STEP: i64 = 15_000;

struct Chunk {
    times: (i64, i64),
    data: Vec<u8>,
}

fn main() {
    let last = START + STEP * (CHUNKS * SAMPLES) as i64;
    let counters = |offset| (0..100).map(|series| chunks(series, offset, false)).collect::<Vec<_>>();
    let (one, other) = (counters(0), counters(4000));
    let gappy: Vec<_> = (0..100).map(|series| chunks(series, 4000, true)).collect();
    let apart: Vec<_> = (0..100).map(|series| chunks(series, 0, true)).collect();
    println!("{:<58}{:>10}{:>14}{:>8}", "read", "CPU ms", "ns a chunk", "ratio");
    for function in ["", "rate"] {
        let merging = |replicas| Merging::new(function, replicas, (START, last));
        let (alone, both) = (merging(None), merging(Some(Deduplication::Penalty)));
        let chain = merging(Some(Deduplication::Chain));
        let single = best(&alone, &[&one]);
        println!("{:<58}{:>10.1}{:>14.1}{:>8.2}", name("one store", function), single, per(single), 1.0);
        for (what, merging, parts) in [
            ("two replicas", &both, [&one, &other]),
            ("two replicas, each with gaps", &both, [&apart, &gappy]),
            ("two replicas, chained", &chain, [&one, &other]),
        ] {
            let time = best(merging, &parts);
            println!("{:<58}{:>10.1}{:>14.1}{:>8.2}", name(what, function), time, per(time), time / single);
        }
    }
}

fn name(what: &str, function: &str) -> String {
    if function.is_empty() { what.to_owned() } else { format!("{what}, {function}") }
}

/// Nanoseconds for each chunk of one replica.
fn per(millis: f64) -> f64 {
    millis * 1e6 / (SERIES * CHUNKS) as f64
}

fn chunks(series: u64, offset: i64, gaps: bool) -> Vec<Chunk> {
    let mut random = series + offset as u64 + 1;
    let mut next = || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random >> 33
    };
    let mut value = 0.0;
    let chunk = |number: usize| {
        let mut appender = XorAppender::new();
        let mut times = (i64::MAX, i64::MIN);
        for sample in 0..SAMPLES {
            value += (next() % 16) as f64;
            if gaps && next() % 200 == 0 {
                continue;
            }
            let jitter = if next() % 10 == 0 { next() as i64 % 20 } else { 0 };
            let time = START + offset + STEP * (number * SAMPLES + sample) as i64 + jitter;
            appender.append(time, value);
            times = (times.0.min(time), time);
        }
        Chunk { times, data: appender.into_bytes() }
    };
    (0..CHUNKS).map(chunk).collect()
}

/// Milliseconds that this thread was on a processor, the least of several runs.
fn best(merging: &Merging, replicas: &[&Vec<Vec<Chunk>>]) -> f64 {
    let mut least = f64::MAX;
    for _ in 0..5 {
        let start = cpu();
        let (mut merger, mut samples, mut pieces) = (Merger::new(), Samples::default(), Vec::new());
        for series in 0..SERIES {
            pieces.clear();
            for chunk in replicas.iter().flat_map(|replica| &replica[series % 100]) {
                let content = Content::Column(Encoded { encoding: Some(Encoding::Xor), data: &chunk.data });
                let (min_time, max_time) = chunk.times;
                pieces.push(Piece { min_time, max_time, is_raw: true, content });
            }
            pieces.sort_by_key(|piece| (piece.min_time, piece.max_time));
            samples.clear();
            merger.read(merging, &pieces, &mut samples).expect("sound chunks");
            assert!(samples.timestamps.len() > CHUNKS * SAMPLES * 9 / 10);
        }
        least = least.min(cpu() - start);
    }
    least * 1e3
}

/// Seconds that this thread was on a processor.
fn cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    text.split(' ').next().and_then(|text| text.parse::<f64>().ok()).expect("nanoseconds") / 1e9
}
