//! A merge that is larger than its memory: by hand, as root on Linux, `cargo bench -p compact --bench large -- FOLDER`.
//!
//! Writes blocks of ten million series in all into a bucket that is a folder, each through the bounded writer, then merges them
//! out of that bucket by ranges, in a process that lives in a control group of 256 MiB and writes to a file system of limited
//! size. `--series N`, `--blocks N`, `--memory-mib N`, `--disk-mib N`; about 9 GB of FOLDER are needed and given back.
#![expect(clippy::print_stdout, reason = "the table is the result")]
#![expect(clippy::disallowed_methods, reason = "a measurement needs the disk and processes")]

mod cage;
mod sources;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use block::Meta;
use compact::Target;
use compact::estimate::{self, Estimate, SourceSize};
use compact::merge::{Overlaps, merge};
use compact::source::OpenSource;
use compact::verify::read_again;
use objstore::{BucketRef, Filesystem};
use tsdb::BlockId;
use tsdb::block::{BlockMeta, BlockReader};
use tsdb::fs::RealFs;
use tsdb::index::Series;

/// What is to be done.
struct Plan {
    folder: PathBuf,
    series: u64,
    blocks: u64,
    memory_mib: u64,
    disk_mib: u64,
}

fn main() {
    let arguments: Vec<String> = std::env::args().filter(|argument| argument != "--bench").collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "--merge") {
        return child(Path::new(&arguments[at + 1]), Path::new(&arguments[at + 2]), &arguments[at + 3]);
    }
    let number = |name: &str, otherwise: u64| {
        let at = arguments.iter().position(|argument| argument == name);
        at.map_or(otherwise, |at| arguments[at + 1].parse().expect("a number"))
    };
    let Some(folder) = arguments.get(1).filter(|argument| !argument.starts_with('-')) else {
        println!("left out: a folder with some GB of room is to be named, and it takes root");
        return;
    };
    let plan = Plan {
        folder: PathBuf::from(folder),
        series: number("--series", 10_000_000),
        blocks: number("--blocks", 4),
        memory_mib: number("--memory-mib", 256),
        disk_mib: number("--disk-mib", 4096),
    };
    run(&plan);
}

fn run(plan: &Plan) {
    let bucket = plan.folder.join("bucket");
    std::fs::create_dir_all(&bucket).expect("a folder");
    let start = cpu();
    for number in 0..plan.blocks {
        sources::write(&bucket, number, plan.blocks, plan.series);
    }
    println!("sources written: {:.1} CPU-s, peak RSS {} MB", cpu() - start, peak_rss() >> 20);
    let sizes = sources::sizes(&bucket);
    println!("{} blocks, indices {} MB, chunks {} MB", plan.blocks, sizes.0 >> 20, sizes.1 >> 20);
    let disk = cage::Disk::mount(&plan.folder, plan.disk_mib);
    let memory = cage::Memory::new("pronoia-large", plan.memory_mib << 20);
    let program = std::env::current_exe().expect("a name");
    let (program, bucket_name) = (program.display().to_string(), bucket.display().to_string());
    let arguments = [
        program.as_str(),
        "--merge",
        bucket_name.as_str(),
        &disk.folder().display().to_string(),
        &plan.memory_mib.to_string(),
    ];
    let empty = disk.used();
    let (status, disk_peak) = memory.run(&arguments, &disk);
    let disk_peak = disk_peak - empty;
    println!(
        "merge in a group of {} MiB: {status}; peak of the group with page cache {} MB, limit hit {} times; disk peak {} of {} MB",
        plan.memory_mib,
        memory.peak_bytes() >> 20,
        memory.limit_hits(),
        disk_peak >> 20,
        plan.disk_mib,
    );
    assert!(status.success(), "the merge did not finish");
    let said = said(&bucket, plan.memory_mib << 20).disk_bytes;
    println!(
        "said: at most {} MB of disk, {:.2} times what was taken",
        said >> 20,
        said as f64 / disk_peak as f64
    );
    assert!((disk_peak..disk_peak * 2).contains(&said));
    check(disk.folder(), plan.series);
    drop(disk);
    std::fs::remove_dir_all(&bucket).expect("an empty folder");
}

/// How a limit is divided: the half for the merge, an eighth for reading ahead of all sources.
const fn shares(limit: u64, sources: usize) -> (u64, u64) {
    (limit / 2, limit / 8 / sources as u64)
}

/// What is told before it begins.
fn said(bucket: &Path, limit: u64) -> Estimate {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let bucket: BucketRef = Arc::new(Filesystem::new(bucket).expect("a bucket"));
    let metas = sources::metas(&bucket, &runtime);
    let read = |meta| runtime.block_on(SourceSize::read(bucket.as_ref(), meta)).expect("sizes");
    let sizes: Vec<SourceSize> = metas.iter().map(read).collect();
    let (memory, ahead) = shares(limit, sizes.len());
    estimate::merge(&sizes, memory, ahead)
}

