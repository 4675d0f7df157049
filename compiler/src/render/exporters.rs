//! Exporters that are deployed with the rest: kube-state-metrics, node-exporter, blackbox-exporter.

mod blackbox;
mod kube_state_metrics;
mod node;

use super::output::Output;

/// Adds the exporters.
pub fn render(out: &mut Output) {
    kube_state_metrics::render(out);
    node::render(out);
    blackbox::render(out);
}
