//! The bucket: how components get at it, and what is deployed for it.

pub mod minio;
pub mod objstore;
pub mod policies;

use serde_json::{Value, json};

use super::output::{Context, Output};
use crate::model::Cluster;
use crate::model::bucket::{self, Credential, Provider};
use crate::topology::nodes::bucket::BucketAuth;
use crate::topology::values::SecretValue;

/// Key of the objstore configuration inside its ConfigMap or Secret.
const KEY: &str = "thanos.yaml";
const OBJSTORE_FILE: &str = "50-bucket/objstore.yaml";

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
    /// Labels that the pods need for it, as an object; empty in most cases.
    pub pod_labels: serde_json::Map<String, Value>,
}

/// How the components of this cluster get at the bucket; `None` without a bucket.
pub fn access(cluster: &Cluster) -> Option<Access> {
    let bucket = cluster.topology.bucket.as_ref()?;
    let volume = "object-storage-config";
    let source = match credentials_file(cluster) {
        Some((secret, key)) => {
            json!({ "name": volume, "secret": { "secretName": secret, "items": [{ "key": key, "path": KEY }] } })
        }
        None if objstore::has_literals(cluster) => {
            json!({ "name": volume, "secret": { "secretName": object_name(cluster) } })
        }
        None => json!({ "name": volume, "configMap": { "name": object_name(cluster) } }),
    };
    let mut access = Access {
        volumes: vec![source],
        mounts: vec![json!({ "name": volume, "mountPath": "/etc/secret", "readOnly": !cluster.bare })],
        env: objstore::environment(cluster),
        file: format!("/etc/secret/{KEY}"),
        account_annotations: Value::Null,
        pod_labels: serde_json::Map::new(),
    };
    let annotation =
        |key: &str, value: Option<&String>| value.map_or(Value::Null, |value| json!({ key: value }));
    match bucket::provider(bucket) {
        Some(Provider::S3(s3)) if auth(&s3.auth) == Some(BucketAuth::Irsa) => {
            access.account_annotations =
                annotation("eks.amazonaws.com/role-arn", s3.role.as_ref().map(|role| &role.value));
        }
        Some(Provider::Gcs(gcs)) => {
            if auth(&gcs.auth) == Some(BucketAuth::WorkloadIdentity) {
                let account = gcs.service_account.as_ref().map(|account| &account.value);
                access.account_annotations = annotation("iam.gke.io/gcp-service-account", account);
            } else if let Some(credentials) = &gcs.credentials {
                // A key file is JSON, which would not survive being pasted into YAML: it stays a file.
                let (secret, key) = bucket::file_reference(cluster, &credentials.value);
                access.volumes.push(json!({
                    "name": "google-credentials",
                    "secret": { "secretName": secret, "items": [{ "key": key, "path": "key.json" }] },
                }));
                access.mounts.push(
                    json!({ "name": "google-credentials", "mountPath": "/etc/google", "readOnly": true }),
                );
                access.env.push(
                    json!({ "name": "GOOGLE_APPLICATION_CREDENTIALS", "value": "/etc/google/key.json" }),
                );
            }
        }
        Some(Provider::Azure(azure)) if auth(&azure.auth) == Some(BucketAuth::WorkloadIdentity) => {
            let client = azure.client_id.as_ref().map(|client| &client.value);
            access.account_annotations = annotation("azure.workload.identity/client-id", client);
            access.pod_labels.insert("azure.workload.identity/use".to_string(), json!("true"));
        }
        Some(Provider::Filesystem(folder)) => {
            if let Some(directory) = &folder.directory {
                let claim = folder_claim(cluster);
                access
                    .volumes
                    .push(json!({ "name": "bucket", "persistentVolumeClaim": { "claimName": claim } }));
                access.mounts.push(json!({ "name": "bucket", "mountPath": directory.value }));
            }
        }
        _ => {}
    }
    Some(access)
}

fn auth(written: &Option<crate::topology::decode::Written<BucketAuth>>) -> Option<BucketAuth> {
    written.as_ref().map(|auth| auth.value)
}

