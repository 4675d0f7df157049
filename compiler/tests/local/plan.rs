//! The plan: ports, paths, order, what stays away.

use std::collections::BTreeSet;

use super::{Files, QUICKSTART, args, files, files_on, flag, left_out, plan, process, processes, text};
use serde_json::Value;

/// Everything that can run on one machine, and much that cannot.
const EVERYTHING: &str = r#"
topology all {
    target prometheus="2.53.0"
    prometheus replicas=2 retention="24h" {
        shards 2
        scrape self
        scrape thanos
        scrape kubelet
        scrape pods
        scrape kube-state-metrics
        scrape alertmanager
        scrape minio
        scrape blackbox { static "http://example.com"; }
        scrape static as=app { static "127.0.0.1:8000"; }
    }
    kube-state-metrics
    blackbox
    alertmanager replicas=2
    bucket metrics { minio disk="10Gi"; }
    store replicas=1 shards=2
    compact
    query replicas=2 { frontend cache=memory; }
    ruler replicas=2
    rules health place=ruler {
        alert Missing for="2m" severity=warning { expr "sum(up) < 1"; summary "nothing answers"; }
    }
    receive replicas=3 factor=3 { routers replicas=1; }
    grafana
    args store { min-time "-30d"; http-address "0.0.0.0:80"; }
}
"#;

/// Every placeholder and path of the arguments leads somewhere.
fn check(files: &Files, folder: &str) -> Value {
    let plan = plan(files, folder);
    assert_eq!(plan["version"], 1);
    let names: Vec<&str> = processes(&plan).iter().map(|process| text(process, "name")).collect();
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "{names:?}");
    for process in processes(&plan) {
        assert!(text(process, "data_dir").starts_with("$(DATA_DIR)/"));
        let http = &process["ports"]["http"];
        assert_eq!(text(process, "ready_url"), format!("http://127.0.0.1:{http}/-/ready"));
        for name in process["after"].as_array().expect("after") {
            let at = |wanted: &str| names.iter().position(|name| *name == wanted);
            assert!(at(name.as_str().expect("a name")).is_some(), "{name} is started");
        }
        for arg in args(process) {
            for part in [".svc", "dnssrv", "$(POD", "/etc/", "0.0.0.0"] {
                assert!(!arg.contains(part), "{arg} of {process:#}");
            }
            let value = arg.split_once('=').map_or("", |(_, value)| value);
            assert!(!value.starts_with('/'), "{arg} of {process:#}");
            if let Some(path) = value.strip_prefix("$(CONFIG_DIR)/") {
                let path = format!("{folder}{path}");
                let found = match path.strip_suffix("*.yml") {
                    Some(start) => files.keys().any(|path| path.starts_with(start)),
                    None => {
                        let below = format!("{path}/");
                        files.contains_key(&path) || files.keys().any(|path| path.starts_with(&below))
                    }
                };
                assert!(found, "{path} is not among {:#?}", files.keys());
            } else if value.contains("$(") {
                assert!(value.starts_with("$(DATA_DIR)/"), "{arg}");
            }
        }
    }
    plan
}

fn ports(plan: &Value) -> Vec<u64> {
    let ports = processes(plan).iter().flat_map(|process| process["ports"].as_object().expect("ports"));
    ports.map(|(_, port)| port.as_u64().expect("a number")).collect()
}