/// Looks at what came out: every series is there, in order.
fn check(folder: &Path, expected: u64) {
    let mut blocks = std::fs::read_dir(folder).expect("a folder").filter_map(|entry| {
        let entry = entry.expect("an entry");
        entry.file_name().into_string().ok().filter(|name| name.len() == 26).map(|_| entry.path())
    });
    let path = blocks.next().expect("a block");
    assert!(blocks.next().is_none(), "more than one block");
    let block = BlockReader::open_to_scan(&RealFs, &path).expect("a block");
    let index = std::fs::metadata(path.join("index")).expect("an index").len();
    let (mut scan, mut series, mut count) = (block.index().scan(), Series::default(), 0u64);
    let mut all = block.index().all_postings_stream().expect("all series");
    let mut last = Vec::new();
    while scan.next_into(&mut series).expect("a series") {
        assert!(last < series.labels, "out of order");
        assert_eq!(all.next_series().expect("a series"), Some(series.reference));
        std::mem::swap(&mut last, &mut series.labels);
        count += 1;
    }
    assert_eq!(all.next_series().expect("the end"), None);
    println!(
        "{count} series, index {} MB, {} lists of postings",
        index >> 20,
        block.index().postings_lists()
    );
    assert_eq!(count, expected);
}

/// Merges all blocks of a bucket; the process that is held to its limits.
fn child(bucket: &Path, target: &Path, memory_mib: &str) {
    let limit = memory_mib.parse::<u64>().expect("a number") << 20;
    let said = said(bucket, limit).memory_bytes;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let bucket: BucketRef = Arc::new(Filesystem::new(bucket).expect("a bucket"));
    let metas = sources::metas(&bucket, &runtime);
    let (target, again) = (target.to_owned(), target.to_owned());
    runtime.block_on(async move {
        let mut blocks = Vec::new();
        for meta in &metas {
            let (_, ahead) = shares(limit, metas.len());
            let source = OpenSource::open(&bucket, meta, ahead).await.expect("a block");
            blocks.push(source.block);
        }
        println!("opened: RSS {} MB, {:.1} CPU-s", rss() >> 20, cpu());
        let start = cpu();
        let merged = tokio::task::spawn_blocking(move || {
            let id = BlockId::new(99, 99);
            let target = Target {
                fs: Arc::new(RealFs),
                parent: &target,
                id,
                memory_bytes: shares(limit, metas.len()).0,
            };
            let (first, last) = times(&metas);
            merge(&blocks, Overlaps::OneToOne, &target, BlockMeta::new(id, first, last))
        });
        let merged = merged.await.expect("no panic").expect("a block");
        let written = merged.block.expect("samples");
        merged.samples.balance().expect("no sample is lost");
        println!(
            "merged: {:.1} CPU-s, peak RSS {} MB; {} series, {} samples",
            cpu() - start,
            peak_rss() >> 20,
            written.meta.stats.num_series,
            written.meta.stats.num_samples,
        );
        let start = cpu();
        let folder = again.join(written.meta.ulid.to_string());
        let found = tokio::task::spawn_blocking(move || read_again(&RealFs, &folder));
        let found = found.await.expect("no panic").expect("a block");
        assert_eq!(
            (found.damages, found.counts.series),
            (0, written.meta.stats.num_series),
            "{:?}",
            found.words
        );
        println!("read again: {:.1} CPU-s, peak RSS {} MB", cpu() - start, peak_rss() >> 20);
        let peak = peak_rss();
        println!(
            "said: at most {} MB of memory, {:.2} times what was taken",
            said >> 20,
            said as f64 / peak as f64
        );
        assert!(said >= peak);
    });
}

fn times(metas: &[Meta]) -> (i64, i64) {
    let first = metas.iter().map(|meta| meta.block.min_time).min().expect("blocks");
    (first, metas.iter().map(|meta| meta.block.max_time).max().expect("blocks"))
}

/// Seconds that this process was on a processor.
fn cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let behind = text.rsplit(')').next().expect("a name in brackets");
    let fields: Vec<&str> = behind.split_whitespace().collect();
    let ticks = |at: usize| fields[at].parse::<f64>().expect("a number");
    (ticks(11) + ticks(12)) / 100.0
}

fn peak_rss() -> u64 {
    status("VmHWM:")
}

fn rss() -> u64 {
    status("VmRSS:")
}

fn status(name: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = text.lines().find(|line| line.starts_with(name)).expect("a line");
    line.split_whitespace().nth(1).and_then(|text| text.parse::<u64>().ok()).expect("kilobytes") << 10
}
