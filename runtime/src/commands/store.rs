//! `pronoiad store`: the StoreAPI over the blocks of a bucket.

mod caches;
mod flags;
mod info;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ::store::bucket::{
    BucketStore, BucketStoreConfig, BucketStoreMetrics, BucketStoreParts, CacheMetrics, Limits, MemoryCache,
};
use ::store::{LimitedStore, SeriesLimits, StoreService};
use anyhow::Context;
use axum::Router;
use block::filter::{ConsistencyDelay, Duplicates, Filter, IgnoreDeletionMarks, ParquetMigrated};
use block::{Discovery, Fetcher, FetcherConfig, FetcherMetrics};
use budget::Budget;
use clap::{ArgMatches, Args, Command, FromArgMatches};
use objstore::BucketRef;
use prom_model::{Clock, SystemClock};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use server::grpc::GrpcServer;
use server::http::HttpMetrics;
use server::metrics::Metrics;
use server::probe::Probe;
use server::run::RunGroup;
use storeapi::info::info_server::InfoServer;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use tsdb::fs::{Fs, RealFs};

use self::flags::Flags;
use self::info::StoreInfo;
use crate::commands::stop_on_signal;
use crate::commands::tools::bucket::viewer::Viewer;
use crate::flags::negation::with_negations;
use crate::flags::path_or_content::expanded_content;
use crate::flags::prom_duration;

/// How often index-headers that are not used are looked for.
const IDLE_CHECK: Duration = Duration::from_secs(60);

/// The command line.
pub(crate) fn command() -> Command {
    with_negations(Flags::augment_args(Command::new("store")))
}

/// Runs until a signal comes.
pub(crate) fn run(matches: &ArgMatches) -> anyhow::Result<()> {
    let flags = Flags::from_arg_matches(matches)?;
    flags.log.start();
    flags.check()?;
    let keep_headers = !matches.get_flag("no-cache-index-header");
    raise_open_files();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        // They wait for the disk or compute for a moment; more of them only take memory.
        .max_blocking_threads(64)
        .build()
        .context("cannot start")?;
    runtime.block_on(serve(flags, keep_headers))
}

impl Flags {
    fn config(&self) -> BucketStoreConfig {
        let (blocks, reads) = (&self.blocks, &self.reads);
        let range = blocks.time.filter();
        let either = |new: u64, former: u64| if new == 0 { former } else { new };
        BucketStoreConfig {
            data_dir: blocks.data_dir.clone(),
            min_time: range.min,
            max_time: range.max,
            sync_concurrency: blocks.sync_concurrency,
            lazy_download: reads.download == "lazy",
            header_idle: Some(reads.header_idle.0).filter(|idle| reads.lazy_reader && !idle.is_zero()),
            limits: Limits {
                series: either(reads.limit_series, reads.touched_series),
                samples: either(reads.limit_samples, reads.series_samples),
                downloaded_bytes: reads.downloaded_bytes.0,
            },
            series_concurrency: usize::try_from(reads.series_concurrency).unwrap_or(0),
            series_batch: reads.series_batch.max(1),
        }
    }

    fn fetcher(
        &self,
        bucket: &BucketRef,
        clock: Arc<dyn Clock>,
        fs: Arc<dyn Fs>,
        registry: &mut Registry,
    ) -> anyhow::Result<Fetcher> {
        let blocks = &self.blocks;
        let delay = Gauge::<i64>::default();
        delay.set(i64::try_from(blocks.consistency_delay.0.as_secs()).unwrap_or(i64::MAX));
        registry.register("thanos_consistency_delay_seconds", "Configured consistency delay", delay);
        let filters: Vec<Box<dyn Filter>> = vec![
            Box::new(ParquetMigrated),
            Box::new(blocks.time.filter()),
            Box::new(blocks.selector.filter()?),
            Box::new(ConsistencyDelay(prom_duration(blocks.consistency_delay)?)),
            Box::new(IgnoreDeletionMarks(prom_duration(blocks.deletion_marks_delay)?)),
            Box::new(Duplicates),
        ];
        let discovery =
            if blocks.discovery == "recursive" { Discovery::Recursive } else { Discovery::Concurrent };
        let config = FetcherConfig {
            discovery,
            concurrency: blocks.meta_concurrency.max(1),
            cache: Some((fs, blocks.data_dir.clone())),
            ..FetcherConfig::default()
        };
        Ok(Fetcher::new(Arc::clone(bucket), clock, config, filters, FetcherMetrics::register(registry)))
    }

    fn index_cache(&self, registry: &mut Registry) -> anyhow::Result<MemoryCache> {
        let reads = &self.reads;
        let yaml = expanded_content(
            "index-cache.config",
            reads.index_cache.as_deref(),
            reads.index_cache_file.as_ref(),
        )?;
        let sizes = match yaml {
            Some(yaml) => caches::index_cache(&yaml)?,
            None => caches::sizes(reads.index_cache_size.0, caches::ITEM_BYTES_MAX)?,
        };
        Ok(MemoryCache::new(sizes.bytes_max, sizes.item_bytes_max, CacheMetrics::register(registry)))
    }

