//! Readiness: what `/-/ready`, gRPC's health service and `thanos_status` say, shared between the component and its servers.

use std::sync::Arc;

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio::sync::watch;
use tracing::{info, warn};

/// Whether the component serves. Starts as not ready; clones share the state.
#[derive(Debug, Clone, Default)]
pub struct Probe {
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    ready: watch::Sender<bool>,
    /// `thanos_status{check="ready"}` of a component with a name.
    gauge: Option<Gauge>,
}

type Labels = [(&'static str, String); 2];

impl Probe {
    /// A probe that is not ready, without a metric.
    pub fn new() -> Self {
        Self::default()
    }

    /// A probe that is not ready, with `thanos_status{check,component}` and a log line at each change.
    ///
    /// `component` is Thanos' name for it: `sidecar`, `store`, `query`, …
    pub fn register(component: &str, registry: &mut Registry) -> Self {
        let status = Family::<Labels, Gauge>::default();
        registry.register(
            "thanos_status",
            "Represents status (0 indicates failure, 1 indicates success) of the component",
            status.clone(),
        );
        let of = |check: &str| {
            status.get_or_create_owned(&[("check", check.to_owned()), ("component", component.to_owned())])
        };
        of("healthy").set(1);
        let gauge = Some(of("ready"));
        Self { state: Arc::new(State { ready: watch::Sender::new(false), gauge }) }
    }

    /// Says whether the component serves from now on.
    pub fn set_ready(&self, ready: bool) {
        if ready {
            if self.change(true) {
                info!(msg = "changing probe status", status = "ready");
            }
        } else {
            self.not_ready("not serving");
        }
    }

    /// The component does not serve, for this reason.
    pub fn not_ready(&self, reason: &str) {
        if self.change(false) {
            warn!(msg = "changing probe status", status = "not-ready", reason);
        }
    }

    /// Whether the component serves.
    pub fn is_ready(&self) -> bool {
        *self.state.ready.borrow()
    }

    /// Follows the changes.
    pub fn watch(&self) -> watch::Receiver<bool> {
        self.state.ready.subscribe()
    }

    /// Whether something changed that is worth a line.
    fn change(&self, ready: bool) -> bool {
        let before = self.state.ready.send_replace(ready);
        if let Some(gauge) = &self.state.gauge {
            gauge.set(i64::from(ready));
        }
        before != ready && self.state.gauge.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    #[test]
    fn the_state_is_a_metric_of_the_component() {
        let mut registry = Registry::default();
        let probe = Probe::register("store", &mut registry);
        let metrics = Metrics::new(registry);
        let text = || String::from_utf8(metrics.exposition("").unwrap().1).unwrap();
        assert!(text().contains("thanos_status{check=\"ready\",component=\"store\"} 0\n"), "{}", text());
        probe.set_ready(true);
        assert!(text().contains("thanos_status{check=\"ready\",component=\"store\"} 1\n"), "{}", text());
        probe.not_ready("stopping");
        assert!(text().contains("thanos_status{check=\"ready\",component=\"store\"} 0\n"), "{}", text());
        assert!(text().contains("thanos_status{check=\"healthy\",component=\"store\"} 1\n"), "{}", text());
    }
}
