//! `pronoiad store`: the StoreAPI over the blocks of a bucket.

mod caches;
mod info;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ::store::StoreService;
use ::store::bucket::{
    BucketStore, BucketStoreConfig, BucketStoreMetrics, BucketStoreParts, CacheMetrics, Limits, MemoryCache,
};
use anyhow::{Context, bail};
use axum::Router;
use block::filter::{ConsistencyDelay, Duplicates, Filter, IgnoreDeletionMarks, ParquetMigrated};
use block::{Discovery, Fetcher, FetcherConfig, FetcherMetrics};
use budget::Budget;
use clap::{ArgMatches, Args, Command, FromArgMatches};
use objstore::BucketRef;
use prom_model::{Clock, SystemClock};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use server::duration::GoDuration;
use server::grpc::GrpcServer;
use server::http::HttpMetrics;
use server::metrics::Metrics;
use server::probe::Probe;
use server::run::RunGroup;
use storeapi::info::info_server::InfoServer;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use tsdb::fs::{Fs, RealFs};

use self::info::StoreInfo;
use crate::commands::stop_on_signal;
use crate::commands::tools::bucket::viewer::Viewer;
use crate::flags::bytes::GoBytes;
use crate::flags::go_only::GoOnlyFlags;
use crate::flags::grpc::GrpcFlags;
use crate::flags::negation::with_negations;
use crate::flags::objstore::ObjstoreFlags;
use crate::flags::path_or_content::expanded_content;
use crate::flags::request_logging::RequestLoggingFlags;
use crate::flags::selector::{SelectorFlags, TimeRangeFlags};
use crate::flags::tracing::TracingFlags;
use crate::flags::{HttpFlags, LogFlags, prom_duration};

/// Serves the series of the blocks of a bucket
#[derive(Args)]
struct Flags {
    #[command(flatten)]
    log: LogFlags,
    #[command(flatten)]
    http: HttpFlags,
    #[command(flatten)]
    grpc: GrpcFlags,
    #[command(flatten)]
    objstore: ObjstoreFlags,
    #[command(flatten)]
    tracing: TracingFlags,
    #[command(flatten)]
    requests: RequestLoggingFlags,
    #[command(flatten)]
    go: GoOnlyFlags,
    #[command(flatten)]
    blocks: BlockFlags,
    #[command(flatten)]
    reads: ReadFlags,
    #[command(flatten)]
    web: WebFlags,
}

/// Which blocks are served, and how they are found.
#[derive(Args)]
struct BlockFlags {
    /// Local directory for index-headers and copies of metadata; it may be lost at any time
    #[arg(long = "data-dir", value_name = "DIR", default_value = "./data")]
    data_dir: PathBuf,
    /// Keep index-headers on the disk between starts (the default; --no-cache-index-header makes them anew at each start)
    #[arg(long = "cache-index-header")]
    _cache_index_header: bool,
    /// How often the bucket is looked through
    #[arg(long = "sync-block-duration", value_name = "DURATION", default_value = "15m")]
    sync_interval: GoDuration,
    /// How blocks are found: one request for each (concurrent), or one listing of all objects (recursive)
    #[arg(long = "block-discovery-strategy", value_name = "STRATEGY", default_value = "concurrent", value_parser = ["concurrent", "recursive"])]
    discovery: String,
    /// Blocks that are loaded at the same time
    #[arg(long = "block-sync-concurrency", value_name = "NUMBER", default_value_t = 20)]
    sync_concurrency: usize,
    /// Metadata that are read at the same time
    #[arg(long = "block-meta-fetch-concurrency", value_name = "NUMBER", default_value_t = 32)]
    meta_concurrency: usize,
    #[command(flatten)]
    time: TimeRangeFlags,
    #[command(flatten)]
    selector: SelectorFlags,
    /// Blocks that were uploaded later are not served yet
    #[arg(long = "consistency-delay", value_name = "DURATION", default_value = "0s")]
    consistency_delay: GoDuration,
    /// Blocks that were marked for deletion longer ago are not served
    #[arg(long = "ignore-deletion-marks-delay", value_name = "DURATION", default_value = "24h")]
    deletion_marks_delay: GoDuration,
    /// Not built in: blocks that were converted to Parquet are told by their metadata alone
    #[arg(long = "objstore-parquet.config", value_name = "YAML")]
    parquet: Option<String>,
    /// Not built in: blocks that were converted to Parquet are told by their metadata alone
    #[arg(long = "objstore-parquet.config-file", value_name = "FILE")]
    parquet_file: Option<PathBuf>,
}