#[test]
fn the_quickstart_runs_on_one_machine() {
    let files = files(QUICKSTART);
    let plan = check(&files, "");
    let names: Vec<&str> = processes(&plan).iter().map(|process| text(process, "name")).collect();
    assert_eq!(
        names,
        [
            "quickstart-prometheus-0",
            "quickstart-prometheus-0-reloader",
            "quickstart-prometheus-0-sidecar",
            "quickstart-prometheus-1",
            "quickstart-prometheus-1-reloader",
            "quickstart-prometheus-1-sidecar",
            "quickstart-thanos-store-0",
            "quickstart-thanos-compact-0",
            "quickstart-thanos-query-0",
        ]
    );
    assert_eq!(left_out(&plan), Vec::<&str>::new());
    let query = process(&plan, "quickstart-thanos-query-0");
    assert_eq!(flag(query, "--endpoint"), ["127.0.0.1:10901", "127.0.0.1:10902", "127.0.0.1:11201"]);
    assert_eq!(flag(query, "--query.replica-label"), ["prometheus_replica"]);
    assert_eq!(flag(query, "--http-address"), ["127.0.0.1:9190"]);
    let sidecar = process(&plan, "quickstart-prometheus-1-sidecar");
    assert_eq!(flag(sidecar, "--prometheus.url"), ["http://127.0.0.1:9091"]);
    assert_eq!(flag(sidecar, "--tsdb.path"), ["$(DATA_DIR)/quickstart-prometheus-1"]);
    assert_eq!(text(sidecar, "working_dir"), "$(DATA_DIR)");
    assert_eq!(sidecar["after"], serde_json::json!(["quickstart-prometheus-1"]));
    let prometheus = process(&plan, "quickstart-prometheus-1");
    assert!(args(prometheus).contains(&"--web.enable-lifecycle"));
    assert_eq!(flag(prometheus, "--web.listen-address"), ["127.0.0.1:9091"]);
    assert_eq!(flag(prometheus, "--storage.tsdb.max-block-duration"), ["2h"]);
    // Prometheus reads what its reloader has written, and the reloader reads what was rendered.
    let reloader = process(&plan, "quickstart-prometheus-1-reloader");
    let loaded = "$(DATA_DIR)/loaded/quickstart-prometheus-1";
    let written = format!("{loaded}/prometheus/prometheus.yml");
    assert_eq!(flag(prometheus, "--config.file"), [&written]);
    assert_eq!(flag(reloader, "--reloader.config-envsubst-file"), [&written]);
    let rendered = "$(CONFIG_DIR)/prometheus/quickstart-prometheus-1.yml";
    assert_eq!(flag(reloader, "--reloader.config-file"), [rendered]);
    assert_eq!(flag(reloader, "--reloader.rule-dir"), ["$(CONFIG_DIR)/rules"]);
    assert_eq!(flag(reloader, "--reloader.rule-output-dir"), [format!("{loaded}/rules")]);
    assert_eq!(flag(reloader, "--prometheus.url"), ["http://127.0.0.1:9091"]);
    assert_eq!(reloader["ports"]["http"], 12102);
    assert_eq!(reloader["after"], serde_json::json!(["quickstart-prometheus-1"]));
    let mut init: Vec<&str> = args(reloader);
    init.push("--once");
    assert_eq!(prometheus["init"], serde_json::json!(init));
    assert!(files["prometheus/quickstart-prometheus-1.yml"].contains("quickstart-prometheus-1\n"));
    let rules: Vec<&String> = files.keys().filter(|path| path.starts_with("rules/")).collect();
    assert!(rules.iter().any(|path| files[*path].contains("TargetMissing")), "{rules:?}");
    assert!(files["prometheus/quickstart-prometheus-0.yml"].contains("../rules/*.yml"));
    assert!(files["objstore.yml"].contains("directory: bucket"), "{}", files["objstore.yml"]);
    assert!(files["runbook.md"].contains("| <http://127.0.0.1:9190/> |"), "{}", files["runbook.md"]);
}

#[test]
fn prometheus_scrapes_what_runs_here() {
    let config = &files(QUICKSTART)["prometheus/quickstart-prometheus-0.yml"];
    for address in ["127.0.0.1:9090", "127.0.0.1:9091", "127.0.0.1:9190", "127.0.0.1:11001"] {
        assert!(config.contains(address), "{address} is not scraped: {config}");
    }
    assert!(!config.contains("kubernetes_sd_configs"), "{config}");
}

#[test]
fn nothing_of_everything_collides() {
    let files = files(EVERYTHING);
    let plan = check(&files, "");
    let ports = ports(&plan);
    assert_eq!(ports.iter().collect::<BTreeSet<_>>().len(), ports.len(), "{ports:?}");
    let away = left_out(&plan);
    for what in [
        "all-grafana",
        "all-minio",
        "all-kube-state-metrics",
        "all-blackbox",
        "scrape kubelet",
        "scrape pods",
        "job kube-state-metrics",
        "job minio",
        "job blackbox",
        "args store --http-address",
    ] {
        assert!(away.contains(&what), "{what} is not among {away:#?}");
    }
    let config = &files["prometheus/all-prometheus-shard-1-1.yml"];
    assert!(config.contains("127.0.0.1:8000") && config.contains("shard: \"1\""), "{config}");
    assert!(config.contains("127.0.0.1:9390") && config.contains("127.0.0.1:9391"), "{config}");
    let store = process(&plan, "all-thanos-store-shard-1-0");
    assert_eq!(flag(store, "--min-time"), ["-30d"]);
    let ruler = process(&plan, "all-thanos-ruler-1");
    assert_eq!(flag(ruler, "--query"), ["127.0.0.1:9190", "127.0.0.1:9191"]);
    assert_eq!(flag(ruler, "--alertmanagers.url"), ["http://127.0.0.1:9390", "http://127.0.0.1:9391"]);
    assert!(flag(ruler, "--label").contains(&"ruler_replica=\"all-thanos-ruler-1\""));
    let reloader = process(&plan, "all-alertmanager-1-reloader");
    assert_eq!(flag(reloader, "--reloader.target"), ["alertmanager"]);
    assert_eq!(flag(reloader, "--reloader.rule-dir"), Vec::<&str>::new());
    let alertmanager = process(&plan, "all-alertmanager-1");
    let file = "$(DATA_DIR)/loaded/all-alertmanager-1/alertmanager.yml";
    assert_eq!(flag(alertmanager, "--config.file"), [file]);
    assert_eq!(flag(alertmanager, "--cluster.peer"), ["127.0.0.1:9490"]);
    assert_eq!(flag(alertmanager, "--cluster.listen-address"), ["127.0.0.1:9491"]);
    let ring: Value = serde_json::from_str(&files["hashring.json"]).expect("JSON");
    let addresses = ring[0]["endpoints"].as_array().expect("endpoints");
    let own: Vec<&str> = (0..3)
        .map(|at| flag(process(&plan, &format!("all-thanos-receive-{at}")), "--receive.local-endpoint")[0])
        .collect();
    assert_eq!(addresses.iter().map(|each| each.as_str().expect("text")).collect::<Vec<_>>(), own);
}

