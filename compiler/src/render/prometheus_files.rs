//! The configuration of each shard: its ConfigMap, and the raw file that promtool reads.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};

use super::alertmanager::AlertmanagerTargets;
use super::output::Output;
use super::prometheus::{config_map_name, folder, paths, retention_in_file};
use super::prometheus_config::{
    Alerting, AlertmanagerConfig, GlobalConfig, JobTexts, PrometheusConfig, RemoteWrite, RetentionConfig,
    Storage, TsdbConfig,
};
use crate::facts::Version;
use crate::model::jobs::SECRETS_DIR;
use crate::model::scrape::config::{HttpClient, TlsConfig};
use crate::model::{Cluster, Component, PrometheusGroup};
use crate::topology::values::SecretValue;

/// Adds the configuration of one shard; `jobs` are the texts of the group's jobs, made once for all shards.
pub fn render(out: &mut Output, group: &PrometheusGroup, component: &Component, jobs: &JobTexts) {
    let cluster = out.cluster;
    let shard = component.shard.unwrap_or(0);
    let config = config(cluster, group, component);
    let pieces: Vec<Arc<str>> = jobs.config(&config, shard);
    let group_name = group.name.as_ref().map_or(String::new(), |name| format!("-{name}"));
    out.text(&format!("raw/prometheus{group_name}-shard-{shard}.yml"), pieces.clone());
    let file = format!("{}/config-shard-{shard}.yaml", folder(group));
    let texts = vec![(paths(cluster).config_key.to_string(), pieces)];
    out.config_map(&file, &config_map_name(component), &component.namespace, &component.labels, texts);
}

/// Everything but the jobs.
pub(super) fn config(cluster: &Cluster, group: &PrometheusGroup, component: &Component) -> PrometheusConfig {
    let mut external_labels: BTreeMap<String, String> = group
        .external_labels
        .iter()
        .map(|(name, value)| (name.clone(), literal(cluster, &value.value)))
        .collect();
    if let Some(shard) = component.shard {
        external_labels.insert(group.shard_label.value.clone(), shard.to_string());
    }
    let pod_name = if cluster.bare { "$(POD_NAME)" } else { "${POD_NAME}" };
    external_labels.insert(group.replica_label.value.clone(), pod_name.to_string());
    let rules = !group.agent;
    let mut remote_write = group.remotes.writes.clone();
    remote_write.extend(push(cluster));
    PrometheusConfig {
        global: GlobalConfig {
            scrape_interval: Some(group.interval.value),
            scrape_timeout: Some(group.timeout.value),
            evaluation_interval: group
                .evaluation
                .as_ref()
                .filter(|_| rules)
                .map(|evaluation| evaluation.value),
            external_labels,
            query_log_file: None,
        },
        rule_files: if rules { vec![paths(cluster).rules_glob.to_string()] } else { Vec::new() },
        alerting: alerting(cluster, group).filter(|_| rules),
        remote_write,
        remote_read: group.remotes.reads.clone(),
        storage: storage(cluster, group),
    }
}

/// Prometheus 3 expands `$` in external labels, and 2.x does with the feature that we switch on.
fn literal(cluster: &Cluster, value: &str) -> String {
    if cluster.bare && cluster.versions.prometheus < Version::new(3, 0, 0) {
        value.to_string()
    } else {
        value.replace('$', "$$")
    }
}

fn alerting(cluster: &Cluster, group: &PrometheusGroup) -> Option<Alerting> {
    let target = match super::alertmanager::targets(cluster) {
        AlertmanagerTargets::None => return None,
        AlertmanagerTargets::Static { scheme, path_prefix, addresses } => AlertmanagerConfig {
            scheme: (cluster.bare || scheme != "http").then(|| scheme.to_string()),
            path_prefix: (cluster.bare || path_prefix != "/").then_some(path_prefix),
            ..AlertmanagerConfig::fixed(addresses)
        },
        // Every peer gets every alert: the headless Service names them all.
        AlertmanagerTargets::Peers { srv, .. } => AlertmanagerConfig::by_srv(&srv),
    };
    let mut alerting = Alerting::dropping([group.replica_label.value.as_str()]);
    alerting.alertmanagers.push(target);
    Some(alerting)
}

fn storage(cluster: &Cluster, group: &PrometheusGroup) -> Option<Storage> {
    let out_of_order_time_window = group.node.out_of_order.as_ref().map(|window| window.value);
    let retention =
        (!group.agent && !cluster.bare && retention_in_file(cluster.versions.prometheus)).then(|| {
            RetentionConfig {
                time: group.retention.value,
                size: group.retention_size.as_ref().map(|size| size.text.clone()),
            }
        });
    (out_of_order_time_window.is_some() || retention.is_some())
        .then_some(Storage { tsdb: TsdbConfig { out_of_order_time_window, retention } })
}

fn push(cluster: &Cluster) -> Option<RemoteWrite> {
    let target = cluster.push.as_ref()?;
    let authority = trusted_authority(cluster).filter(|_| target.remote);
    Some(RemoteWrite {
        url: target.url.clone(),
        name: Some("receive".to_string()),
        headers: target.tenant.iter().map(|tenant| (target.header.clone(), tenant.clone())).collect(),
        http: HttpClient {
            tls_config: authority.map(|(name, key)| TlsConfig {
                ca_file: Some(format!("{SECRETS_DIR}/{name}/{key}")),
                ..TlsConfig::default()
            }),
            ..HttpClient::default()
        },
        ..RemoteWrite::default()
    })
}

fn trusted_authority(cluster: &Cluster) -> Option<(String, String)> {
    match cluster.topology.trust.as_ref()?.ca.as_ref().map(|ca| &ca.value) {
        Some(SecretValue::Reference { name, key }) => Some((name.clone(), key.clone())),
        _ => None,
    }
}

/// Secrets that jobs and remote writes name, as (volume, mount).
pub fn secret_volumes(cluster: &Cluster, group: &PrometheusGroup) -> Vec<(Value, Value)> {
    let mut names: BTreeSet<String> = group
        .jobs
        .iter()
        .flat_map(|job| &job.secrets)
        .chain(&group.remotes.secrets)
        .map(|(name, _)| name.clone())
        .collect();
    if cluster.push.as_ref().is_some_and(|push| push.remote) {
        names.extend(trusted_authority(cluster).map(|(name, _)| name));
    }
    names
        .into_iter()
        .map(|name| {
            let volume = format!("secret-{name}");
            (
                json!({ "name": volume, "secret": { "secretName": name } }),
                json!({ "name": volume, "mountPath": format!("{SECRETS_DIR}/{name}"), "readOnly": true }),
            )
        })
        .collect()
}
