//! The command line of the store gateway.

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;
use prom_model::{Clock, SystemClock};
use server::duration::GoDuration;
use tracing::warn;

use crate::flags::bytes::GoBytes;
use crate::flags::go_only::GoOnlyFlags;
use crate::flags::grpc::GrpcFlags;
use crate::flags::objstore::ObjstoreFlags;
use crate::flags::request_logging::RequestLoggingFlags;
use crate::flags::selector::{SelectorFlags, TimeRangeFlags};
use crate::flags::tracing::TracingFlags;
use crate::flags::viewer::ViewerFlags;
use crate::flags::{HttpFlags, LogFlags};

/// Serves the series of the blocks of a bucket
#[derive(Args)]
pub(super) struct Flags {
    #[command(flatten)]
    pub(super) log: LogFlags,
    #[command(flatten)]
    pub(super) http: HttpFlags,
    #[command(flatten)]
    pub(super) grpc: GrpcFlags,
    #[command(flatten)]
    pub(super) objstore: ObjstoreFlags,
    #[command(flatten)]
    pub(super) tracing: TracingFlags,
    #[command(flatten)]
    pub(super) requests: RequestLoggingFlags,
    #[command(flatten)]
    pub(super) _go: GoOnlyFlags,
    #[command(flatten)]
    pub(super) blocks: BlockFlags,
    #[command(flatten)]
    pub(super) reads: ReadFlags,
    #[command(flatten)]
    pub(super) web: ViewerFlags,
}

/// Which blocks are served, and how they are found.
#[derive(Args)]
pub(super) struct BlockFlags {
    /// Local directory for index-headers and copies of metadata; it may be lost at any time
    #[arg(long = "data-dir", value_name = "DIR", default_value = "./data")]
    pub(super) data_dir: PathBuf,
    /// Keep index-headers on the disk between starts (the default; --no-cache-index-header makes them anew at each start)
    #[arg(long = "cache-index-header")]
    pub(super) _cache_index_header: bool,
    /// How often the bucket is looked through
    #[arg(long = "sync-block-duration", value_name = "DURATION", default_value = "15m")]
    pub(super) sync_interval: GoDuration,
    /// How blocks are found: one request for each (concurrent), or one listing of all objects (recursive)
    #[arg(long = "block-discovery-strategy", value_name = "STRATEGY", default_value = "concurrent", value_parser = ["concurrent", "recursive"])]
    pub(super) discovery: String,
    /// Blocks that are loaded at the same time
    #[arg(long = "block-sync-concurrency", value_name = "NUMBER", default_value_t = 20)]
    pub(super) sync_concurrency: usize,
    /// Metadata that are read at the same time
    #[arg(long = "block-meta-fetch-concurrency", value_name = "NUMBER", default_value_t = 32)]
    pub(super) meta_concurrency: usize,
    #[command(flatten)]
    pub(super) time: TimeRangeFlags,
    #[command(flatten)]
    pub(super) selector: SelectorFlags,
    /// Blocks that were uploaded later are not served yet
    #[arg(long = "consistency-delay", value_name = "DURATION", default_value = "0s")]
    pub(super) consistency_delay: GoDuration,
    /// Blocks that were marked for deletion longer ago are not served
    #[arg(long = "ignore-deletion-marks-delay", value_name = "DURATION", default_value = "24h")]
    pub(super) deletion_marks_delay: GoDuration,
    /// Not built in: blocks that were converted to Parquet are told by their metadata alone
    #[arg(long = "objstore-parquet.config", value_name = "YAML")]
    pub(super) parquet: Option<String>,
    /// Not built in: blocks that were converted to Parquet are told by their metadata alone
    #[arg(long = "objstore-parquet.config-file", value_name = "FILE")]
    pub(super) parquet_file: Option<PathBuf>,
}