#[test]
fn clusters_share_the_machine() {
    let files = files(
        r#"
topology world {
    cluster one { prometheus replicas=1 { scrape self; }; query replicas=1; push receive cluster=two; }
    cluster two {
        prometheus replicas=1 { scrape self; }
        receive replicas=1
        query replicas=1 { reach one; }
    }
}
"#,
    );
    let (one, two) = (check(&files, "one/"), check(&files, "two/"));
    let all: Vec<u64> = [ports(&one), ports(&two)].concat();
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len(), "{all:?}");
    let query = process(&two, "world-thanos-query-0");
    let reached = &process(&one, "world-thanos-query-0")["ports"]["grpc"];
    assert!(flag(query, "--endpoint").contains(&format!("127.0.0.1:{reached}").as_str()));
    let config = &files["one/prometheus/world-prometheus-0.yml"];
    assert!(config.contains("http://127.0.0.1:19291/api/v1/receive"), "{config}");
}

#[test]
fn the_machine_decides_on_ports_and_versions() {
    let machine = compiler::model::local::Machine {
        port_offset: 1000,
        prometheus: Some(compiler::facts::Version::new(2, 42, 0)),
        alertmanager: None,
    };
    let (before, after) = (files(QUICKSTART), files_on(QUICKSTART, machine));
    let moved: Vec<u64> = ports(&check(&before, "")).into_iter().map(|port| port + 1000).collect();
    assert_eq!(ports(&check(&after, "")), moved);
    // 2.42 has a flag for what later releases have in the file.
    let path = "prometheus/quickstart-prometheus-0.yml";
    assert!(before[path].contains("retention:") && !after[path].contains("retention:"), "{}", after[path]);
    assert!(after[path].contains("127.0.0.1:10091"), "{}", after[path]);
    let plan = plan(&after, "");
    let retention = flag(process(&plan, "quickstart-prometheus-0"), "--storage.tsdb.retention.time");
    assert_eq!(retention, ["1d"], "{plan:#}");
}

#[test]
fn variables_of_a_configuration_reach_its_reloader() {
    let files = files(
        r#"
topology named {
    prometheus replicas=1 {
        scrape static as=app { static "127.0.0.1:8000" zone="$(ZONE) $(not a name) $(OPEN"; }
    }
}
"#,
    );
    let plan = check(&files, "");
    for name in ["named-prometheus-0", "named-prometheus-0-reloader"] {
        assert_eq!(process(&plan, name)["environment"], serde_json::json!(["ZONE"]), "{name}");
    }
}

#[test]
fn more_than_a_machine_holds_is_an_error() {
    let kdl = QUICKSTART.replace("prometheus replicas=2", "prometheus replicas=4000000000");
    let world = compiler::source::MemoryWorld::single("t.kdl", kdl.as_str());
    let request = compiler::pipeline::Request {
        path: "t.kdl".to_string(),
        target: compiler::pipeline::Target::Local,
        ..Default::default()
    };
    let outcome = compiler::pipeline::render(&world, &request);
    assert!(outcome.artefacts.is_empty());
    assert!(outcome.diagnostics.iter().any(|found| found.message.contains("one machine")));
}

#[test]
fn shards_may_name_jobs_that_are_left_out() {
    let files = files(
        r#"
topology cut {
    prometheus replicas=1 {
        shards 2 {
            key cadvisor by=__meta_kubernetes_node_name
            key self by=__meta_kubernetes_pod_name
            one-shard kubelet
        }
        scrape self; scrape kubelet; scrape cadvisor
    }
}
"#,
    );
    check(&files, "");
    let config = &files["prometheus/cut-prometheus-0.yml"];
    assert!(config.contains("__address__") && !config.contains("__meta_kubernetes"), "{config}");
}
