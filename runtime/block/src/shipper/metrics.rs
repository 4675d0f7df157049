//! `thanos_shipper_*`.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Counts what a shipper does.
#[derive(Debug, Clone, Default)]
pub struct ShipperMetrics {
    pub(super) dir_syncs: Counter,
    pub(super) dir_sync_failures: Counter,
    pub(super) uploads: Counter,
    pub(super) upload_failures: Counter,
    pub(super) corrupted: Counter,
    pub(super) compacted_done: Gauge,
}

impl ShipperMetrics {
    /// Registers Thanos' names.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = ShipperMetrics::default();
        let m = metrics.clone();
        let ours = registry.sub_registry_with_prefix("thanos_shipper");
        ours.register("dir_syncs", "Rounds over the data directory", m.dir_syncs);
        ours.register("dir_sync_failures", "Rounds in which something failed", m.dir_sync_failures);
        ours.register("uploads", "Blocks that were uploaded", m.uploads);
        ours.register("upload_failures", "Blocks that could not be uploaded", m.upload_failures);
        ours.register("corrupted_blocks", "Blocks on disk whose metadata could not be read", m.corrupted);
        ours.register(
            "upload_compacted_done",
            "Whether every compacted block of the data directory is in the bucket",
            m.compacted_done,
        );
        metrics
    }
}
