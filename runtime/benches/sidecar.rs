//! What `Series` costs the sidecar, for each series that a real Prometheus streams through it: `make bench`.
//!
//! Two data sets: 10,000 series of six hours every 15 s, and 100,000 series of one chunk. CPU and memory are the sidecar's alone,
//! from `/proc`; nothing is asserted. Prometheus comes from Debian.
#![expect(clippy::print_stdout, reason = "the table is the result")]
#![expect(clippy::disallowed_methods, reason = "a measurement needs the clock, the disk and processes")]

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use storeapi::SeriesFrame;
use storeapi::thanos::store_client::StoreClient;
use storeapi::thanos::{LabelMatcher, SeriesRequest};
use tsdb::BlockId;
use tsdb::block::{BlockMeta, BlockWriter, ChunkData, Tombstones};
use tsdb::chunk::{Encoding, XorAppender};
use tsdb::fs::RealFs;
use tsdb::index::SymbolTableBuilder;

/// 2024-01-01, milliseconds since the epoch.
const START: i64 = 1_704_067_200_000;
const HOUR: i64 = 3_600_000;
/// The kernel counts CPU time in hundredths of a second.
const TICKS: f64 = 100.0;
const ROUNDS: u32 = 5;

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn main() {
    println!(
        "{:<22}{:>10}{:>10}{:>12}{:>14}{:>14}{:>12}",
        "data", "series", "chunks", "MiB", "CPU us/series", "wall us/series", "peak MiB"
    );
    println!("{}", row("10k, 6 h every 15 s", 10_000, 6 * HOUR, 15_000));
    println!("{}", row("100k, 30 min, 15 s", 100_000, HOUR / 2, 15_000));
}

/// One block.
fn write(folder: &Path, series: usize, length: i64, step: i64) {
    let mut builder = SymbolTableBuilder::default();
    let fixed = [("__name__", "http_requests_total"), ("job", "api"), ("namespace", "shop")];
    let fixed = fixed.map(|(name, value)| (builder.add(name), builder.add(value)));
    let (instance, pod) = (builder.add("instance"), builder.add("pod"));
    let own: Vec<(u32, u32)> = (0..series)
        .map(|at| {
            let address = format!("10.{}.{}.{}:8080", at >> 16, at >> 8 & 255, at & 255);
            (builder.add(&address), builder.add(&format!("api-{at:06}")))
        })
        .collect();
    let (table, symbols) = builder.build();
    let symbol = |number: u32| symbols[number as usize];
    let id = BlockId::new((START + length) as u64, 7);
    let mut writer = BlockWriter::create(Arc::new(RealFs), folder, id, Arc::new(table)).expect("a block");
    let mut own = own;
    own.sort_by_key(|(address, _)| symbol(*address));
    for (at, (address, name)) in own.into_iter().enumerate() {
        let labels = [
            (fixed[0].0, fixed[0].1),
            (instance, address),
            (fixed[1].0, fixed[1].1),
            (fixed[2].0, fixed[2].1),
            (pod, name),
        ]
        .map(|(name, value)| (symbol(name), symbol(value)));
        let mut total = at as f64;
        let times: Vec<i64> = (START..START + length).step_by(step as usize).collect();
        let chunks: Vec<(i64, i64, Vec<u8>)> = times
            .chunks(120)
            .map(|times| {
                let mut appender = XorAppender::new();
                for (position, time) in times.iter().enumerate() {
                    total += ((at * 31 + position * 17) % 13) as f64;
                    appender.append(*time, total);
                }
                (times[0], times[times.len() - 1], appender.into_bytes())
            })
            .collect();
        let chunks: Vec<ChunkData<'_>> = chunks
            .iter()
            .map(|(min_time, max_time, data)| ChunkData {
                min_time: *min_time,
                max_time: *max_time,
                encoding: Encoding::Xor,
                data,
            })
            .collect();
        writer.add_series(&labels, &chunks).expect("a series");
    }
    writer.finish(BlockMeta::new(id, START, START + length), &Tombstones::default()).expect("a block");
}

fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").to_string()
}

