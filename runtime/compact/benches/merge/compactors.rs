//! One compactor on a bucket, and two of them: processes with the leases, the disk and the bucket that compactors have.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use block::{FetcherMetrics, FileEntry, Meta, Thanos};
use compact::cycle::{CompactMetrics, Compactor, CompactorConfig, Parts};
use compact::downsample::DownsampleMetrics;
use compact::lease::{LeaseConfig, Leases};
use objstore::{BucketRef, Chance, Filesystem};
use prom_model::{PromDuration, SystemClock};
use prometheus_client::registry::Registry;
use tsdb::BlockId;
use tsdb::block::BlockMeta;
use tsdb::fs::RealFs;

use super::{METRICS, RANGE, RUNS, START, write};

/// Groups of blocks, each of which becomes a block of eight hours.
const CLUSTERS: u64 = 2;
const BLOCKS: u64 = 4;

/// Compares two compactors with one.
pub(super) fn compare(folder: &Path) {
    let bucket = folder.join("bucket");
    let mut first = Vec::new();
    for number in 0..=BLOCKS {
        // The newest block of a group is left alone; it need not be large.
        let metrics = if number < BLOCKS { METRICS } else { 1 };
        first.push(write(folder, metrics, START + number as i64 * RANGE, 0, 100 + number));
    }
    let [one, two] = [1, 2].map(|compactors| {
        let times = (0..RUNS).map(|_| {
            fill(&bucket, &first);
            let start = Instant::now();
            let children: Vec<Child> = (0..compactors).map(|number| begin(folder, &bucket, number)).collect();
            let made: u64 = children.into_iter().map(ended).sum();
            let taken = start.elapsed().as_secs_f64();
            assert_eq!(made, CLUSTERS, "each cluster's blocks become one");
            fs::remove_dir_all(&bucket).expect("a bucket");
            taken
        });
        times.fold(f64::MAX, f64::min)
    });
    println!("{:<46}{one:>8.2} s", "compactor of two clusters of 4 x 2 h");
    println!("{:<46}{two:>8.2} s, {:.2} times as fast", "two compactors of them", one / two);
}

fn begin(folder: &Path, bucket: &Path, number: u64) -> Child {
    let myself = std::env::current_exe().expect("a name");
    let mut command = Command::new(myself);
    command.arg("--compact").arg(bucket).arg(folder.join(format!("data-{number}")));
    command.stdout(Stdio::piped()).spawn().expect("a process")
}

/// How many blocks it has made.
fn ended(child: Child) -> u64 {
    let output = child.wait_with_output().expect("a process");
    assert!(output.status.success(), "a compactor failed");
    String::from_utf8_lossy(&output.stdout).trim().parse().expect("a number")
}

/// Fills a bucket with the blocks, once for each cluster.
fn fill(bucket: &Path, blocks: &[PathBuf]) {
    for cluster in 0..CLUSTERS {
        for (number, source) in blocks.iter().enumerate() {
            let id = BlockId::new(1 + number as u64, cluster.into());
            let folder = bucket.join(id.to_string());
            fs::create_dir_all(folder.join("chunks")).expect("a folder");
            let mut files = Vec::new();
            for rel_path in ["index", "tombstones", "chunks/000001"] {
                let size_bytes = fs::copy(source.join(rel_path), folder.join(rel_path)).expect("a file");
                files.push(FileEntry { rel_path: rel_path.to_owned(), size_bytes, ..FileEntry::default() });
            }
            let text = fs::read(source.join("meta.json")).expect("a meta.json");
            let mut block: BlockMeta = serde_json::from_slice(&text).expect("a meta.json");
            (block.ulid, block.compaction.sources) = (id, vec![id]);
            let labels = [("cluster".to_owned(), cluster.to_string())].into_iter().collect();
            let thanos = Thanos { version: 1, labels, files, ..Thanos::default() };
            let meta = Meta { block, thanos }.to_bytes().expect("JSON");
            fs::write(folder.join("meta.json"), meta).expect("a file");
        }
    }
}

/// Compacts a bucket; what a process does.
pub(super) fn compact(bucket: &Path, data: &str) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    fs::create_dir_all(data).expect("a folder");
    let made = runtime.block_on(async {
        let bucket: BucketRef = Arc::new(Filesystem::new(bucket).expect("a bucket"));
        let mut chance = Chance::from_seed(std::process::id().into());
        let leases = Leases::enter(Arc::clone(&bucket), LeaseConfig::new("bench"), &mut chance).await;
        let config = CompactorConfig {
            consistency_delay: PromDuration::ZERO,
            downsampling: false,
            ..CompactorConfig::new(data)
        };
        let mut registry = Registry::default();
        let parts = Parts {
            bucket,
            fs: Arc::new(RealFs),
            clock: Arc::new(SystemClock),
            chance,
            leases: Some(leases.expect("leases")),
            metrics: CompactMetrics::register(&mut registry),
            downsample_metrics: DownsampleMetrics::register(&mut registry),
            fetcher_metrics: FetcherMetrics::register(&mut registry),
        };
        let compactor = Compactor::new(config, parts).expect("a compactor");
        compactor.prepare().await.expect("a disk");
        let outcome = compactor.run_once().await;
        assert!(outcome.is_success(), "{:?}", outcome.failures);
        outcome.compacted.len()
    });
    println!("{made}");
    let _ = fs::remove_dir_all(data);
}