/// How blocks are read.
#[derive(Args)]
struct ReadFlags {
    /// Size of the index cache; --index-cache.config comes before it
    #[arg(long = "index-cache-size", value_name = "BYTES", default_value = "250MB")]
    index_cache_size: GoBytes,
    /// YAML with the configuration of the index cache; $(VAR) is replaced from the environment
    #[arg(long = "index-cache.config", value_name = "YAML")]
    index_cache: Option<String>,
    /// File with the configuration of the index cache
    #[arg(long = "index-cache.config-file", value_name = "FILE")]
    index_cache_file: Option<PathBuf>,
    /// YAML with the configuration of the cache around the bucket; $(VAR) is replaced from the environment
    #[arg(long = "store.caching-bucket.config", value_name = "YAML", hide = true)]
    caching_bucket: Option<String>,
    /// File with the configuration of the cache around the bucket
    #[arg(long = "store.caching-bucket.config-file", value_name = "FILE", hide = true)]
    caching_bucket_file: Option<PathBuf>,
    /// Bytes of postings, series and chunks that all calls together may hold before they are sent
    #[arg(long = "chunk-pool-size", value_name = "BYTES", default_value = "2GB")]
    memory: GoBytes,
    /// Series that one call may have; 0: any number
    #[arg(long = "store.limits.request-series", value_name = "NUMBER", default_value_t = 0)]
    limit_series: u64,
    /// Samples that one call may have, counted as 120 for each chunk; 0: any number
    #[arg(long = "store.limits.request-samples", value_name = "NUMBER", default_value_t = 0)]
    limit_samples: u64,
    /// Former name of --store.limits.request-series
    #[arg(long = "store.grpc.touched-series-limit", value_name = "NUMBER", default_value_t = 0, hide = true)]
    touched_series: u64,
    /// Former name of --store.limits.request-samples
    #[arg(long = "store.grpc.series-sample-limit", value_name = "NUMBER", default_value_t = 0, hide = true)]
    series_samples: u64,
    /// Bytes that one call may read, from the bucket or from a cache; 0: any number
    #[arg(long = "store.grpc.downloaded-bytes-limit", value_name = "BYTES", default_value = "0")]
    downloaded_bytes: GoBytes,
    /// Calls of Series that are served at the same time
    #[arg(
        long = "store.grpc.series-max-concurrency",
        value_name = "NUMBER",
        default_value_t = 20,
        allow_negative_numbers = true
    )]
    series_concurrency: i64,
    /// Close index-headers that are not used; they are opened at their first use in any case
    #[arg(long = "store.enable-index-header-lazy-reader")]
    lazy_reader: bool,
    /// When index-headers are made: when a block is seen first (eager), or at its first use (lazy)
    #[arg(long = "store.index-header-lazy-download-strategy", value_name = "STRATEGY", default_value = "eager", value_parser = ["eager", "lazy"])]
    download: String,
    /// After so long without use an index-header is closed
    #[arg(
        long = "store.index-header-lazy-reader-idle-timeout",
        value_name = "DURATION",
        default_value = "5m",
        hide = true
    )]
    header_idle: GoDuration,
    /// Without effect: it is always weighed whether a matcher is cheaper to try on the series
    #[arg(long = "store.enable-lazy-expanded-postings")]
    lazy_postings: bool,
    /// Without effect, as --store.enable-lazy-expanded-postings
    #[arg(long = "store.posting-group-max-key-series-ratio", value_name = "RATIO", default_value_t = 100.0)]
    key_series_ratio: f64,
    /// Without effect: every 32nd offset is in memory
    #[arg(
        long = "store.index-header-posting-offsets-in-mem-sampling",
        value_name = "NUMBER",
        default_value_t = 32,
        hide = true
    )]
    sampling: u32,
    /// Without effect: what a matcher selects is kept in the index cache
    #[arg(long = "matcher-cache-size", value_name = "NUMBER", default_value_t = 0)]
    matcher_cache: u32,
    /// Series of a block that are read at the same time
    #[arg(long = "debug.series-batch-size", value_name = "NUMBER", default_value_t = 10_000, hide = true)]
    series_batch: usize,
    /// Without effect: the metadata of a block and its index say how long its series are
    #[arg(
        long = "debug.estimated-max-series-size",
        value_name = "BYTES",
        default_value_t = 65_536,
        hide = true
    )]
    series_size: u64,
    /// Without effect: the metadata of a block and its index say how long its chunks are
    #[arg(
        long = "debug.estimated-max-chunk-size",
        value_name = "BYTES",
        default_value_t = 16_000,
        hide = true
    )]
    chunk_size: u64,
}

