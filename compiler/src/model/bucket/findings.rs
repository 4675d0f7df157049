//! What is wrong with a bucket, and with the secrets that open it and its surroundings.

use super::{Provider, bucket_name, is_created, providers};
use crate::diagnostic::Diagnostic;
use crate::model::Cluster;
use crate::source::Span;
use crate::topology::decode::Written;
use crate::topology::nodes::bucket::{Azure, Bucket, BucketAuth, Filesystem, Gcs, Minio, S3};
use crate::topology::nodes::whole::SecretBackend;
use crate::topology::values::SecretValue;

/// Tells what is wrong with the bucket and with the secrets of everything around it.
pub fn findings(cluster: &Cluster, diagnostics: &mut Vec<Diagnostic>) {
    secrets(cluster, diagnostics);
    let Some(bucket) = &cluster.topology.bucket else { return };
    let found = providers(bucket);
    let Some((provider, first)) = found.first() else {
        diagnostics.push(
            Diagnostic::error("KDL005", bucket.name_span, "the bucket has no provider")
                .help("write one of s3, gcs, azure, minio or filesystem between its braces: `bucket metrics { s3 endpoint=… }`"),
        );
        return;
    };
    for (_, span) in found.iter().skip(1) {
        diagnostics.push(
            Diagnostic::error("KDL008", *span, "a second provider for one bucket")
                .related(*first, "the first one")
                .help("keep one; another bucket belongs to another topology or cluster"),
        );
    }
    match provider {
        Provider::Minio(minio) => single_server(cluster, bucket, minio, diagnostics),
        Provider::S3(s3) => s3_fields(s3, diagnostics),
        Provider::Gcs(gcs) => gcs_fields(gcs, diagnostics),
        Provider::Azure(azure) => azure_fields(azure, diagnostics),
        Provider::Filesystem(folder) => filesystem_fields(folder, diagnostics),
    }
    if let Some(create) = bucket.create.as_ref().filter(|create| create.value)
        && !is_created(cluster, bucket)
    {
        diagnostics.push(
            Diagnostic::error("OBJ005", create.span, "a Job cannot create this bucket")
                .help("it needs MinIO, or S3 with access-key and secret-key; create the bucket yourself and leave `create` out"),
        );
    }
}

fn missing(span: Span, node: &str, what: &str, example: &str, diagnostics: &mut Vec<Diagnostic>) {
    diagnostics.push(
        Diagnostic::error("KDL005", span, format!("`{node}` has no {what}")).help(format!("write {example}")),
    );
}

fn single_server(cluster: &Cluster, bucket: &Bucket, minio: &Minio, diagnostics: &mut Vec<Diagnostic>) {
    diagnostics.push(
        Diagnostic::warning("OBJ006", minio.name_span, "one MinIO server on one volume is all there is of the blocks")
            .help("its project is archived as well; for data that must survive a disk use S3, Google or Azure storage, or replicate the bucket"),
    );
    if !is_created(cluster, bucket) {
        let span = bucket.create.as_ref().map_or(bucket.name_span, |create| create.span);
        diagnostics.push(
            Diagnostic::warning(
                "OBJ005",
                span,
                format!("nobody creates the bucket `{}`", bucket_name(bucket)),
            )
            .help("leave `create=#false` out, and a Job does; uploads fail until it is there"),
        );
    }
    if minio.user.is_some() != minio.password.is_some() {
        missing(
            minio.name_span,
            "minio",
            "complete credentials",
            "both user= and password=, or neither",
            diagnostics,
        );
    }
}

