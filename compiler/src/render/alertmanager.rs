//! Alertmanager: configuration, cluster, Services; and where Prometheus and rulers find it.

use prom_model::PromDuration;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::flags::Flags;
use super::output::Output;
use super::{pod, surround, thanos};
use crate::facts::Program;
use crate::model::alertmanager::{Alertmanager, Deployed, SECRETS_FOLDER};
use crate::model::{Cluster, Component, Role};

const FILE: &str = "70-alertmanager.yaml";
const CONFIG_FOLDER: &str = "/etc/alertmanager/config";
const CONFIG_KEY: &str = "alertmanager.yml";
const MESH_PORT: u16 = 9094;

/// Where alerts are sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AlertmanagerTargets {
    /// Nowhere.
    None,
    /// To addresses that somebody else looks after.
    Static {
        /// `http` or `https`.
        scheme: &'static str,
        /// Path in front of the API; `/` when there is none.
        path_prefix: String,
        /// `host:port`.
        addresses: Vec<String>,
    },
    /// To every replica behind a headless Service: each must get every alert, so that one of them can die.
    Peers {
        /// `http`.
        scheme: &'static str,
        /// Namespace of the Service.
        namespace: String,
        /// Headless Service, for discovery by EndpointSlice.
        service: String,
        /// Name of the port.
        port: &'static str,
        /// SRV name, for discovery by DNS.
        srv: String,
    },
}

impl AlertmanagerTargets {
    /// The values of `--alertmanagers.url` of a Thanos ruler.
    pub fn ruler_urls(&self) -> Vec<String> {
        match self {
            AlertmanagerTargets::None => Vec::new(),
            AlertmanagerTargets::Static { scheme, path_prefix, addresses } => addresses
                .iter()
                .map(|address| format!("{scheme}://{address}{}", path_prefix.trim_end_matches('/')))
                .collect(),
            AlertmanagerTargets::Peers { scheme, srv, .. } => vec![format!("dnssrv+{scheme}://{srv}")],
        }
    }
}

/// Where the Prometheus servers and rulers of a cluster send alerts.
pub fn targets(cluster: &Cluster) -> AlertmanagerTargets {
    match &cluster.alertmanager {
        None => AlertmanagerTargets::None,
        Some(Alertmanager::External(external)) => AlertmanagerTargets::Static {
            scheme: external.scheme,
            path_prefix: external.path_prefix.clone(),
            addresses: vec![external.address.clone()],
        },
        Some(Alertmanager::Deployed(_)) => match cluster.first(Role::Alertmanager) {
            None => AlertmanagerTargets::None,
            Some(component) => AlertmanagerTargets::Peers {
                scheme: "http",
                namespace: component.namespace.clone(),
                service: component.headless.clone().unwrap_or_else(|| component.name.clone()),
                port: "http",
                srv: component.srv("http"),
            },
        },
    }
}

/// Adds Alertmanager.
pub fn render(out: &mut Output) {
    let cluster = out.cluster;
    let (Some(Alertmanager::Deployed(deployed)), Some(component)) =
        (&cluster.alertmanager, cluster.first(Role::Alertmanager))
    else {
        return;
    };
    let config_name = format!("{}-config", component.name);
    config(out, component, deployed, &config_name);
    stateful_set(out, component, deployed, &config_name);
    surround::all(out, &surround::Files::one(FILE), component);
    if !deployed.sensitive {
        out.text("raw/alertmanager.yml", vec![deployed.config.clone()]);
    }
}

fn config(out: &mut Output, component: &Component, deployed: &Deployed, name: &str) {
    let key = CONFIG_KEY.to_string();
    if !deployed.sensitive {
        let texts = vec![(key, vec![deployed.config.clone()])];
        out.config_map(FILE, name, &component.namespace, &component.labels, texts);
        return;
    }
    let mut metadata = json!({ "name": name, "namespace": component.namespace });
    if !out.cluster.bare {
        metadata["labels"] = json!(component.labels);
    }
    out.object(
        FILE,
        json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": metadata,
            "type": "Opaque",
            "stringData": { key: &*deployed.config },
        }),
    );
}

