//! Prometheus: configuration, StatefulSets, Services, permissions.

use serde_json::{Value, json};

use super::bucket::Access;
use super::flags::Flags;
use super::output::Output;
use super::prometheus_config::JobTexts;
use super::{bucket, pod, prometheus_files, prometheus_rbac, surround};
use crate::facts::{self, Program, Version};
use crate::model::{Cluster, Component, PrometheusGroup, Role, components};
use crate::topology::nodes::prometheus::ReloadStrategy;

/// Where things are inside the pod.
pub struct Paths {
    /// Folder of the mounted configuration.
    pub config_folder: &'static str,
    /// The file that Prometheus reads.
    pub config_file: &'static str,
    /// Folder of the rules.
    pub rules_folder: &'static str,
    /// Rule files, as a glob.
    pub rules_glob: &'static str,
    /// Key of the configuration in its ConfigMap.
    pub config_key: &'static str,
}

const BARE: Paths = Paths {
    config_folder: "/etc/prometheus",
    config_file: "/etc/prometheus-shared/prometheus.yaml",
    rules_folder: "/etc/prometheus/rules",
    rules_glob: "/etc/prometheus/rules/*rules.yaml",
    config_key: "prometheus.yaml.tmpl",
};

const HARDENED: Paths = Paths {
    config_folder: "/etc/prometheus/config",
    config_file: "/etc/prometheus/config/prometheus.yaml",
    rules_folder: "/etc/prometheus/rules",
    rules_glob: "/etc/prometheus/rules/*.yaml",
    config_key: "prometheus.yaml",
};

/// Paths inside the pods of a cluster.
pub fn paths(cluster: &Cluster) -> &'static Paths {
    if cluster.bare { &BARE } else { &HARDENED }
}

/// Name of the ConfigMap with the configuration of one shard.
pub fn config_map_name(component: &Component) -> String {
    format!("{}-config", component.name)
}

/// Folder of a group's files: groups beside the first get one of their own.
pub fn folder(group: &PrometheusGroup) -> String {
    group.name.as_ref().map_or_else(|| "30-prometheus".to_string(), |name| format!("30-prometheus-{name}"))
}

/// Adds every Prometheus group.
pub fn render(out: &mut Output) {
    let cluster = out.cluster;
    let mut texts = None;
    for component in cluster.with_role(Role::Prometheus) {
        let Some(group) = cluster.prometheus.get(component.group) else { continue };
        let shard = component.shard.unwrap_or(0);
        let folder = folder(group);
        if shard == 0 {
            prometheus_rbac::render(out, group, component);
            texts = Some(JobTexts::new(&group.jobs, &group.plan, 0));
        }
        if let Some(texts) = &texts {
            prometheus_files::render(out, group, component, texts);
        }
        stateful_set(out, &format!("{folder}/statefulset-shard-{shard}.yaml"), group, component);
        if !cluster.bare {
            surround::services(out, &format!("{folder}/services.yaml"), component);
            surround::budget(out, &format!("{folder}/pdb.yaml"), component);
            surround::network(out, &format!("{folder}/networkpolicy.yaml"), component);
        }
    }
}

