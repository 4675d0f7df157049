//! `thanos_query_endpoints_dns_*` and what goes with them.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Metrics of one set of names.
#[derive(Debug, Clone, Default)]
pub(super) struct DnsMetrics {
    pub(super) results: Family<Vec<(String, String)>, Gauge>,
    pub(super) lookups: Counter,
    pub(super) failures: Counter,
}

impl DnsMetrics {
    /// Registers them with a prefix, as in `thanos_query_endpoints_`.
    pub(super) fn register(prefix: &str, registry: &mut Registry) -> Self {
        let metrics = DnsMetrics::default();
        registry.register(
            format!("{prefix}dns_provider_results"),
            "The number of resolved endpoints for each configured address",
            metrics.results.clone(),
        );
        registry.register(
            format!("{prefix}dns_lookups"),
            "The number of DNS lookups resolutions attempts",
            metrics.lookups.clone(),
        );
        registry.register(
            format!("{prefix}dns_failures"),
            "The number of DNS lookup failures",
            metrics.failures.clone(),
        );
        metrics
    }
}
