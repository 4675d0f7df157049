//! `report.json`: what the deployment needs, with the numbers that it was worked out from.

use serde_json::{Map, Value, json};

use super::pretty;
use crate::model::capacity::{self, BucketNeeds, GroupNeeds, Needs};
use crate::model::{Cluster, PrometheusGroup, Role};
use crate::render::output::Output;
use crate::topology::values::Size;

const GIB: f64 = (1_u64 << 30) as f64;

/// Adds it.
pub(super) fn render(out: &mut Output, needs: &Needs) {
    let cluster = out.cluster;
    let groups: Vec<Value> = cluster
        .prometheus
        .iter()
        .zip(&needs.groups)
        .map(|(group, needs)| prometheus(cluster, group, needs))
        .collect();
    let report = json!({
        "inputs": inputs(cluster),
        "prometheus": groups,
        "bucket": needs.bucket.as_ref().map(|bucket| self::bucket(cluster, bucket)),
        "requested": requested(cluster),
    });
    out.text("report.json", vec![pretty(&report).into()]);
}

pub(super) fn rounded(number: f64) -> Value {
    json!((number * 10.0).round() / 10.0)
}

/// Bytes as GiB with one decimal.
pub(super) fn gib(bytes: u64) -> Value {
    rounded(bytes as f64 / GIB)
}

fn inputs(cluster: &Cluster) -> Value {
    let mut written = Map::new();
    if let Some(estimate) = &cluster.topology.estimate {
        let mut put = |key: &str, value: Option<Value>| {
            if let Some(value) = value {
                written.insert(key.to_string(), value);
            }
        };
        put("nodes", estimate.nodes.as_ref().map(|nodes| json!(nodes.value)));
        put("pods", estimate.pods.as_ref().map(|pods| json!(pods.value)));
        put("series-per-pod", estimate.series_per_pod.as_ref().map(|series| json!(series.value)));
        put("series", estimate.series.as_ref().map(|series| json!(series.value)));
        put("churn-per-day", estimate.churn_per_day.as_ref().map(|churn| json!(churn.value)));
        put("bucket-price-per-gib-month", estimate.bucket_price.as_ref().map(|price| json!(price.value)));
    }
    json!({
        "estimate": written,
        "assumed": {
            "block_bytes_per_sample": capacity::BLOCK_BYTES_PER_SAMPLE,
            "wal_bytes_per_sample": capacity::WAL_BYTES_PER_SAMPLE,
            "head_bytes_per_series": capacity::HEAD_BYTES_PER_SERIES,
            "prometheus_base_bytes": capacity::BASE_BYTES,
            "churn_per_day": capacity::churn_per_day(cluster),
            "volume_fill": capacity::FILL,
        },
    })
}

fn prometheus(cluster: &Cluster, group: &PrometheusGroup, needs: &GroupNeeds) -> Value {
    let component = cluster.with_role(Role::Prometheus).find(|component| component.name == group.base);
    let memory = component.and_then(|component| component.resources.as_ref());
    let memory = memory.and_then(|resources| Size::parse(&resources.memory)).map(|size| gib(size.bytes));
    let disk = component.and_then(|component| component.disk.as_ref()).map(|disk| gib(disk.bytes));
    let known = needs.series.is_some();
    let when_known = |value: Value| if known { value } else { Value::Null };
    json!({
        "name": needs.name,
        "shards": *group.shards,
        "replicas": *group.replicas,
        "retention": group.retention.value.to_string(),
        "series": needs.series,
        "jobs_of_unknown_size": needs.unknown_jobs,
        "samples_per_second": when_known(rounded(needs.samples_per_second)),
        "each_shard": {
            "head_series": when_known(json!(needs.head_series_per_shard)),
            "memory_gib": { "needed": when_known(gib(needs.memory_bytes_per_shard)), "requested": memory },
            "volume_gib": { "needed": when_known(gib(needs.volume_bytes_per_shard)), "requested": disk },
        },
    })
}

fn bucket(cluster: &Cluster, needs: &BucketNeeds) -> Value {
    let price = cluster.topology.estimate.as_ref().and_then(|estimate| estimate.bucket_price.as_ref());
    let cost = |bytes: u64| price.map(|price| rounded(bytes as f64 / GIB * price.value));
    json!({
        "copies": rounded(needs.copies),
        "growth_gib_per_day": gib(needs.bytes_per_day),
        "at_rest_gib": needs.bytes_at_rest.map(gib),
        "after_a_year_gib": gib(needs.bytes_after_a_year),
        "price_per_month": { "at_rest": needs.bytes_at_rest.and_then(cost), "after_a_year": cost(needs.bytes_after_a_year) },
    })
}

/// What the manifests ask the cluster for.
fn requested(cluster: &Cluster) -> Value {
    let (mut pods, mut memory, mut disk) = (0_u64, 0_u64, 0_u64);
    for component in cluster.components.iter().filter(|component| component.role != Role::NodeExporter) {
        let replicas = u64::from(*component.replicas);
        pods = pods.saturating_add(replicas);
        let each = component.resources.as_ref().and_then(|resources| Size::parse(&resources.memory));
        memory = memory.saturating_add(each.map_or(0, |size| size.bytes).saturating_mul(replicas));
        let each = component.disk.as_ref().map_or(0, |disk| disk.bytes);
        disk = disk.saturating_add(each.saturating_mul(replicas));
    }
    json!({ "pods": pods, "memory_gib": gib(memory), "volumes_gib": gib(disk) })
}
