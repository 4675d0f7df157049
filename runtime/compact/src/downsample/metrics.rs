//! `thanos_compact_downsample_*`.

use block::Resolution;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::{JobDone, JobError};

type Of = Vec<(&'static str, String)>;

/// From a minute to four hours.
fn buckets() -> Histogram {
    Histogram::new([60.0, 300.0, 900.0, 1800.0, 3600.0, 7200.0, 14400.0])
}

/// Counts blocks that are downsampled, by the resolution of the source in milliseconds, under Thanos' names.
#[derive(Debug, Clone)]
pub struct DownsampleMetrics {
    attempts: Family<Of, Counter>,
    failures: Family<Of, Counter>,
    durations: Family<Of, Histogram, fn() -> Histogram>,
}

impl DownsampleMetrics {
    /// Registers them; the names begin with `thanos_compact_`.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = DownsampleMetrics {
            attempts: Family::default(),
            failures: Family::default(),
            durations: Family::new_with_constructor(buckets),
        };
        let m = metrics.clone();
        let ours = registry.sub_registry_with_prefix("thanos_compact");
        ours.register("downsample", "Total number of downsampling attempts.", m.attempts);
        ours.register("downsample_failures", "Total number of failed downsampling attempts.", m.failures);
        ours.register("downsample_duration_seconds", "Duration of downsample runs", m.durations);
        metrics
    }

    /// Shows the counters of a resolution of which there are blocks, as zero before anything was done.
    pub fn know(&self, resolution: Resolution) {
        drop(self.attempts.get_or_create(&of(resolution)));
        drop(self.failures.get_or_create(&of(resolution)));
    }

    /// Counts the end of a job on a block of this resolution.
    pub fn ended(&self, resolution: Resolution, done: &Result<JobDone, JobError>) {
        let of = of(resolution);
        self.attempts.get_or_create(&of).inc();
        match done {
            Ok(JobDone::Uploaded { seconds, .. }) => self.durations.get_or_create(&of).observe(*seconds),
            Ok(JobDone::Empty) => {}
            Err(_) => {
                self.failures.get_or_create(&of).inc();
            }
        }
    }
}

fn of(resolution: Resolution) -> Of {
    vec![("resolution", resolution.to_string())]
}
