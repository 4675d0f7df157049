//! The command line of the compactor.

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;
use prom_model::{Clock, PromDuration, SystemClock};
use server::duration::GoDuration;

use crate::flags::bytes::GoBytes;
use crate::flags::go_only::GoOnlyFlags;
use crate::flags::objstore::ObjstoreFlags;
use crate::flags::selector::{SelectorFlags, TimeRangeFlags};
use crate::flags::tracing::TracingFlags;
use crate::flags::viewer::ViewerFlags;
use crate::flags::{HttpFlags, LogFlags};

/// Compacts and downsamples the blocks of a bucket, and applies retention
#[derive(Args)]
pub(super) struct Flags {
    #[command(flatten)]
    pub(super) log: LogFlags,
    #[command(flatten)]
    pub(super) http: HttpFlags,
    #[command(flatten)]
    pub(super) objstore: ObjstoreFlags,
    #[command(flatten)]
    pub(super) tracing: TracingFlags,
    #[command(flatten)]
    pub(super) _go: GoOnlyFlags,
    #[command(flatten)]
    pub(super) run: RunFlags,
    #[command(flatten)]
    pub(super) work: WorkFlags,
    /// Do not claim work in the bucket: nobody else compacts it, and the bucket cannot create objects atomically (not in Thanos)
    #[arg(long = "compact.no-leases")]
    pub(super) no_leases: bool,
    #[command(flatten)]
    pub(super) web: ViewerFlags,
    #[command(flatten)]
    pub(super) view: ViewFlags,
}

/// What is done to which blocks.
#[derive(Args)]
pub(in crate::commands) struct WorkFlags {
    #[command(flatten)]
    pub(super) blocks: BlockFlags,
    #[command(flatten)]
    pub(super) compaction: CompactionFlags,
    #[command(flatten)]
    pub(super) retention: RetentionFlags,
}

/// Which blocks are worked on, and how they are found.
#[derive(Args)]
pub(super) struct BlockFlags {
    /// Local directory for blocks that are worked on and copies of metadata; it may be lost at any time
    #[arg(long = "data-dir", value_name = "DIR", default_value = "./data")]
    pub(super) data_dir: PathBuf,
    /// How blocks are found: one request for each (concurrent), or one listing of all objects (recursive)
    #[arg(long = "block-discovery-strategy", value_name = "STRATEGY", default_value = "concurrent", value_parser = ["concurrent", "recursive"])]
    pub(super) discovery: String,
    /// Metadata that are read at the same time
    #[arg(long = "block-meta-fetch-concurrency", value_name = "NUMBER", default_value_t = 32)]
    pub(super) meta_concurrency: usize,
    /// Files of a block that are read or written at the same time
    #[arg(long = "block-files-concurrency", value_name = "NUMBER", default_value_t = 1)]
    pub(super) files_concurrency: usize,
    /// Age that a fresh block must have before it is worked on; an upload without meta.json is kept for 48h in any case
    #[arg(long = "consistency-delay", value_name = "DURATION", default_value = "30m")]
    pub(super) consistency_delay: GoDuration,
    #[command(flatten)]
    pub(super) time: TimeRangeFlags,
    #[command(flatten)]
    pub(super) selector: SelectorFlags,
}

/// When the compactor works.
#[derive(Args)]
pub(super) struct RunFlags {
    /// Go on when all is done, and wait for more
    #[arg(long = "wait", short = 'w')]
    pub(super) wait: bool,
    /// Time between two runs; with --wait
    #[arg(long = "wait-interval", value_name = "DURATION", default_value = "5m")]
    pub(super) wait_interval: GoDuration,
    /// How often marked blocks and given up uploads are removed beside the work; 0s: between two runs only
    #[arg(long = "compact.cleanup-interval", value_name = "DURATION", default_value = "5m")]
    pub(super) cleanup_interval: GoDuration,
    /// How often the backlog is counted beside the work; 0s: never
    #[arg(long = "compact.progress-interval", value_name = "DURATION", default_value = "5m")]
    pub(super) progress_interval: GoDuration,
    /// Only say what would be done: jobs with their bytes and their peaks of memory and disk, marks and deletions (not in Thanos)
    #[arg(long = "plan", value_name = "FORMAT", num_args = 0..=1, require_equals = true, default_missing_value = "text", value_parser = ["text", "json"])]
    pub(super) plan: Option<String>,
}