fn stateful_set(out: &mut Output, file: &str, group: &PrometheusGroup, component: &Component) {
    let cluster = out.cluster;
    let access = bucket::access(cluster).filter(|_| group.sidecar);
    let mut context = pod::context(cluster, component);
    pod::probes(&mut context, cluster, "http", 900);
    let data = json!({ "name": "data", "mountPath": "/prometheus" });
    let paths = paths(cluster);
    let mut volumes = Vec::new();
    let config_mount;
    let rules_mount;
    if cluster.bare {
        context.put("labels", json!({ "app": component.name }));
        context.put("claim_labels", json!({ "app": component.name }));
        context.put("pull_policy", "IfNotPresent");
        config_mount = json!({ "name": "prometheus-config-shared", "mountPath": "/etc/prometheus-shared/" });
        rules_mount = json!({ "name": "prometheus-rules", "mountPath": paths.rules_folder });
        volumes.extend([
            json!({ "name": "prometheus-config", "configMap": { "name": config_map_name(component) } }),
            json!({ "name": "prometheus-rules", "configMap": { "name": "prometheus-rules" } }),
            json!({ "name": "prometheus-config-shared", "emptyDir": {} }),
        ]);
    } else {
        context.put("claim_labels", &component.selector);
        config_mount = json!({ "name": "config", "mountPath": paths.config_folder, "readOnly": true });
        rules_mount = json!({ "name": "rules", "mountPath": paths.rules_folder, "readOnly": true });
        let sources: Vec<Value> = super::rules::local_config_maps(cluster)
            .iter()
            .map(|name| json!({ "configMap": { "name": name } }))
            .collect();
        volumes.extend([
            json!({ "name": "config", "configMap": { "name": config_map_name(component) } }),
            json!({ "name": "rules", "projected": { "sources": sources } }),
        ]);
    }
    let secrets = prometheus_files::secret_volumes(cluster, group);
    let mut mounts = vec![config_mount.clone(), rules_mount.clone(), data.clone()];
    for (volume, mount) in secrets {
        volumes.push(volume);
        mounts.push(mount);
    }
    if let Some(access) = &access {
        volumes.extend(access.volumes.iter().cloned());
    }
    let pod_name =
        json!([{ "name": "POD_NAME", "valueFrom": { "fieldRef": { "fieldPath": "metadata.name" } } }]);
    context
        .derived("args", arguments(cluster, group), "retention, reload strategy and version")
        .put("env", if cluster.bare { Value::Null } else { pod_name.clone() })
        .put("automount", if cluster.bare { Value::Null } else { json!(true) })
        .put("pod_management", if cluster.bare { Value::Null } else { json!("Parallel") })
        .put("prometheus_ports", json!([{ "name": "http", "containerPort": 9090 }]))
        .put("mounts", mounts)
        .put("volumes", volumes)
        .put(
            "sidecar",
            if group.sidecar {
                sidecar(cluster, group, access.as_ref(), &config_mount, &rules_mount, &data)
            } else {
                Value::Null
            },
        )
        .put(
            "reloader",
            if group.reload.value == ReloadStrategy::Sidecar {
                reloader(cluster, &config_mount, &rules_mount)
            } else {
                Value::Null
            },
        );
    out.render(file, "prometheus", &context);
}

/// The command line of Prometheus.
fn arguments(cluster: &Cluster, group: &PrometheusGroup) -> Vec<String> {
    let version = cluster.versions.prometheus;
    let mut flags = Flags::new(Program::Prometheus, version);
    flags.flag("--config.file", paths(cluster).config_file);
    if group.agent {
        if flags.has("--agent") {
            flags.switch("--agent");
        }
        flags.flag("--storage.agent.path", "/prometheus");
    } else {
        flags.flag("--storage.tsdb.path", "/prometheus");
        if !retention_in_file(version) {
            flags.flag("--storage.tsdb.retention.time", group.retention.value);
            flags.maybe(
                "--storage.tsdb.retention.size",
                group.retention_size.as_ref().map(|size| size.text.clone()),
            );
        }
        if cluster.bare {
            flags.switch("--storage.tsdb.no-lockfile");
        }
        // Uploaded blocks must never be compacted on the spot: the compactor does that for the whole bucket.
        if group.sidecar && cluster.topology.bucket.is_some() {
            flags
                .flag("--storage.tsdb.min-block-duration", "2h")
                .flag("--storage.tsdb.max-block-duration", "2h");
        }
    }
    let admin = group.node.admin_api.as_ref().map_or(cluster.bare, |admin| admin.value);
    if admin && !group.agent {
        flags.switch("--web.enable-admin-api");
    }
    if group.reload.value == ReloadStrategy::Native {
        flags.switch("--config.auto-reload");
    } else {
        flags.switch("--web.enable-lifecycle");
    }
    flags.maybe("--web.external-url", group.node.external_url.as_ref().map(|url| url.value.clone()));
    if !cluster.bare {
        let mut features: Vec<String> = Vec::new();
        if version < Version::new(3, 0, 0) {
            features.push("expand-external-labels".to_string());
        }
        if group.agent && !flags.has("--agent") {
            features.push("agent".to_string());
        }
        features.extend(
            group.node.features.iter().flat_map(|node| node.names.iter().map(|name| name.value.clone())),
        );
        if !features.is_empty() {
            flags.flag("--enable-feature", features.join(","));
        }
        if *cluster.log != "info" {
            flags.flag("--log.level", &cluster.log.value);
        }
    }
    flags.user(cluster, "prometheus").finish()
}

