//! Queries over blocks, against Prometheus and VictoriaMetrics on the same data in the same run: `make bench`.
//!
//! Each query is asked over HTTP, the servers in turn; CPU seconds are user and system time of the server's process, of several
//! runs the least, per query. Memory is how far the process grew beyond what it held before. A peer that is not installed has no column.
//! Arguments: `--only W1`, `--scale 0.1` (fewer series), `--runs 5`, `--curves`.
#![expect(clippy::print_stdout, reason = "the table is the result")]
#![expect(clippy::disallowed_methods, reason = "a measurement needs the clock, the disk and processes")]

mod data;
mod servers;
mod workloads;

use std::path::{Path, PathBuf};

use servers::{Cost, Server};
use workloads::{Query, Workload};

struct Arguments {
    only: Option<String>,
    scale: f64,
    runs: usize,
    curves: bool,
}

fn main() {
    let arguments = arguments();
    println!("load before: {}", std::fs::read_to_string("/proc/loadavg").unwrap_or_default().trim());
    for workload in workloads::all(arguments.scale) {
        if arguments.only.as_ref().is_none_or(|only| workload.name == only.as_str()) {
            run(&workload, arguments.runs);
        }
    }
    if arguments.curves {
        for curve in workloads::curves(arguments.scale) {
            run(&curve, arguments.runs);
        }
    }
}

fn arguments() -> Arguments {
    let mut arguments = Arguments { only: None, scale: 1.0, runs: 3, curves: false };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--only" => arguments.only = words.next(),
            "--scale" => arguments.scale = words.next().and_then(|text| text.parse().ok()).unwrap_or(1.0),
            "--runs" => arguments.runs = words.next().and_then(|text| text.parse().ok()).unwrap_or(3),
            "--curves" => arguments.curves = true,
            _ => {}
        }
    }
    arguments
}

fn run(workload: &Workload, runs: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut samples = 0;
    let mut replicas = Vec::new();
    for replica in 0..workload.replicas {
        let blocks = folder.path().join(format!("blocks-{replica}"));
        std::fs::create_dir_all(&blocks).expect("a folder");
        for set in &workload.sets {
            let set = data::Set { offset: set.offset + 7_000 * replica as i64, ..set.clone() };
            samples += data::write(&set, &blocks);
        }
        replicas.push(blocks);
    }
    println!("\n{}: {} ({:.1} M samples)", workload.name, workload.what, samples as f64 / 1e6);
    let mut servers = start(workload, folder.path(), &replicas);
    let names: Vec<&str> = servers.iter().map(|server| server.name).collect();
    println!("{:<66}{}", "query", names.iter().map(|name| format!("{name:>24}")).collect::<String>());
    let mut ratios: Vec<Vec<f64>> = vec![Vec::new(); servers.len()];
    for query in &workload.queries {
        let mut best: Vec<Option<Cost>> = vec![None; servers.len()];
        for _ in 0..=runs {
            for (server, best) in servers.iter_mut().zip(&mut best) {
                let Some(cost) = server.ask(query) else { continue };
                if best.as_ref().is_none_or(|best| cost.cpu_seconds < best.cpu_seconds) {
                    *best = Some(cost);
                }
            }
        }
        print_row(query, &best);
        for (ratios, ratio) in ratios.iter_mut().zip(ratios_of(&best)) {
            ratios.extend(ratio);
        }
    }
    // The mean of ratios is the geometric one.
    let mean =
        |ratios: &[f64]| (ratios.iter().map(|ratio| ratio.ln()).sum::<f64>() / ratios.len() as f64).exp();
    let shown = ratios.iter().map(|ratios| match ratios.as_slice() {
        [] => format!("{:>24}", ""),
        ratios => format!("{:>23.1}x", mean(ratios)),
    });
    println!("{:<66}{}", "geometric mean", shown.collect::<String>());
}

/// CPU of each server as a multiple of the first one's; none where it is too little to be measured.
fn ratios_of(costs: &[Option<Cost>]) -> impl Iterator<Item = Option<f64>> {
    let own = costs.first().and_then(Option::as_ref).map(|cost| cost.cpu_seconds);
    costs.iter().enumerate().map(move |(at, cost)| {
        let ratio = cost.as_ref()?.cpu_seconds / own?;
        (at > 0 && ratio.is_finite() && ratio > 0.0).then_some(ratio)
    })
}

fn start(workload: &Workload, folder: &Path, replicas: &[PathBuf]) -> Vec<Server> {
    let path = folder.join("read-path");
    let Some(blocks) = replicas.first() else { return Vec::new() };
    if replicas.len() > 1 {
        // What a second replica costs: a ratio against the first alone; and what both cost that are not made one.
        let one = Server::read_path("query + 1 store", replicas.get(..1).unwrap_or_default(), &path);
        let two = Server::read_path("query + 2 stores", replicas, &path);
        let apart = Server::read_path("2 stores, no dedup", replicas, &path.join("apart"));
        let apart = apart.map(|server| server.asked_with("&dedup=false"));
        return one.into_iter().chain(two).chain(apart).collect();
    }
    let mut servers = vec![Server::ours(blocks)];
    if workload.name == "W1" {
        servers.extend(Server::read_path("query + store", replicas, &path));
    }
    servers.extend(Server::prometheus(blocks, &folder.join("prometheus")));
    if workload.has_floats_only {
        servers.extend(Server::victoria_metrics(&workload.sets, &folder.join("victoria-metrics")));
    }
    servers
}

fn print_row(query: &Query, costs: &[Option<Cost>]) {
    let mut row = format!("{:<66}", query.shown());
    for (cost, ratio) in costs.iter().zip(ratios_of(costs)) {
        let shown = match cost {
            None => "failed".to_owned(),
            Some(cost) => {
                let ratio = ratio.map(|ratio| format!(" {ratio:>5.1}x")).unwrap_or_default();
                format!("{:.3} s {:>4.0} MB{ratio}", cost.cpu_seconds, cost.grown_bytes as f64 / 1e6)
            }
        };
        row.push_str(&format!("{shown:>24}"));
    }
    println!("{row}");
    for cost in costs.iter().flatten().filter(|cost| cost.peaks.len() > 1) {
        let peaks: Vec<String> =
            cost.peaks.iter().map(|(name, bytes)| format!("{name} {:.0} MB", *bytes as f64 / 1e6)).collect();
        let all: u64 = cost.peaks.iter().map(|(_, bytes)| bytes).sum();
        println!("    peak: {}, together {:.0} MB", peaks.join(", "), all as f64 / 1e6);
    }
}
