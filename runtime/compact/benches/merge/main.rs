//! Blocks of 100,000 series merged into one: `cargo bench -p compact --bench merge`.
//!
//! Each block has two hours of a sample a minute, in one chunk for each series. The second replica is scraped seven seconds later;
//! in all there is some jitter, and one scrape in five hundred is missing. Each merge runs in a process of its own: CPU seconds
//! are the best of several runs, memory is the peak of the resident set, of which the process alone takes the first line.
//!
//! Then the blocks of two clusters in a bucket are compacted by one compactor, and by two that divide them by leases: the time on
//! the clock, so that two processors that are free are needed for it.
#![expect(clippy::print_stdout, reason = "the table is the result")]
#![expect(clippy::disallowed_methods, reason = "a measurement needs the disk and processes")]

mod compactors;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use compact::Target;
use compact::merge::{Overlaps, merge};
use tsdb::BlockId;
use tsdb::block::{BlockMeta, BlockReader, BlockWriter, ChunkData, Tombstones};
use tsdb::chunk::{Encoding, XorAppender};
use tsdb::fs::RealFs;
use tsdb::index::SymbolTableBuilder;

const METRICS: u32 = 20;
const PODS: u32 = 5_000;
const SERIES: u32 = METRICS * PODS;
const SAMPLES: i64 = 120;
const STEP: i64 = 60_000;
const START: i64 = 1_704_067_200_000;
const RANGE: i64 = SAMPLES * STEP;
const RUNS: usize = 3;
/// What a merge may hold.
const MEMORY_BYTES: u64 = 64 << 20;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "--merge") {
        return measure(&arguments[at + 1..]);
    }
    if let Some(at) = arguments.iter().position(|argument| argument == "--compact") {
        return compactors::compact(Path::new(&arguments[at + 1]), &arguments[at + 2]);
    }
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    // Two hours after another, and the replica of the first.
    let blocks = [(0, 0, 1), (1, 0, 2), (2, 0, 3), (0, 7_000, 4)];
    let blocks = blocks.map(|(hours, offset, seed)| {
        write(folder, METRICS, START + hours * RANGE, offset, seed).to_string_lossy().into_owned()
    });
    let [first, second, third, replica] = &blocks;
    println!(
        "{:<46}{:>8}{:>14}{:>10}{:>10}{:>8}",
        "merge", "CPU s", "samples/CPU-s", "in MB/s", "peak MB", "ratio"
    );
    let none = run(folder, "1:1", &[]);
    println!("{:<46}{:>8}{:>14}{:>10}{:>10.1}", "nothing", "", "", "", none.peak_mb);
    let copied = run(folder, "1:1", &[first, second]);
    for (what, overlaps, sources) in [
        ("two blocks of 2 h, one after the other", "1:1", vec![first, second]),
        ("three blocks of 2 h, one after the other", "1:1", vec![first, second, third]),
        ("two replicas, 1:1", "1:1", vec![first, replica]),
        ("two replicas, penalty", "penalty", vec![first, replica]),
        ("a block and the same block, 1:1", "1:1", vec![first, first]),
    ] {
        let ran = run(folder, overlaps, &sources);
        println!(
            "{what:<46}{:>8.3}{:>14}{:>10.0}{:>10.1}{:>8.2}",
            ran.cpu,
            format!("{:.1} M", ran.samples / ran.cpu / 1e6),
            ran.megabytes / ran.cpu,
            ran.peak_mb,
            ran.cpu / copied.cpu
        );
    }
    compactors::compare(folder);
}

/// What a merge took.
#[derive(Default)]
struct Ran {
    cpu: f64,
    samples: f64,
    megabytes: f64,
    peak_mb: f64,
}

/// Merges in processes of their own.
fn run(folder: &Path, overlaps: &str, sources: &[&String]) -> Ran {
    let mut best = Ran { cpu: f64::MAX, ..Ran::default() };
    for _ in 0..RUNS {
        let myself = std::env::current_exe().expect("a name");
        let output = Command::new(myself).arg("--merge").arg(folder).arg(overlaps).args(sources).output();
        let output = output.expect("a process");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).expect("text");
        let numbers: Vec<f64> =
            text.split_whitespace().map(|number| number.parse().expect("a number")).collect();
        let [cpu, samples, megabytes, peak_mb] = numbers[..] else { panic!("{text}") };
        if cpu < best.cpu {
            best = Ran { cpu, samples, megabytes, peak_mb };
        }
    }
    best
}

