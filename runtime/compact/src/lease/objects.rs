//! The objects of leases and instances in the bucket.

use std::sync::Arc;

use bytes::Bytes;
use objstore::{Bucket, BucketError, Put, read_all};
use prom_model::TimestampMs;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Below it is everything; not the name of a block, so nobody looks at it who looks for blocks.
pub(super) const ROOT: &str = "compactor";
/// No object of ours is larger.
const BYTES_MAX: u64 = 64 << 10;

/// What stands in a lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LeaseObject {
    pub(super) version: u64,
    /// Who has it.
    pub(super) instance: String,
    /// Which of its leases this is.
    #[serde(default)]
    pub(super) number: u64,
    /// For what, in words.
    pub(super) claim: String,
    /// How often it was renewed.
    #[serde(default)]
    pub(super) renewals: u64,
    #[serde(flatten)]
    extra: Map<String, Value>,
}

/// What stands in the object of a compactor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct InstanceObject {
    pub(super) version: u64,
    pub(super) instance: String,
    /// When it was first seen, in milliseconds by the store's clock; 0 in the first of its objects.
    #[serde(default)]
    pub(super) since: i64,
    /// Whether it relies on being alone.
    #[serde(default)]
    pub(super) alone: bool,
    #[serde(flatten)]
    extra: Map<String, Value>,
}

impl LeaseObject {
    pub(super) fn new(instance: &str, number: u64, claim: &str, renewals: u64) -> Self {
        let (instance, claim) = (instance.to_owned(), claim.to_owned());
        LeaseObject { version: 1, instance, number, claim, renewals, extra: Map::new() }
    }
}

impl InstanceObject {
    pub(super) fn new(instance: &str, since: i64, alone: bool) -> Self {
        InstanceObject { version: 1, instance: instance.to_owned(), since, alone, extra: Map::new() }
    }
}

pub(super) fn instances_folder() -> String {
    format!("{ROOT}/instances/")
}

pub(super) fn instance_name(instance: &str) -> String {
    format!("{ROOT}/instances/{instance}.json")
}

pub(super) fn leases_folder() -> String {
    format!("{ROOT}/leases/")
}

pub(super) fn lease_name(key: &str, generation: u64) -> String {
    format!("{ROOT}/leases/{key}/{generation:06}.json")
}

/// The key and the generation in the name of a lease.
pub(super) fn parse_lease_name(name: &str) -> Option<(&str, u64)> {
    let (key, file) = name.strip_prefix(ROOT)?.strip_prefix("/leases/")?.rsplit_once('/')?;
    let generation = file.strip_suffix(".json")?.parse().ok()?;
    (lease_name(key, generation) == name).then_some((key, generation))
}

/// Writes an object as JSON.
pub(super) async fn write(
    bucket: &dyn Bucket,
    name: &str,
    object: &impl Serialize,
    put: Put,
) -> Result<(), BucketError> {
    // Texts and numbers: nothing here can refuse to be written.
    let bytes = serde_json::to_vec(object).unwrap_or_default();
    bucket.put(name, Arc::new(Bytes::from(bytes)), put).await.map(drop)
}

/// Reads an object of ours; `None` where there is none, or something else in its place.
pub(super) async fn read<T: for<'de> Deserialize<'de>>(
    bucket: &dyn Bucket,
    name: &str,
) -> Result<Option<T>, BucketError> {
    match read_all(bucket, name, BYTES_MAX).await {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
        Err(BucketError::NotFound { .. } | BucketError::TooLarge { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// When an object was written, by the store's clock; `None` where there is none.
pub(super) async fn modified(bucket: &dyn Bucket, name: &str) -> Result<Option<TimestampMs>, BucketError> {
    match bucket.attributes(name).await {
        Ok(attributes) => Ok(Some(attributes.modified)),
        Err(BucketError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Removes an object; fine where there is none.
pub(super) async fn remove(bucket: &dyn Bucket, name: &str) -> Result<(), BucketError> {
    match bucket.delete(name).await {
        Ok(()) | Err(BucketError::NotFound { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}
