//! Downsampling: `cargo bench -p compact --bench downsample`, with `-- floats` or `-- histograms` one of the two.
//!
//! Twenty thousand series over two days with a sample each minute, 57.6 M samples: counters with resets, gauges, some gaps; then a
//! thousand series of native histograms. Blocks are made by seed on the disk (`TMPDIR`), and downsampled to five minutes and from
//! there to an hour. Times are CPU time of the thread with that of the kernel, the best of several runs; files are in the page
//! cache.
#![expect(clippy::print_stdout, reason = "the table is the result")]
#![expect(clippy::disallowed_methods, reason = "a measurement needs the disk and the thread's time")]

use std::path::Path;
use std::sync::Arc;

use compact::Target;
use compact::downsample::downsample;
use prom_model::{Histogram, Span};
use tsdb::BlockId;
use tsdb::block::{BlockMeta, BlockReader, BlockWriter, ChunkData, Tombstones};
use tsdb::chunk::{Appended, Encoding, HistogramAppender, XorAppender};
use tsdb::fs::RealFs;
use tsdb::index::SymbolTableBuilder;

const FLOAT_SERIES: u32 = 20_000;
const HISTOGRAM_SERIES: u32 = 1_000;
const START: i64 = 1_704_067_200_000;
const STEP: i64 = 60_000;
const SAMPLES: i64 = 2 * 24 * 60;
const CHUNK: usize = 120;
const RUNS: u64 = 5;
const MIB: f64 = 1_048_576.0;

fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    println!(
        "{:<34}{:>14}{:>10}{:>20}{:>14}{:>12}",
        "block", "raw samples", "CPU s", "M samples / CPU-s", "peak RSS MiB", "MiB written"
    );
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    for (what, number, series, chunks) in [
        ("floats", 1, FLOAT_SERIES, floats as fn(u32) -> Vec<Chunk>),
        ("native histograms", 2, HISTOGRAM_SERIES, histograms),
    ] {
        if !wanted.is_empty() && !wanted.iter().any(|wanted| what.contains(wanted.as_str())) {
            continue;
        }
        let raw = write(folder.path(), number, series, chunks);
        let (five, first) = measure(folder.path(), &raw, (0, 300_000), number * 100);
        println!("{:<34}{}", format!("{what}, raw to 5m"), first.row());
        let (_, second) = measure(folder.path(), &five, (300_000, 3_600_000), number * 100 + 50);
        println!("{:<34}{}", format!("{what}, 5m to 1h"), second.row());
        let both = Measured { cpu: first.cpu + second.cpu, peak: first.peak.max(second.peak), ..first };
        println!("{:<34}{}", format!("{what}, raw to 5m to 1h"), both.row());
    }
}

#[derive(Clone, Copy)]
struct Measured {
    samples: u64,
    cpu: f64,
    peak: f64,
    written: f64,
}

impl Measured {
    fn row(&self) -> String {
        let speed = self.samples as f64 / self.cpu / 1e6;
        format!(
            "{:>14}{:>10.2}{speed:>20.1}{:>14.1}{:>12.1}",
            self.samples, self.cpu, self.peak, self.written
        )
    }
}

/// Downsamples a block several times; gives the last result and the least time.
fn measure(
    folder: &Path,
    source: &Path,
    (from, to): (i64, i64),
    number: u64,
) -> (std::path::PathBuf, Measured) {
    let mut best = Measured { samples: 0, cpu: f64::MAX, peak: f64::MAX, written: 0.0 };
    let mut made_folder = None;
    for run in 0..RUNS {
        // Without what the making of the block has left.
        let _ = std::fs::write("/proc/self/clear_refs", "5");
        let start = cpu();
        let reader = BlockReader::open(&RealFs, source).expect("a block");
        let id = BlockId::new(number + run, 1);
        let target = Target { fs: Arc::new(RealFs), parent: folder, id, memory_bytes: 64 << 20 };
        let made =
            downsample(&reader, from, to, &target, reader.meta().clone()).expect("a block").expect("samples");
        best.cpu = best.cpu.min(cpu() - start);
        best.peak = best.peak.min(peak());
        best.samples = made.samples;
        let path = folder.join(id.to_string());
        best.written = size(&path) / MIB;
        if let Some(before) = made_folder.replace(path) {
            std::fs::remove_dir_all(before).expect("a folder");
        }
    }
    (made_folder.expect("a run"), best)
}

/// Seconds that this thread was on a processor.
fn cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    text.split(' ').next().and_then(|text| text.parse::<f64>().ok()).expect("nanoseconds") / 1e9
}

/// The most memory that was resident, MiB.
fn peak() -> f64 {
    let text = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = text.lines().find(|line| line.starts_with("VmHWM")).expect("VmHWM");
    line.split_whitespace().nth(1).and_then(|text| text.parse::<f64>().ok()).expect("kilobytes") / 1024.0
}

