//! blackbox-exporter: probes from inside the cluster.

use std::sync::Arc;

use serde_json::json;
use sha2::{Digest, Sha256};

use crate::model::Role;
use crate::render::flags::user_flags;
use crate::render::output::Output;
use crate::render::surround::Files;
use crate::render::{pod, surround, yaml};

const FILE: &str = "42-blackbox.yaml";
const KEY: &str = "blackbox.yml";

/// Adds it.
pub(super) fn render(out: &mut Output) {
    let cluster = out.cluster;
    let Some(component) = cluster.first(Role::Blackbox) else { return };
    let text: Arc<str> = cluster.blackbox_config.clone().unwrap_or_else(modules).into();
    let config_map = format!("{}-config", component.name);
    let mut args =
        vec![format!("--config.file=/etc/blackbox/{KEY}"), "--web.listen-address=:9115".to_string()];
    for (flag, value) in user_flags(cluster, "blackbox") {
        args.push(if value.is_empty() { flag } else { format!("{flag}={value}") });
    }
    let digest = Sha256::digest(text.as_bytes());
    let hash: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let mut context = pod::context(cluster, component);
    context
        .put("args", args)
        .put("config_map", &config_map)
        // It reads its file once: another file means other pods.
        .derived("pod_annotations", json!({ "checksum/config": hash }), "the text of the configuration")
        .put("readiness", pod::probe(cluster, "/-/healthy", "http", 5, 6))
        .put("liveness", pod::probe(cluster, "/-/healthy", "http", 30, 4));
    out.config_map(
        FILE,
        &config_map,
        &component.namespace,
        &component.labels,
        vec![(KEY.to_string(), vec![text])],
    );
    out.render(FILE, "blackbox", &context);
    surround::all(out, &Files::one(FILE), component);
}

/// Modules for the usual probes.
fn modules() -> String {
    let http = |method: &str| json!({ "prober": "http", "timeout": "5s", "http": { "method": method, "preferred_ip_protocol": "ip4" } });
    yaml::to_yaml(&json!({
        "modules": {
            "http_2xx": http("GET"),
            "http_head_2xx": http("HEAD"),
            "http_post_2xx": http("POST"),
            "tcp_connect": { "prober": "tcp", "timeout": "5s" },
            "tls_connect": { "prober": "tcp", "timeout": "5s", "tcp": { "tls": true } },
        }
    }))
}
