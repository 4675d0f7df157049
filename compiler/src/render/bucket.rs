//! The bucket: objstore configuration, MinIO, the Job that creates it, policies.

use serde_json::{Value, json};

use super::output::Output;
use crate::model::Cluster;

/// How a component gets at the bucket.
#[derive(Debug, Clone)]
pub struct Access {
    /// Volumes of the pod.
    pub volumes: Vec<Value>,
    /// Mounts of the container.
    pub mounts: Vec<Value>,
    /// Environment of the container.
    pub env: Vec<Value>,
    /// Value of `--objstore.config-file`.
    pub file: String,
    /// Annotations that bind the service account to a cloud identity, or null.
    pub account_annotations: Value,
}

/// How the components of this cluster get at the bucket; `None` without a bucket.
pub fn access(cluster: &Cluster) -> Option<Access> {
    cluster.topology.bucket.as_ref()?;
    let name = "object-storage-config";
    let secret =
        if cluster.bare { "thanos-objectstorage".to_string() } else { cluster.object_name("objstore") };
    Some(Access {
        volumes: vec![json!({ "name": name, "secret": { "secretName": secret } })],
        mounts: vec![json!({ "name": name, "mountPath": "/etc/secret", "readOnly": !cluster.bare })],
        env: Vec::new(),
        file: "/etc/secret/thanos.yaml".to_string(),
        account_annotations: Value::Null,
    })
}

/// Adds the bucket.
pub fn render(_out: &mut Output) {}
