//! Limits of tenants.

use serde_json::{Map, Value, json};

use super::super::yaml;
use crate::model::{Cluster, Role};
use crate::topology::nodes::thanos::Receive;

/// The limits as Thanos reads them; `None` when no tenant has one.
pub(super) fn render(cluster: &Cluster, node: &Receive) -> Option<String> {
    let mut tenants = Map::new();
    let mut heads = false;
    for tenant in node.tenants.iter().flat_map(|tenants| &tenants.tenants) {
        let mut limits = Map::new();
        let mut request = Map::new();
        let request_limits = [
            ("series_limit", tenant.limit_request_series.as_ref()),
            ("samples_limit", tenant.limit_request_samples.as_ref()),
        ];
        for (key, limit) in request_limits {
            if let Some(limit) = limit {
                request.insert(key.to_string(), json!(limit.value));
            }
        }
        if !request.is_empty() {
            limits.insert("request".to_string(), Value::Object(request));
        }
        if let Some(series) = &tenant.limit_series {
            heads = true;
            limits.insert("head_series_limit".to_string(), json!(series.value));
        }
        if !limits.is_empty() {
            tenants.insert(tenant.name.value.0.clone(), Value::Object(limits));
        }
    }
    if tenants.is_empty() {
        return None;
    }
    let mut write = Map::new();
    // Receivers see their own head only; how many series a tenant has in all, the monitoring of the receivers knows.
    if let Some(url) = monitoring(cluster).filter(|_| heads) {
        write.insert("global".to_string(), json!({ "meta_monitoring_url": url }));
    }
    write.insert("tenants".to_string(), Value::Object(tenants));
    Some(yaml::to_yaml(&json!({ "write": write })))
}

/// Who knows the receivers' own metrics.
fn monitoring(cluster: &Cluster) -> Option<String> {
    let who = cluster.first(Role::Query).or(cluster.first(Role::Prometheus))?;
    Some(format!("http://{}:{}", who.host(), who.port("http").map_or(9090, |port| port.service)))
}
