//! What the head costs: CPU per appended sample, bytes per series, replay, cutting a block.
//!
//! Each row runs in a process of its own, so that its memory is its own. With a folder as argument, as in
//! `cargo bench -p tsdb --bench head -- /tmp`, data lie there and not in the system's folder for temporary files. CPU and memory
//! come from `/proc`; nothing is asserted.
#![expect(clippy::print_stdout, reason = "the table is the result")]
#![expect(clippy::disallowed_methods, reason = "a measurement needs the clock, the disk and processes")]

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use tsdb::BlockId;
use tsdb::fs::RealFs;
use tsdb::head::{Head, HeadOptions};
use tsdb::wal::record::SeriesRef;

const BASE: i64 = 1_704_067_200_000;
const INTERVAL: i64 = 15_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["row", name, series, scrapes, folder] => {
            row(
                name,
                series.parse().expect("a number"),
                scrapes.parse().expect("a number"),
                Path::new(folder),
            );
        }
        [folder] => table(Path::new(folder)),
        _ => table(tempfile::tempdir().expect("a folder").path()),
    }
}

fn table(parent: &Path) {
    println!(
        "{:<10}{:>9}{:>9}{:>14}{:>14}{:>12}{:>12}{:>12}{:>10}",
        "",
        "series",
        "scrapes",
        "samples/CPU-s",
        "samples/s",
        "RSS MiB",
        "peak MiB",
        "bytes/series",
        "wall s"
    );
    let rows = [
        ("memory", 10_000, 600),
        ("log", 10_000, 600),
        ("replay", 10_000, 600),
        ("cut", 10_000, 600),
        ("memory", 100_000, 1),
        ("memory", 100_000, 120),
        ("log", 100_000, 120),
        ("replay", 100_000, 120),
        ("log", 100_000, 300),
        ("replay", 100_000, 300),
    ];
    for (name, series, scrapes) in rows {
        let folder = parent.join(format!("bench-head-{series}-{scrapes}"));
        let status = Command::new(std::env::current_exe().expect("a path"))
            .args(["row", name, &series.to_string(), &scrapes.to_string()])
            .arg(&folder)
            .status();
        assert!(status.is_ok_and(|status| status.success()), "{name} failed");
        let (next, later) = (if name == "log" { "replay" } else { "" }, name == "replay" && scrapes == 600);
        if next.is_empty() && !later {
            let _ = fs::remove_dir_all(&folder);
        }
    }
}

fn row(name: &str, series: usize, scrapes: i64, folder: &Path) {
    let before = memory("VmRSS:");
    let (cpu, wall) = (cpu_seconds(), Instant::now());
    let (head, samples) = match name {
        "memory" => append(Head::in_memory(HeadOptions::default()), series, scrapes),
        "log" => append(open(folder), series, scrapes),
        "replay" => (open(folder), (series as i64 * scrapes) as u64),
        _ => {
            let head = open(folder);
            let (cpu, wall) = (cpu_seconds(), Instant::now());
            let fs: Arc<dyn tsdb::fs::Fs> = Arc::new(RealFs);
            let range = head.range_to_cut().unwrap_or((BASE, BASE + 7_200_000));
            let id = BlockId::new(BASE as u64, 1);
            let meta = head.write_block(&fs, folder, id, range).expect("a block").expect("samples");
            head.truncate(range.1).expect("a shorter log");
            print(name, series, scrapes, meta.stats.num_samples, (cpu, wall, before), &head);
            return;
        }
    };
    print(name, series, scrapes, samples, (cpu, wall, before), &head);
}

fn print(name: &str, series: usize, scrapes: i64, samples: u64, start: (f64, Instant, u64), head: &Head) {
    let (cpu, wall, before) = start;
    let (cpu, wall) = (cpu_seconds() - cpu, wall.elapsed().as_secs_f64());
    let (now, peak) = (memory("VmRSS:"), memory("VmHWM:"));
    println!(
        "{name:<10}{series:>9}{scrapes:>9}{:>14.0}{:>14.0}{:>12}{:>12}{:>12}{wall:>10.2}",
        samples as f64 / cpu,
        samples as f64 / wall,
        now / 1024,
        peak / 1024,
        (now - before) * 1024 / series as u64,
    );
    assert!(head.stats().series <= series);
}

fn open(folder: &Path) -> Head {
    Head::open(Arc::new(RealFs), folder, HeadOptions::default(), i64::MIN, &mut |_| {}).expect("a head").0
}

/// Makes the series and appends to them by reference, a scrape of a hundred series at a time, as counters and gauges go.
fn append(head: Head, series: usize, scrapes: i64) -> (Head, u64) {
    let mut references: Vec<SeriesRef> = Vec::with_capacity(series);
    for target in 0..series.div_ceil(100) {
        let mut appender = head.appender();
        let (pod, node, instance) = (
            format!("app-7d9f8b6c5-{target:05x}"),
            format!("node-{:03}", target % 50),
            format!("10.{}.{}.7:9090", target / 250, target % 250),
        );
        let namespace = format!("team-{}", target % 20);
        for number in 0..100.min(series - target * 100) {
            let (metric, path) =
                (format!("http_requests_{:02}_total", number / 5), format!("/api/v1/{}", number % 5));
            let labels = [
                ("__name__", metric.as_str()),
                ("cluster", "eu-west-1"),
                ("container", "app"),
                ("instance", &instance),
                ("job", "kubernetes-pods"),
                ("namespace", &namespace),
                ("node", &node),
                ("path", &path),
                ("pod", &pod),
            ];
            references.push(appender.series(&labels).expect("labels"));
        }
        appender.commit().expect("a commit");
    }
    let mut samples = 0;
    let mut noise = 1u64;
    for scrape in 0..scrapes {
        for target in references.chunks(100) {
            let mut appender = head.appender();
            let timestamp = BASE + scrape * INTERVAL;
            for (number, reference) in target.iter().enumerate() {
                noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let value = match number % 4 {
                    0 => scrape as f64 * 3.0,
                    1 => (scrape * scrape + (noise >> 60) as i64) as f64,
                    2 => 17.0,
                    _ => (noise >> 40) as f64 / 1000.0,
                };
                appender.append(*reference, timestamp, value).expect("in order");
            }
            samples += appender.commit().expect("a commit").samples;
        }
    }
    (head, samples)
}

/// CPU time of this process' only thread.
fn cpu_seconds() -> f64 {
    let text = fs::read_to_string("/proc/self/schedstat").expect("/proc");
    text.split(' ').next().and_then(|nanos| nanos.parse::<f64>().ok()).expect("nanoseconds") / 1e9
}

/// KiB.
fn memory(field: &str) -> u64 {
    let text = fs::read_to_string("/proc/self/status").expect("/proc");
    let line = text.lines().find_map(|line| line.strip_prefix(field)).expect("a field");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}
