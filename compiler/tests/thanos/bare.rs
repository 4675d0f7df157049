//! `bare`: what the tutorial writes, and nothing else. The suite `tutorial` compares whole objects.

use serde_json::json;

use super::tree;

const BARE: &str = r#"
topology ms-prom namespace=prom profile=bare log=debug {
    target kubernetes="1.25" prometheus="2.37.1" thanos="0.28.0"
    prometheus replicas=2 retention="6h" {
        identity cluster=ms-prom replica-label=replica
        every "15s" timeout="15s"
        scrape self
    }
    bucket thanos { minio user=minio password="minio123"; }
    store index-cache="500MB" chunk-pool="500MB"
    compact
    query node-port=#true
}
"#;

#[test]
fn command_lines_and_their_order() {
    let tree = tree(BARE);
    let query = ["query", "--log.level=debug", "--query.replica-label=replica"];
    assert_eq!(tree.args("Deployment/thanos-querier")[..3], query);
    assert_eq!(tree.args("Deployment/thanos-querier")[3..], ["--store=dnssrv+thanos-store-gateway:10901"]);
    let head = ["--log.level=debug", "--data-dir=/data", "--objstore.config-file=/etc/secret/thanos.yaml"];
    let store = tree.args("StatefulSet/thanos-store-gateway");
    assert_eq!((store[0], &store[1..4]), ("store", &head[..]));
    assert_eq!(store[4..], ["--index-cache-size=500MB", "--chunk-pool-size=500MB"]);
    let compact = tree.args("StatefulSet/thanos-compactor");
    assert_eq!((compact[0], &compact[1..4], &compact[4..]), ("compact", &head[..], &["--wait"][..]));
}

#[test]
fn one_headless_service_finds_whoever_carries_its_label() {
    let tree = tree(BARE);
    let service = tree.object("Service/thanos-store-gateway");
    let spec = json!({
        "type": "ClusterIP", "clusterIP": "None", "selector": { "thanos-store-api": "true" },
        "ports": [{ "name": "grpc", "port": 10901, "targetPort": "grpc" }],
    });
    assert_eq!(service["spec"], spec);
    assert_eq!(service["metadata"], json!({ "name": "thanos-store-gateway", "namespace": "prom" }));
    let store = tree.object("StatefulSet/thanos-store-gateway");
    let labels = json!({ "app": "thanos-store-gateway", "thanos-store-api": "true" });
    assert_eq!(store["spec"]["template"]["metadata"], json!({ "labels": labels }));
    assert_eq!(store["spec"]["selector"]["matchLabels"], json!({ "app": "thanos-store-gateway" }));
    assert!(!tree.has("Service/thanos-compactor"), "the tutorial names it and never makes it");
}

#[test]
fn later_additions_are_found_by_the_same_label() {
    let tree = tree(&BARE.replace("    compact\n", "    compact\n    ruler\n    receive\n"));
    for name in ["StatefulSet/thanos-ruler", "StatefulSet/thanos-receive"] {
        let labels = &tree.object(name)["spec"]["template"]["metadata"]["labels"];
        assert_eq!(labels["thanos-store-api"], "true", "{name}");
    }
    let labels = tree.flag("Deployment/thanos-querier", "--query.replica-label");
    assert_eq!(labels, ["replica", "ruler_replica", "receive_replica"]);
}

#[test]
fn from_the_release_that_lost_it_store_becomes_endpoint() {
    let tree = tree(&BARE.replace("0.28.0", "0.38.0"));
    let endpoint = tree.flag("Deployment/thanos-querier", "--endpoint");
    assert_eq!(endpoint, ["dnssrv+thanos-store-gateway:10901"]);
}