fn s3_fields(s3: &S3, diagnostics: &mut Vec<Diagnostic>) {
    let span = s3.name_span;
    match &s3.endpoint {
        None if s3.credentials.is_none() => {
            missing(span, "s3", "endpoint", "endpoint=\"s3.eu-central-1.amazonaws.com\"", diagnostics);
        }
        Some(endpoint) if endpoint.value.contains("://") || endpoint.value.contains('/') => {
            let host = endpoint.value.rsplit("://").next().unwrap_or_default();
            let host = host.split('/').next().unwrap_or_default();
            diagnostics.push(
                Diagnostic::error("OBJ009", endpoint.span, "an endpoint is a host, without scheme and path")
                    .help(format!("write endpoint=\"{host}\"; insecure=#true means plain HTTP")),
            );
        }
        _ => {}
    }
    if s3.access_key.is_some() != s3.secret_key.is_some() {
        missing(span, "s3", "complete key pair", "both access-key= and secret-key=", diagnostics);
    }
    let keys = s3.access_key.is_some() && s3.secret_key.is_some();
    match s3.auth.as_ref().map(|auth| (auth.value, auth.span)) {
        Some((BucketAuth::Keys, span)) if !keys && s3.credentials.is_none() => {
            let example = "access-key=\"secret:NAME/KEY\" secret-key=\"secret:NAME/KEY\"";
            missing(span, "s3 auth=keys", "keys", example, diagnostics);
        }
        Some((BucketAuth::Irsa, span)) if s3.role.is_none() => {
            missing(span, "s3 auth=irsa", "role", "role=\"arn:aws:iam::123456789012:role/thanos\"", diagnostics);
        }
        Some((BucketAuth::WorkloadIdentity, span)) => diagnostics.push(
            Diagnostic::error("KDL007", span, "S3 knows no workload identity").help("possible here: keys, irsa, pod-identity"),
        ),
        None if !keys && s3.credentials.is_none() => diagnostics.push(
            Diagnostic::warning("KDL005", span, "`s3` says nothing about credentials, so pods use what their node may do")
                .help("write auth=irsa role=…, auth=pod-identity, access-key= and secret-key=, or credentials=\"secret:NAME/KEY\""),
        ),
        _ => {}
    }
    if let Some(lookup) = &s3.lookup
        && !["auto", "path", "virtual-hosted"].contains(&lookup.value.as_str())
    {
        diagnostics.push(
            Diagnostic::error("KDL007", lookup.span, format!("unexpected value: `{}`", lookup.value))
                .help("possible here: auto, path, virtual-hosted"),
        );
    }
    if let Some(sse) = &s3.sse {
        match sse.value.as_str() {
            "SSE-S3" => {}
            "SSE-KMS" if s3.kms_key.is_some() => {}
            "SSE-KMS" => missing(sse.span, "s3 sse=SSE-KMS", "key", "kms-key=\"arn:aws:kms:…\"", diagnostics),
            other => diagnostics.push(
                Diagnostic::error("KDL007", sse.span, format!("unexpected value: `{other}`"))
                    .help("possible here: SSE-S3, SSE-KMS"),
            ),
        }
    }
    if let Some(insecure) = s3.insecure.as_ref().filter(|insecure| insecure.value) {
        let host = s3.endpoint.as_ref().map_or("", |endpoint| endpoint.value.as_str());
        let host = host.split(':').next().unwrap_or_default();
        if !host.ends_with(".svc") && !host.ends_with(".svc.cluster.local") {
            diagnostics.push(
                Diagnostic::warning("OBJ002", insecure.span, "blocks and keys cross the network unencrypted")
                    .help("leave `insecure` out, unless the endpoint is inside the cluster"),
            );
        }
    }
}

fn gcs_fields(gcs: &Gcs, diagnostics: &mut Vec<Diagnostic>) {
    match gcs.auth.as_ref().map(|auth| (auth.value, auth.span)) {
        Some((BucketAuth::WorkloadIdentity, span)) if gcs.service_account.is_none() => {
            let example = "service-account=\"thanos@PROJECT.iam.gserviceaccount.com\"";
            missing(span, "gcs auth=workload-identity", "service account", example, diagnostics);
        }
        Some((BucketAuth::Keys, span)) if gcs.credentials.is_none() => {
            missing(span, "gcs auth=keys", "key file", "credentials=\"secret:NAME/KEY\"", diagnostics);
        }
        Some((BucketAuth::Irsa | BucketAuth::PodIdentity, span)) => diagnostics.push(
            Diagnostic::error("KDL007", span, "this is a way into AWS, not into Google Cloud")
                .help("possible here: workload-identity, keys"),
        ),
        _ => {}
    }
}