fn size(folder: &Path) -> f64 {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries
        .map(|path| if path.is_dir() { size(&path) } else { path.metadata().expect("a file").len() as f64 })
        .sum()
}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

type Chunk = (i64, i64, Encoding, Vec<u8>);

fn floats(series: u32) -> Vec<Chunk> {
    let mut random = Random(u64::from(series) + 1);
    let offset = random.below(STEP as u64) as i64;
    let mut value = random.below(100_000) as f64;
    let mut samples = Vec::new();
    for at in 0..SAMPLES {
        if series.is_multiple_of(2) {
            value = if random.below(5_000) == 0 { 0.0 } else { value + random.below(200) as f64 };
        } else {
            value = ((value + random.below(2_001) as f64 / 100.0 - 10.0) * 100.0).round() / 100.0;
        }
        if random.below(300) > 0 {
            samples.push((START + offset + at * STEP, value));
        }
    }
    let chunks = samples.chunks(CHUNK).map(|samples| {
        let mut chunk = XorAppender::new();
        for (time, value) in samples {
            assert!(chunk.append(*time, *value));
        }
        (samples[0].0, samples[samples.len() - 1].0, Encoding::Xor, chunk.into_bytes())
    });
    chunks.collect()
}

fn histograms(series: u32) -> Vec<Chunk> {
    let mut random = Random(u64::from(series) + 1);
    let mut counts = [0u64; 24];
    let mut sum = 0.0;
    let mut chunks = Vec::new();
    let mut open: Option<(i64, HistogramAppender)> = None;
    for at in 0..SAMPLES {
        for _ in 0..10 {
            let bucket = (random.below(12) + random.below(13)) as usize;
            counts[bucket] += 1;
            sum += 1.5_f64.powi(bucket as i32 - 12);
        }
        let mut before = 0;
        let deltas = counts.map(|count| count as i64 - std::mem::replace(&mut before, count as i64));
        let histogram = Histogram {
            schema: 2,
            zero_threshold: 1e-128,
            count: counts.iter().sum(),
            sum,
            positive_spans: vec![Span { offset: -8, length: 24 }],
            positive_buckets: deltas.to_vec(),
            ..Histogram::default()
        };
        let time = START + at * STEP;
        match &mut open {
            Some((_, chunk)) if chunk.len() < 120 => {
                assert!(!matches!(chunk.append(time, &histogram), Appended::Cut(_)));
            }
            _ => {
                let next = (time, HistogramAppender::begin(None, time, &histogram));
                chunks.extend(open.replace(next).map(finished));
            }
        }
    }
    chunks.extend(open.map(finished));
    chunks
}

fn finished((first, chunk): (i64, HistogramAppender)) -> Chunk {
    (first, chunk.last_timestamp(), Encoding::Histogram, chunk.into_bytes())
}

fn write(parent: &Path, number: u64, series: u32, chunks: fn(u32) -> Vec<Chunk>) -> std::path::PathBuf {
    let mut symbols = SymbolTableBuilder::default();
    let mut all: Vec<([(u32, u32); 6], u32)> = (0..series)
        .map(|series| (labels(series).map(|(name, value)| (symbols.add(name), symbols.add(&value))), series))
        .collect();
    let (table, numbers) = symbols.build();
    let symbol = |number: u32| numbers[number as usize];
    for (labels, _) in &mut all {
        *labels = labels.map(|(name, value)| (symbol(name), symbol(value)));
    }
    all.sort_unstable();
    let id = BlockId::new(number, 1);
    let mut writer = BlockWriter::create(Arc::new(RealFs), parent, id, Arc::new(table)).expect("a block");
    for (labels, series) in &all {
        let chunks = chunks(*series);
        let chunks: Vec<ChunkData<'_>> = chunks
            .iter()
            .map(|(min_time, max_time, encoding, data)| ChunkData {
                min_time: *min_time,
                max_time: *max_time,
                encoding: *encoding,
                data,
            })
            .collect();
        writer.add_series(labels, &chunks).expect("a series");
    }
    let meta = BlockMeta::new(id, START, START + SAMPLES * STEP);
    writer.finish(meta, &Tombstones::default()).expect("a block").expect("series");
    parent.join(id.to_string())
}

/// The labels of a series, sorted by name.
fn labels(series: u32) -> [(&'static str, String); 6] {
    let pod = series / 20;
    [
        ("__name__", format!("metric_{}", series % 20)),
        ("instance", format!("10.0.{}.{}:8080", pod / 256, pod % 256)),
        ("job", format!("job-{}", pod % 20)),
        ("namespace", format!("namespace-{}", pod % 40)),
        ("pod", format!("app-{}-x{pod}", pod % 50)),
        ("zone", format!("{}", pod % 3)),
    ]
}
