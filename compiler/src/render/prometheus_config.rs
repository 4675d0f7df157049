//! Prometheus' configuration file: typed, and written so that shards share the text of their jobs.
//!
//! All shards of a group have the same jobs but for one line each. A job is therefore serialised once; a shard's file
//! is a list of shared pieces with the shard's own `keep` rule between them.

mod pieces;
mod remote;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use prom_model::PromDuration;
use serde::Serialize;
use serde_json::Value;

use super::yaml;
use crate::model::scrape::Job;
use crate::model::scrape::config::{DnsSd, HttpClient, KubernetesSd, ScrapeConfig, SdRole, StaticConfig};
use crate::model::scrape::permissions::{PolicyRule, of_discovery};
use crate::model::scrape::rule::{Rule, any_of};
use crate::model::shards::ShardPlan;
pub use pieces::{JobTexts, config_map};
pub use remote::{QueueConfig, RemoteRead, RemoteWrite, Remotes, remotes};

/// Everything of the file but its jobs.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[allow(missing_docs, reason = "the fields are Prometheus' own")]
pub struct PrometheusConfig {
    pub global: GlobalConfig,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rule_files: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alerting: Option<Alerting>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remote_write: Vec<RemoteWrite>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remote_read: Vec<RemoteRead>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage: Option<Storage>,
}

/// `global`.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[allow(missing_docs, reason = "the fields are Prometheus' own")]
pub struct GlobalConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scrape_interval: Option<PromDuration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scrape_timeout: Option<PromDuration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evaluation_interval: Option<PromDuration>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub external_labels: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query_log_file: Option<String>,
}

/// `alerting`.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[allow(missing_docs, reason = "the fields are Prometheus' own")]
pub struct Alerting {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub alert_relabel_configs: Vec<Rule>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub alertmanagers: Vec<AlertmanagerConfig>,
}

/// A member of `alertmanagers`.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[allow(missing_docs, reason = "the fields are Prometheus' own")]
pub struct AlertmanagerConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<PromDuration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_prefix: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheme: Option<String>,
    #[serde(flatten)]
    pub http: HttpClient,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dns_sd_configs: Vec<DnsSd>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kubernetes_sd_configs: Vec<KubernetesSd>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub static_configs: Vec<StaticConfig>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub relabel_configs: Vec<Rule>,
}

/// `storage`.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[allow(missing_docs, reason = "the fields are Prometheus' own")]
pub struct Storage {
    pub tsdb: TsdbConfig,
}

/// `storage.tsdb`.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[allow(missing_docs, reason = "the fields are Prometheus' own")]
pub struct TsdbConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub out_of_order_time_window: Option<PromDuration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention: Option<RetentionConfig>,
}

/// `storage.tsdb.retention`, since 3.11.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[allow(missing_docs, reason = "the fields are Prometheus' own")]
pub struct RetentionConfig {
    pub time: PromDuration,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<String>,
}

impl Storage {
    /// Storage that accepts samples up to this old.
    pub fn out_of_order(window: PromDuration) -> Storage {
        Storage { tsdb: TsdbConfig { out_of_order_time_window: Some(window), retention: None } }
    }
}

impl Alerting {
    /// Alerts lose these labels before they are sent, so that Alertmanager sees the replicas' alerts as one.
    pub fn dropping<'a>(labels: impl IntoIterator<Item = &'a str>) -> Alerting {
        let regex = any_of(labels);
        let rules = if regex.is_empty() { Vec::new() } else { vec![Rule::labeldrop(&regex)] };
        Alerting { alert_relabel_configs: rules, alertmanagers: Vec::new() }
    }
}

impl AlertmanagerConfig {
    /// Every peer behind a Service: each must get every alert, so none may be picked by a balancer.
    pub fn in_cluster(namespace: &str, service: &str, port_name: &str) -> AlertmanagerConfig {
        let labels = ["__meta_kubernetes_service_name", "__meta_kubernetes_endpointslice_port_name"];
        AlertmanagerConfig {
            kubernetes_sd_configs: vec![KubernetesSd::new(SdRole::Endpointslice, &[namespace.to_owned()])],
            relabel_configs: vec![Rule::keep(&labels, &any_of([format!("{service};{port_name}").as_str()]))],
            ..AlertmanagerConfig::default()
        }
    }

    /// Every peer behind an SRV name, which needs no permission.
    pub fn by_srv(name: &str) -> AlertmanagerConfig {
        AlertmanagerConfig {
            dns_sd_configs: vec![DnsSd { names: vec![name.to_owned()], ..DnsSd::default() }],
            ..AlertmanagerConfig::default()
        }
    }

    /// Fixed addresses `host:port`.
    pub fn fixed(targets: Vec<String>) -> AlertmanagerConfig {
        AlertmanagerConfig {
            static_configs: vec![StaticConfig { targets, ..StaticConfig::default() }],
            ..AlertmanagerConfig::default()
        }
    }
}

impl PrometheusConfig {
    /// What discovery of Alertmanagers needs from the Kubernetes API; `namespace` is where Prometheus runs.
    pub fn permissions(&self, namespace: &str) -> Vec<PolicyRule> {
        let alertmanagers = self.alerting.iter().flat_map(|alerting| &alerting.alertmanagers);
        let discoveries = alertmanagers.flat_map(|alertmanager| &alertmanager.kubernetes_sd_configs);
        discoveries.flat_map(|discovery| of_discovery(discovery, namespace)).collect()
    }

    /// The whole file of one shard as a tree, jobs included, with the fields in the order of the text.
    pub fn tree(&self, jobs: &[Job], plan: &ShardPlan, shard: u32) -> Value {
        let jobs: Vec<ScrapeConfig> = jobs.iter().filter_map(|job| job.on_shard(plan, shard)).collect();
        let (mut head, tail) = self.halves();
        if let (false, Value::Object(fields)) = (jobs.is_empty(), &mut head) {
            fields.insert("scrape_configs".into(), plain(&jobs));
        }
        if let (Value::Object(fields), Value::Object(rest)) = (&mut head, tail) {
            fields.extend(rest);
        }
        head
    }

    /// What stands before the jobs and what stands behind them.
    fn halves(&self) -> (Value, Value) {
        let mut head = match plain(self) {
            Value::Object(fields) => fields,
            _ => serde_json::Map::new(),
        };
        let behind = ["alerting", "remote_write", "remote_read", "storage"];
        let tail =
            behind.into_iter().filter_map(|name| Some((name.to_owned(), head.shift_remove(name)?))).collect();
        head.retain(|_, value| value.as_object().is_none_or(|fields| !fields.is_empty()));
        (Value::Object(head), Value::Object(tail))
    }
}

/// A tree of plain data. Structs with text keys always have one.
fn plain<T: Serialize + ?Sized>(value: &T) -> Value {
    serde_json::to_value(value).unwrap_or(Value::Null)
}

/// The file of one shard. For many shards make [`JobTexts`] once instead.
pub fn config_text(config: &PrometheusConfig, jobs: &[Job], plan: &ShardPlan, shard: u32) -> Vec<Arc<str>> {
    JobTexts::new(jobs, plan, 0).config(config, shard)
}
