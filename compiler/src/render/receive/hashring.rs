//! The hashring: which ingestors exist, and which of them serve which tenant.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::facts::Version;
use crate::model::{Cluster, Component};
use crate::topology::nodes::thanos::Receive;

/// First release that gives a tenant a part of a ring.
const SHUFFLE_SHARDING: Version = Version::new(0, 39, 0);
/// First release whose endpoints may be objects with a zone.
const ZONES: Version = Version::new(0, 32, 0);
/// Failure zones, unless some Prometheus says how many there are.
const ZONE_COUNT: u32 = 3;

/// Address of one ingestor in the ring; the pod says the same of itself.
pub(super) fn address(ingestor: &Component, pod: &str) -> String {
    let service = ingestor.headless.as_ref().unwrap_or(&ingestor.name);
    format!("{pod}.{service}.{}.svc:10901", ingestor.namespace)
}

/// The ring as JSON. The first entry that names a tenant serves it; the last one names nobody and serves everybody else.
pub(super) fn render(cluster: &Cluster, node: &Receive, ingestor: &Component) -> String {
    let version = cluster.versions.thanos;
    let zones = super::zones(node) && version >= ZONES;
    let spread = cluster.prometheus.iter().find_map(|group| group.node.spread.as_ref()?.zones.as_ref());
    let zone_count = spread.map_or(ZONE_COUNT, |count| count.value.max(1));
    let endpoints: Vec<Value> = (0..*ingestor.replicas)
        .map(|ordinal| {
            let address = address(ingestor, &format!("{}-{ordinal}", ingestor.name));
            match zones {
                true => json!({ "address": address, "az": format!("zone-{}", ordinal % zone_count) }),
                false => json!(address),
            }
        })
        .collect();
    let mut rings: Vec<Value> = Vec::new();
    for (size, tenants) in sizes(node) {
        if version >= SHUFFLE_SHARDING && size > 0 && size < *ingestor.replicas {
            rings.push(json!({
                "hashring": format!("shard-size-{size}"),
                "tenants": tenants,
                "endpoints": endpoints,
                "shuffle_sharding_config": { "shard_size": size },
            }));
        }
    }
    rings.push(json!({ "hashring": "default", "endpoints": endpoints }));
    let mut text = serde_json::to_string_pretty(&rings).unwrap_or_default();
    text.push('\n');
    text
}

/// Tenants by the number of ingestors that serve them.
fn sizes(node: &Receive) -> BTreeMap<u32, Vec<&str>> {
    let mut sizes: BTreeMap<u32, Vec<&str>> = BTreeMap::new();
    for tenant in node.tenants.iter().flat_map(|tenants| &tenants.tenants) {
        if let Some(size) = &tenant.shard_size {
            sizes.entry(size.value).or_default().push(&tenant.name.value.0);
        }
    }
    sizes
}