fn stateful_set(out: &mut Output, component: &Component, deployed: &Deployed, config_name: &str) {
    let cluster = out.cluster;
    let mut context = pod::context(cluster, component);
    pod::probes(&mut context, cluster, "http", 60);
    let mut names: Vec<&str> = deployed.secrets.iter().map(|(name, _)| name.as_str()).collect();
    names.dedup();
    let config = match deployed.sensitive {
        true => json!({ "secretName": config_name }),
        false => json!({ "name": config_name }),
    };
    let kind = if deployed.sensitive { "secret" } else { "configMap" };
    let mut volumes = vec![json!({ "name": "config", kind: config })];
    let mut mounts = vec![
        json!({ "name": "config", "mountPath": CONFIG_FOLDER, "readOnly": true }),
        json!({ "name": "data", "mountPath": "/alertmanager" }),
    ];
    for (at, name) in names.iter().enumerate() {
        // A Secret's name may be longer than a volume's.
        let volume = format!("secret-{at}");
        let keys = deployed.secrets.iter().filter(|(secret, _)| secret == name);
        let items: Vec<Value> = keys.map(|(_, key)| json!({ "key": key, "path": key })).collect();
        volumes.push(json!({ "name": volume, "secret": { "secretName": name, "items": items } }));
        mounts.push(
            json!({ "name": volume, "mountPath": format!("{SECRETS_FOLDER}/{name}"), "readOnly": true }),
        );
    }
    if component.disk.is_none() {
        volumes.push(json!({ "name": "data", "emptyDir": {} }));
    }
    let digest = Sha256::digest(deployed.config.as_bytes());
    let digest: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    context
        .put("args", args(cluster, component))
        .put(
            "env",
            json!([{ "name": "POD_IP", "valueFrom": { "fieldRef": { "fieldPath": "status.podIP" } } }]),
        )
        .put("mounts", mounts)
        .put("volumes", volumes)
        .put("claim_labels", &component.selector);
    if !cluster.bare {
        context.derived(
            "pod_annotations",
            json!({ "checksum/config": digest }),
            "the configuration: Alertmanager does not watch its file, so a change replaces the pods one by one",
        );
    }
    out.render(FILE, "alertmanager", &context);
}

/// The flag takes Go's durations, which know no days.
fn hours(duration: PromDuration) -> String {
    let hour = PromDuration::from_hours(1).as_millis();
    match duration.as_millis() {
        millis if millis % hour == 0 => format!("{}h", millis / hour),
        millis => format!("{millis}ms"),
    }
}

fn args(cluster: &Cluster, component: &Component) -> Vec<String> {
    let node = cluster.topology.alertmanager.as_ref();
    let retention = cluster
        .profile
        .or_duration(node.and_then(|node| node.retention.as_ref()), "alertmanager.retention")
        .value;
    let external_url = node.and_then(|node| node.external_url.as_ref());
    let mut flags = Flags::new(Program::Alertmanager, cluster.versions.alertmanager);
    flags
        .flag("--config.file", format!("{CONFIG_FOLDER}/{CONFIG_KEY}"))
        .flag("--storage.path", "/alertmanager")
        .maybe("--data.retention", retention.map(hours))
        .flag("--log.level", &*cluster.log)
        .flag("--web.listen-address", ":9093")
        .maybe("--web.external-url", external_url.map(|url| thanos::literal(&url.value)))
        // Probes, Prometheus and peers speak to the pod itself, whatever path users see.
        .maybe("--web.route-prefix", external_url.map(|_| "/"));
    if *component.replicas > 1 {
        flags.flag("--cluster.listen-address", format!("[$(POD_IP)]:{MESH_PORT}"));
        let service = component.headless.as_deref().unwrap_or(&component.name);
        for replica in 0..*component.replicas {
            let (name, namespace) = (&component.name, &component.namespace);
            flags.flag("--cluster.peer", format!("{name}-{replica}.{service}.{namespace}.svc:{MESH_PORT}"));
        }
        // A peer that comes back under a new address must not be forgotten before its pod is up again.
        flags.flag("--cluster.reconnect-timeout", "5m");
    } else {
        // Empty means: no cluster.
        flags.flag("--cluster.listen-address", "");
    }
    flags.user(cluster, "alertmanager").finish()
}
