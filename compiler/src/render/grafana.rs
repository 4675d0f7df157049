//! Grafana: deployed here, or data source and dashboards for one that exists.

mod dashboards;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::bucket::{ingress_class, loose_labels, tls, variable};
use super::output::{Context, Object, Output};
use super::surround::Files;
use super::{pod, surround, yaml};
use crate::model::bucket::grafana_password;
use crate::model::{Cluster, Component, Role};
use crate::topology::nodes::alerting::{Datasource, Grafana};

const FILE: &str = "80-grafana.yaml";
/// Folder of the dashboards inside the pod; below the volume it would vanish behind it.
const DASHBOARDS: &str = "/etc/grafana/dashboards";

/// Adds Grafana, or what an existing one needs.
pub fn render(out: &mut Output) {
    let cluster = out.cluster;
    let Some(node) = &cluster.topology.grafana else { return };
    let datasource: Arc<str> = datasource(cluster, node).into();
    let config_maps = config_maps(out, node, &datasource);
    out.text("raw/grafana.yml", vec![datasource]);
    if let Some(component) = cluster.first(Role::Grafana) {
        deployment(out, node, component, &config_maps);
    }
}

/// Names of the ConfigMaps, as far as there are any.
struct ConfigMaps {
    datasource: String,
    provider: Option<String>,
    dashboards: Vec<String>,
}

/// What Grafana asks, and at which interval there is something new.
fn datasource(cluster: &Cluster, node: &Grafana) -> String {
    let wanted = node.datasource.as_ref().map(|datasource| datasource.value);
    let thanos = cluster.first(Role::QueryFrontend).or_else(|| cluster.first(Role::Query));
    let thanos = thanos.filter(|_| wanted != Some(Datasource::Prometheus));
    let target = thanos.or_else(|| cluster.first(Role::Prometheus));
    let url = target.map_or_else(String::new, |target| {
        let port = target.port("http").map_or(9090, |port| port.service);
        format!("http://{}:{port}", target.host())
    });
    let interval = cluster.prometheus.iter().map(|group| group.interval.value).min();
    let (name, uid) = if thanos.is_some() { ("Thanos", "thanos") } else { ("Prometheus", "prometheus") };
    let mut options = json!({
        "httpMethod": "POST",
        "prometheusType": name,
        "timeInterval": interval.map(|interval| interval.to_string()),
    });
    if interval.is_none()
        && let Some(options) = options.as_object_mut()
    {
        options.shift_remove("timeInterval");
    }
    yaml::to_yaml(&json!({
        "apiVersion": 1,
        "datasources": [{
            "name": name,
            "uid": format!("pronoia-{uid}"),
            "type": "prometheus",
            "access": "proxy",
            "url": url,
            "isDefault": true,
            "editable": false,
            "jsonData": options,
        }],
    }))
}

fn namespace(cluster: &Cluster, node: &Grafana) -> String {
    node.namespace.as_ref().map_or_else(|| cluster.namespace.clone(), |namespace| namespace.value.clone())
}

fn config_maps(out: &mut Output, node: &Grafana, datasource: &Arc<str>) -> ConfigMaps {
    let cluster = out.cluster;
    let namespace = namespace(cluster, node);
    let name = |what: &str| cluster.object_name(&format!("grafana-{what}"));
    let mut names = ConfigMaps { datasource: name("datasource"), provider: None, dashboards: Vec::new() };
    let text = vec![("datasource.yaml".to_string(), vec![datasource.clone()])];
    config_map(out, &names.datasource, &namespace, Some("grafana_datasource"), text);
    if node.dashboards.as_ref().is_some_and(|dashboards| !dashboards.value) {
        return names;
    }
    // One ConfigMap for each: several together would be too long for `kubectl apply`, which repeats them in an annotation.
    for (file, text) in dashboards::wanted(cluster) {
        let config_map_name = name(&format!("dashboard-{}", file.trim_end_matches(".json")));
        let texts = vec![(file.to_string(), vec![text])];
        config_map(out, &config_map_name, &namespace, Some("grafana_dashboard"), texts);
        names.dashboards.push(config_map_name);
    }
    if node.external.is_none() {
        let provider = yaml::to_yaml(&json!({
            "apiVersion": 1,
            "providers": [{
                "name": "pronoia",
                "folder": "Pronoia",
                "type": "file",
                "allowUiUpdates": false,
                "options": { "path": DASHBOARDS },
            }],
        }));
        let provider_name = name("provider");
        let texts = vec![("pronoia.yaml".to_string(), vec![provider.into()])];
        config_map(out, &provider_name, &namespace, None, texts);
        names.provider = Some(provider_name);
    }
    names
}