/// The Secret and key that hold the whole objstore configuration, when the user keeps it in one.
fn credentials_file(cluster: &Cluster) -> Option<(String, String)> {
    match bucket::provider(cluster.topology.bucket.as_ref()?)? {
        Provider::S3(s3) => {
            s3.credentials.as_ref().map(|credentials| bucket::file_reference(cluster, &credentials.value))
        }
        _ => None,
    }
}

/// Name of the ConfigMap or Secret with the objstore configuration.
fn object_name(cluster: &Cluster) -> String {
    if cluster.bare { "thanos-objectstorage".to_string() } else { cluster.object_name("objstore") }
}

fn folder_claim(cluster: &Cluster) -> String {
    cluster.object_name("bucket")
}

/// One environment variable with a credential.
pub fn variable(name: &str, credential: &Credential) -> Value {
    match credential {
        Credential::Literal(text) => json!({ "name": name, "value": text }),
        Credential::Key { name: secret, key } => {
            json!({ "name": name, "valueFrom": { "secretKeyRef": { "name": secret, "key": key } } })
        }
    }
}

/// Labels of objects that belong to no component.
pub(super) fn loose_labels(cluster: &Cluster, component: &str) -> Value {
    if cluster.bare {
        return Value::Null;
    }
    json!({
        "app.kubernetes.io/name": component,
        "app.kubernetes.io/instance": cluster.prefix,
        "app.kubernetes.io/part-of": cluster.prefix,
        "app.kubernetes.io/managed-by": "pronoia",
    })
}

/// Adds the bucket.
pub fn render(out: &mut Output) {
    let cluster = out.cluster;
    let Some(bucket) = &cluster.topology.bucket else { return };
    minio::render(out);
    if credentials_file(cluster).is_none() {
        configuration(out);
    }
    if let Some(Provider::Filesystem(_)) = bucket::provider(bucket) {
        let mut context = Context::default();
        context
            .put("name", folder_claim(cluster))
            .put("namespace", &cluster.namespace)
            .put("labels", loose_labels(cluster, "bucket"))
            .put("storage_class", Value::Null)
            .put("access_mode", "ReadWriteMany")
            .sourced("disk", &cluster.profile.text("minio.disk"));
        out.render(OBJSTORE_FILE, "pvc", &context);
    }
    policies::render(out);
    out.text("raw/objstore.yml", vec![objstore::text(cluster, objstore::Secrets::Hidden).into()]);
}

fn configuration(out: &mut Output) {
    let cluster = out.cluster;
    if objstore::has_literals(cluster) {
        let mut context = Context::default();
        context
            .put("name", object_name(cluster))
            .put("namespace", &cluster.namespace)
            .put("labels", loose_labels(cluster, "objstore"))
            .put("annotations", Value::Null)
            .put("type", Value::Null)
            .put("texts", json!({ KEY: objstore::text(cluster, objstore::Secrets::Written) }));
        out.render(OBJSTORE_FILE, "secret", &context);
        return;
    }
    let labels = serde_json::from_value(loose_labels(cluster, "objstore")).unwrap_or_default();
    let text = objstore::text(cluster, objstore::Secrets::Written);
    let name = object_name(cluster);
    out.config_map(
        OBJSTORE_FILE,
        &name,
        &cluster.namespace,
        &labels,
        vec![(KEY.to_string(), vec![text.into()])],
    );
}

/// The TLS Secret of an Ingress, for its template.
pub(super) fn tls(written: Option<&SecretValue>) -> Value {
    written.and_then(bucket::tls_secret).map_or(Value::Null, |name| json!(name))
}

/// The class of all Ingresses.
pub(super) fn ingress_class(cluster: &Cluster) -> Value {
    let written = cluster.topology.network.as_ref().and_then(|network| network.ingress_class.as_ref());
    let class = cluster.profile.or_text(written, "network.ingress-class").value;
    match class.as_str() {
        "" if cluster.bare => json!("nginx"),
        "" => Value::Null,
        class => json!(class),
    }
}
