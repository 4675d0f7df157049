//! Compactors.

use serde_json::{Value, json};

use super::output::Output;
use super::thanos::{self, Pod};
use super::{surround, yaml};
use crate::facts;
use crate::model::{Cluster, Component, Role};
use crate::topology::nodes::thanos::{Compact, DedupFunc};

/// Adds compactors.
pub fn render(out: &mut Output) {
    let cluster = out.cluster;
    let Some(node) = &cluster.topology.compact else { return };
    let count = cluster.with_role(Role::Compact).count();
    for component in cluster.with_role(Role::Compact) {
        let file = match component.shard {
            Some(shard) if count > 1 => format!("60-thanos/compact-{shard}.yaml"),
            _ => "60-thanos/compact.yaml".to_string(),
        };
        if !cluster.bare {
            surround::services(out, &file, component);
        }
        compactor(out, &file, node, component, count);
    }
}

fn compactor(out: &mut Output, file: &str, node: &Compact, component: &Component, count: usize) {
    let cluster = out.cluster;
    let profile = &cluster.profile;
    let mut pod = Pod::new(cluster, component);
    pod.probes(300, Some(("/-/ready", json!(10902), Some([10, 15]))));
    let mut flags = thanos::flags(cluster, facts::Component::Compact);
    flags.flag("--data-dir", thanos::DATA);
    pod.data();
    pod.bucket(&mut flags);
    flags.switch("--wait");
    let keep = node.keep.as_ref();
    for (flag, written, key) in [
        ("--retention.resolution-raw", keep.and_then(|keep| keep.raw.as_ref()), "compact.keep.raw"),
        ("--retention.resolution-5m", keep.and_then(|keep| keep.m5.as_ref()), "compact.keep.m5"),
        ("--retention.resolution-1h", keep.and_then(|keep| keep.h1.as_ref()), "compact.keep.h1"),
    ] {
        let value = profile.or_duration(written, key);
        // Zero is "for ever"; `0d` says it in the unit that people think in.
        if thanos::stated(cluster, &value) {
            let text = value.value.map(|d| if d.is_zero() { "0d".to_string() } else { d.to_string() });
            flags.maybe(flag, text);
        }
    }
    let delay = profile.or_duration(node.delete_delay.as_ref(), "compact.delete-delay");
    thanos::state_duration(&mut flags, cluster, "--delete-delay", delay);
    let concurrency = profile.or_count(node.concurrency.as_ref(), "compact.concurrency");
    thanos::state(&mut flags, cluster, "--compact.concurrency", &concurrency);
    let downsample = node.downsample.as_ref().is_none_or(|downsample| downsample.value);
    if downsample {
        thanos::state(&mut flags, cluster, "--downsample.concurrency", &concurrency);
    } else {
        flags.switch("--downsampling.disable");
    }
    match deduplication(cluster, node) {
        Some((labels, func)) => {
            for label in labels {
                flags.flag("--deduplication.replica-label", label);
            }
            // One-to-one merging is what Thanos does when no function is named.
            if func == DedupFunc::Penalty {
                flags.flag("--deduplication.func", "penalty");
            }
        }
        None if accepts_out_of_order(cluster) => {
            // Samples that came late make blocks that overlap; without this the compactor halts on them.
            flags.switch("--compact.enable-vertical-compaction");
        }
        None => {}
    }
    if let Some(shard) = component.shard {
        flags.flag("--selector.relabel-config", thanos::literal(&streams(cluster, shard, count)));
    }
    if !cluster.bare {
        // The block viewer can mark blocks for deletion, and nobody has to log in there.
        flags.switch("--disable-admin-operations");
    }
    pod.finish(out, file, "thanos-compact", flags);
}

/// Replica labels and function of offline deduplication, if it is wanted.
pub fn deduplication(cluster: &Cluster, node: &Compact) -> Option<(Vec<String>, DedupFunc)> {
    let dedup = node.dedup.as_ref()?;
    let mut labels: Vec<String> = dedup.labels.iter().map(|label| label.value.clone()).collect();
    let copies = |labels: &[String]| labels.iter().all(|label| label == thanos::RECEIVE_REPLICA);
    let func = dedup.func.as_ref().map(|func| func.value);
    if labels.is_empty() {
        let scraped = thanos::scraped_replica_labels(cluster);
        let received = vec![thanos::RECEIVE_REPLICA.to_string()];
        labels = match func {
            Some(DedupFunc::OneToOne) => received,
            Some(DedupFunc::Penalty) => scraped,
            None if scraped.is_empty() => received,
            None => scraped,
        };
    }
    let func = func.unwrap_or(if copies(&labels) { DedupFunc::OneToOne } else { DedupFunc::Penalty });
    Some((thanos::unique(labels), func))
}

fn accepts_out_of_order(cluster: &Cluster) -> bool {
    cluster.prometheus.iter().any(|group| group.sidecar && group.node.out_of_order.is_some())
        || cluster.topology.receive.as_ref().is_some_and(|receive| receive.out_of_order.is_some())
}

/// The streams that one of several compactors owns.
///
/// Shard 0 owns everything that is nobody else's: rulers, receivers, groups without shards, shards that are gone. So
/// the owners never overlap, and no block is left without one.
fn streams(cluster: &Cluster, shard: u32, count: usize) -> String {
    let labels: Vec<String> = thanos::unique(
        cluster
            .prometheus
            .iter()
            .filter(|group| group.sidecar)
            .map(|group| group.shard_label.value.clone())
            .collect(),
    );
    let others: Vec<String> = (1..count).map(|other| other.to_string()).collect();
    let (action, regex) = if shard == 0 { ("drop", others.join("|")) } else { ("keep", shard.to_string()) };
    // A block has at most one of the labels: joined without a separator they are its shard.
    let rule: Value = json!([{ "action": action, "source_labels": labels, "separator": "", "regex": regex }]);
    yaml::to_yaml(&rule)
}