/// How blocks are made of blocks.
#[derive(Args)]
pub(super) struct CompactionFlags {
    /// Groups that are compacted at the same time
    #[arg(long = "compact.concurrency", value_name = "NUMBER", default_value_t = 1)]
    pub(super) concurrency: usize,
    /// Blocks that are fetched at the same time for one compaction
    #[arg(long = "compact.blocks-fetch-concurrency", value_name = "NUMBER", default_value_t = 1)]
    pub(super) fetch_concurrency: usize,
    /// Blocks that are downsampled at the same time
    #[arg(long = "downsample.concurrency", value_name = "NUMBER", default_value_t = 1)]
    pub(super) downsample_concurrency: usize,
    /// Do not downsample
    #[arg(long = "downsampling.disable")]
    pub(super) disable_downsampling: bool,
    /// Merge blocks whose times overlap; --deduplication.replica-label switches it on
    #[arg(long = "compact.enable-vertical-compaction", hide = true)]
    pub(super) vertical: bool,
    /// What becomes of samples that several blocks have: all of different times are kept (empty), or replicas take turns (penalty)
    #[arg(long = "deduplication.func", value_name = "FUNCTION", default_value = "", value_parser = ["", "penalty"])]
    pub(super) deduplication: String,
    /// Label that tells replicas apart and that merged blocks do not have (repeated, or a list with commas)
    #[arg(long = "deduplication.replica-label", value_name = "NAME")]
    pub(super) replica_labels: Vec<String>,
    /// A block with a larger index is not made: the largest of its sources is left out
    #[arg(long = "compact.block-max-index-size", value_name = "BYTES", default_value = "64GB", hide = true)]
    pub(super) index_size_max: GoBytes,
    /// Without effect: such a block is repaired where that loses nothing, and is set aside otherwise
    #[arg(long = "compact.skip-block-with-out-of-order-chunks", hide = true)]
    pub(super) skip_out_of_order: bool,
    /// Without effect: such a block is repaired where that loses nothing, and is set aside otherwise
    #[arg(long = "debug.accept-malformed-index", hide = true)]
    pub(super) accept_malformed_index: bool,
    /// With --compact.halt-compat: halt and stay there (the default), or end the process (--no-debug.halt-on-error)
    #[arg(long = "debug.halt-on-error", hide = true)]
    pub(super) _halt_on_error: bool,
    /// Highest level of compaction: 0=1h, 1=2h, 2=8h, 3=48h, 4=336h
    #[arg(long = "debug.max-compaction-level", value_name = "LEVEL", default_value_t = 4, hide = true)]
    pub(super) level_max: usize,
    /// Halt at the first block that cannot be compacted, as Thanos does, instead of setting it aside (not in Thanos)
    #[arg(long = "compact.halt-compat")]
    pub(super) halt_compat: bool,
    /// Memory that all jobs together may take; one that would take more is not begun, and named. 0: any (not in Thanos)
    #[arg(long = "compact.memory-budget", value_name = "BYTES", default_value = "0")]
    pub(super) memory: GoBytes,
    /// Disk below --data-dir that all jobs together may take, in the same way. 0: any (not in Thanos)
    #[arg(long = "compact.disk-budget", value_name = "BYTES", default_value = "0")]
    pub(super) disk: GoBytes,
    /// Bring whole blocks to the disk before they are compacted, as Thanos does; otherwise they are read out of the bucket piece by
    /// piece (not in Thanos)
    #[arg(long = "compact.download-sources")]
    pub(super) download: bool,
    /// Hash that is written beside each file: empty or SHA256
    #[arg(long = "hash-func", value_name = "FUNCTION", default_value = "", value_parser = ["", "SHA256"])]
    pub(super) hash_func: String,
}

/// What is kept for how long.
#[derive(Args)]
pub(super) struct RetentionFlags {
    /// How long raw samples are kept; 0d keeps them forever
    #[arg(long = "retention.resolution-raw", value_name = "DURATION", default_value = "0d")]
    pub(super) raw: PromDuration,
    /// How long samples of a resolution of 5 minutes are kept; 0d keeps them forever
    #[arg(long = "retention.resolution-5m", value_name = "DURATION", default_value = "0d")]
    pub(super) five_minutes: PromDuration,
    /// How long samples of a resolution of 1 hour are kept; 0d keeps them forever
    #[arg(long = "retention.resolution-1h", value_name = "DURATION", default_value = "0d")]
    pub(super) one_hour: PromDuration,
    /// Also let blocks go whose samples are in no coarser block yet, although coarser samples are kept longer (not in Thanos)
    #[arg(long = "retention.ignore-lineage")]
    pub(super) ignore_lineage: bool,
    /// Time between a deletion mark and the deletion; 0: at the next run
    #[arg(long = "delete-delay", value_name = "DURATION", default_value = "48h")]
    pub(super) delete_delay: PromDuration,
}

/// How the page of all blocks is kept.
#[derive(Args)]
pub(super) struct ViewFlags {
    /// How often the page of all blocks is brought up to date
    #[arg(long = "block-viewer.global.sync-block-interval", value_name = "DURATION", default_value = "1m")]
    pub(super) interval: GoDuration,
    /// Time that this may take
    #[arg(long = "block-viewer.global.sync-block-timeout", value_name = "DURATION", default_value = "5m")]
    pub(super) timeout: GoDuration,
}

impl WorkFlags {
    /// Refuses what cannot be.
    pub(in crate::commands) fn check(&self) -> anyhow::Result<()> {
        let compaction = &self.compaction;
        let now = SystemClock.now();
        let range = self.blocks.time.filter();
        if range.min.resolve(now) > range.max.resolve(now) {
            bail!(
                "invalid argument: --min-time '{}' can't be greater than --max-time '{}'",
                range.min,
                range.max
            );
        }
        for (number, flag) in [
            (compaction.concurrency, "compact.concurrency"),
            (compaction.downsample_concurrency, "downsample.concurrency"),
        ] {
            if number == 0 {
                bail!("--{flag}=0 would never do anything; give 1 or more");
            }
        }
        Ok(())
    }

    /// The labels that tell replicas apart, each once.
    pub(super) fn replica_labels(&self) -> Vec<String> {
        let mut labels: Vec<String> = Vec::new();
        for label in self.compaction.replica_labels.iter().flat_map(|list| list.split(',')) {
            let label = label.trim();
            if !label.is_empty() && !labels.iter().any(|known| known == label) {
                labels.push(label.to_owned());
            }
        }
        labels
    }
}
