//! Rulers: StatefulSets that evaluate the rules which need a view over all Prometheus servers.

use serde_json::json;
use sha2::{Digest, Sha256};

use super::output::Output;
use super::surround;
use super::thanos::{self, Pod};
use crate::facts;
use crate::model::{Cluster, Component, Role};
use crate::topology::nodes::thanos::Ruler;

const FILE: &str = "60-thanos/ruler.yaml";
const RULES: &str = "/etc/thanos/rules";

/// Adds rulers.
pub fn render(out: &mut Output) {
    let cluster = out.cluster;
    let (Some(node), Some(component)) = (&cluster.topology.ruler, cluster.first(Role::Ruler)) else { return };
    surround::services(out, FILE, component);
    ruler(out, node, component);
}

fn ruler(out: &mut Output, node: &Ruler, component: &Component) {
    let cluster = out.cluster;
    let profile = &cluster.profile;
    let mut pod = Pod::new(cluster, component);
    // It replays its WAL first.
    pod.probes(900, None);
    pod.pod_name();
    let mut flags = thanos::flags(cluster, facts::Component::Rule);
    flags.flag("--data-dir", thanos::DATA);
    pod.data();
    pod.bucket(&mut flags);
    let every = profile.or_duration(node.every.as_ref(), "ruler.every");
    thanos::state_duration(&mut flags, cluster, "--eval-interval", every);
    let retention = profile.or_duration(node.retention.as_ref(), "ruler.retention");
    thanos::state_duration(&mut flags, cluster, "--tsdb.retention", retention);
    flags.flag("--rule-file", format!("{RULES}/*/*.yaml"));
    for label in labels(cluster, node) {
        flags.flag("--label", label);
    }
    // The alert is one alert, whichever replica found it.
    for label in thanos::replica_labels(cluster) {
        flags.flag("--alert.label-drop", label);
    }
    for query in cluster.with_role(Role::Query) {
        flags.flag("--query", format!("dnssrv+{}", query.srv("http")));
    }
    // Each Alertmanager by itself: behind one address every replica would learn of other alerts.
    for url in super::alertmanager::targets(cluster).ruler_urls() {
        flags.flag("--alertmanagers.url", thanos::literal(&url));
    }
    flags.maybe("--alert.query-url", query_url(cluster));
    let maps = rule_maps(out);
    for (index, map) in maps.iter().enumerate() {
        pod.mount(
            &format!("rules-{index}"),
            json!({ "configMap": { "name": map } }),
            &format!("{RULES}/{map}"),
        );
    }
    if let Some(hash) = content_hash(out, &maps) {
        // The ruler reads its rules at start: other rules are another pod.
        pod.context.derived(
            "pod_annotations",
            json!({ "checksum/rules": hash }),
            "the content of the rule ConfigMaps",
        );
    }
    pod.finish(out, FILE, "thanos-ruler", flags);
}

/// Names of the ConfigMaps with the rules that the ruler evaluates: those that were rendered, so that no pod waits for
/// one that is not there.
fn rule_maps(out: &Output) -> Vec<String> {
    let start = format!("ConfigMap/{}-", out.cluster.object_name("thanos-ruler-rules"));
    let titles = out.objects.iter().map(super::output::Object::title);
    titles
        .filter(|title| title.starts_with(&start))
        .filter_map(|title| title.strip_prefix("ConfigMap/").map(String::from))
        .collect()
}

/// External labels. One beside the replica label has to stay after deduplication, or blocks would have none.
fn labels(cluster: &Cluster, node: &Ruler) -> Vec<String> {
    let mut labels = vec![thanos::pod_label(thanos::RULER_REPLICA)];
    let written: Vec<_> = node.origin.iter().flat_map(|origin| &origin.labels).collect();
    if written.is_empty() {
        labels.push(thanos::label("ruled_by", &cluster.name));
    }
    labels.extend(written.into_iter().map(|(name, value)| thanos::label(&name.value, &value.value)));
    labels
}

/// Where people see the expression of an alert.
fn query_url(cluster: &Cluster) -> Option<String> {
    let host = cluster.topology.query.as_ref().and_then(|query| query.host.as_ref());
    if let Some(host) = host {
        return Some(format!("https://{}", thanos::literal(&host.value)));
    }
    let query = cluster.first(Role::QueryFrontend).or(cluster.first(Role::Query))?;
    Some(format!("http://{}:{}", query.host(), query.port("http").map_or(9090, |port| port.service)))
}

/// A fingerprint of what the ConfigMaps hold, as far as they were rendered.
fn content_hash(out: &Output, maps: &[String]) -> Option<String> {
    let mut hash = Sha256::new();
    let mut found = false;
    for map in maps {
        let title = format!("ConfigMap/{map}");
        for object in out.objects.iter().filter(|object| object.title() == title) {
            found = true;
            for (key, text) in &object.texts {
                hash.update(key.as_bytes());
                text.iter().for_each(|piece| hash.update(piece.as_bytes()));
            }
        }
    }
    found.then(|| hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect())
}
