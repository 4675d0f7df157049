//! The bucket: its provider, the credentials that open it, and what is wrong with how both are written.

mod findings;

use super::Cluster;
use crate::source::Span;
use crate::topology::decode::Written;
use crate::topology::nodes::bucket::{Azure, Bucket, Filesystem, Gcs, Minio, S3};
use crate::topology::values::SecretValue;
pub use findings::findings;

/// Who stores the objects.
#[derive(Debug, Clone, Copy)]
pub enum Provider<'a> {
    /// MinIO, deployed with the rest.
    Minio(&'a Minio),
    /// S3 or anything that speaks it.
    S3(&'a S3),
    /// Google Cloud Storage.
    Gcs(&'a Gcs),
    /// Azure Blob Storage.
    Azure(&'a Azure),
    /// A folder.
    Filesystem(&'a Filesystem),
}

/// The provider of a bucket; of several, which is an error, the first.
pub fn provider(bucket: &Bucket) -> Option<Provider<'_>> {
    providers(bucket).into_iter().next().map(|(provider, _)| provider)
}

fn providers(bucket: &Bucket) -> Vec<(Provider<'_>, Span)> {
    let all = [
        bucket.minio.as_ref().map(|node| (Provider::Minio(node), node.name_span)),
        bucket.s3.as_ref().map(|node| (Provider::S3(node), node.name_span)),
        bucket.gcs.as_ref().map(|node| (Provider::Gcs(node), node.name_span)),
        bucket.azure.as_ref().map(|node| (Provider::Azure(node), node.name_span)),
        bucket.filesystem.as_ref().map(|node| (Provider::Filesystem(node), node.name_span)),
    ];
    all.into_iter().flatten().collect()
}

/// The name of the bucket or container at its provider.
pub fn bucket_name(bucket: &Bucket) -> &str {
    let own = match provider(bucket) {
        Some(Provider::S3(s3)) => s3.bucket.as_ref(),
        Some(Provider::Gcs(gcs)) => gcs.bucket.as_ref(),
        Some(Provider::Azure(azure)) => azure.container.as_ref(),
        _ => None,
    };
    own.map_or(bucket.name.value.as_str(), |name| name.value.as_str())
}

/// Where a secret's value comes from at run time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// A key of a Secret.
    Key {
        /// Name of the Secret.
        name: String,
        /// Key inside.
        key: String,
    },
    /// The value itself; only `bare` gets this far with one.
    Literal(String),
}

impl Credential {
    fn of(cluster: &Cluster, written: &SecretValue, key: &str) -> Credential {
        match written {
            SecretValue::Reference { name, key } => Credential::Key { name: name.clone(), key: key.clone() },
            SecretValue::Literal(text) => Credential::Literal(text.clone()),
            // A local file has no place in the cluster: there, a Secret of ours stands for it.
            SecretValue::File(_) => {
                Credential::Key { name: cluster.object_name("local-files"), key: key.to_string() }
            }
        }
    }
}

/// User and password of MinIO; without any written, those of the Secret `PREFIX-minio`.
pub fn minio_credentials(cluster: &Cluster, minio: &Minio) -> (Credential, Credential) {
    let of = |written: Option<&Written<SecretValue>>, key: &str| match written {
        Some(written) => Credential::of(cluster, &written.value, key),
        None => Credential::Key { name: cluster.object_name("minio"), key: key.to_string() },
    };
    (of(minio.user.as_ref(), "root-user"), of(minio.password.as_ref(), "root-password"))
}

/// Access key and secret key for the bucket, where it is opened with a pair of them.
pub fn key_pair(cluster: &Cluster, bucket: &Bucket) -> Option<(Credential, Credential)> {
    match provider(bucket)? {
        Provider::Minio(minio) => Some(minio_credentials(cluster, minio)),
        Provider::S3(s3) => {
            let (access, secret) = (s3.access_key.as_ref()?, s3.secret_key.as_ref()?);
            Some((
                Credential::of(cluster, &access.value, "access-key"),
                Credential::of(cluster, &secret.value, "secret-key"),
            ))
        }
        _ => None,
    }
}

/// Account key of an Azure bucket.
pub fn account_key(cluster: &Cluster, azure: &Azure) -> Option<Credential> {
    azure.account_key.as_ref().map(|key| Credential::of(cluster, &key.value, "account-key"))
}

/// Password of Grafana's first user.
pub fn grafana_password(cluster: &Cluster) -> Credential {
    match cluster.topology.grafana.as_ref().and_then(|grafana| grafana.password.as_ref()) {
        Some(password) => Credential::of(cluster, &password.value, "admin-password"),
        None => Credential::Key { name: cluster.object_name("grafana"), key: "admin-password".to_string() },
    }
}

/// Secret and key of a whole file: an objstore configuration, a Google key file.
pub fn file_reference(cluster: &Cluster, written: &SecretValue) -> (String, String) {
    match Credential::of(cluster, written, "credentials") {
        Credential::Key { name, key } => (name, key),
        Credential::Literal(_) => (cluster.object_name("objstore-credentials"), "credentials".to_string()),
    }
}

/// Name of the TLS Secret that `tls=` means: it is a whole Secret, so the key does not matter.
pub fn tls_secret(written: &SecretValue) -> Option<&str> {
    match written {
        SecretValue::Reference { name, .. } | SecretValue::Literal(name) => Some(name),
        SecretValue::File(_) => None,
    }
}

/// Whether a Job creates the bucket: always for our own MinIO unless switched off, for S3 on demand.
pub fn is_created(cluster: &Cluster, bucket: &Bucket) -> bool {
    let written = bucket.create.as_ref().map(|create| create.value);
    match provider(bucket) {
        Some(Provider::Minio(_)) => written.unwrap_or(!cluster.bare),
        Some(Provider::S3(_)) => written.unwrap_or(false) && key_pair(cluster, bucket).is_some(),
        _ => false,
    }
}
