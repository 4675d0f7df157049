//! Prometheus: configuration, StatefulSets, permissions.

use super::output::Output;

/// Adds Prometheus.
pub fn render(_out: &mut Output) {}
