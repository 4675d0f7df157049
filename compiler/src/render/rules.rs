//! Rule ConfigMaps.

use super::output::Output;

/// Adds rules.
pub fn render(_out: &mut Output) {}

/// Names of the ConfigMaps with rules that every Prometheus evaluates.
pub fn local_config_maps(_cluster: &crate::model::Cluster) -> Vec<String> {
    Vec::new()
}
