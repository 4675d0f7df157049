//! The store over one Prometheus: what was recorded of Thanos' sidecar, and what no recording has.
#![expect(clippy::print_stderr, reason = "how much was compared, and what was left out, is told loudly")]

pub(super) mod fake;
mod heartbeat;
pub(super) mod recorded;
mod series;
mod services;

use std::sync::Arc;

use prom_model::Labels;
use prometheus_client::registry::Registry;
use server::http_client::{HttpClient, Settings};
use store::prometheus::{Peer, PrometheusClient, PrometheusStore, PrometheusStoreMetrics};

use self::fake::Fake;

/// External labels.
fn labels(pairs: &[(&str, &str)]) -> Labels {
    let mut labels = Labels::new();
    for (name, value) in pairs {
        labels.set(*name, *value);
    }
    labels
}

/// A store over a stand-in for Prometheus.
pub(super) fn store_over(fake: &Fake, external: &[(&str, &str)], version: &str) -> PrometheusStore {
    let client = client_of(fake);
    let peer = Peer::new(i64::MIN);
    peer.set_labels(labels(external));
    peer.set_version(version.to_owned());
    PrometheusStore::new(client, peer, PrometheusStoreMetrics::register(&mut Registry::default()))
}

fn client_of(fake: &Fake) -> PrometheusClient {
    let http = HttpClient::new(Settings::default()).expect("default settings are sound");
    PrometheusClient::new(http, &fake.url()).expect("a base URL")
}

/// A handler that always gives the same.
fn always(answer: fake::Answer) -> fake::Handler {
    Arc::new(move |_| answer.clone())
}
