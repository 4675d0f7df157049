//! The default profile: addresses, windows, shards, deduplication, what a pod is given.

use std::collections::BTreeSet;

use compiler::render::yaml;
use serde_json::{Value, json};

use super::{everything, tree};

const SMALL: &str = r#"
topology big {
    prometheus replicas=2 { identity cluster=big; every "30s"; scrape self; }
    bucket metrics { s3 bucket=metrics endpoint="s3.example.net"; }
    store
    compact
    query { frontend; }
    ruler
    alertmanager
}
"#;

#[test]
fn the_querier_asks_everybody_by_srv_name_and_knows_every_replica_label() {
    let tree = everything("0.42.4");
    let query = "Deployment/all-thanos-query";
    let mut endpoints = tree.flag(query, "--endpoint");
    endpoints.sort_unstable();
    let srv = |name: &str| format!("dnssrv+_grpc._tcp.{name}.monitoring.svc");
    let expected = [
        "all-prometheus-headless",
        "all-prometheus-shard-1-headless",
        "all-thanos-receive",
        "all-thanos-ruler",
        "all-thanos-store",
    ];
    assert_eq!(endpoints, expected.map(srv));
    for service in expected {
        let spec = &tree.object(&format!("Service/{service}"))["spec"];
        assert_eq!(spec["clusterIP"], "None", "{service}");
        let ports = spec["ports"].as_array().expect("ports");
        assert!(ports.iter().any(|port| port["name"] == "grpc" && port["port"] == 10901), "{service}");
    }
    let labels = ["prometheus_replica", "ruler_replica", "receive_replica"];
    assert_eq!(tree.flag(query, "--query.replica-label"), labels);
    let ruler = "StatefulSet/all-thanos-ruler";
    assert_eq!(tree.flag(ruler, "--alert.label-drop"), labels);
    assert_eq!(tree.flag(ruler, "--label"), ["ruler_replica=\"$(POD_NAME)\"", "ruled_by=\"all\""]);
}

#[test]
fn merged_shards_are_one_stream_for_queries() {
    let merged = SMALL
        .replace("every \"30s\"", "every \"30s\"; shards 2")
        .replace("replicas=2 {", "replicas=2 continuity=merge {");
    let tree = tree(&merged);
    let labels = tree.flag("Deployment/big-thanos-query", "--query.replica-label");
    assert_eq!(labels, ["prometheus_replica", "shard", "ruler_replica"]);
}

#[test]
fn one_gateway_leaves_recent_hours_to_the_sidecars() {
    let name = "StatefulSet/big-thanos-store";
    assert_eq!(tree(SMALL).flag(name, "--max-time"), ["-12h"], "half of 24h, the shortest local retention");
    let short = SMALL.replace("    ruler\n", "    ruler retention=\"4h\"\n");
    assert!(tree(&short).flag(name, "--max-time").is_empty(), "too little to rely on");
    let alone = SMALL.replace("    query { frontend; }\n    ruler\n", "");
    assert!(tree(&alone).flag(name, "--max-time").is_empty(), "somebody else may ask it for everything");
}

#[test]
fn windows_overlap_at_the_seam_and_shards_divide_the_blocks() {
    let tree = everything("0.42.4");
    let young = "StatefulSet/all-thanos-store-shard-1";
    let old = "StatefulSet/all-thanos-store-window-1-shard-1";
    assert_eq!(tree.flag(young, "--min-time"), ["-14d2h"]);
    assert_eq!(tree.flag(young, "--max-time"), ["-12h"]);
    assert_eq!((tree.flag(old, "--max-time"), tree.flag(old, "--min-time")), (vec!["-2w"], vec!["-2y"]));
    assert_eq!(tree.object(old)["spec"]["replicas"], 1);
    assert_eq!(tree.object(young)["spec"]["replicas"], 2);
    let rules = yaml::parse(tree.flag(young, "--selector.relabel-config")[0]).expect("YAML");
    let expected = json!([
        { "action": "hashmod", "source_labels": ["__block_id"], "target_label": "shard", "modulus": 2 },
        { "action": "keep", "source_labels": ["shard"], "regex": "1" },
    ]);
    assert_eq!(rules, [expected]);
    assert_eq!(tree.flag(young, "--ignore-deletion-marks-delay"), ["12h"], "half of the deletion delay");
    let files: BTreeSet<&String> =
        tree.objects.iter().map(|(path, _)| path).filter(|path| path.contains("store-")).collect();
    assert_eq!(files.len(), 4);
    let all = &tree.object("Service/all-thanos-store")["spec"]["selector"];
    assert_eq!(all.get("store-shard"), None, "one Service finds shards and windows");
}