/// The block viewer.
#[derive(Args)]
struct WebFlags {
    /// Do not serve the block viewer
    #[arg(long = "web.disable")]
    disable: bool,
    /// Accepted; links are relative
    #[arg(long = "web.external-prefix", value_name = "PATH", default_value = "")]
    external_prefix: String,
    /// Accepted; links are relative and need no such header
    #[arg(long = "web.prefix-header", value_name = "HEADER", default_value = "")]
    prefix_header: String,
    /// Do not allow other sites to read the API
    #[arg(long = "web.disable-cors")]
    disable_cors: bool,
    /// External label whose value is the title of a group
    #[arg(long = "bucket-web-label", value_name = "NAME", default_value = "")]
    label: String,
    /// Refuse to mark blocks through the page and the API
    #[arg(long = "disable-admin-operations")]
    disable_admin_operations: bool,
}

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
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start")?;
    runtime.block_on(serve(flags, keep_headers))
}

impl Flags {
    /// Refuses what cannot be, and names what has no effect.
    fn check(&self) -> anyhow::Result<()> {
        let (blocks, reads) = (&self.blocks, &self.reads);
        if blocks.parquet.is_some() || blocks.parquet_file.is_some() {
            bail!(
                "--objstore-parquet.config is not built in; blocks that were converted are left out by `parquet_migrated` in their metadata"
            );
        }
        let now = SystemClock.now();
        let range = blocks.time.filter();
        if range.min.resolve(now) > range.max.resolve(now) {
            bail!(
                "invalid argument: --min-time '{}' can't be greater than --max-time '{}'",
                range.min,
                range.max
            );
        }
        if blocks.sync_concurrency == 0 {
            bail!("the number of concurrent blocks to sync should be greater than zero");
        }
        if reads.series_concurrency < 0 {
            bail!("max concurrency value cannot be lower than 0 (got {})", reads.series_concurrency);
        }
        for (given, flag) in [
            (reads.lazy_postings, "--store.enable-lazy-expanded-postings"),
            (
                reads.key_series_ratio.to_bits() != 100.0_f64.to_bits(),
                "--store.posting-group-max-key-series-ratio",
            ),
            (reads.sampling != 32, "--store.index-header-posting-offsets-in-mem-sampling"),
            (reads.matcher_cache != 0, "--matcher-cache-size"),
            (reads.series_size != 65_536, "--debug.estimated-max-series-size"),
            (reads.chunk_size != 16_000, "--debug.estimated-max-chunk-size"),
            (!self.web.external_prefix.is_empty(), "--web.external-prefix"),
            (!self.web.prefix_header.is_empty(), "--web.prefix-header"),
        ] {
            if given {
                warn!(msg = "a flag has no effect, see --help", flag);
            }
        }
        Ok(())
    }

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
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let fs: Arc<dyn Fs> = Arc::new(RealFs);
    let mut registry = Registry::default();
    server::metrics::process::register(&mut registry);
    let tracing = flags.tracing.start("store")?;
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
    let grpc = GrpcServer::new(flags.grpc.settings()?, storeapi::DESCRIPTORS, probe.clone(), &mut registry)?
        .with_request_log(log.clone())
        .add(StoreService::new(Arc::new(store.clone()), budget).into_server())
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
    tracing.close().await;
    signals.abort();
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

/// Removes the index-headers of an earlier start.
fn remove_headers(fs: &dyn Fs, data_dir: &Path) -> anyhow::Result<()> {
    for entry in fs.list(data_dir).context("--data-dir")? {
        if entry.is_dir && entry.name.parse::<block::BlockId>().is_ok() {
            fs.remove_dir_all(&data_dir.join(&entry.name)).context("--data-dir")?;
        }
    }
    Ok(())
}
