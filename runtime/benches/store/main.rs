//! What the store gateway costs over a bucket on the local disk: `make bench`.
//!
//! - index: a million series with one chunk each; `Series` without chunks, `LabelValues`.
//! - series: a hundred thousand series with their chunks, over gRPC on the loopback interface, in batches of 1 and of 64; the CPU
//!   time is that of both ends.
//! - start: two thousand blocks of 500 series; the first start makes the index-headers, the second finds them.
//!
//! Times are the least of several, after one that fills the caches; nothing is asserted.
#![expect(clippy::print_stdout, reason = "the table is the result")]
#![expect(clippy::disallowed_methods, reason = "a measurement needs the clock, the disk and processes")]

mod data;
mod gateway;

use std::fs;
use std::sync::Arc;
use std::time::Instant;

use futures::StreamExt;
use store::{Context, Store, StoreService};
use storeapi::SeriesFrame;
use storeapi::thanos::store_client::StoreClient;
use storeapi::thanos::{LabelMatcher, LabelValuesRequest, SeriesRequest};
use tokio::net::TcpListener;
use tonic::transport::server::TcpIncoming;

use crate::gateway::Gateway;

const ROUNDS: usize = 5;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let wanted = |name: &str| std::env::args().skip(1).all(|arg| arg.starts_with("--") || arg == name);
    let folder = tempfile::tempdir().expect("a folder");
    println!("load: {}", fs::read_to_string("/proc/loadavg").unwrap_or_default().trim());
    if wanted("index") {
        runtime.block_on(index(&folder.path().join("index")));
    }
    if wanted("series") {
        runtime.block_on(series(&folder.path().join("series")));
    }
    if wanted("start") {
        runtime.block_on(start(&folder.path().join("start")));
    }
}

/// CPU seconds of this process.
fn cpu() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    // The kernel counts CPU time in hundredths of a second.
    (ticks(11) + ticks(12)) / 100.0
}

fn memory_mib(field: &str) -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}

