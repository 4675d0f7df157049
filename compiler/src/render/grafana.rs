//! Grafana: data source, dashboards, Deployment.

use super::output::Output;

/// Adds Grafana.
pub fn render(_out: &mut Output) {}