fn azure_fields(azure: &Azure, diagnostics: &mut Vec<Diagnostic>) {
    let span = azure.name_span;
    if azure.account.is_none() {
        missing(span, "azure", "storage account", "account=NAME", diagnostics);
    }
    let auth = azure.auth.as_ref().map(|auth| (auth.value, auth.span));
    match auth {
        Some((BucketAuth::Irsa, span)) => diagnostics.push(
            Diagnostic::error("KDL007", span, "this is a way into AWS, not into Azure")
                .help("possible here: workload-identity, pod-identity, keys"),
        ),
        Some((BucketAuth::WorkloadIdentity | BucketAuth::PodIdentity, span)) if azure.client_id.is_none() => {
            missing(span, "azure", "client id of the identity", "client-id=\"00000000-…\"", diagnostics);
        }
        Some((BucketAuth::Keys, span)) if azure.account_key.is_none() => {
            missing(span, "azure auth=keys", "account key", "account-key=\"secret:NAME/KEY\"", diagnostics);
        }
        None if azure.account_key.is_none() => {
            let example = "account-key=\"secret:NAME/KEY\", or auth=workload-identity client-id=…";
            missing(span, "azure", "credentials", example, diagnostics);
        }
        _ => {}
    }
}

fn filesystem_fields(folder: &Filesystem, diagnostics: &mut Vec<Diagnostic>) {
    match &folder.directory {
        None => missing(folder.name_span, "filesystem", "folder", "filesystem \"/bucket\"", diagnostics),
        Some(directory) if !directory.value.starts_with('/') => diagnostics.push(
            Diagnostic::error(
                "KDL007",
                directory.span,
                "the folder is a path inside pods and starts with `/`",
            )
            .help(format!("write filesystem \"/{}\"", directory.value)),
        ),
        Some(directory) => diagnostics.push(
            Diagnostic::warning(
                "OBJ007",
                directory.span,
                "in a cluster, one folder for pods on several nodes is a ReadWriteMany volume",
            )
            .help("fine on one machine with `pronoia up`; in a cluster use S3, Google or Azure storage"),
        ),
    }
}

/// Secrets written out, and secrets that everybody knows.
fn secrets(cluster: &Cluster, diagnostics: &mut Vec<Diagnostic>) {
    let topology = &cluster.topology;
    let mut add = |what: &str, value: &Option<Written<SecretValue>>| {
        let Some(Written { value: SecretValue::Literal(text), span }) = value else { return };
        diagnostics.push(
            Diagnostic::error("SEC001", *span, format!("the {what} stands in the topology"))
                .label("whoever reads the file has it")
                .help("write \"secret:NAME/KEY\": a key of a Kubernetes Secret"),
        );
        if is_weak(what, text) {
            diagnostics.push(
                Diagnostic::warning("SEC002", *span, format!("the {what} is a well-known or short one"))
                    .help("generate a long random one: `openssl rand -base64 24`"),
            );
        }
    };
    if let Some(bucket) = &topology.bucket {
        if let Some(minio) = &bucket.minio {
            add("user name of MinIO", &minio.user);
            add("password of MinIO", &minio.password);
        }
        if let Some(s3) = &bucket.s3 {
            add("access key", &s3.access_key);
            add("secret key", &s3.secret_key);
            add("objstore configuration", &s3.credentials);
        }
        if let Some(gcs) = &bucket.gcs {
            add("key file", &gcs.credentials);
        }
        if let Some(azure) = &bucket.azure {
            add("account key", &azure.account_key);
        }
    }
    if let Some(grafana) = &topology.grafana {
        add("password of Grafana", &grafana.password);
    }
    if cluster.secrets == SecretBackend::ExternalSecrets
        && topology.secrets.as_ref().is_none_or(|secrets| secrets.store.is_none())
    {
        let span = topology.secrets.as_ref().map(|secrets| secrets.name_span);
        diagnostics.push(
            Diagnostic::warning("SEC003", span, "no ClusterSecretStore is named, so `default` is used")
                .help("write `secrets backend=external-secrets store=NAME`"),
        );
    }
}

/// Whether a literal is one of those that every attacker tries first.
fn is_weak(what: &str, text: &str) -> bool {
    const KNOWN: &[&str] = &[
        "minio",
        "minio123",
        "minioadmin",
        "admin",
        "administrator",
        "root",
        "password",
        "passw0rd",
        "changeme",
        "secret",
        "thanos",
        "prometheus",
        "grafana",
        "12345678",
        "123456789",
        "test1234",
    ];
    let lower = text.to_lowercase();
    let is_user = what.starts_with("user") || what.starts_with("access");
    KNOWN.contains(&lower.as_str()) || !is_user && text.chars().count() < 12
}
