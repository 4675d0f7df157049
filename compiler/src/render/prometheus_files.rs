//! The configuration of each shard: its ConfigMap, and the raw file that promtool reads.

use serde_json::Value;

use super::output::Output;
use crate::model::{Component, PrometheusGroup};

/// Adds the configuration of one shard.
pub fn render(_out: &mut Output, _index: usize, _group: &PrometheusGroup, _component: &Component) {}

/// Secrets that jobs and remote writes name, as (volume, mount).
pub fn secret_volumes(_group: &PrometheusGroup) -> Vec<(Value, Value)> {
    Vec::new()
}
