//! `thanos_query_endpoints_dns_*` and what goes with them.

use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::lookup::{Lookup, LookupError, Service};

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

/// A DNS whose questions are counted.
#[derive(Debug)]
pub(super) struct CountedLookup {
    lookup: Arc<dyn Lookup>,
    metrics: DnsMetrics,
}

impl CountedLookup {
    pub(super) fn new(lookup: Arc<dyn Lookup>, metrics: DnsMetrics) -> Self {
        CountedLookup { lookup, metrics }
    }

    fn count<T>(&self, name: &str, answer: Result<Vec<T>, LookupError>) -> Result<Vec<T>, LookupError> {
        self.metrics.lookups.inc();
        match &answer {
            Ok(found) => {
                let labels = vec![("addr".to_owned(), name.to_owned())];
                let count = i64::try_from(found.len()).unwrap_or(i64::MAX);
                self.metrics.results.get_or_create(&labels).set(count);
            }
            Err(_) => {
                self.metrics.failures.inc();
            }
        }
        answer
    }
}

#[async_trait]
impl Lookup for CountedLookup {
    async fn addresses(&self, host: &str, six_first: bool) -> Result<Vec<IpAddr>, LookupError> {
        self.count(host, self.lookup.addresses(host, six_first).await)
    }

    async fn services(&self, name: &str) -> Result<Vec<Service>, LookupError> {
        self.count(name, self.lookup.services(name).await)
    }
}
