//! Receivers: the ring, its tenants, limits, and who routes.

use compiler::render::yaml;
use serde_json::{Value, json};

use super::{everything, tree};

fn ring(text: &str) -> Value {
    serde_json::from_str(text).expect("the ring is JSON")
}

#[test]
fn every_ingestor_calls_itself_what_the_ring_calls_it() {
    let tree = tree("topology t { receive replicas=3 factor=3; query; }");
    let name = "StatefulSet/t-thanos-receive";
    let own = tree.flag(name, "--receive.local-endpoint")[0];
    let expected: Vec<String> =
        (0..3).map(|ordinal| own.replace("$(POD_NAME)", &format!("t-thanos-receive-{ordinal}"))).collect();
    let ring = ring(&tree.text("raw/hashring.json"));
    assert_eq!(ring, json!([{ "hashring": "default", "endpoints": expected }]));
    assert_eq!(tree.object(name)["spec"]["serviceName"], "t-thanos-receive");
    let env = &tree.object(name)["spec"]["template"]["spec"]["containers"][0]["env"];
    assert_eq!(env[0]["name"], "POD_NAME");
    assert_eq!(tree.flag(name, "--label"), ["receive_replica=\"$(POD_NAME)\"", "received_by=\"t\""]);
    assert_eq!(tree.flag(name, "--receive.replication-factor"), ["3"]);
    assert_eq!(tree.flag(name, "--receive.hashrings-algorithm"), ["ketama"]);
    assert_eq!(tree.object(name)["spec"]["podManagementPolicy"], "Parallel");
}

#[test]
fn the_mounted_ring_is_the_raw_ring() {
    let tree = everything("0.42.4");
    let map = tree.object("ConfigMap/all-thanos-receive-hashring");
    assert_eq!(map["data"]["hashrings.json"], tree.text("raw/hashring.json"));
    let file = tree.flag("Deployment/all-thanos-receive-router", "--receive.hashrings-file");
    assert_eq!(file, ["/etc/thanos/hashring/hashrings.json"]);
}

#[test]
fn routers_route_and_ingestors_only_store() {
    let tree = everything("0.42.4");
    let (router, ingestor) = ("Deployment/all-thanos-receive-router", "StatefulSet/all-thanos-receive");
    for flag in ["--receive.hashrings-file", "--receive.replication-factor", "--receive.limits-config-file"] {
        assert_eq!(tree.flag(router, flag).len(), 1, "{flag}");
        assert!(tree.flag(ingestor, flag).is_empty(), "{flag}");
    }
    assert!(tree.flag(router, "--receive.local-endpoint").is_empty(), "it would store");
    assert!(tree.flag(router, "--objstore.config-file").is_empty());
    assert_eq!(tree.flag(ingestor, "--tsdb.out-of-order.time-window"), ["10m"]);
    let backend = &tree.object("Ingress/all-thanos-receive-router")["spec"]["rules"][0];
    assert_eq!(backend["host"], "receive.example.net");
    let service = json!({ "name": "all-thanos-receive-router", "port": { "name": "remote-write" } });
    assert_eq!(backend["http"]["paths"][0]["backend"]["service"], service);
}

#[test]
fn tenants_are_named_alike_by_writers_and_readers() {
    let tree = everything("0.42.4");
    let query = "Deployment/all-thanos-query";
    assert_eq!(tree.flag(query, "--query.tenant-header"), ["X-Tenant"]);
    assert_eq!(tree.flag(query, "--query.default-tenant-id"), ["shared"]);
    assert_eq!(tree.flag(query, "--query.tenant-label-name"), ["tenant"]);
    for name in ["Deployment/all-thanos-receive-router", "StatefulSet/all-thanos-receive"] {
        assert_eq!(tree.flag(name, "--receive.tenant-header"), ["X-Tenant"]);
        assert_eq!(tree.flag(name, "--receive.default-tenant-id"), ["shared"]);
        assert_eq!(tree.flag(name, "--receive.tenant-label-name"), ["tenant"]);
    }
}

#[test]
fn a_tenant_with_a_shard_size_has_a_ring_of_its_own() {
    let rings = ring(&everything("0.42.4").text("raw/hashring.json"));
    assert_eq!(rings[0]["tenants"], json!(["retail"]));
    assert_eq!(rings[0]["shuffle_sharding_config"], json!({ "shard_size": 3 }));
    assert_eq!(rings[1].get("tenants"), None, "the last ring serves everybody else");
    assert_eq!(rings[0]["endpoints"], rings[1]["endpoints"]);
    let zones: Vec<&Value> =
        rings[1]["endpoints"].as_array().expect("list").iter().map(|e| &e["az"]).collect();
    assert_eq!(zones, ["zone-0", "zone-1", "zone-2", "zone-0", "zone-1"]);
    // Before 0.39 there is no such thing, before 0.32 no zones either.
    let old = ring(&everything("0.31.0").text("raw/hashring.json"));
    assert_eq!(old.as_array().map(Vec::len), Some(1));
    assert!(old[0]["endpoints"][0].is_string());
}

#[test]
fn limits_say_who_counts() {
    let tree = everything("0.42.4");
    let text =
        tree.object("ConfigMap/all-thanos-receive-limits")["data"]["limits.yaml"].as_str().expect("text");
    let expected = json!({ "write": {
        "global": { "meta_monitoring_url": "http://all-thanos-query.monitoring.svc:9090" },
        "tenants": {
            "retail": { "head_series_limit": 3000 },
            "platform": { "request": { "series_limit": 400, "samples_limit": 500 } },
        },
    } });
    assert_eq!(yaml::parse(text).expect("YAML"), [expected]);
    let policy = tree.object("NetworkPolicy/all-thanos-query")["spec"]["ingress"].to_string();
    assert!(policy.contains("http"), "{policy}");
    let asks =
        |edge: &&compiler::pipeline::Edge| edge.from == "all-thanos-receive-router" && edge.kind == "query";
    assert_eq!(tree.outcome.edges.iter().filter(asks).count(), 1);
}

#[test]
fn text_of_the_topology_is_not_expanded_by_kubernetes() {
    let tree = tree("topology t { receive { tenants default=\"$(POD_NAME)\"; }; query; }");
    let default = tree.flag("StatefulSet/t-thanos-receive", "--receive.default-tenant-id");
    assert_eq!(default, ["$$(POD_NAME)"]);
}
