//! From the YAML of a bucket to the bucket.

use std::sync::Arc;

use anyhow::Context;
use objstore::layers::BucketMetrics;
use objstore::{BucketConfig, BucketRef, Surroundings};
use prom_model::SystemClock;
use prometheus_client::registry::Registry;

/// Opens a bucket; `flag` is the one that described it. Its operations are counted in the registry.
#[expect(clippy::disallowed_methods, reason = "commands are the world outside")]
pub(super) fn open(flag: &str, yaml: &str, registry: &mut Registry) -> anyhow::Result<BucketRef> {
    let environment = |name: &str| std::env::var(name).ok();
    let metrics = BucketMetrics::register(registry);
    let surroundings = Surroundings {
        environment: &environment,
        clock: Arc::new(SystemClock),
        seed: super::chance(),
        metrics: Some(&metrics),
    };
    let config = BucketConfig::parse(yaml, &environment).with_context(|| format!("--{flag}"))?;
    config.connect(&surroundings).with_context(|| format!("--{flag}"))
}
