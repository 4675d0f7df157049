//! Files that describe the whole: kustomization, lock, secrets, runbook, report, provenance, the user's own manifests.

use std::collections::BTreeSet;

use compiler::diagnostic::Severity;
use compiler::render::yaml;
use serde_json::{Value, json};

use super::{codes, object, objects, render_with, rendered, text};

const HARDENED: &str = include_str!("../../../examples/tutorial-hardened.kdl");

#[test]
fn the_kustomization_has_every_manifest_and_nothing_else() {
    let outcome = rendered(HARDENED);
    let file = yaml::parse(&text(&outcome, "kustomization.yaml")).expect("YAML").remove(0);
    assert_eq!(file["apiVersion"], "kustomize.config.k8s.io/v1beta1");
    let listed: Vec<&str> =
        file["resources"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    let manifests: BTreeSet<&str> = outcome
        .artefacts
        .iter()
        .map(|artefact| artefact.path.as_str())
        .filter(|path| path.ends_with(".yaml") && *path != "kustomization.yaml")
        .collect();
    assert_eq!(listed.iter().copied().collect::<BTreeSet<_>>(), manifests);
    assert_eq!(listed.len(), manifests.len(), "nothing twice");
    let at = |wanted: &str| listed.iter().position(|path| *path == wanted).expect("listed");
    assert_eq!(listed[0], "00-namespaces.yaml");
    assert!(at("50-bucket/minio.yaml") < at("50-bucket/job-create-bucket.yaml"));
}

#[test]
fn the_lock_lists_every_file_and_what_they_were_made_for() {
    let outcome = rendered(HARDENED);
    let lock: Value = serde_json::from_str(&text(&outcome, "topology.lock.json")).expect("JSON");
    let files: Vec<&str> =
        lock["files"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    let all: Vec<&str> = outcome.artefacts.iter().map(|artefact| artefact.path.as_str()).collect();
    assert_eq!(files, all);
    assert_eq!(lock["profile"], "hardened@1");
    assert_eq!(lock["versions"]["thanos"], "0.42.4");
    assert_eq!(
        lock["images"]["StatefulSet/ms-prom-prometheus/prometheus"],
        "quay.io/prometheus/prometheus:v3.14.0"
    );
}

#[test]
fn clusters_have_a_folder_and_a_lock_each() {
    let outcome = rendered(
        "topology all { prometheus { scrape self; shards 4; }; cluster eu namespace=m; cluster us namespace=m { prometheus { shards 2; }; }; }",
    );
    let lock = |cluster: &str| -> Value {
        serde_json::from_str(&text(&outcome, &format!("{cluster}/topology.lock.json"))).expect("JSON")
    };
    for (cluster, shards) in [("eu", 4), ("us", 2)] {
        let lock = lock(cluster);
        let groups = lock["shards"].as_object().expect("groups");
        let group = groups.values().next().expect("one group");
        assert_eq!((&group["count"], &group["modulus"]), (&json!(shards), &json!(256)));
        let files = lock["files"].as_array().expect("a list");
        assert!(files.contains(&json!("kustomization.yaml")) && !files.is_empty());
    }
}

#[test]
fn secrets_come_from_the_chosen_backend() {
    let topology = "topology t { secrets BACKEND; prometheus { scrape self; }; query; bucket b { minio namespace=store; }; store; grafana; }";
    let existing = rendered(&topology.replace("BACKEND", "backend=existing"));
    assert!(!objects(&existing).keys().any(|key| key.contains("Secret/")));
    assert!(text(&existing, "runbook.md").contains("| monitoring | t-minio | root-password, root-user |"));

    let stubs = objects(&rendered(&topology.replace("BACKEND", "backend=stub")));
    let names: Vec<&String> = stubs.keys().filter(|key| key.starts_with("Secret/")).collect();
    assert_eq!(names, ["Secret/store/t-minio", "Secret/t-grafana", "Secret/t-minio"]);
    for name in names {
        let secret = &stubs[name];
        assert!(
            secret.get("data").is_none() && secret.get("stringData").is_none(),
            "applying again keeps values"
        );
        assert!(secret["metadata"]["annotations"]["pronoia/fill-in"].is_string());
    }

    let external = rendered(&topology.replace("BACKEND", "backend=external-secrets store=vault"));
    let secret = object(&external, "ExternalSecret/t-grafana");
    assert_eq!(secret["spec"]["secretStoreRef"]["name"], "vault");
    let entry = json!([{ "secretKey": "admin-password", "remoteRef": { "key": "t-grafana", "property": "admin-password" } }]);
    assert_eq!(secret["spec"]["data"], entry);

    let sops = rendered(&topology.replace("BACKEND", "backend=sops"));
    assert!(text(&sops, "secrets.example.yaml").contains("admin-password: FILL-IN"));
    assert!(!text(&sops, "kustomization.yaml").contains("secrets"));
}

#[test]
fn the_report_follows_its_inputs() {
    let topology = "topology t { estimate series=600000 churn-per-day=0 bucket-price-per-gib-month=2
        prometheus replicas=2 retention=\"1d\" { every \"30s\"; scrape self; }
        bucket b { s3 endpoint=e auth=irsa role=r; }; query; compact { keep raw=\"10d\" m5=\"20d\" h1=\"30d\"; } }";
    let report = |topology: &str| -> Value {
        serde_json::from_str(&text(&rendered(topology), "report.json")).expect("JSON")
    };
    let own = report(topology);
    let group = &own["prometheus"][0];
    assert_eq!((&group["series"], &group["samples_per_second"]), (&json!(600_000), &json!(20_000.0)));
    // 600 000 series of 6 KiB and half a GiB.
    assert_eq!(group["each_shard"]["memory_gib"], json!({ "needed": 3.9, "requested": 2.0 }));
    // A day of 1.5 bytes and 3 hours of 3 bytes a sample, at most 80 % full.
    assert_eq!(group["each_shard"]["volume_gib"], json!({ "needed": 3.8, "requested": 50.0 }));
    // 20 000 × 86 400 × 1.5 bytes × 2 replicas, for 10 + 20 + 30 days.
    assert_eq!(own["bucket"]["growth_gib_per_day"], 4.8);
    assert_eq!(own["bucket"]["at_rest_gib"], 289.7);
    assert_eq!(own["bucket"]["price_per_month"]["at_rest"], 579.4);
    let merged = report(&topology.replace("compact {", "compact { dedup prometheus_replica;"));
    assert_eq!(merged["bucket"]["copies"], 1.0);
    let endless = report(&topology.replace("m5=\"20d\"", ""));
    assert_eq!(endless["bucket"]["at_rest_gib"], Value::Null);
    let unknown = report("topology t { prometheus { scrape kubelet; }; }");
    assert_eq!(unknown["prometheus"][0]["series"], Value::Null);
    assert_eq!(unknown["prometheus"][0]["jobs_of_unknown_size"], json!(["kubelet"]));
}

#[test]
fn every_alert_finds_its_section_in_the_runbook() {
    let outcome = rendered(HARDENED);
    let runbook = text(&outcome, "runbook.md");
    let anchors: BTreeSet<String> = runbook
        .lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-"))
        .collect();
    assert!(anchors.contains("watchdog") && anchors.contains("miniodriveoffline"), "{anchors:?}");
    assert!(!anchors.iter().any(|anchor| anchor.starts_with("thanosreceive")), "nothing receives here");
    for artefact in &outcome.artefacts {
        for (at, _) in artefact.text().match_indices("runbook.md#") {
            let text = artefact.text();
            let anchor: String = text[at + 11..].chars().take_while(|c| c.is_alphanumeric()).collect();
            assert!(anchors.contains(&anchor), "{}: {anchor}", artefact.path);
        }
    }
    assert!(runbook.contains("kubectl -n prom rollout status statefulset/ms-prom-prometheus"));
}

#[test]
fn provenance_names_lines_and_defaults() {
    let outcome = rendered(
        "topology t {\n prometheus {\n scrape self\n }\n node-exporter\n storage fast provisioner=p\n}",
    );
    let provenance: Value = serde_json::from_str(&text(&outcome, "provenance.json")).expect("JSON");
    let class = &provenance["10-storage.yaml"]["StorageClass/fast"];
    assert_eq!(class["provisioner"], "t.kdl:6");
    let exporter = &provenance["41-node-exporter.yaml"]["DaemonSet/t-node-exporter"];
    assert_eq!(exporter["spec.template.spec.terminationGracePeriodSeconds"], "hardened@1/pod.grace");
}

#[test]
fn the_users_manifests_are_among_the_rest() {
    let topology = "topology t { prometheus { scrape self; }; manifest \"extra/*.yaml\"; }";
    let own = "apiVersion: example.net/v1\nkind: Thing\nmetadata: {name: a}\nspec: {size: 1e3}\n---\n\
               apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: b}}\n";
    let outcome = render_with(topology, &[("extra/a.yaml", own)]);
    assert_eq!(codes(&outcome, Severity::Error), [""; 0]);
    assert_eq!(object(&outcome, "Thing/a")["spec"]["size"], 1000.0);
    assert!(objects(&outcome).contains_key("ConfigMap/b"));
    assert!(text(&outcome, "kustomization.yaml").contains("95-manifests.yaml"));

    let broken = render_with(topology, &[("extra/a.yaml", "kind: x\n  y: [\n")]);
    let found = broken.diagnostics.iter().find(|found| found.code == "K8S001").expect("K8S001");
    assert!(found.message.starts_with("extra/a.yaml:2: "), "{}", found.message);
    let place = found.span.and_then(|span| broken.sources.place(span)).expect("a place");
    assert_eq!((place.path.as_str(), place.line), ("extra/a.yaml", 2));
    let misspelt = "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {prots: []}\n";
    assert_eq!(codes(&render_with(topology, &[("extra/a.yaml", misspelt)]), Severity::Error), ["K8S001"]);
    assert_eq!(codes(&render_with(topology, &[]), Severity::Error), ["KDL009"]);
}
