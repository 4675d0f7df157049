//! What is counted of queries, under Thanos' names.

use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use promql::QueryStats;

/// Bounds that flags set.
#[derive(Debug, Clone, PartialEq)]
pub struct Buckets {
    /// Seconds (`--query.telemetry.request-duration-seconds-quantiles`).
    pub seconds: Vec<f64>,
    /// Samples of a query (`--query.telemetry.request-samples-quantiles`).
    pub samples: Vec<f64>,
    /// Series of a query (`--query.telemetry.request-series-seconds-quantiles`).
    pub series: Vec<f64>,
}

type Labels = Vec<(&'static str, String)>;

#[derive(Debug, Clone)]
struct Seconds(Vec<f64>);

impl MetricConstructor<Histogram> for Seconds {
    fn new_metric(&self) -> Histogram {
        Histogram::new(self.0.iter().copied())
    }
}

/// The histograms of queries.
#[derive(Debug)]
pub struct Telemetry {
    ranges: Histogram,
    queries: Family<Labels, Histogram, Seconds>,
    buckets: Buckets,
}

impl Telemetry {
    /// Registers `thanos_query_range_requested_timespan_duration_seconds` and `thanos_store_api_query_duration_seconds`.
    pub fn register(registry: &mut Registry, buckets: Buckets) -> Self {
        let ranges = Histogram::new((0..12).map(|power| 900.0 * f64::from(1u32 << power)));
        registry.register(
            "thanos_query_range_requested_timespan_duration_seconds",
            "A histogram of the query range window in seconds",
            ranges.clone(),
        );
        let queries = Family::new_with_constructor(Seconds(buckets.seconds.clone()));
        registry.register(
            "thanos_store_api_query_duration_seconds",
            "Duration of the Thanos Store API select phase for a query",
            queries.clone(),
        );
        Telemetry { ranges, queries, buckets }
    }

    /// A range query over so many milliseconds.
    pub(super) fn observe_range(&self, millis: i64) {
        self.ranges.observe(millis as f64 / 1000.0);
    }

    /// A query that was answered.
    pub(super) fn observe_query(&self, stats: &QueryStats, seconds: f64, tenant: &str) {
        if stats.series == 0 || stats.samples_read == 0 {
            return;
        }
        let labels = vec![
            ("series_le", bound(stats.series as f64, &self.buckets.series)),
            ("samples_le", bound(stats.samples_read as f64, &self.buckets.samples)),
            ("tenant", tenant.to_owned()),
        ];
        self.queries.get_or_create(&labels).observe(seconds);
    }
}

/// The bound that a number lies below.
fn bound(value: f64, bounds: &[f64]) -> String {
    match bounds.iter().find(|bound| value <= **bound) {
        Some(bound) if bounds.last().is_some_and(|last| value < *last) => bound.to_string(),
        _ => "+Inf".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_lie_below_their_bound() {
        let bounds = [10.0, 100.0, 1000.0];
        for (value, text) in [(1.0, "10"), (10.0, "10"), (11.0, "100"), (1000.0, "+Inf"), (5000.0, "+Inf")] {
            assert_eq!(bound(value, &bounds), text);
        }
        assert_eq!(bound(1.0, &[]), "+Inf");
    }
}
