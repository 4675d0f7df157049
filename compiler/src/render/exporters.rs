//! kube-state-metrics, node-exporter, blackbox-exporter.

use super::output::Output;

/// Adds exporters.
pub fn render(_out: &mut Output) {}
