//! How long checking and rendering take and how much memory they need, by size: `make bench`.
//!
//! Each row is a process of its own, because the peak of a process never falls. Nothing is asserted: wall time on a shared
//! machine proves nothing, the growth from row to row does.
#![expect(clippy::print_stdout, reason = "the table is the result")]
#![expect(clippy::disallowed_methods, reason = "a measurement needs the clock, the disk and processes")]

use std::fmt::Write as _;
use std::io;
use std::process::Command;
use std::time::Instant;

use compiler::pipeline::{self, Outcome, Request};
use compiler::source::MemoryWorld;

/// Clusters of the whole size; the smaller rows have a quarter and half of them.
const CLUSTERS: u32 = 20;
const SHARDS: u32 = 16;
const JOBS: u32 = 500;
const RULES: u32 = 5_000;
const RULES_PER_FILE: u32 = 100;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "--row") {
        let size = arguments.get(at + 1).map_or("tutorial", String::as_str);
        println!("{}", measure(size));
        return;
    }
    println!("{SHARDS} shards, {JOBS} jobs and {RULES} rules in each cluster\n");
    println!(
        "{:<14}{:>8}{:>12}{:>12}{:>12}{:>14}{:>8}",
        "topology", "files", "MiB", "check ms", "render ms", "peak MiB", "growth"
    );
    let mut before: Option<(u32, f64)> = None;
    for size in
        ["tutorial".to_string()].into_iter().chain([4, 2, 1].map(|part| (CLUSTERS / part).to_string()))
    {
        let row = row(&size);
        let [files, bytes, check, render, peak] = row[..] else {
            println!("{size:<14}{row:?}");
            continue;
        };
        let clusters = size.parse().ok();
        // Time by size: 1.00 is linear, 2.00 would be quadratic.
        let growth = match (before, clusters) {
            (Some((smaller, time)), Some(larger)) => {
                format!("{:.2}", (render / time).ln() / (f64::from(larger) / f64::from(smaller)).ln())
            }
            _ => "-".to_string(),
        };
        before = clusters.map(|clusters| (clusters, render));
        let title = clusters.map_or(size, |clusters| format!("{clusters} clusters"));
        let mebibytes = bytes / f64::from(1 << 20);
        println!(
            "{title:<14}{files:>8}{mebibytes:>12.1}{check:>12.1}{render:>12.1}{:>14.1}{growth:>8}",
            peak / 1024.0
        );
    }
}

/// Runs one row in a process of its own.
fn row(size: &str) -> Vec<f64> {
    let this = std::env::current_exe().expect("a running program has a path");
    let output = Command::new(this).args(["--row", size]).output().expect("the bench starts again");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{size}: {text}{}", String::from_utf8_lossy(&output.stderr));
    text.split_whitespace().filter_map(|number| number.parse().ok()).collect()
}

/// Files, bytes, milliseconds of checking and of rendering, peak in KiB.
fn measure(size: &str) -> String {
    let world = match size.parse() {
        Ok(clusters) => large(clusters),
        Err(_) => MemoryWorld::single("topology.kdl", include_str!("../../examples/tutorial.kdl")),
    };
    let request = Request { path: "topology.kdl".to_string(), ..Request::default() };
    let begun = Instant::now();
    complain(&pipeline::check(&world, &request));
    let check = begun.elapsed().as_secs_f64() * 1e3;
    let begun = Instant::now();
    let outcome = pipeline::render(&world, &request);
    let mut sink = Sink { bytes: 0 };
    for artefact in &outcome.artefacts {
        artefact.write_to(&mut sink).expect("counting never fails");
    }
    let render = begun.elapsed().as_secs_f64() * 1e3;
    complain(&outcome);
    assert!(!outcome.artefacts.is_empty(), "{size} renders something");
    format!("{} {} {check} {render} {}", outcome.artefacts.len(), sink.bytes, peak_kib())
}

/// A bench of a topology with errors would measure nothing.
fn complain(outcome: &Outcome) {
    let errors: Vec<_> = outcome
        .diagnostics
        .iter()
        .filter(|found| found.severity == compiler::diagnostic::Severity::Error)
        .map(|found| format!("{} {}", found.code, found.message))
        .take(5)
        .collect();
    assert!(errors.is_empty(), "{errors:?}");
}

/// Counts what it is given.
struct Sink {
    bytes: u64,
}

impl io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The most memory that this process ever had resident; 0 where the system does not say.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()).and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// Clusters that differ in name alone, with jobs from one file and rules from many.
fn large(clusters: u32) -> MemoryWorld {
    let mut jobs = String::new();
    for job in 0..JOBS {
        let _ = writeln!(jobs, "scrape static as=job-{job} {{ static \"job-{job}.example.net:9100\"; }}");
    }
    let mut topology = format!(
        "include \"jobs.kdl\"\ntopology big {{\n    prometheus replicas=2 retention=\"24h\" disk=\"250Gi\" {{\n        \
         every \"30s\"\n        shards {SHARDS}\n        scrape self\n    }}\n    rules \"rules/*.yaml\"\n    \
         query replicas=2\n"
    );
    for cluster in 0..clusters {
        let _ = writeln!(
            topology,
            "    cluster c-{cluster} {{ prometheus {{ identity cluster=c-{cluster}; }}; }}"
        );
    }
    topology.push_str("}\n");
    let mut world = MemoryWorld::single("topology.kdl", topology);
    world.files.insert("jobs.kdl".to_string(), jobs.into_bytes());
    for file in 0..RULES / RULES_PER_FILE {
        let mut text = format!("groups:\n  - name: group-{file}\n    rules:\n");
        for rule in 0..RULES_PER_FILE {
            let _ = writeln!(
                text,
                "      - record: job:requests_{file}_{rule}:rate5m\n        \
                 expr: sum by (job, instance) (rate(http_requests_total{{code=~\"5..\",handler=\"/api/{rule}\"}}[5m]))"
            );
        }
        world.files.insert(format!("rules/{file:03}.yaml"), text.into_bytes());
    }
    world
}
