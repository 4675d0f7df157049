//! `thanos_compact_*`.

use block::Resolution;
use prom_model::PromDuration;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::plan::Group;

type Of = Vec<(&'static str, String)>;

/// The bounds of Thanos' histogram of garbage collections, seconds.
const GARBAGE_SECONDS: [f64; 16] =
    [0.01, 0.1, 0.3, 0.6, 1.0, 3.0, 6.0, 9.0, 20.0, 30.0, 60.0, 90.0, 120.0, 240.0, 360.0, 720.0];

/// Counts what a compactor does, under Thanos' names.
#[derive(Debug, Clone)]
pub struct CompactMetrics {
    delete_delay: Gauge,
    pub(super) halted: Gauge,
    pub(super) retries: Counter,
    pub(super) iterations: Counter,
    pub(super) cleanup_loops: Counter,
    pub(super) partial_uploads: Counter,
    pub(super) blocks_cleaned: Counter,
    pub(super) cleanup_failures: Counter,
    marked: Family<Of, Counter>,
    pub(super) garbage_blocks: Counter,
    pub(super) garbage_collections: Counter,
    pub(super) garbage_failures: Counter,
    pub(super) garbage_duration: Histogram,
    group_compactions: Family<Of, Counter>,
    group_started: Family<Of, Counter>,
    group_completed: Family<Of, Counter>,
    group_failures: Family<Of, Counter>,
    group_vertical: Family<Of, Counter>,
    pub(super) todo_compactions: Gauge,
    pub(super) todo_compaction_blocks: Gauge,
    pub(super) todo_downsample_blocks: Gauge,
    pub(super) todo_deletion_blocks: Gauge,
    pub(super) set_aside: Gauge,
    pub(super) repaired: Counter,
    pub(super) failing_groups: Gauge,
}

impl Default for CompactMetrics {
    /// Metrics that nobody reads.
    fn default() -> Self {
        CompactMetrics {
            delete_delay: Gauge::default(),
            halted: Gauge::default(),
            retries: Counter::default(),
            iterations: Counter::default(),
            cleanup_loops: Counter::default(),
            partial_uploads: Counter::default(),
            blocks_cleaned: Counter::default(),
            cleanup_failures: Counter::default(),
            marked: Family::default(),
            garbage_blocks: Counter::default(),
            garbage_collections: Counter::default(),
            garbage_failures: Counter::default(),
            garbage_duration: Histogram::new(GARBAGE_SECONDS),
            group_compactions: Family::default(),
            group_started: Family::default(),
            group_completed: Family::default(),
            group_failures: Family::default(),
            group_vertical: Family::default(),
            todo_compactions: Gauge::default(),
            todo_compaction_blocks: Gauge::default(),
            todo_downsample_blocks: Gauge::default(),
            todo_deletion_blocks: Gauge::default(),
            set_aside: Gauge::default(),
            repaired: Counter::default(),
            failing_groups: Gauge::default(),
        }
    }
}

impl CompactMetrics {
    /// Registers Thanos' names, and three of our own: `thanos_compact_blocks_set_aside`, `…_blocks_repaired_total`,
    /// `…_groups_failing`.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = CompactMetrics::default();
        for reason in ["block-index-out-of-order-chunk", "index-size-exceeding"] {
            drop(metrics.marked.get_or_create(&mark_labels(block::layout::NO_COMPACT_MARK, reason)));
        }
        drop(metrics.marked.get_or_create(&mark_labels(block::layout::DELETION_MARK, "")));
        metrics.register_in(registry);
        metrics
    }

    fn register_in(&self, registry: &mut Registry) {
        let m = self.clone();
        registry.register(
            "thanos_delete_delay_seconds",
            "Configured delete delay in seconds",
            m.delete_delay,
        );
        let ours = registry.sub_registry_with_prefix("thanos_compact");
        for (name, help, gauge) in [
            ("halted", "Set to 1 if the compactor halted due to an unexpected error", m.halted),
            ("todo_compactions", "number of compactions to be done", m.todo_compactions),
            ("todo_compaction_blocks", "number of blocks planned to be compacted", m.todo_compaction_blocks),
            ("todo_downsample_blocks", "number of blocks to be downsampled", m.todo_downsample_blocks),
            (
                "todo_deletion_blocks",
                "number of blocks that have crossed their retention period",
                m.todo_deletion_blocks,
            ),
            ("blocks_set_aside", "Blocks that are damaged and left alone", m.set_aside),
            ("groups_failing", "Groups whose last compaction failed", m.failing_groups),
        ] {
            ours.register(name, help, gauge);
        }
        for (name, help, counter) in [
            ("retries", "Total number of retries after retriable compactor error", m.retries),
            ("iterations", "Total number of iterations that were executed successfully", m.iterations),
            (
                "block_cleanup_loops",
                "Total number of concurrent cleanup loops of partially uploaded blocks and marked blocks that were executed successfully",
                m.cleanup_loops,
            ),
            (
                "aborted_partial_uploads_deletion_attempts",
                "Total number of started deletions of blocks that are assumed aborted and only partially uploaded",
                m.partial_uploads,
            ),
            ("blocks_cleaned", "Total number of blocks deleted in compactor", m.blocks_cleaned),
            (
                "block_cleanup_failures",
                "Failures encountered while deleting blocks in compactor",
                m.cleanup_failures,
            ),
            (
                "garbage_collected_blocks",
                "Total number of blocks marked for deletion by compactor",
                m.garbage_blocks,
            ),
            ("garbage_collection", "Total number of garbage collection operations", m.garbage_collections),
            (
                "garbage_collection_failures",
                "Total number of failed garbage collection operations",
                m.garbage_failures,
            ),
            ("blocks_repaired", "Blocks that were written anew because they were damaged", m.repaired),
        ] {
            ours.register(name, help, counter);
        }
        ours.register(
            "garbage_collection_duration_seconds",
            "Time it took to perform garbage collection iteration",
            m.garbage_duration,
        );
        for (name, help, family) in [
            ("blocks_marked", "Total number of blocks marked in compactor", m.marked),
            (
                "group_compactions",
                "Total number of group compaction attempts that resulted in a new block",
                m.group_compactions,
            ),
            ("group_compaction_runs_started", "Total number of group compaction attempts", m.group_started),
            (
                "group_compaction_runs_completed",
                "Total number of group completed compaction runs. This also includes compactor group runs that resulted with no compaction",
                m.group_completed,
            ),
            ("group_compactions_failures", "Total number of failed group compactions", m.group_failures),
            (
                "group_vertical_compactions",
                "Total number of group compaction attempts that resulted in a new block based on overlapping blocks",
                m.group_vertical,
            ),
        ] {
            ours.register(name, help, family);
        }
    }

    pub(super) fn configured(&self, delete_delay: PromDuration) {
        self.delete_delay.set(delete_delay.as_millis() / 1_000);
    }

    /// Shows the counters of a group, as zero before anything was done.
    pub(super) fn know(&self, group: &Group) {
        let of = resolution(group.resolution);
        let all = [
            &self.group_compactions,
            &self.group_started,
            &self.group_completed,
            &self.group_failures,
            &self.group_vertical,
        ];
        for family in all {
            drop(family.get_or_create(&of));
        }
    }

    pub(super) fn marked(&self, marker: &'static str, reason: &str) {
        self.marked.get_or_create(&mark_labels(marker, reason)).inc();
    }

    pub(super) fn group_started(&self, of: Resolution) {
        self.group_started.get_or_create(&resolution(of)).inc();
    }

    pub(super) fn group_completed(&self, of: Resolution) {
        self.group_completed.get_or_create(&resolution(of)).inc();
    }

    pub(super) fn group_failed(&self, of: Resolution) {
        self.group_failures.get_or_create(&resolution(of)).inc();
    }

    pub(super) fn group_compacted(&self, of: Resolution, vertical: bool) {
        self.group_compactions.get_or_create(&resolution(of)).inc();
        if vertical {
            self.group_vertical.get_or_create(&resolution(of)).inc();
        }
    }
}

fn mark_labels(marker: &'static str, reason: &str) -> Of {
    vec![("marker", marker.to_owned()), ("reason", reason.to_owned())]
}

fn resolution(of: Resolution) -> Of {
    vec![("resolution", of.to_string())]
}
