//! MinIO with one volume, and the Job that creates a bucket.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{ingress_class, loose_labels, objstore, tls, variable};
use crate::facts::{Image, image_facts};
use crate::model::bucket::{self, Credential, Provider, bucket_name, minio_credentials};
use crate::model::{Cluster, Component, Role};
use crate::render::output::{Context, Output};
use crate::render::{pod, surround};
use crate::topology::nodes::bucket::{Bucket, Minio};

const FILE: &str = "50-bucket/minio.yaml";
const JOB_FILE: &str = "50-bucket/job-create-bucket.yaml";

/// Adds MinIO, when the bucket is one of ours, and the Job, when the bucket has to be created.
pub fn render(out: &mut Output) {
    let cluster = out.cluster;
    let Some(bucket) = &cluster.topology.bucket else { return };
    if let (Some(Provider::Minio(node)), Some(component)) =
        (bucket::provider(bucket), cluster.first(Role::Minio))
    {
        server(out, node, component);
    }
    if bucket::is_created(cluster, bucket) {
        job(out, bucket);
    }
}

fn server(out: &mut Output, node: &Minio, component: &Component) {
    let cluster = out.cluster;
    let claim = if cluster.bare { "minio-pvc".to_string() } else { format!("{}-data", component.name) };
    let mut context = pod::context(cluster, component);
    let (user, password) = minio_credentials(cluster, node);
    if cluster.bare {
        context
            .put("labels", Value::Null)
            .put("replicas", Value::Null)
            .put("command", ["/bin/sh", "-c", "minio server /data --console-address \":5000\""])
            .put("args", Value::Null)
            .put("env", [variable("MINIO_ACCESS_KEY", &user), variable("MINIO_SECRET_KEY", &password)])
            .put("ports", with_protocol(component));
    } else {
        context
            .put("command", ["minio"])
            .put("args", ["server", "/data", "--console-address=:9001", "--certs-dir=/tmp/certs"])
            .put(
                "env",
                [
                    variable("MINIO_ROOT_USER", &user),
                    variable("MINIO_ROOT_PASSWORD", &password),
                    // The NetworkPolicy decides who may read the metrics.
                    json!({ "name": "MINIO_PROMETHEUS_AUTH_TYPE", "value": "public" }),
                ],
            );
    }
    let mut mounts = vec![json!({ "name": "data", "mountPath": "/data" })];
    let mut volumes = vec![json!({ "name": "data", "persistentVolumeClaim": { "claimName": claim } })];
    if !cluster.bare {
        mounts.push(json!({ "name": "tmp", "mountPath": "/tmp" }));
        volumes.push(json!({ "name": "tmp", "emptyDir": {} }));
    }
    context
        .put("mounts", mounts)
        .put("volumes", volumes)
        .put("startup", pod::probe(cluster, "/minio/health/live", "data", 5, 60))
        .put("readiness", pod::probe(cluster, "/minio/health/ready", "data", 5, 6))
        .put("liveness", pod::probe(cluster, "/minio/health/live", "data", 30, 4));
    surround::account(out, FILE, component, Value::Null, false);
    volume(out, component, &claim);
    out.render(FILE, "minio", &context);
    if cluster.bare {
        bare_service(out, component);
    } else {
        surround::services(out, FILE, component);
    }
    console(out, node, component);
    network(out, component);
}

fn with_protocol(component: &Component) -> Vec<Value> {
    let port = |port: &crate::model::Port| json!({ "name": port.name, "containerPort": port.number, "protocol": "TCP" });
    component.ports.iter().map(port).collect()
}

fn volume(out: &mut Output, component: &Component, claim: &str) {
    let mut context = Context::default();
    context
        .put("name", claim)
        .put("namespace", &component.namespace)
        .put("labels", if out.cluster.bare { Value::Null } else { json!(component.labels) })
        .put("access_mode", "ReadWriteOnce");
    match &component.class {
        Some(class) => context.sourced("storage_class", class),
        None => context.put("storage_class", Value::Null),
    };
    match &component.disk {
        Some(disk) => context.sourced("disk", &disk.clone().map(|disk| disk.quantity())),
        None => context.put("disk", "100Gi"),
    };
    out.render(FILE, "pvc", &context);
}

fn bare_service(out: &mut Output, component: &Component) {
    let ports: Vec<Value> = component
        .ports
        .iter()
        .map(|port| json!({ "name": port.name, "port": port.number, "target": port.number, "protocol": "TCP" }))
        .collect();
    let mut context = Context::default();
    context
        .put("name", &component.service)
        .put("namespace", &component.namespace)
        .put("labels", Value::Null)
        .put("annotations", Value::Null)
        .put("headless", false)
        .put("type", Value::Null)
        .put("selector", &component.selector)
        .put("ports", ports);
    out.render(FILE, "service", &context);
}

