//! `tools bucket downsample`: a service that downsamples the blocks of a bucket as they become long enough.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use axum::Router;
use block::filter::{Duplicates, Filter, IgnoreDeletionMarks, NoDownsampleMarks};
use block::{BlockId, Fetcher, FetcherConfig, FetcherMetrics, HashFunc, Meta, View};
use clap::Args;
use compact::downsample::{DownsampleMetrics, Due, Job, JobDone, select};
use futures::StreamExt;
use prom_model::{Clock, PromDuration};
use prometheus_client::registry::Registry;
use server::duration::GoDuration;
use server::metrics::Metrics;
use server::probe::Probe;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};
use tsdb::fs::{Fs, RealFs};

use super::Tool;
use crate::commands::stop_on_signal;
use crate::flags::HttpFlags;

/// Downsamples the blocks of the bucket, again and again
#[derive(Args)]
pub(super) struct Flags {
    #[command(flatten)]
    http: HttpFlags,
    /// Time between two runs
    #[arg(long = "wait-interval", value_name = "DURATION", default_value = "5m")]
    wait_interval: GoDuration,
    /// Blocks that are downsampled at the same time
    #[arg(long = "downsample.concurrency", value_name = "NUMBER", default_value = "1")]
    concurrency: usize,
    /// Files that are read or written at the same time
    #[arg(long = "block-files-concurrency", value_name = "NUMBER", default_value = "1")]
    files: usize,
    /// Folder for blocks while they are worked on; they lie in the folder `downsample` in it, which is emptied
    #[arg(long = "data-dir", value_name = "DIR", default_value = "./data")]
    data_dir: PathBuf,
    /// Hash that is written beside each file: empty or SHA256
    #[arg(long = "hash-func", value_name = "FUNCTION", default_value = "", value_parser = ["", "SHA256"])]
    hash_func: String,
    /// Run once and end, with exit code 1 if a block could not be downsampled (not in Thanos)
    #[arg(long = "single-run")]
    single_run: bool,
    /// Only say which blocks would be downsampled next (not in Thanos)
    #[arg(long = "dry-run")]
    dry_run: bool,
}

/// How much of a block is in memory, as far as that can be chosen.
const MEMORY_BYTES: u64 = 128 << 20;

/// What all runs work with.
struct Downsampler {
    flags: Flags,
    tool: Tool,
    fs: Arc<dyn Fs>,
    fetcher: Fetcher,
    metrics: DownsampleMetrics,
}

pub(super) async fn run(flags: Flags, tool: Tool, mut registry: Registry) -> anyhow::Result<()> {
    // No mark is so old that its block is hidden: what it holds is not made again.
    let filters: Vec<Box<dyn Filter>> = vec![
        Box::new(Duplicates),
        Box::new(NoDownsampleMarks),
        Box::new(IgnoreDeletionMarks(PromDuration::from_millis(i64::MAX))),
    ];
    let fetcher = Fetcher::new(
        Arc::clone(&tool.bucket),
        Arc::new(tool.clock),
        FetcherConfig { concurrency: tool.concurrency, ..FetcherConfig::default() },
        filters,
        FetcherMetrics::register(&mut registry),
    );
    let metrics = DownsampleMetrics::register(&mut registry);
    let downsampler = Downsampler { flags, tool, fs: Arc::new(RealFs), fetcher, metrics };
    let flags = &downsampler.flags;
    if flags.single_run || flags.dry_run {
        return downsampler.passes().await;
    }
    let probe = Probe::register("downsample", &mut registry);
    let server = flags.http.listen().await?;
    info!(msg = "listening for requests", service = "http/server", address = %server.address());
    let stop = CancellationToken::new();
    let signals = stop_on_signal(stop.clone())?;
    probe.set_ready(true);
    let grace = flags.http.grace();
    let serving = tokio::spawn(server.run(Router::new(), Metrics::new(registry), probe, stop.clone(), grace));
    info!(msg = "starting downsample node");
    while !stop.is_cancelled() {
        let passed = tokio::select! {
            () = stop.cancelled() => break,
            passed = downsampler.passes() => passed,
        };
        if let Err(failure) = passed {
            error!(msg = "downsampling failed; the next run tries again", err = %format_args!("{failure:#}"));
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(flags.wait_interval.0.max(Duration::from_millis(10))) => {}
        }
    }
    serving.await.context("HTTP server")??;
    signals.abort();
    Ok(())
}