#[test]
fn compactors_own_disjoint_streams_and_nothing_is_left_over() {
    let tree = everything("0.42.4");
    let selector = |name: &str| yaml::parse(tree.flag(name, "--selector.relabel-config")[0]).expect("YAML");
    let rule = |action: &str| {
        vec![json!([{ "action": action, "source_labels": ["shard"], "separator": "", "regex": "1" }])]
    };
    assert_eq!(selector("StatefulSet/all-thanos-compact"), rule("drop"));
    assert_eq!(selector("StatefulSet/all-thanos-compact-shard-1"), rule("keep"));
    for name in ["StatefulSet/all-thanos-compact", "StatefulSet/all-thanos-compact-shard-1"] {
        assert_eq!(tree.object(name)["spec"]["replicas"], 1);
        assert_eq!(tree.flag(name, "--retention.resolution-raw"), ["30d"]);
        assert_eq!(tree.flag(name, "--retention.resolution-1h"), ["2y"]);
        assert_eq!(tree.flag(name, "--delete-delay"), ["1d"]);
        assert_eq!(tree.flag(name, "--deduplication.replica-label"), ["prometheus_replica"]);
        assert_eq!(tree.flag(name, "--deduplication.func"), ["penalty"]);
        assert!(tree.args(name).contains(&"--disable-admin-operations"));
    }
}

#[test]
fn deleting_raw_samples_first_makes_queries_choose_the_resolution() {
    let query = "Deployment/big-thanos-query";
    assert!(!tree(SMALL).args(query).contains(&"--query.auto-downsampling"));
    let keep = SMALL.replace("compact\n", "compact { keep raw=\"30d\" m5=\"180d\" h1=\"2y\"; }\n");
    assert!(tree(&keep).args(query).contains(&"--query.auto-downsampling"));
    let off = keep.replace("query {", "query auto-downsampling=#false {");
    assert!(!tree(&off).args(query).contains(&"--query.auto-downsampling"));
}

#[test]
fn late_samples_switch_vertical_compaction_on() {
    let name = "StatefulSet/big-thanos-compact";
    let flag = "--compact.enable-vertical-compaction";
    assert!(!tree(SMALL).args(name).contains(&flag));
    let late = SMALL.replace("replicas=2 {", "replicas=2 out-of-order=\"1h\" {");
    assert!(tree(&late).args(name).contains(&flag));
}

#[test]
fn frontend_querier_and_ruler_name_each_other_by_service() {
    let tree = tree(SMALL);
    let front = "Deployment/big-thanos-query-frontend";
    let url = tree.flag(front, "--query-frontend.downstream-url");
    assert_eq!(url, ["http://big-thanos-query.monitoring.svc:9090"]);
    assert_eq!(tree.flag(front, "--query-range.split-interval"), ["24h"], "Go reads no days");
    let cache = yaml::parse(tree.flag(front, "--query-range.response-cache-config")[0]).expect("YAML");
    assert_eq!(cache, [json!({ "type": "IN-MEMORY", "config": { "max_size": "268MB" } })]);
    let ruler = "StatefulSet/big-thanos-ruler";
    assert_eq!(tree.flag(ruler, "--query"), ["dnssrv+_http._tcp.big-thanos-query.monitoring.svc"]);
    let alertmanagers = tree.flag(ruler, "--alertmanagers.url");
    assert_eq!(alertmanagers, ["dnssrv+http://_http._tcp.big-alertmanager-headless.monitoring.svc"]);
    let port = |name: &str| {
        tree.object("Service/big-thanos-query")["spec"]["ports"]
            .as_array()
            .and_then(|ports| ports.iter().find(|port| port["name"] == name).cloned())
    };
    assert_eq!(port("http").map(|port| port["port"].clone()), Some(json!(9090)));
    assert_eq!(port("grpc").map(|port| port["port"].clone()), Some(json!(10901)));
}

#[test]
fn a_shared_cache_is_named_once() {
    let tree = everything("0.42.4");
    let memcached = |text: &str| yaml::parse(text).expect("YAML")[0]["config"]["addresses"].clone();
    let address = json!(["dnssrvnoa+_client._tcp.memcached"]);
    let store = "StatefulSet/all-thanos-store";
    assert_eq!(memcached(tree.flag(store, "--index-cache.config")[0]), address);
    assert_eq!(memcached(tree.flag(store, "--store.caching-bucket.config")[0]), address);
    assert!(tree.flag(store, "--index-cache-size").is_empty(), "either in memory or remote");
    let front = "Deployment/all-thanos-query-frontend";
    assert_eq!(memcached(tree.flag(front, "--labels.response-cache-config")[0]), address);
    let wrong = super::outcome(&SMALL.replace("frontend;", "frontend cache=\"memcache:x\";"));
    assert!(wrong.diagnostics.iter().any(|found| found.message.contains("`memcache:x` is no cache")));
}