/// From 3.11 on retention belongs into the configuration file; the flags are on their way out.
pub fn retention_in_file(version: Version) -> bool {
    version >= Version::new(3, 11, 0)
}

fn sidecar(
    cluster: &Cluster,
    group: &PrometheusGroup,
    access: Option<&Access>,
    config: &Value,
    rules: &Value,
    data: &Value,
) -> Value {
    let mut flags = Flags::new(Program::Thanos(facts::Component::Sidecar), cluster.versions.thanos);
    flags.word("sidecar").flag("--log.level", &cluster.log.value);
    flags.flag("--tsdb.path", "/prometheus").flag("--prometheus.url", "http://localhost:9090");
    if group.reload.value == ReloadStrategy::Thanos {
        if cluster.bare {
            flags
                .flag("--reloader.config-file", "/etc/prometheus/prometheus.yaml.tmpl")
                .flag("--reloader.config-envsubst-file", paths(cluster).config_file)
                .flag("--reloader.rule-dir", format!("{}/", paths(cluster).rules_folder));
        } else {
            flags
                .flag("--reloader.config-file", paths(cluster).config_file)
                .flag("--reloader.rule-dir", paths(cluster).rules_folder);
        }
    }
    let mut mounts = Vec::new();
    let mut env = Vec::new();
    if cluster.bare {
        mounts.extend([
            config.clone(),
            json!({ "name": "prometheus-config", "mountPath": "/etc/prometheus" }),
            rules.clone(),
        ]);
        env.push(
            json!({ "name": "POD_NAME", "valueFrom": { "fieldRef": { "fieldPath": "metadata.name" } } }),
        );
    } else if group.reload.value == ReloadStrategy::Thanos {
        mounts.extend([config.clone(), rules.clone()]);
    }
    mounts.push(data.clone());
    if let Some(access) = access {
        flags.flag("--objstore.config-file", &access.file);
        mounts.extend(access.mounts.iter().cloned());
        env.extend(access.env.iter().cloned());
    }
    let thanos = components::runtime_image(cluster);
    json!({
        "name": if cluster.bare { "thanos" } else { "thanos-sidecar" },
        "image": thanos,
        "args": flags.user(cluster, "sidecar").finish(),
        "env": if env.is_empty() { Value::Null } else { json!(env) },
        "ports": [{ "name": "http-sidecar", "containerPort": 10902 }, { "name": "grpc", "containerPort": 10901 }],
        // It waits for Prometheus, which may replay its WAL for minutes.
        "startup": pod::probe(cluster, "/-/ready", "http-sidecar", 15, 60),
        "readiness": pod::probe(cluster, "/-/ready", "http-sidecar", 5, 20),
        "liveness": pod::probe(cluster, "/-/healthy", "http-sidecar", 30, 8),
        "resources": pod::side_resources(cluster, "sidecar"),
        "mounts": mounts,
    })
}

fn reloader(cluster: &Cluster, config: &Value, rules: &Value) -> Value {
    let paths = paths(cluster);
    json!({
        "image": components::own_image(cluster),
        "args": [
            "reloader",
            "--http-address=0.0.0.0:10904",
            "--prometheus.url=http://localhost:9090",
            format!("--reloader.config-file={}", paths.config_file),
            format!("--reloader.rule-dir={}", paths.rules_folder),
        ],
        "ports": [{ "name": "http-reloader", "containerPort": 10904 }],
        "readiness": pod::probe(cluster, "/-/ready", "http-reloader", 5, 20),
        "liveness": pod::probe(cluster, "/-/healthy", "http-reloader", 30, 8),
        "resources": pod::side_resources(cluster, "reloader"),
        "mounts": [config, rules],
    })
}