/// How blocks are read.
#[derive(Args)]
pub(super) struct ReadFlags {
    /// Size of the index cache; --index-cache.config comes before it
    #[arg(long = "index-cache-size", value_name = "BYTES", default_value = "250MB")]
    pub(super) index_cache_size: GoBytes,
    /// YAML with the configuration of the index cache; $(VAR) is replaced from the environment
    #[arg(long = "index-cache.config", value_name = "YAML")]
    pub(super) index_cache: Option<String>,
    /// File with the configuration of the index cache
    #[arg(long = "index-cache.config-file", value_name = "FILE")]
    pub(super) index_cache_file: Option<PathBuf>,
    /// YAML with the configuration of the cache around the bucket; $(VAR) is replaced from the environment
    #[arg(long = "store.caching-bucket.config", value_name = "YAML", hide = true)]
    pub(super) caching_bucket: Option<String>,
    /// File with the configuration of the cache around the bucket
    #[arg(long = "store.caching-bucket.config-file", value_name = "FILE", hide = true)]
    pub(super) caching_bucket_file: Option<PathBuf>,
    /// Bytes of postings, series and chunks that all calls together may hold before they are sent
    #[arg(long = "chunk-pool-size", value_name = "BYTES", default_value = "2GB")]
    pub(super) memory: GoBytes,
    /// Series that one call may have; 0: any number
    #[arg(long = "store.limits.request-series", value_name = "NUMBER", default_value_t = 0)]
    pub(super) limit_series: u64,
    /// Samples that one call may have, counted as 120 for each chunk; 0: any number
    #[arg(long = "store.limits.request-samples", value_name = "NUMBER", default_value_t = 0)]
    pub(super) limit_samples: u64,
    /// Former name of --store.limits.request-series
    #[arg(long = "store.grpc.touched-series-limit", value_name = "NUMBER", default_value_t = 0, hide = true)]
    pub(super) touched_series: u64,
    /// Former name of --store.limits.request-samples
    #[arg(long = "store.grpc.series-sample-limit", value_name = "NUMBER", default_value_t = 0, hide = true)]
    pub(super) series_samples: u64,
    /// Bytes that one call may read, from the bucket or from a cache; 0: any number
    #[arg(long = "store.grpc.downloaded-bytes-limit", value_name = "BYTES", default_value = "0")]
    pub(super) downloaded_bytes: GoBytes,
    /// Calls of Series that are served at the same time
    #[arg(
        long = "store.grpc.series-max-concurrency",
        value_name = "NUMBER",
        default_value_t = 20,
        allow_negative_numbers = true
    )]
    pub(super) series_concurrency: i64,
    /// Close index-headers that are not used; they are opened at their first use in any case
    #[arg(long = "store.enable-index-header-lazy-reader")]
    pub(super) lazy_reader: bool,
    /// When index-headers are made: when a block is seen first (eager), or at its first use (lazy)
    #[arg(long = "store.index-header-lazy-download-strategy", value_name = "STRATEGY", default_value = "eager", value_parser = ["eager", "lazy"])]
    pub(super) download: String,
    /// After so long without use an index-header is closed
    #[arg(
        long = "store.index-header-lazy-reader-idle-timeout",
        value_name = "DURATION",
        default_value = "5m",
        hide = true
    )]
    pub(super) header_idle: GoDuration,
    /// Without effect: it is always weighed whether a matcher is cheaper to try on the series
    #[arg(long = "store.enable-lazy-expanded-postings")]
    pub(super) lazy_postings: bool,
    /// Without effect, as --store.enable-lazy-expanded-postings
    #[arg(long = "store.posting-group-max-key-series-ratio", value_name = "RATIO", default_value_t = 100.0)]
    pub(super) key_series_ratio: f64,
    /// Without effect: every 32nd offset is in memory
    #[arg(
        long = "store.index-header-posting-offsets-in-mem-sampling",
        value_name = "NUMBER",
        default_value_t = 32,
        hide = true
    )]
    pub(super) sampling: u32,
    /// Without effect: what a matcher selects is kept in the index cache
    #[arg(long = "matcher-cache-size", value_name = "NUMBER", default_value_t = 0)]
    pub(super) matcher_cache: u32,
    /// Series of a block that are read at the same time
    #[arg(long = "debug.series-batch-size", value_name = "NUMBER", default_value_t = 10_000, hide = true)]
    pub(super) series_batch: usize,
    /// Without effect: the metadata of a block and its index say how long its series are
    #[arg(
        long = "debug.estimated-max-series-size",
        value_name = "BYTES",
        default_value_t = 65_536,
        hide = true
    )]
    pub(super) series_size: u64,
    /// Without effect: the metadata of a block and its index say how long its chunks are
    #[arg(
        long = "debug.estimated-max-chunk-size",
        value_name = "BYTES",
        default_value_t = 16_000,
        hide = true
    )]
    pub(super) chunk_size: u64,
}

impl Flags {
    /// Refuses what cannot be, and names what has no effect.
    pub(super) fn check(&self) -> anyhow::Result<()> {
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
        ] {
            if given {
                warn!(msg = "a flag has no effect, see --help", flag);
            }
        }
        self.web.warn_of_what_has_no_effect();
        Ok(())
    }
}
