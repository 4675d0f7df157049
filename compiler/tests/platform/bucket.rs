//! Buckets: objstore files of every provider, credentials that only ever pass by, MinIO, and what is refused.

use compiler::diagnostic::Severity;
use compiler::render::yaml;
use serde_json::json;

use super::{at, codes, object, objects, render_with, rendered, text};

fn topology(bucket: &str) -> String {
    format!(
        "topology t {{\n prometheus {{ scrape self; }}\n bucket metrics {{\n{bucket}\n }}\n store\n query\n}}\n"
    )
}

/// The objstore file and the environment of the store gateway.
fn objstore(bucket: &str) -> (serde_json::Value, serde_json::Value) {
    let outcome = rendered(&topology(bucket));
    let map = object(&outcome, "ConfigMap/t-objstore");
    let text = map["data"]["thanos.yaml"].as_str().expect("a text");
    let store = object(&outcome, "StatefulSet/t-thanos-store");
    let env = store["spec"]["template"]["spec"]["containers"][0]["env"].clone();
    (yaml::parse(text).expect("YAML").remove(0), env)
}

#[test]
fn s3_with_keys_takes_them_from_a_secret() {
    let (file, env) = objstore(
        "s3 endpoint=\"s3.example.net\" region=r1 bucket=b access-key=\"secret:s/a\" secret-key=\"secret:s/b\" lookup=path sse=SSE-KMS kms-key=k",
    );
    assert_eq!(
        file,
        json!({ "type": "S3", "config": {
            "bucket": "b", "endpoint": "s3.example.net", "region": "r1",
            "access_key": "$(OBJSTORE_ACCESS_KEY)", "secret_key": "$(OBJSTORE_SECRET_KEY)",
            "bucket_lookup_type": "path", "sse_config": { "type": "SSE-KMS", "kms_key_id": "k" },
        } })
    );
    let reference = |name: &str, key: &str| json!({ "name": name, "valueFrom": { "secretKeyRef": { "name": "s", "key": key } } });
    let env = env.as_array().expect("a list");
    assert!(env.contains(&reference("OBJSTORE_ACCESS_KEY", "a")), "{env:?}");
    assert!(env.contains(&reference("OBJSTORE_SECRET_KEY", "b")), "{env:?}");
}

#[test]
fn identities_of_clouds_need_no_key() {
    let cases = [
        (
            "s3 endpoint=e auth=irsa role=\"arn:aws:iam::1:role/x\"",
            "eks.amazonaws.com/role-arn",
            "arn:aws:iam::1:role/x",
        ),
        ("gcs auth=workload-identity service-account=\"a@b\"", "iam.gke.io/gcp-service-account", "a@b"),
        ("azure account=a auth=workload-identity client-id=c", "azure.workload.identity/client-id", "c"),
    ];
    for (bucket, annotation, value) in cases {
        let outcome = rendered(&topology(bucket));
        let account = object(&outcome, "ServiceAccount/t-thanos-store");
        assert_eq!(account["metadata"]["annotations"][annotation], value, "{bucket}");
        let config = text(&outcome, "raw/objstore.yml");
        assert!(!config.contains("key"), "{config}");
    }
    let outcome = rendered(&topology(cases[2].0));
    let store = object(&outcome, "StatefulSet/t-thanos-store");
    let labels = &store["spec"]["template"]["metadata"]["labels"];
    assert_eq!(labels["azure.workload.identity/use"], "true");
    assert!(store["spec"]["selector"]["matchLabels"].get("azure.workload.identity/use").is_none());
    let (file, _) = objstore("s3 endpoint=e auth=pod-identity");
    assert_eq!(file["config"]["aws_sdk_auth"], true);
    let (file, _) = objstore("azure account=a container=c auth=pod-identity client-id=i");
    assert_eq!(file["config"], json!({ "storage_account": "a", "container": "c", "user_assigned_id": "i" }));
}

#[test]
fn a_whole_file_in_a_secret_is_mounted_as_it_is() {
    let outcome = rendered(&topology("s3 credentials=\"secret:thanos/objstore.yaml\""));
    assert!(!objects(&outcome).contains_key("ConfigMap/t-objstore"));
    let store = object(&outcome, "StatefulSet/t-thanos-store");
    let volumes = at(&store, "/spec/template/spec/volumes").as_array().expect("a list");
    let secret =
        json!({ "secretName": "thanos", "items": [{ "key": "objstore.yaml", "path": "thanos.yaml" }] });
    assert!(volumes.iter().any(|volume| volume["secret"] == secret), "{volumes:?}");
}

#[test]
fn a_google_key_stays_a_file() {
    let outcome = rendered(&topology("gcs bucket=b credentials=\"secret:google/key\""));
    let container =
        object(&outcome, "StatefulSet/t-thanos-store")["spec"]["template"]["spec"]["containers"][0].clone();
    let env = container["env"].as_array().expect("a list");
    assert!(
        env.contains(&json!({ "name": "GOOGLE_APPLICATION_CREDENTIALS", "value": "/etc/google/key.json" }))
    );
    let mounts = container["volumeMounts"].as_array().expect("a list");
    assert!(
        mounts
            .contains(&json!({ "name": "google-credentials", "mountPath": "/etc/google", "readOnly": true }))
    );
}