fn measure(arguments: &[String]) {
    let [folder, overlaps, sources @ ..] = arguments else { panic!("{arguments:?}") };
    let overlaps = if overlaps == "penalty" { Overlaps::Penalty } else { Overlaps::OneToOne };
    let start = cpu();
    let open = |folder: &String| BlockReader::open_to_scan(&RealFs, Path::new(folder)).expect("a block");
    let blocks: Vec<BlockReader> = sources.iter().map(open).collect();
    let id = BlockId::new(START as u64, u128::from(std::process::id()));
    let (mut samples, mut bytes) = (0, 0);
    if !blocks.is_empty() {
        let target =
            Target { fs: Arc::new(RealFs), parent: Path::new(folder), id, memory_bytes: MEMORY_BYTES };
        let first = blocks.iter().map(|block| block.meta().min_time).min().expect("blocks");
        let last = blocks.iter().map(|block| block.meta().max_time).max().expect("blocks");
        let merged = merge(&blocks, overlaps, &target, BlockMeta::new(id, first, last)).expect("a merge");
        merged.samples.balance().expect("all samples");
        assert_eq!(merged.block.expect("a block").meta.stats.num_series, u64::from(SERIES));
        samples = merged.samples.read.iter().map(|source| source.samples).sum();
        let files =
            blocks.iter().flat_map(|block| block.segments().files().iter().chain([block.index().file()]));
        bytes = files.map(|file| file.len()).sum();
    }
    let taken = cpu() - start;
    println!("{taken} {samples} {} {}", bytes as f64 / 1e6, peak_kilobytes() as f64 / 1e3);
    let _ = fs::remove_dir_all(Path::new(folder).join(id.to_string()));
}

/// Writes a block of two hours with so many metrics.
fn write(folder: &Path, metrics: u32, start: i64, offset: i64, seed: u64) -> PathBuf {
    let mut builder = SymbolTableBuilder::default();
    let mut series = Vec::new();
    for metric in 0..metrics {
        for pod in 0..PODS {
            let labels = [
                ("__name__", format!("http_server_metric_{metric:02}_total")),
                ("cluster", "production-europe-1".to_owned()),
                ("container", "api".to_owned()),
                ("endpoint", format!("/v1/things/{}", metric % 7)),
                ("instance", format!("10.{}.{}.{}:8080", pod / 4096, pod / 64 % 64, pod % 64)),
                ("job", "production/api".to_owned()),
                ("method", "GET".to_owned()),
                ("namespace", format!("team-{:02}", pod % 40)),
                ("pod", format!("api-{pod:05}-{:05x}", pod.wrapping_mul(2_654_435_761) >> 12)),
                ("status", "200".to_owned()),
            ];
            let add = |(name, value): &(&str, String)| (builder.add(name), builder.add(value));
            series.push(labels.each_ref().map(add));
        }
    }
    let (table, symbols) = builder.build();
    let symbol = |number: u32| symbols[number as usize];
    let mut series: Vec<_> =
        series.into_iter().map(|labels| labels.map(|(name, value)| (symbol(name), symbol(value)))).collect();
    series.sort_unstable();
    let id = BlockId::new(START as u64, seed.into());
    let mut writer = BlockWriter::create(Arc::new(RealFs), folder, id, Arc::new(table)).expect("a writer");
    let mut random = seed;
    let mut next = || {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        random >> 33
    };
    let mut chunk = XorAppender::new();
    for labels in &series {
        chunk.restart();
        let (mut value, mut times) = ((next() % 1_000_000) as f64, (i64::MAX, i64::MIN));
        for sample in 0..SAMPLES {
            value += (next() % 16) as f64;
            let chance = next();
            if chance % 500 == 0 {
                continue;
            }
            let jitter = if chance % 10 == 0 { (chance / 10 % 20) as i64 } else { 0 };
            let time = start + offset + STEP * sample + jitter;
            chunk.append(time, value);
            times = (times.0.min(time), time);
        }
        let (min_time, max_time) = times;
        let data = ChunkData { min_time, max_time, encoding: Encoding::Xor, data: chunk.bytes() };
        writer.add_series(labels, &[data]).expect("a series");
    }
    let meta = BlockMeta::new(id, start, start + RANGE);
    writer.finish(meta, &Tombstones::default()).expect("a disk").expect("a block");
    folder.join(id.to_string())
}

/// Seconds that this thread was on a processor.
fn cpu() -> f64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    text.split(' ').next().and_then(|text| text.parse::<f64>().ok()).expect("nanoseconds") / 1e9
}

fn peak_kilobytes() -> u64 {
    let text = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = text.lines().find(|line| line.starts_with("VmHWM:")).expect("a line");
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("kilobytes")
}
