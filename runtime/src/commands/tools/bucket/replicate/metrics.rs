//! `thanos_replicate_*`.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

type Result = Vec<(&'static str, &'static str)>;

/// Go's buckets.
fn buckets() -> Histogram {
    Histogram::new([0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0])
}

/// Counts runs, blocks and objects, under Thanos' names.
#[derive(Debug, Clone)]
pub(super) struct ReplicateMetrics {
    pub(super) already: Counter,
    pub(super) blocks: Counter,
    pub(super) objects: Counter,
    runs: Family<Result, Counter>,
    durations: Family<Result, Histogram, fn() -> Histogram>,
}

impl ReplicateMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = ReplicateMetrics {
            already: Counter::default(),
            blocks: Counter::default(),
            objects: Counter::default(),
            runs: Family::default(),
            durations: Family::new_with_constructor(buckets),
        };
        for result in ["success", "error"] {
            drop(metrics.runs.get_or_create(&vec![("result", result)]));
            drop(metrics.durations.get_or_create(&vec![("result", result)]));
        }
        let m = metrics.clone();
        let ours = registry.sub_registry_with_prefix("thanos_replicate");
        ours.register("blocks_already_replicated", "Blocks that were in the target already", m.already);
        ours.register("blocks_replicated", "Blocks that were copied", m.blocks);
        ours.register("objects_replicated", "Objects that were copied", m.objects);
        ours.register("replication_runs", "Runs, by their result", m.runs);
        ours.register("replication_run_duration_seconds", "How long runs took, by their result", m.durations);
        metrics
    }

    pub(super) fn ran(&self, success: bool, seconds: f64) {
        let result = vec![("result", if success { "success" } else { "error" })];
        self.runs.get_or_create(&result).inc();
        self.durations.get_or_create(&result).observe(seconds);
    }
}
