//! What the flags mean for a compactor.

use ::compact::cycle::{Cadence, CompactorConfig};
use ::compact::merge::Overlaps;
use ::compact::plan::Levels;
use block::{Discovery, HashFunc, Retention};
use prom_model::PromDuration;

use super::flags::{RunFlags, WorkFlags};
use crate::flags::prom_duration;

/// An upload without meta.json counts as given up when two looks so far apart see the same.
const PARTIAL_UPLOAD_GAP: PromDuration = PromDuration::from_millis(3_600_000);

impl WorkFlags {
    /// The settings of a compactor that works at this pace; none for one that works once.
    pub(in crate::commands) fn config(&self, pace: Option<Cadence>) -> anyhow::Result<CompactorConfig> {
        let (blocks, compaction, retention) = (&self.blocks, &self.compaction, &self.retention);
        let mut config = CompactorConfig::new(&blocks.data_dir);
        config.levels = Levels::up_to(compaction.level_max)?;
        config.index_bytes_max = compaction.index_size_max.0;
        config.vertical = compaction.vertical;
        config.replica_labels = self.replica_labels();
        config.overlaps = match compaction.deduplication.as_str() {
            "penalty" => Overlaps::Penalty,
            _ => Overlaps::OneToOne,
        };
        config.halt_compat = compaction.halt_compat;
        config.accept_malformed_index = compaction.accept_malformed_index;
        config.concurrency = compaction.concurrency;
        config.fetch_concurrency = compaction.fetch_concurrency.max(1);
        config.file_concurrency = blocks.files_concurrency.max(1);
        config.meta_concurrency = blocks.meta_concurrency.max(1);
        config.discovery = match blocks.discovery.as_str() {
            "recursive" => Discovery::Recursive,
            _ => Discovery::Concurrent,
        };
        config.hash_func = match compaction.hash_func.as_str() {
            "SHA256" => HashFunc::Sha256,
            _ => HashFunc::None,
        };
        config.consistency_delay = prom_duration(blocks.consistency_delay)?;
        config.delete_delay = retention.delete_delay;
        config.time_range = blocks.time.filter();
        config.selector = blocks.selector.filter()?.rules;
        config.downsampling = !compaction.disable_downsampling;
        config.downsample_concurrency = compaction.downsample_concurrency;
        config.retention = Retention {
            raw: retention.raw,
            five_minutes: retention.five_minutes,
            one_hour: retention.one_hour,
        };
        if let Some(pace) = pace {
            config.cadence = pace;
            config.partial_upload_gap = PARTIAL_UPLOAD_GAP;
        }
        config.stream_sources = !compaction.download;
        config.disk_bytes_max = Some(compaction.disk.0).filter(|bytes| *bytes > 0);
        config.memory_bytes_max = Some(compaction.memory.0).filter(|bytes| *bytes > 0);
        if let Some(all) = config.memory_bytes_max {
            // Half of it for what a job cannot choose: buffers over its sources, the program itself.
            let jobs = compaction.concurrency.saturating_add(compaction.downsample_concurrency) as u64;
            config.memory_bytes = config.memory_bytes.min(all / 2 / jobs.max(1));
        }
        Ok(config)
    }
}

impl RunFlags {
    /// The pace of the queues, with `--wait`.
    pub(super) fn pace(&self) -> anyhow::Result<Option<Cadence>> {
        if !self.wait {
            return Ok(None);
        }
        Ok(Some(Cadence {
            wait: prom_duration(self.wait_interval)?,
            cleanup: prom_duration(self.cleanup_interval)?,
            progress: prom_duration(self.progress_interval)?,
        }))
    }
}