    fn bucket(&self, clock: Arc<dyn Clock>, registry: &mut Registry) -> anyhow::Result<BucketRef> {
        let bucket = self.objstore.connect(registry)?;
        let bucket =
            bucket.context("no bucket: give --objstore.config-file=FILE or --objstore.config=YAML")?;
        let reads = &self.reads;
        let yaml = expanded_content(
            "store.caching-bucket.config",
            reads.caching_bucket.as_deref(),
            reads.caching_bucket_file.as_ref(),
        )?;
        match yaml {
            Some(yaml) => caches::caching_bucket(&yaml, bucket, clock),
            None => Ok(bucket),
        }
    }
}

async fn serve(flags: Flags, keep_headers: bool) -> anyhow::Result<()> {
    let tracing = flags.tracing.start("store")?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let fs: Arc<dyn Fs> = Arc::new(RealFs);
    let mut registry = Registry::default();
    server::metrics::process::register(&mut registry);
    let bucket = flags.bucket(Arc::clone(&clock), &mut registry)?;
    let fetcher = flags.fetcher(&bucket, Arc::clone(&clock), Arc::clone(&fs), &mut registry)?;
    fs.create_dir_all(&flags.blocks.data_dir).context("--data-dir")?;
    if !keep_headers {
        remove_headers(fs.as_ref(), &flags.blocks.data_dir)?;
    }
    let parts = BucketStoreParts {
        bucket: Arc::clone(&bucket),
        fetcher,
        fs,
        clock,
        cache: Arc::new(flags.index_cache(&mut registry)?),
        metrics: BucketStoreMetrics::register(&mut registry),
    };
    let store = BucketStore::new(flags.config(), parts);
    let probe = Probe::register("store", &mut registry);
    let budget = Budget::new("memory of the store (--chunk-pool-size)", flags.reads.memory.0);
    let log = flags.requests.log()?;
    // The limits are the store's own, whose words Thanos' users know.
    let counted = LimitedStore::new(Arc::new(store.clone()), SeriesLimits::default(), &mut registry);
    let grpc = GrpcServer::new(flags.grpc.settings()?, storeapi::DESCRIPTORS, probe.clone(), &mut registry)?
        .with_request_log(log.clone())
        .add(StoreService::new(Arc::new(counted), budget).into_server())
        .add(InfoServer::new(StoreInfo::new(store.clone(), probe.clone())));
    let viewer = Viewer::new(bucket, flags.web.label.clone(), !flags.web.disable_admin_operations);
    let routes = match flags.web.disable {
        true => Router::new(),
        false => viewer.routes(!flags.web.disable_cors),
    };
    let server = flags.http.listen().await?.with_request_log(log);
    let server = server.with_metrics(HttpMetrics::register(None, &mut registry));
    let stop = CancellationToken::new();
    let signals = stop_on_signal(stop.clone())?;
    let mut group = RunGroup::new(probe.clone(), stop.clone());
    group.http(server, routes, Metrics::new(registry), flags.http.grace());
    info!(msg = "initializing bucket store");
    let start = SystemClock.now();
    if let Some(ready) = group.before(store.first_sync()).await {
        ready.context("bucket store initial sync")?;
        let took = Duration::from_secs_f64(SystemClock.now().since(start).as_secs_f64().max(0.0));
        info!(msg = "bucket store ready", init_duration = ?took, blocks = store.blocks());
        viewer.set_loaded(&store.view());
        group.grpc(grpc.listen().await?);
        probe.set_ready(true);
        group.task(
            "looking through the bucket",
            keep_in_step(store, viewer, flags.blocks.sync_interval.0, stop),
        );
    }
    info!(msg = "starting store node");
    let ended = group.wait().await;
    signals.abort();
    tracing.close().await;
    Ok(ended?)
}

/// Looks through the bucket again and again, and closes what is not used.
async fn keep_in_step(
    store: BucketStore,
    viewer: Viewer,
    interval: Duration,
    stop: CancellationToken,
) -> Result<(), std::convert::Infallible> {
    let every = |period: Duration| {
        let mut ticks = tokio::time::interval(period.max(Duration::from_millis(10)));
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        ticks.reset();
        ticks
    };
    let (mut looks, mut closes) = (every(interval), every(IDLE_CHECK));
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            _ = closes.tick() => store.close_unused_headers(),
            _ = looks.tick() => tokio::select! {
                () = stop.cancelled() => return Ok(()),
                synced = store.sync() => match synced {
                    Ok(()) => viewer.set_loaded(&store.view()),
                    Err(failure) => warn!(msg = "syncing blocks failed", err = &failure as &dyn std::error::Error),
                },
            },
        }
    }
}

/// Allows as many open files as there may be, as Go's runtime does when it starts: each index-header in use is one.
fn raise_open_files() {
    let mut limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit.current = limit.maximum;
    // Where it is refused, the limit stays as it is.
    let _ = rustix::process::setrlimit(rustix::process::Resource::Nofile, limit);
}

/// Removes the index-headers of an earlier start.
fn remove_headers(fs: &dyn Fs, data_dir: &Path) -> anyhow::Result<()> {
    for entry in fs.list(data_dir).context("--data-dir")? {
        if entry.is_dir && entry.name.parse::<block::BlockId>().is_ok() {
            fs.remove_dir_all(&data_dir.join(&entry.name)).context("--data-dir")?;
        }
    }
    Ok(())
}