impl Downsampler {
    /// From raw samples to five minutes, and then, with what was made, to an hour.
    async fn passes(&self) -> anyhow::Result<()> {
        let folder = self.flags.data_dir.join("downsample");
        if !self.flags.dry_run {
            let (fs, folder) = (Arc::clone(&self.fs), folder.clone());
            tokio::task::spawn_blocking(move || {
                // What an earlier run has left.
                drop(fs.remove_dir_all(&folder));
                fs.create_dir_all(&folder)
            })
            .await
            .context("--data-dir")?
            .context("--data-dir")?;
        }
        let mut failed = Vec::new();
        for number in ["first", "second"] {
            info!(msg = format!("start {number} pass of downsampling"));
            let view = self.fetcher.fetch().await?;
            failed.extend(self.pass(&view, &failed).await);
            failed.extend(view.errors.iter().map(|(block, _)| *block));
            failed.sort_unstable();
            failed.dedup();
            if self.flags.dry_run {
                break;
            }
        }
        if !failed.is_empty() {
            let blocks: Vec<String> = failed.iter().map(BlockId::to_string).collect();
            bail!("{} blocks were not downsampled or not judged right: {}", failed.len(), blocks.join(", "));
        }
        Ok(())
    }

    /// Downsamples what is due; gives the blocks with which that failed. `failed_before` are not tried again.
    async fn pass(&self, view: &View, failed_before: &[BlockId]) -> Vec<BlockId> {
        let is_excluded = |block: BlockId| {
            view.no_downsample_marks.contains_key(&block)
                || view.deletion_marks.contains_key(&block)
                || failed_before.contains(&block)
        };
        for meta in view.metas.values() {
            self.metrics.know(meta.thanos.downsample.resolution);
        }
        let due = select(view.metas.values().map(AsRef::as_ref), is_excluded);
        let jobs = due.into_iter().filter_map(|due| Some((due, view.metas.get(&due.block)?)));
        let jobs: Vec<_> = jobs.map(|(due, meta)| self.one(due, Arc::clone(meta))).collect();
        let ended: Vec<_> =
            futures::stream::iter(jobs).buffer_unordered(self.flags.concurrency.max(1)).collect().await;
        ended.into_iter().flatten().collect()
    }

    /// Downsamples one block; gives it back where that failed.
    async fn one(&self, due: Due, meta: Arc<Meta>) -> Option<BlockId> {
        let (from, to) = (due.block, due.to);
        if self.flags.dry_run {
            info!(msg = "dry run: would downsample", id = %from, resolution = %to);
            return None;
        }
        let folder = self.flags.data_dir.join("downsample");
        let job = Job {
            bucket: &*self.tool.bucket,
            fs: &self.fs,
            folder: &folder,
            clock: &self.tool.clock,
            source: &meta,
            to,
            id: self.tool.new_id(),
            hash_func: if self.flags.hash_func.is_empty() { HashFunc::None } else { HashFunc::Sha256 },
            file_concurrency: self.flags.files.max(1),
            memory_bytes: MEMORY_BYTES,
            accept_malformed_index: false,
        };
        let start = self.tool.clock.now();
        let done = job.run().await;
        self.metrics.ended(meta.thanos.downsample.resolution, &done);
        let whole = self.tool.clock.now().since(start).as_secs_f64();
        match done {
            Ok(JobDone::Uploaded { meta, seconds }) => {
                info!(msg = "downsampled block", from = %from, to = %meta.id(), resolution = %to, seconds, seconds_with_transfer = whole);
                None
            }
            Ok(JobDone::Empty) => {
                warn!(msg = "there is no sample in the block, so nothing was made of it", id = %from);
                None
            }
            Err(failure) => {
                let err = anyhow::Error::from(failure);
                error!(msg = "block not downsampled", id = %from, resolution = %to, err = %format_args!("{err:#}"));
                Some(from)
            }
        }
    }
}
