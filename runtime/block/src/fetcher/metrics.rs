//! `thanos_blocks_meta_*`.

use std::collections::BTreeMap;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::view::{BlockError, BlockState, View};

type Labels = Vec<(&'static str, &'static str)>;

/// Counts what a fetcher does and sees.
#[derive(Debug, Clone)]
pub struct FetcherMetrics {
    pub(super) syncs: Counter,
    pub(super) failures: Counter,
    pub(super) duration: Histogram,
    pub(super) cache_busts: Counter,
    synced: Family<Labels, Gauge>,
    modified: Family<Labels, Gauge>,
}

impl FetcherMetrics {
    /// Registers Thanos' names: `thanos_blocks_meta_syncs_total`, `…_sync_failures_total`, `…_sync_duration_seconds`,
    /// `…_synced{state}`, `…_modified{modified}`, `…_base_syncs_total`, `…_base_cache_busts_total`.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = FetcherMetrics {
            syncs: Counter::default(),
            failures: Counter::default(),
            duration: Histogram::new([0.01, 1.0, 10.0, 100.0, 300.0, 600.0, 1000.0]),
            cache_busts: Counter::default(),
            synced: Family::default(),
            modified: Family::default(),
        };
        metrics.set(&View::default());
        let m = metrics.clone();
        let ours = registry.sub_registry_with_prefix("thanos_blocks_meta");
        ours.register("base_syncs", "Looks through the bucket, before filters", m.syncs.clone());
        ours.register("base_cache_busts", "Times that a meta.json was read from the bucket", m.cache_busts);
        ours.register("syncs", "Looks through the bucket", m.syncs);
        ours.register(
            "sync_failures",
            "Looks through the bucket that failed, wholly or for a block",
            m.failures,
        );
        ours.register("sync_duration_seconds", "How long a look through the bucket took", m.duration);
        ours.register(
            "synced",
            "Blocks after the last look through the bucket, by what became of them",
            m.synced,
        );
        ours.register("modified", "Blocks whose metadata was changed after it was read", m.modified);
        metrics
    }

    pub(super) fn set(&self, view: &View) {
        let mut counts: BTreeMap<BlockState, usize> = BTreeMap::new();
        for state in view.dropped.values() {
            *counts.entry(*state).or_default() += 1;
        }
        for (block, error) in &view.errors {
            let state = match error.as_ref() {
                BlockError::Meta(_) => BlockState::CorruptedMeta,
                _ if view.metas.contains_key(block) => continue,
                _ => BlockState::Failed,
            };
            *counts.entry(state).or_default() += 1;
        }
        counts.insert(BlockState::Loaded, view.metas.len());
        counts.insert(BlockState::NoMeta, view.partial.len());
        counts.insert(BlockState::MarkedForNoCompact, view.no_compact_marks.len());
        counts.insert(BlockState::MarkedForNoDownsample, view.no_downsample_marks.len());
        for state in BlockState::ALL {
            let count = counts.get(&state).copied().unwrap_or(0);
            self.synced.get_or_create(&vec![("state", state.as_str())]).set(count as i64);
        }
        let modified = self.modified.get_or_create(&vec![("modified", "replica-label-removed")]);
        modified.set(view.without_replica_labels as i64);
    }
}