/// Sidecars of an existing Grafana find ConfigMaps by a label, under every profile.
fn config_map(
    out: &mut Output,
    name: &str,
    namespace: &str,
    discovery: Option<&str>,
    texts: Vec<(String, Vec<Arc<str>>)>,
) {
    let mut labels: BTreeMap<String, Value> =
        serde_json::from_value(loose_labels(out.cluster, "grafana")).unwrap_or_default();
    labels.extend(discovery.map(|label| (label.to_string(), json!("1"))));
    let mut metadata = json!({ "name": name, "namespace": namespace });
    if !labels.is_empty() {
        metadata["labels"] = json!(labels);
    }
    let value = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata });
    out.objects.push(Object { file: FILE.to_string(), value, texts, foreign: false });
}

fn deployment(out: &mut Output, node: &Grafana, component: &Component, config_maps: &ConfigMaps) {
    let cluster = out.cluster;
    let mut env = vec![
        variable("GF_SECURITY_ADMIN_PASSWORD", &grafana_password(cluster)),
        json!({ "name": "GF_ANALYTICS_REPORTING_ENABLED", "value": "false" }),
        json!({ "name": "GF_ANALYTICS_CHECK_FOR_UPDATES", "value": "false" }),
        json!({ "name": "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES", "value": "false" }),
    ];
    if let Some(host) = &node.host {
        let scheme = if node.tls.is_some() { "https" } else { "http" };
        env.push(json!({ "name": "GF_SERVER_ROOT_URL", "value": format!("{scheme}://{}/", host.value) }));
    }
    let claim = format!("{}-data", component.name);
    let data = match &component.disk {
        Some(_) => json!({ "name": "data", "persistentVolumeClaim": { "claimName": claim } }),
        None => json!({ "name": "data", "emptyDir": {} }),
    };
    let provisioning = "/etc/grafana/provisioning";
    let mut mounts = vec![
        json!({ "name": "data", "mountPath": "/var/lib/grafana" }),
        json!({ "name": "tmp", "mountPath": "/tmp" }),
        json!({ "name": "datasource", "mountPath": format!("{provisioning}/datasources"), "readOnly": true }),
    ];
    let mut volumes = vec![
        data,
        json!({ "name": "tmp", "emptyDir": {} }),
        json!({ "name": "datasource", "configMap": { "name": config_maps.datasource } }),
    ];
    if let Some(provider) = &config_maps.provider {
        let sources: Vec<Value> =
            config_maps.dashboards.iter().map(|name| json!({ "configMap": { "name": name } })).collect();
        mounts.extend([
            json!({ "name": "provider", "mountPath": format!("{provisioning}/dashboards"), "readOnly": true }),
            json!({ "name": "dashboards", "mountPath": DASHBOARDS, "readOnly": true }),
        ]);
        volumes.extend([
            json!({ "name": "provider", "configMap": { "name": provider } }),
            json!({ "name": "dashboards", "projected": { "sources": sources } }),
        ]);
    }
    let mut context = pod::context(cluster, component);
    context
        .put("env", env)
        .put("mounts", mounts)
        .put("volumes", volumes)
        // A volume has one writer, and so has the database in it.
        .put("strategy", if component.disk.is_some() { json!({ "type": "Recreate" }) } else { Value::Null })
        .put("startup", pod::probe(cluster, "/api/health", "http", 5, 60))
        .put("readiness", pod::probe(cluster, "/api/health", "http", 5, 6))
        .put("liveness", pod::probe(cluster, "/api/health", "http", 30, 4));
    if component.disk.is_some() {
        volume(out, component, &claim);
    }
    out.render(FILE, "grafana", &context);
    surround::all(out, &Files::one(FILE), component);
    ingress(out, node, component);
}

fn volume(out: &mut Output, component: &Component, claim: &str) {
    let mut context = Context::default();
    context
        .put("name", claim)
        .put("namespace", &component.namespace)
        .put("labels", if out.cluster.bare { Value::Null } else { json!(component.labels) })
        .put("access_mode", "ReadWriteOnce");
    match &component.class {
        Some(class) => context.sourced("storage_class", class),
        None => context.put("storage_class", Value::Null),
    };
    if let Some(disk) = &component.disk {
        context.sourced("disk", &disk.clone().map(|disk| disk.quantity()));
    }
    out.render(FILE, "pvc", &context);
}

fn ingress(out: &mut Output, node: &Grafana, component: &Component) {
    let Some(host) = &node.host else { return };
    let cluster = out.cluster;
    let mut context = Context::default();
    context
        .put("name", &component.name)
        .put("namespace", &component.namespace)
        .put("labels", if cluster.bare { Value::Null } else { json!(component.labels) })
        .put("annotations", Value::Null)
        .put("class", ingress_class(cluster))
        .sourced("host", &crate::model::profile::line(host))
        .put("tls_secret", tls(node.tls.as_ref().map(|tls| &tls.value)))
        .put("service", &component.service)
        .put("port", component.port("http").map_or(3000, |port| port.service));
    out.render(FILE, "ingress", &context);
}