fn row(name: &str, series: usize, length: i64, step: i64) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    fs::create_dir_all(&data).expect("a folder");
    write(&data, series, length, step);
    let config = folder.path().join("prometheus.yml");
    fs::write(&config, "global:\n  external_labels: {cluster: eu, prometheus_replica: a}\n").expect("a file");
    let (peer, http, grpc) = (free_address(), free_address(), free_address());
    let _prometheus = Running(
        Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", data.display()))
            .args(["--storage.tsdb.retention.time=100y", "--log.level=error"])
            .arg(format!("--web.listen-address={peer}"))
            .stdin(Stdio::null())
            .spawn()
            .expect("prometheus starts: apt-get install prometheus"),
    );
    let sidecar = Running(
        Command::new(env!("CARGO_BIN_EXE_pronoiad"))
            .args(["sidecar", "--log.level=error", "--prometheus.get_config_interval=1s"])
            .arg(format!("--prometheus.url=http://{peer}"))
            .arg(format!("--http-address={http}"))
            .arg(format!("--grpc-address={grpc}"))
            .stdin(Stdio::null())
            .spawn()
            .expect("the sidecar starts"),
    );
    let begun = Instant::now();
    while TcpStream::connect(&grpc).is_err() {
        assert!(begun.elapsed() < Duration::from_secs(120), "the sidecar does not serve");
        thread::sleep(Duration::from_millis(20));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let once = || runtime.block_on(ask(&grpc, length));
    // What is asked first pays for Prometheus' page cache.
    once();
    let (before, begun) = (ticks(&sidecar.0), Instant::now());
    let mut told = (0, 0, 0);
    for _ in 0..ROUNDS {
        told = once();
    }
    let wall = begun.elapsed().as_secs_f64() / f64::from(ROUNDS);
    let cpu = (ticks(&sidecar.0) - before) / TICKS / f64::from(ROUNDS);
    let (found, chunks, bytes) = told;
    assert_eq!(found, series);
    let each = |seconds: f64| seconds * 1e6 / found as f64;
    format!(
        "{name:<22}{found:>10}{chunks:>10}{:>12.1}{:>14.2}{:>14.2}{:>12.1}",
        bytes as f64 / f64::from(1 << 20),
        each(cpu),
        each(wall),
        memory(&sidecar.0)
    )
}

/// Series, chunks and bytes of chunks in one answer.
async fn ask(address: &str, length: i64) -> (usize, usize, usize) {
    let mut client = StoreClient::connect(format!("http://{address}"))
        .await
        .expect("it listens")
        .max_decoding_message_size(storeapi::MESSAGE_MAX);
    let matcher =
        LabelMatcher { r#type: 0, name: "__name__".to_owned(), value: "http_requests_total".to_owned() };
    let request = SeriesRequest {
        min_time: START,
        max_time: START + length,
        matchers: vec![matcher],
        response_batch_size: 64,
        without_replica_labels: vec!["prometheus_replica".to_owned()],
        ..SeriesRequest::default()
    };
    let mut stream = client.series(request).await.expect("an answer").into_inner();
    let (mut series, mut chunks, mut bytes) = (0, 0, 0);
    while let Some(frame) = stream.message().await.expect("a frame") {
        let SeriesFrame::Batch(list) = frame else { continue };
        for one in list {
            series += 1;
            chunks += one.chunks.len();
            let data = one.chunks.iter().flat_map(|chunk| chunk.parts.iter());
            bytes += data.map(|(_, chunk)| chunk.data.len()).sum::<usize>();
        }
    }
    (series, chunks, bytes)
}

/// CPU time in user and kernel mode.
fn ticks(child: &Child) -> f64 {
    let text = fs::read_to_string(format!("/proc/{}/stat", child.id())).expect("it runs");
    let after_name = text.rsplit(')').next().unwrap_or_default();
    after_name.split_whitespace().skip(11).take(2).filter_map(|number| number.parse::<f64>().ok()).sum()
}

/// The most memory that was ever resident, MiB.
fn memory(child: &Child) -> f64 {
    let text = fs::read_to_string(format!("/proc/{}/status", child.id())).expect("it runs");
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|kib| kib.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}
