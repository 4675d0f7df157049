//! What the store counts, under Thanos' names.

use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Frames in each streamed answer of Prometheus.
#[derive(Debug, Clone)]
pub struct PrometheusStoreMetrics {
    frames: Histogram,
}

impl PrometheusStoreMetrics {
    /// Registers `prometheus_store_received_frames`.
    pub fn register(registry: &mut Registry) -> Self {
        let frames = Histogram::new([10.0, 100.0, 1e3, 1e4, 1e5]);
        registry.register(
            "prometheus_store_received_frames",
            "Number of frames received per streamed response",
            frames.clone(),
        );
        PrometheusStoreMetrics { frames }
    }

    pub(super) fn received_frames(&self, frames: u64) {
        self.frames.observe(frames as f64);
    }
}