fn matcher(r#type: i32, name: &str, value: &str) -> LabelMatcher {
    LabelMatcher { r#type, name: name.to_owned(), value: value.to_owned() }
}

fn request(matchers: Vec<LabelMatcher>, skip_chunks: bool) -> SeriesRequest {
    SeriesRequest { min_time: 0, max_time: i64::MAX, matchers, skip_chunks, ..SeriesRequest::default() }
}

async fn count(store: &dyn Store, request: SeriesRequest) -> usize {
    let mut frames = store.series(request, Context::unlimited()).await.expect("an answer");
    let mut series = 0;
    while let Some(frame) = frames.next().await {
        if let SeriesFrame::Batch(batch) = frame.expect("a frame") {
            series += batch.len();
        }
    }
    series
}

async fn index(folder: &std::path::Path) {
    const SERIES: u32 = 1_000_000;
    data::block(folder, 1, SERIES, 1);
    let gateway = Gateway::new(folder, &folder.with_extension("local")).await;
    println!(
        "\nindex: {SERIES} series with one chunk\n{:<44}{:>10}{:>10}{:>12}{:>12}",
        "matchers", "series", "wall ms", "CPU ms", "µs/series"
    );
    let pods: Vec<String> = (0..100).map(|pod| format!("pod-{}", pod * 97)).collect();
    let name = || matcher(0, "__name__", "http_requests_total");
    for (what, matchers) in [
        ("=", vec![name(), matcher(0, "pod", "pod-7")]),
        ("=~ 100 alternatives", vec![name(), matcher(2, "pod", &pods.join("|"))]),
        ("=~ prefix", vec![name(), matcher(2, "pod", "pod-12.*")]),
        ("=~ .*x.*", vec![name(), matcher(2, "pod", ".*77.*")]),
        ("!= empty", vec![name(), matcher(1, "pod", "")]),
        ("unique label != empty", vec![matcher(0, "pod", "pod-7"), matcher(1, "series", "")]),
        ("name =~ .+", vec![matcher(2, "__name__", ".+")]),
        ("the same twice", vec![matcher(2, "__name__", ".+"), matcher(2, "__name__", ".+")]),
    ] {
        let (mut best, mut best_cpu, mut series) = (f64::MAX, f64::MAX, 0);
        for _ in 0..ROUNDS {
            let (start, before) = (Instant::now(), cpu());
            series = count(&gateway.store, request(matchers.clone(), true)).await;
            best = best.min(start.elapsed().as_secs_f64());
            best_cpu = best_cpu.min(cpu() - before);
        }
        println!(
            "{what:<44}{series:>10}{:>10.1}{:>12.1}{:>12.2}",
            best * 1e3,
            best_cpu * 1e3,
            best_cpu * 1e6 / series.max(1) as f64
        );
    }
    for (what, matchers) in [("values of pod", vec![]), ("values of pod, one metric", vec![name()])] {
        let mut best = f64::MAX;
        for _ in 0..ROUNDS {
            let start = Instant::now();
            let label = "pod".to_owned();
            let request = LabelValuesRequest {
                label,
                start: 0,
                end: i64::MAX,
                matchers: Vec::clone(&matchers),
                ..LabelValuesRequest::default()
            };
            let answer = gateway.store.label_values(request, Context::unlimited()).await;
            assert!(!answer.expect("an answer").values.is_empty());
            best = best.min(start.elapsed().as_secs_f64());
        }
        println!("{what:<44}{:>20.1}", best * 1e3);
    }
    println!("peak: {:.0} MiB", memory_mib("VmHWM"));
}

async fn series(folder: &std::path::Path) {
    const SERIES: u32 = 100_000;
    data::block(folder, 2, SERIES, 120);
    let gateway = Gateway::new(folder, &folder.with_extension("local")).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let service = StoreService::new(Arc::new(gateway.store.clone()), budget::Budget::unlimited());
    let serving = tonic::transport::Server::builder()
        .add_service(service.into_server())
        .serve_with_incoming(TcpIncoming::from(listener));
    let serving = tokio::spawn(serving);
    println!(
        "\nseries: {SERIES} series of 120 samples over gRPC\n{:<14}{:>10}{:>12}{:>12}{:>12}",
        "batch", "MB", "wall ms", "CPU ms", "µs/series"
    );
    for batch in [1, 64] {
        let mut client = StoreClient::connect(format!("http://{address}"))
            .await
            .expect("a connection")
            .max_decoding_message_size(storeapi::MESSAGE_MAX);
        let (mut best, mut best_cpu, mut bytes) = (f64::MAX, f64::MAX, 0);
        for _ in 0..ROUNDS {
            let (start, before) = (Instant::now(), cpu());
            let mut asked = request(vec![matcher(2, "__name__", ".+")], false);
            asked.response_batch_size = batch;
            let mut answer = client.series(asked).await.expect("an answer").into_inner();
            bytes = 0;
            while let Some(frame) = answer.message().await.expect("a frame") {
                bytes += match frame {
                    SeriesFrame::Series(series) => series.encoded_len(),
                    SeriesFrame::Batch(batch) => batch.iter().map(storeapi::Series::encoded_len).sum(),
                    _ => 0,
                };
            }
            best = best.min(start.elapsed().as_secs_f64());
            best_cpu = best_cpu.min(cpu() - before);
        }
        println!(
            "{batch:<14}{:>10.1}{:>12.1}{:>12.1}{:>12.2}",
            bytes as f64 / 1e6,
            best * 1e3,
            best_cpu * 1e3,
            best_cpu * 1e6 / f64::from(SERIES)
        );
    }
    serving.abort();
    println!("peak: {:.0} MiB", memory_mib("VmHWM"));
}

async fn start(folder: &std::path::Path) {
    const BLOCKS: u32 = 2_000;
    data::blocks(folder, BLOCKS, 500);
    let local = folder.with_extension("local");
    println!(
        "\nstart: {BLOCKS} blocks of 500 series\n{:<14}{:>12}{:>12}{:>14}",
        "", "wall ms", "CPU ms", "grown MiB"
    );
    for what in ["cold", "warm", "warm again"] {
        let (start, before, resident) = (Instant::now(), cpu(), memory_mib("VmRSS"));
        let gateway = Gateway::new(folder, &local).await;
        assert_eq!(gateway.store.blocks(), BLOCKS as usize);
        println!(
            "{what:<14}{:>12.1}{:>12.1}{:>14.1}",
            start.elapsed().as_secs_f64() * 1e3,
            (cpu() - before) * 1e3,
            memory_mib("VmRSS") - resident
        );
    }
}
