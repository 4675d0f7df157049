//! What a compactor is told.

use std::path::PathBuf;

use block::filter::{LabelShard, TimeBound, TimeRange};
use block::{Discovery, HashFunc, Retention};
use prom_model::{PromDuration, RelabelConfig, TimestampMs};

use crate::downsample::{FIVE_MINUTES_RANGE_MIN, RAW_RANGE_MIN};
use crate::merge::Overlaps;
use crate::plan::{Levels, Planner};

/// All settings of a compactor. [`CompactorConfig::new`] has Thanos' defaults; the flag of each field is named with it.
#[derive(Debug, Clone)]
pub struct CompactorConfig {
    /// Where blocks lie while they are worked on: `compact/`, `downsample/` and `meta-syncer/` in it are ours, and the first two
    /// are emptied at the start. `--data-dir`
    pub data_dir: PathBuf,
    /// What blocks grow to. `--debug.max-compaction-level`
    pub levels: Levels,
    /// How many bytes the indices of blocks that become one may have in sum. `--compact.block-max-index-size`
    pub index_bytes_max: u64,
    /// Merges blocks that share time, whatever is in them. `--compact.enable-vertical-compaction`; replica labels imply it.
    pub vertical: bool,
    /// Labels that tell the replicas of a stream apart; they are taken away. `--deduplication.replica-label`
    pub replica_labels: Vec<String>,
    /// What becomes of samples that several blocks have. `--deduplication.func`
    pub overlaps: Overlaps,
    /// Halts where blocks share time and that is not declared, and where a block is damaged and cannot be mended; deletes what is
    /// too old whatever is lost with it. As Thanos does.
    /// `--compact.halt-compat`
    pub halt_compat: bool,
    /// Downsamples blocks in which rules of an index are broken, as far as the samples can be read. Compaction does not ask: it
    /// repairs such blocks. `--debug.accept-malformed-index`
    pub accept_malformed_index: bool,
    /// How many groups are compacted at once. `--compact.concurrency`
    pub concurrency: usize,
    /// How many sources of a job are downloaded at once. `--compact.blocks-fetch-concurrency`
    pub fetch_concurrency: usize,
    /// How many files of a block are downloaded or uploaded at once. `--block-files-concurrency`
    pub file_concurrency: usize,
    /// How many meta.json files and marks are read at once. `--block-meta-fetch-concurrency`
    pub meta_concurrency: usize,
    /// How blocks are found. `--block-discovery-strategy`
    pub discovery: Discovery,
    /// What is computed over the files of new blocks. `--hash-func`
    pub hash_func: HashFunc,
    /// How old a block must be before it is looked at. `--consistency-delay`
    pub consistency_delay: PromDuration,
    /// How long after its mark a block is deleted. `--delete-delay`
    pub delete_delay: PromDuration,
    /// Which blocks are looked at, by time. `--min-time`, `--max-time`
    pub time_range: TimeRange,
    /// Which blocks are looked at, by external labels. `--selector.relabel-config`
    pub selector: Vec<RelabelConfig>,
    /// Whether coarser resolutions are made. Not `--downsampling.disable`
    pub downsampling: bool,
    /// How many blocks are downsampled at once. `--downsample.concurrency`
    pub downsample_concurrency: usize,
    /// How long samples are kept. `--retention.resolution-*`
    pub retention: Retention,
    /// How far apart two looks at an upload are that has no meta.json before it counts as given up: an hour for a process that
    /// stays, zero for one that does not.
    pub partial_upload_gap: PromDuration,
    /// The pace of the queues.
    pub cadence: Cadence,
    /// Whether copies of meta.json are kept in the data directory, so that a restart reads fewer objects.
    pub keep_metas: bool,
    /// Whether the sources of a compaction are read out of the bucket by ranges. If not, they are downloaded first, as by Thanos,
    /// which takes their size on the disk.
    pub stream_sources: bool,
    /// How many bytes a job may hold in memory, as far as that can be chosen; more goes to scratch files.
    pub memory_bytes: u64,
    /// How many bytes of memory all jobs together may take; `None` for any number. A job that takes more is left undone and named.
    pub memory_bytes_max: Option<u64>,
    /// How many bytes of the data directory all jobs together may take; `None` for any number.
    pub disk_bytes_max: Option<u64>,
}

/// How often the queues of [`Compactor::run`](super::Compactor::run) begin anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cadence {
    /// Compaction, downsampling and retention. `--wait-interval`
    pub wait: PromDuration,
    /// The deletion of what was marked or given up; zero for never. `--compact.cleanup-interval`
    pub cleanup: PromDuration,
    /// The gauges of what is to be done; zero for never. `--compact.progress-interval`
    pub progress: PromDuration,
}

/// Settings that make no sense together, in Thanos' words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Nobody said what replicas are.
    #[error("penalty based deduplication needs at least one replica label specified")]
    PenaltyWithoutReplicas,
    /// Raw samples would be gone before they are downsampled.
    #[error(
        "raw resolution must be higher than the minimum block size after which 5m resolution downsampling will occur (40 hours)"
    )]
    RawRetention,
    /// Samples of five minutes would be gone before they are downsampled.
    #[error(
        "5m resolution retention must be higher than the minimum block size after which 1h resolution downsampling will occur (10 days)"
    )]
    FiveMinutesRetention,
}

impl CompactorConfig {
    /// Thanos' defaults.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        CompactorConfig {
            data_dir: data_dir.into(),
            levels: Levels::default(),
            index_bytes_max: 64 << 30,
            vertical: false,
            replica_labels: Vec::new(),
            overlaps: Overlaps::OneToOne,
            halt_compat: false,
            accept_malformed_index: false,
            concurrency: 1,
            fetch_concurrency: 1,
            file_concurrency: 1,
            meta_concurrency: 32,
            discovery: Discovery::Concurrent,
            hash_func: HashFunc::None,
            consistency_delay: PromDuration::from_mins(30),
            delete_delay: PromDuration::from_hours(48),
            time_range: TimeRange {
                min: TimeBound::At(TimestampMs::MIN),
                max: TimeBound::At(TimestampMs::MAX),
            },
            selector: Vec::new(),
            downsampling: true,
            downsample_concurrency: 1,
            retention: Retention::default(),
            partial_upload_gap: PromDuration::ZERO,
            cadence: Cadence {
                wait: PromDuration::from_mins(5),
                cleanup: PromDuration::from_mins(5),
                progress: PromDuration::from_mins(5),
            },
            keep_metas: true,
            stream_sources: true,
            memory_bytes: 256 << 20,
            memory_bytes_max: None,
            disk_bytes_max: None,
        }
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if self.overlaps == Overlaps::Penalty && self.replica_labels.is_empty() {
            return Err(ConfigError::PenaltyWithoutReplicas);
        }
        let too_short = |kept: PromDuration, least| !kept.is_zero() && kept.as_millis() < least;
        if self.downsampling && too_short(self.retention.raw, RAW_RANGE_MIN) {
            return Err(ConfigError::RawRetention);
        }
        if self.downsampling && too_short(self.retention.five_minutes, FIVE_MINUTES_RANGE_MIN) {
            return Err(ConfigError::FiveMinutesRetention);
        }
        Ok(())
    }

    pub(super) const fn planner(&self) -> Planner {
        Planner {
            levels: self.levels,
            index_bytes_max: self.index_bytes_max,
            vertical: self.vertical || !self.replica_labels.is_empty(),
            halt_on_overlap: self.halt_compat,
        }
    }

    pub(super) fn shard(&self) -> LabelShard {
        LabelShard { rules: self.selector.clone(), without: self.replica_labels.clone() }
    }
}
