//! Alertmanager: configuration, cluster, Services.

use super::output::Output;

/// Adds Alertmanager.
pub fn render(_out: &mut Output) {}