/// The Ingress of the console.
fn console(out: &mut Output, node: &Minio, component: &Component) {
    let cluster = out.cluster;
    let Some(host) = &node.console else { return };
    let port = component.port("console").map_or(9001, |port| port.service);
    let mut context = Context::default();
    context
        .put(
            "name",
            if cluster.bare { "ingress-http".to_string() } else { format!("{}-console", component.name) },
        )
        .put("namespace", &component.namespace)
        .put("labels", if cluster.bare { Value::Null } else { json!(component.labels) })
        .put("annotations", Value::Null)
        .put("class", ingress_class(cluster))
        .sourced("host", &crate::model::profile::line(host))
        .put("tls_secret", tls(node.tls.as_ref().map(|tls| &tls.value)))
        .put("service", &component.service)
        .put("port", port);
    out.render(FILE, "ingress", &context);
}

/// What the graph says, and the Job, which is no component.
fn network(out: &mut Output, component: &Component) {
    let before = out.objects.len();
    surround::network(out, FILE, component);
    if out.objects.len() == before
        || !out.cluster.topology.bucket.as_ref().is_some_and(|b| bucket::is_created(out.cluster, b))
    {
        return;
    }
    let labels = job_labels(out.cluster);
    let Some(rules) = out
        .objects
        .last_mut()
        .and_then(|policy| policy.value.pointer_mut("/spec/ingress"))
        .and_then(Value::as_array_mut)
    else {
        return;
    };
    let peer = json!({ "podSelector": { "matchLabels": labels } });
    let data = rules.iter_mut().find(|rule| rule.pointer("/ports/0/port") == Some(&json!("data")));
    match data.and_then(|rule| rule.get_mut("from")).and_then(Value::as_array_mut) {
        Some(peers) => peers.push(peer),
        None => rules.push(json!({ "ports": [{ "port": "data", "protocol": "TCP" }], "from": [peer] })),
    }
}

fn job_labels(cluster: &Cluster) -> Value {
    match loose_labels(cluster, "create-bucket") {
        Value::Null => json!({ "app": "create-bucket" }),
        labels => labels,
    }
}

fn job(out: &mut Output, bucket: &Bucket) {
    let cluster = out.cluster;
    let Some((access, secret)) = bucket::key_pair(cluster, bucket) else { return };
    let (endpoint, region) = match bucket::provider(bucket) {
        Some(Provider::S3(s3)) => {
            let scheme =
                if s3.insecure.as_ref().is_some_and(|insecure| insecure.value) { "http" } else { "https" };
            let host = s3.endpoint.as_ref().map_or("", |endpoint| endpoint.value.as_str());
            (format!("{scheme}://{host}"), s3.region.as_ref().map(|region| region.value.clone()))
        }
        _ => (format!("http://{}", objstore::minio_endpoint(cluster)), None),
    };
    let region = region.unwrap_or_else(|| "us-east-1".to_string());
    let image = image_facts(Image::MinioClient, None).map(|facts| facts.to_string()).unwrap_or_default();
    let name = bucket_name(bucket);
    let namespace =
        cluster.first(Role::Minio).map_or(cluster.namespace.as_str(), |minio| minio.namespace.as_str());
    let env = [
        json!({ "name": "ENDPOINT", "value": endpoint }),
        json!({ "name": "REGION", "value": region }),
        json!({ "name": "BUCKET", "value": name }),
        variable("ACCESS_KEY", &access),
        variable("SECRET_KEY", &secret),
        json!({ "name": "MC_CONFIG_DIR", "value": "/tmp/mc" }),
    ];
    let mut context = Context::default();
    context
        .derived(
            "name",
            job_name(cluster, &image, &json!(env), &access),
            "a Job never changes: another one has another name",
        )
        .put("namespace", namespace)
        .put("labels", job_labels(cluster))
        .put("image", image)
        .put(
            "pull_policy",
            if cluster.bare { Value::Null } else { json!(cluster.profile.text("image.pull-policy").value) },
        )
        .put("env", env)
        .put("pod_security", pod::pod_security(cluster, 65534))
        .put("container_security", pod::container_security(cluster))
        .put("resources", job_resources(cluster));
    out.render(JOB_FILE, "bucket-job", &context);
}

/// The pod template of a Job is immutable, so its name follows its content.
fn job_name(cluster: &Cluster, image: &str, env: &Value, access: &Credential) -> String {
    let content = match access {
        // A literal must not be guessable from a name.
        Credential::Literal(_) => image.to_string(),
        Credential::Key { .. } => format!("{image} {env}"),
    };
    let digest = Sha256::digest(content.as_bytes());
    let short: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{short}", cluster.object_name("create-bucket"))
}

fn job_resources(cluster: &Cluster) -> Value {
    if !cluster.profile.flag("pod.resources") {
        return Value::Null;
    }
    json!({ "limits": { "memory": "128Mi" }, "requests": { "cpu": "50m", "memory": "128Mi" } })
}
