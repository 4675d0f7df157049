//! Store gateways.

use prom_model::PromDuration;
use serde_json::json;

use super::output::Output;
use super::thanos::{self, Cache, Pod};
use super::{surround, yaml};
use crate::facts;
use crate::model::{Cluster, Component, Model, Role};
use crate::topology::nodes::bucket::Bucket;
use crate::topology::nodes::thanos::Store;

/// Adds store gateways; `model` tells who else writes to the same bucket.
pub fn render(out: &mut Output, model: &Model) {
    let cluster = out.cluster;
    let Some(node) = &cluster.topology.store else { return };
    let several = cluster.with_role(Role::Store).count() > 1;
    for (index, component) in cluster.with_role(Role::Store).enumerate() {
        let file = match several {
            true => format!("60-thanos/store-{index}.yaml"),
            false => "60-thanos/store.yaml".to_string(),
        };
        // All shards and windows share one headless Service: discovery finds every one of them behind one name.
        if index == 0 && !cluster.bare {
            let mut all = component.clone();
            all.labels.retain(|label, _| !label.starts_with("store-"));
            surround::services(out, &file, &all);
        }
        gateway(out, &file, node, component, model);
    }
}

fn gateway(out: &mut Output, file: &str, node: &Store, component: &Component, model: &Model) {
    let cluster = out.cluster;
    let profile = &cluster.profile;
    let mut pod = Pod::new(cluster, component);
    // Without what was on its volume it fetches the index headers of all blocks first.
    pod.probes(1800, Some(("/-/ready", json!(10902), None)));
    let mut flags = thanos::flags(cluster, facts::Component::Store);
    flags.flag("--data-dir", thanos::DATA);
    pod.data();
    pod.bucket(&mut flags);
    let remote = node.cache.as_ref().map(crate::model::profile::line);
    let remote = remote.and_then(|cache| Cache::read(out, &cache, 250));
    match remote.filter(|cache| !matches!(cache, Cache::Memory(_))) {
        Some(cache) => {
            flags
                .flag("--index-cache.config", cache.yaml())
                .flag("--store.caching-bucket.config", cache.yaml());
        }
        None => {
            let size = profile.or_size(node.index_cache.as_ref(), "store.index-cache").value;
            flags.maybe("--index-cache-size", size.map(|size| size.thanos()));
        }
    }
    let size = profile.or_size(node.chunk_pool.as_ref(), "store.chunk-pool").value;
    flags.maybe("--chunk-pool-size", size.map(|size| size.thanos()));
    let (youngest, oldest) = ages(cluster, node, component, model);
    let ago = |age: PromDuration| format!("-{age}");
    flags.maybe("--min-time", oldest.map(ago)).maybe("--max-time", youngest.map(ago));
    if let (Some(shard), Some(shards)) = (component.shard, &node.shards) {
        flags.flag("--selector.relabel-config", thanos::literal(&blocks(shard, shards.value)));
    }
    if !cluster.bare {
        flags.switch("--store.enable-index-header-lazy-reader");
        // The block viewer can mark blocks for deletion, and nobody has to log in there.
        flags.switch("--disable-admin-operations");
    }
    // A marked block must be out of every answer before the compactor deletes it.
    let delay = cluster.topology.compact.as_ref().and_then(|compact| compact.delete_delay.as_ref());
    if let Some(delay) = delay {
        let half = PromDuration::from_millis(delay.value.as_millis() / 2);
        flags.flag("--ignore-deletion-marks-delay", half);
    }
    pod.finish(out, file, "thanos-store", flags);
}

/// The blocks of one of several gateways: every block belongs to one.
fn blocks(shard: u32, shards: u32) -> String {
    yaml::to_yaml(&json!([
        { "action": "hashmod", "source_labels": ["__block_id"], "target_label": "shard", "modulus": shards },
        { "action": "keep", "source_labels": ["shard"], "regex": shard.to_string() },
    ]))
}

/// Ages of the youngest and the oldest samples that a gateway serves; `None` is no bound.
fn ages(
    cluster: &Cluster,
    node: &Store,
    component: &Component,
    model: &Model,
) -> (Option<PromDuration>, Option<PromDuration>) {
    let window = node.windows.get(component.window.unwrap_or(0));
    let youngest = window.map(|window| window.from.value).filter(|age| !age.is_zero());
    let oldest = window.map(|window| window.to.value).filter(|age| !age.is_zero()).map(|age| {
        let goes_on = node.windows.iter().any(|other| other.from.value >= age);
        // Two gateways learn of new blocks at different times: around the seam both serve.
        let overlap = cluster.profile.or_duration(None, "store.overlap").value.filter(|_| goes_on);
        overlap.and_then(|overlap| age.checked_add(overlap)).unwrap_or(age)
    });
    (youngest.or_else(|| served_elsewhere(cluster, model)), oldest)
}

/// The age up to which sidecars, rulers and receivers answer anyway, so that the bucket need not be read for it.
///
/// Half of the shortest local retention: a volume that fills up early, or one that was lost, then hides nothing.
fn served_elsewhere(cluster: &Cluster, model: &Model) -> Option<PromDuration> {
    let queried = cluster.topology.query.is_some();
    // Whoever else uploads to the bucket may be out of the querier's reach, except into a MinIO of our own.
    let bucket = cluster.topology.bucket.as_ref().filter(|bucket| bucket.minio.is_none()).map(identity);
    let shared = bucket.is_some()
        && model.clusters.iter().any(|other| {
            other.name != cluster.name && other.topology.bucket.as_ref().map(identity) == bucket
        });
    let sidecars: Vec<PromDuration> =
        cluster.prometheus.iter().filter(|group| group.sidecar).map(|group| group.retention.value).collect();
    if cluster.bare || !queried || shared || sidecars.is_empty() {
        return None;
    }
    let profile = &cluster.profile;
    let ruler = cluster.topology.ruler.as_ref();
    let ruler = ruler.and_then(|node| profile.or_duration(node.retention.as_ref(), "ruler.retention").value);
    let receive = cluster.topology.receive.as_ref();
    let receive =
        receive.and_then(|node| profile.or_duration(node.retention.as_ref(), "receive.retention").value);
    let shortest = sidecars.into_iter().chain(ruler).chain(receive).min()?;
    let hours = shortest.as_millis() / 3_600_000;
    (hours >= 6).then(|| PromDuration::from_hours(hours / 2))
}

/// What makes two buckets one.
fn identity(bucket: &Bucket) -> [Option<&str>; 3] {
    let s3 = bucket.s3.as_ref();
    let name = s3
        .and_then(|s3| s3.bucket.as_ref())
        .or(bucket.gcs.as_ref().and_then(|gcs| gcs.bucket.as_ref()))
        .or(bucket.azure.as_ref().and_then(|azure| azure.container.as_ref()))
        .unwrap_or(&bucket.name);
    let place = s3
        .and_then(|s3| s3.endpoint.as_ref())
        .or(bucket.azure.as_ref().and_then(|azure| azure.account.as_ref()));
    [
        Some(name.value.as_str()),
        place.map(|place| place.value.as_str()),
        bucket.prefix.as_ref().map(|prefix| prefix.value.as_str()),
    ]
}