#[test]
fn answers_with_holes_are_refused_everywhere_when_so_told() {
    let tree = everything("0.42.4");
    assert!(tree.args("Deployment/all-thanos-query").contains(&"--no-query.partial-response"));
    let front = tree.args("Deployment/all-thanos-query-frontend");
    assert!(front.contains(&"--no-query-range.partial-response"));
    assert!(front.contains(&"--no-labels.partial-response"));
}

#[test]
fn the_host_leads_to_the_frontend() {
    let tree = everything("0.42.4");
    let ingress = &tree.object("Ingress/all-thanos-query-frontend")["spec"];
    assert_eq!(ingress["tls"], json!([{ "hosts": ["query.example.net"], "secretName": "query-tls" }]));
    let backend = &ingress["rules"][0]["http"]["paths"][0]["backend"]["service"];
    assert_eq!(backend, &json!({ "name": "all-thanos-query-frontend", "port": { "name": "http" } }));
    let url = tree.flag("StatefulSet/all-thanos-ruler", "--alert.query-url");
    assert_eq!(url, ["https://query.example.net"]);
}

#[test]
fn every_pod_is_restricted_probed_and_bounded() {
    let tree = everything("0.42.4");
    let mut seen = 0;
    for (path, object) in tree.objects.iter().filter(|(path, _)| path.starts_with("60-thanos/")) {
        let Some(pod) = object.pointer("/spec/template/spec") else { continue };
        seen += 1;
        let name = super::title(object);
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true, "{name}");
        assert_eq!(pod["automountServiceAccountToken"], false, "{name}");
        let account = pod["serviceAccountName"].as_str().unwrap_or_default();
        assert!(tree.titles(path).contains(&format!("ServiceAccount/{account}")), "{name}");
        let container = &pod["containers"][0];
        for (probe, target) in
            [("startupProbe", "/-/ready"), ("readinessProbe", "/-/ready"), ("livenessProbe", "/-/healthy")]
        {
            assert_eq!(container[probe]["httpGet"], json!({ "path": target, "port": "http" }), "{name}");
        }
        assert!(container["resources"]["limits"]["memory"].is_string(), "{name}");
        assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true, "{name}");
        let args = container["args"].as_array().expect("args");
        assert!(args.contains(&json!("--enable-auto-gomemlimit")), "{name}");
        assert!(args.contains(&json!("--log.format=logfmt")), "{name}");
        mounts_meet_volumes(&name, object, container);
        let ports = container["ports"].as_array().expect("ports");
        let names: BTreeSet<&str> = ports.iter().filter_map(|port| port["name"].as_str()).collect();
        assert_eq!(names.len(), ports.len(), "{name}: port names");
        let data =
            args.iter().any(|arg| *arg == json!("--data-dir=/data") || *arg == json!("--tsdb.path=/data"));
        assert_eq!(data, object["spec"].get("volumeClaimTemplates").is_some(), "{name}: data on a claim");
    }
    assert_eq!(seen, 4 + 2 + 2 + 1 + 2, "gateways, compactors, query and frontend, ruler, receivers");
}

fn mounts_meet_volumes(name: &str, object: &Value, container: &Value) {
    let names = |list: Option<&Value>, pointer: &str| -> BTreeSet<String> {
        let list = list.and_then(Value::as_array).into_iter().flatten();
        list.filter_map(|item| item.pointer(pointer)?.as_str().map(String::from)).collect()
    };
    let mut volumes = names(object.pointer("/spec/template/spec/volumes"), "/name");
    volumes.extend(names(object.pointer("/spec/volumeClaimTemplates"), "/metadata/name"));
    assert_eq!(volumes, names(container.get("volumeMounts"), "/name"), "{name}");
}

#[test]
fn the_ruler_waits_for_no_configmap_that_is_not_rendered() {
    for rules in
        ["", "rules Up place=ruler { alert Down severity=page { expr \"sum(up) < 1\"; summary \"down\"; }; }"]
    {
        let tree = tree(&SMALL.replace("    ruler\n", &format!("    ruler\n    {rules}\n")));
        let ruler = tree.object("StatefulSet/big-thanos-ruler");
        let pod = &ruler["spec"]["template"]["spec"];
        let mounted: BTreeSet<String> = pod["volumes"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|volume| Some(format!("ConfigMap/{}", volume.pointer("/configMap/name")?.as_str()?)))
            .filter(|title| title != "ConfigMap/big-objstore")
            .collect();
        let rendered: BTreeSet<String> = tree
            .objects
            .iter()
            .map(|(_, object)| super::title(object))
            .filter(|title| title.starts_with("ConfigMap/big-thanos-ruler-rules"))
            .collect();
        assert_eq!(mounted, rendered);
        let annotated = ruler.pointer("/spec/template/metadata/annotations").is_some();
        assert_eq!(annotated, !rendered.is_empty(), "other rules are another pod");
    }
}
