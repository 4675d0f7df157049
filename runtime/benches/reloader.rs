//! What the reloader costs while nothing happens, and how long a change takes, by number of rule files: `make bench`.
//!
//! A row of one rule file is the baseline of the same run. The peer answers at once, so the time is the reloader's alone.
//! CPU and memory come from `/proc`; nothing is asserted.
#![expect(clippy::print_stdout, reason = "the table is the result")]
#![expect(clippy::disallowed_methods, reason = "a measurement needs the clock, the disk and processes")]

use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How long the reloader is left alone.
const IDLE: Duration = Duration::from_secs(60);
/// The kernel counts CPU time in hundredths of a second.
const TICKS: f64 = 100.0;
const CHANGES: u32 = 20;

fn main() {
    println!(
        "{:>12}{:>10}{:>12}{:>12}{:>14}{:>14}",
        "rule files", "MiB", "idle CPU %", "RSS MiB", "peak MiB", "change ms"
    );
    for files in [1, 500, 2_000] {
        println!("{}", row(files));
    }
}

/// Counts reloads.
fn peer() -> (String, Arc<AtomicU32>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let reloads = Arc::new(AtomicU32::new(0));
    let counter = reloads.clone();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let counter = counter.clone();
            thread::spawn(move || answer(stream, &counter));
        }
    });
    (address, reloads)
}

fn answer(mut stream: TcpStream, reloads: &AtomicU32) {
    let mut request = Vec::new();
    let mut part = [0; 1024];
    while let Ok(count @ 1..) = stream.read(&mut part) {
        request.extend_from_slice(&part[..count]);
        if request.ends_with(b"\r\n\r\n") {
            let asked = request.starts_with(b"POST");
            request.clear();
            if stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").is_err() {
                return;
            }
            reloads.fetch_add(u32::from(asked), Ordering::SeqCst);
        }
    }
}

fn rules(file: u32, change: u32) -> String {
    let mut text = format!("groups:\n- name: group-{file}\n  rules:\n");
    for rule in 0..10 {
        let _ = write!(
            text,
            "  - record: job:requests_{file}_{rule}:rate5m\n    expr: sum by (job) (rate(requests_total{{code=~\"5..\", handler=\"h{rule}\"}}[5m])) + {change}\n"
        );
    }
    text
}

fn row(files: u32) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    fs::create_dir_all(root.join("in/rules")).expect("a folder");
    let mut bytes = 0;
    for file in 0..files {
        let text = rules(file, 0);
        bytes += text.len();
        fs::write(root.join(format!("in/rules/{file}.yml")), text).expect("a file");
    }
    fs::write(root.join("in/prometheus.yml"), "rule_files: [rules/*.yml]\n").expect("a file");
    let (address, reloads) = peer();
    let mut child = start(root, &address);
    wait(&reloads, 1);
    thread::sleep(Duration::from_secs(1));
    let before = ticks(&child);
    thread::sleep(IDLE);
    let idle = (ticks(&child) - before) / TICKS / IDLE.as_secs_f64() * 100.0;
    let resident = memory(&child, "VmRSS:");
    let begun = Instant::now();
    for change in 1..=CHANGES {
        let spare = root.join("spare");
        fs::write(&spare, rules(0, change)).expect("a file");
        fs::rename(&spare, root.join("in/rules/0.yml")).expect("a file");
        wait(&reloads, 1 + change);
    }
    let change = begun.elapsed().as_secs_f64() * 1000.0 / f64::from(CHANGES);
    let peak = memory(&child, "VmHWM:");
    child.kill().expect("the reloader ran");
    child.wait().expect("the reloader ran");
    let mebibytes = bytes as f64 / f64::from(1 << 20);
    format!("{files:>12}{mebibytes:>10.1}{idle:>12.3}{resident:>12.1}{peak:>14.1}{change:>14.1}")
}

fn start(root: &Path, address: &str) -> Child {
    Command::new(env!("CARGO_BIN_EXE_pronoiad"))
        .args(["reloader", "--http-address=127.0.0.1:0", "--log.level=error"])
        .arg(format!("--prometheus.url=http://{address}"))
        .args([
            "--reloader.config-file=in/prometheus.yml",
            "--reloader.config-envsubst-file=out/prometheus.yml",
        ])
        .args(["--reloader.rule-dir=in/rules", "--reloader.rule-output-dir=out/rules"])
        .current_dir(root)
        .stdin(Stdio::null())
        .spawn()
        .expect("the reloader starts")
}

fn wait(reloads: &AtomicU32, count: u32) {
    let begun = Instant::now();
    while reloads.load(Ordering::SeqCst) < count {
        assert!(begun.elapsed() < Duration::from_secs(120), "no reload {count}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// CPU time in user and kernel mode.
fn ticks(child: &Child) -> f64 {
    let text = fs::read_to_string(format!("/proc/{}/stat", child.id())).expect("the reloader runs");
    let after_name = text.rsplit(')').next().unwrap_or_default();
    let columns: Vec<f64> =
        after_name.split_whitespace().skip(11).take(2).filter_map(|n| n.parse().ok()).collect();
    columns.iter().sum()
}

/// A line of `/proc/PID/status`, in MiB.
fn memory(child: &Child, line: &str) -> f64 {
    let text = fs::read_to_string(format!("/proc/{}/status", child.id())).expect("the reloader runs");
    let kibibytes =
        text.lines().find_map(|one| one.strip_prefix(line)?.split_whitespace().next()?.parse::<f64>().ok());
    kibibytes.unwrap_or_default() / 1024.0
}