#[test]
fn minio_is_reached_by_its_users_and_by_the_job_that_makes_the_bucket() {
    let outcome = rendered(&topology("minio console=\"minio.example.net\" tls=\"secret:minio-tls/tls.crt\""));
    let minio = object(&outcome, "Deployment/t-minio");
    let container = at(&minio, "/spec/template/spec/containers/0");
    assert_eq!(container["command"], json!(["minio"]));
    assert_eq!(container["readinessProbe"]["httpGet"]["path"], "/minio/health/ready");
    let reference = json!({ "secretKeyRef": { "name": "t-minio", "key": "root-password" } });
    assert_eq!(container["env"][1], json!({ "name": "MINIO_ROOT_PASSWORD", "valueFrom": reference }));
    let ingress = object(&outcome, "Ingress/t-minio-console");
    assert_eq!(
        ingress["spec"]["tls"],
        json!([{ "hosts": ["minio.example.net"], "secretName": "minio-tls" }])
    );

    let all = objects(&outcome);
    let (name, job) = all.iter().find(|(key, _)| key.starts_with("Job/")).expect("a Job");
    assert!(name.starts_with("Job/t-create-bucket-"), "{name}");
    let policy = object(&outcome, "NetworkPolicy/t-minio");
    let rules = policy["spec"]["ingress"].as_array().expect("a list");
    let data = rules.iter().find(|rule| rule["ports"][0]["port"] == "data").expect("a rule for data");
    let peers: Vec<_> = at(data, "/from")
        .as_array()
        .expect("peers")
        .iter()
        .map(|peer| &peer["podSelector"]["matchLabels"])
        .collect();
    assert!(peers.contains(&at(job, "/spec/template/metadata/labels")), "{peers:?}");
    let store = &object(&outcome, "StatefulSet/t-thanos-store")["spec"]["selector"]["matchLabels"];
    assert!(peers.contains(&store), "{peers:?}");
    assert!(text(&outcome, "raw/objstore.yml").contains("endpoint: t-minio.monitoring.svc:9000"));
}

#[test]
fn another_bucket_is_another_job() {
    let name = |bucket: &str| {
        let topology = topology("minio").replace("bucket metrics", &format!("bucket {bucket}"));
        let all = objects(&rendered(&topology));
        all.into_keys().find(|key| key.starts_with("Job/")).expect("a Job")
    };
    assert_eq!(name("a"), name("a"));
    assert_ne!(name("a"), name("b"));
}

#[test]
fn only_the_compactor_may_delete() {
    let outcome = rendered(
        &topology("s3 endpoint=e region=cn-north-1 auth=irsa role=r")
            .replace("metrics {", "metrics prefix=\"a/b/\" {"),
    );
    for (role, writes, deletes) in
        [("reader", false, false), ("uploader", true, false), ("compactor", true, true)]
    {
        let policy = text(&outcome, &format!("policies/{role}.json"));
        assert_eq!(policy.contains("s3:PutObject"), writes, "{role}");
        assert_eq!(policy.contains("s3:DeleteObject"), deletes, "{role}");
        assert!(policy.contains("\"arn:aws-cn:s3:::metrics/a/b/*\""), "{policy}");
    }
}

#[test]
fn what_is_wrong_with_a_bucket_is_said_at_its_place() {
    let cases = [
        ("", "KDL005", Severity::Error),
        ("s3 endpoint=e auth=irsa role=r; minio", "KDL008", Severity::Error),
        ("s3 bucket=b auth=irsa role=r", "KDL005", Severity::Error),
        ("s3 endpoint=\"https://s3.example.net/x\" auth=irsa role=r", "OBJ009", Severity::Error),
        ("s3 endpoint=e auth=irsa", "KDL005", Severity::Error),
        ("s3 endpoint=e access-key=\"secret:a/b\"", "KDL005", Severity::Error),
        ("s3 endpoint=e", "KDL005", Severity::Warning),
        ("s3 endpoint=e auth=irsa role=r lookup=dns", "KDL007", Severity::Error),
        ("s3 endpoint=\"s3.example.net\" auth=irsa role=r insecure=#true", "OBJ002", Severity::Warning),
        ("gcs auth=irsa", "KDL007", Severity::Error),
        ("azure container=c account-key=\"secret:a/b\"", "KDL005", Severity::Error),
        ("azure account=a", "KDL005", Severity::Error),
        ("filesystem", "KDL005", Severity::Error),
        ("filesystem bucket", "KDL007", Severity::Error),
        ("filesystem \"/bucket\"", "OBJ007", Severity::Warning),
        ("minio", "OBJ006", Severity::Warning),
        ("minio user=\"secret:a/b\"", "KDL005", Severity::Error),
        ("minio user=\"secret:a/b\" password=\"hunter2-and-more\"", "SEC001", Severity::Error),
        ("minio user=\"secret:a/b\" password=minioadmin", "SEC002", Severity::Warning),
    ];
    for (bucket, code, severity) in cases {
        let outcome = render_with(&topology(bucket), &[]);
        let found = outcome.diagnostics.iter().find(|found| found.code == code && found.severity == severity);
        let found = found.unwrap_or_else(|| panic!("{bucket}: no {code} among {:?}", outcome.diagnostics));
        assert!(found.span.is_some() && found.help.is_some(), "{bucket}: {found:?}");
        assert!(!format!("{found:?}").contains("hunter2"), "a secret is shown");
    }
    let created = topology("gcs bucket=b").replace("metrics {", "metrics create=#true {");
    assert!(codes(&render_with(&created, &[]), Severity::Error).contains(&"OBJ005"));
}
