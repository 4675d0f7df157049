//! The objstore configuration file, with Thanos' own field names.

use serde_json::{Map, Value, json};

use super::variable;
use crate::model::Cluster;
use crate::model::bucket::{self, Credential, Provider};
use crate::render::yaml;
use crate::topology::nodes::bucket::{Azure, BucketAuth, S3};

/// Variables that the file refers to as `$(NAME)`; Thanos puts their values in when it reads it.
const ACCESS_KEY: &str = "OBJSTORE_ACCESS_KEY";
const SECRET_KEY: &str = "OBJSTORE_SECRET_KEY";
const ACCOUNT_KEY: &str = "OBJSTORE_ACCOUNT_KEY";

/// Whether literals may be written into the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secrets {
    /// As the topology has them.
    Written,
    /// Always as references to variables.
    Hidden,
}

/// The credentials that the file needs, each with its variable.
fn credentials(cluster: &Cluster) -> Vec<(&'static str, Credential)> {
    let Some(bucket) = &cluster.topology.bucket else { return Vec::new() };
    match bucket::provider(bucket) {
        Some(Provider::Azure(azure)) => {
            bucket::account_key(cluster, azure).map(|key| (ACCOUNT_KEY, key)).into_iter().collect()
        }
        Some(Provider::S3(s3)) if s3.credentials.is_some() => Vec::new(),
        _ => bucket::key_pair(cluster, bucket)
            .map(|(access, secret)| vec![(ACCESS_KEY, access), (SECRET_KEY, secret)])
            .unwrap_or_default(),
    }
}

/// Whether the file holds a secret itself.
pub fn has_literals(cluster: &Cluster) -> bool {
    credentials(cluster).iter().any(|(_, credential)| matches!(credential, Credential::Literal(_)))
}

/// Environment of every container that reads the file.
pub fn environment(cluster: &Cluster) -> Vec<Value> {
    credentials(cluster)
        .iter()
        .filter(|(_, credential)| matches!(credential, Credential::Key { .. }))
        .map(|(name, credential)| variable(name, credential))
        .collect()
}

/// The text of the file.
pub fn text(cluster: &Cluster, secrets: Secrets) -> String {
    let Some(bucket) = &cluster.topology.bucket else { return String::new() };
    let credentials = credentials(cluster);
    let secret = |name: &str| {
        credentials.iter().find(|(known, _)| *known == name).map(|(_, credential)| match credential {
            Credential::Literal(text) if secrets == Secrets::Written => text.clone(),
            _ => format!("$({name})"),
        })
    };
    let name = bucket::bucket_name(bucket);
    let (kind, config) = match bucket::provider(bucket) {
        None => return String::new(),
        Some(Provider::Minio(_)) => ("S3", minio(cluster, name, &secret)),
        Some(Provider::S3(node)) => ("S3", s3(node, name, &secret)),
        Some(Provider::Gcs(_)) => ("GCS", Map::from_iter([("bucket".to_string(), json!(name))])),
        Some(Provider::Azure(node)) => ("AZURE", azure(node, name, &secret)),
        Some(Provider::Filesystem(node)) => {
            let directory = node.directory.as_ref().map_or("/bucket", |directory| directory.value.as_str());
            ("FILESYSTEM", Map::from_iter([("directory".to_string(), json!(directory))]))
        }
    };
    let mut file = Map::new();
    file.insert("type".to_string(), json!(if cluster.bare { kind.to_lowercase() } else { kind.to_string() }));
    file.insert("config".to_string(), Value::Object(config));
    if let Some(prefix) = &bucket.prefix {
        file.insert("prefix".to_string(), json!(prefix.value));
    }
    // Values take the place of the variables as they are: between single quotes, only a single quote could do harm.
    let mut text = yaml::to_yaml(&Value::Object(file));
    for name in [ACCESS_KEY, SECRET_KEY, ACCOUNT_KEY] {
        let bare = format!(": $({name})\n");
        text = text.replace(&bare, &format!(": '$({name})'\n"));
    }
    text
}

fn put(config: &mut Map<String, Value>, key: &str, value: impl Into<Value>) {
    config.insert(key.to_string(), value.into());
}

fn maybe(config: &mut Map<String, Value>, key: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        put(config, key, value);
    }
}

/// Address of our own MinIO.
pub fn minio_endpoint(cluster: &Cluster) -> String {
    cluster.first(crate::model::Role::Minio).map_or_else(String::new, |component| {
        let domain = if cluster.bare { ".cluster.local" } else { "" };
        format!("{}{domain}:9000", component.host())
    })
}

fn minio(cluster: &Cluster, name: &str, secret: &dyn Fn(&str) -> Option<String>) -> Map<String, Value> {
    let mut config = Map::new();
    put(&mut config, "bucket", name);
    put(&mut config, "endpoint", minio_endpoint(cluster));
    maybe(&mut config, "access_key", secret(ACCESS_KEY));
    maybe(&mut config, "secret_key", secret(SECRET_KEY));
    // Inside the cluster, between pods that a NetworkPolicy names.
    put(&mut config, "insecure", true);
    if cluster.bare {
        put(&mut config, "signature_version2", false);
    }
    config
}

fn s3(node: &S3, name: &str, secret: &dyn Fn(&str) -> Option<String>) -> Map<String, Value> {
    let mut config = Map::new();
    put(&mut config, "bucket", name);
    maybe(&mut config, "endpoint", node.endpoint.as_ref().map(|endpoint| endpoint.value.clone()));
    maybe(&mut config, "region", node.region.as_ref().map(|region| region.value.clone()));
    if node.auth.as_ref().is_some_and(|auth| auth.value == BucketAuth::PodIdentity) {
        put(&mut config, "aws_sdk_auth", true);
    } else {
        maybe(&mut config, "access_key", secret(ACCESS_KEY));
        maybe(&mut config, "secret_key", secret(SECRET_KEY));
    }
    maybe(&mut config, "insecure", node.insecure.as_ref().map(|insecure| insecure.value));
    maybe(&mut config, "bucket_lookup_type", node.lookup.as_ref().map(|lookup| lookup.value.clone()));
    if let Some(sse) = &node.sse {
        let mut encryption = Map::new();
        put(&mut encryption, "type", sse.value.clone());
        maybe(&mut encryption, "kms_key_id", node.kms_key.as_ref().map(|key| key.value.clone()));
        put(&mut config, "sse_config", encryption);
    }
    config
}

fn azure(node: &Azure, name: &str, secret: &dyn Fn(&str) -> Option<String>) -> Map<String, Value> {
    let mut config = Map::new();
    maybe(&mut config, "storage_account", node.account.as_ref().map(|account| account.value.clone()));
    maybe(&mut config, "storage_account_key", secret(ACCOUNT_KEY));
    put(&mut config, "container", name);
    maybe(&mut config, "endpoint", node.endpoint.as_ref().map(|endpoint| endpoint.value.clone()));
    if node.auth.as_ref().is_some_and(|auth| auth.value == BucketAuth::PodIdentity) {
        maybe(&mut config, "user_assigned_id", node.client_id.as_ref().map(|client| client.value.clone()));
    }
    config
}
