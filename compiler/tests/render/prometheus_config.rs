//! Prometheus' own `promtool` reads what is written: every preset, on every shard, and divides targets as planned.
//!
//! Debian's build knows no Kubernetes discovery, so `kubernetes_sd_configs` are replaced by files with `__meta_` labels.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use compiler::facts::Version;
use compiler::model::scrape::{Component, Job, Sizes, Surroundings, jobs};
use compiler::model::shards::ShardPlan;
use compiler::render::prometheus_config::{
    Alerting, AlertmanagerConfig, GlobalConfig, PrometheusConfig, Storage, config_text, remotes,
};
use compiler::render::yaml;
use compiler::source::{MemoryWorld, Sources};
use compiler::topology::nodes::prometheus::{Prometheus, Strategy};
use compiler::topology::read;
use prom_model::PromDuration;
use serde_json::{Value, json};

const TOPOLOGY: &str = r##"
topology t {
  prometheus {
    shards 4 { every-shard self; one-shard kube-state-metrics; }
    scrape self; scrape kubelet; scrape cadvisor; scrape apiserver; scrape coredns; scrape etcd
    scrape node-exporter; scrape kube-state-metrics; scrape thanos; scrape alertmanager; scrape annotated-services
    scrape blackbox { static "https://example.com/" "https://example.org/"; }
    scrape pods as=apps {
        match annotation="prometheus.io/scrape" equals="true"
        keep-labels app team
        drop-metrics "go_gc_.*"
        limit samples=20000 labels=40 targets=70000 body="10Mi"
    }
    scrape static as=machines { static "a.example:9100" "b.example:9100" rack=r1; tls ca="secret:tls/ca.crt"; auth user=u password="secret:machines/password"; }
    scrape file as=lists { file "/etc/prometheus/targets/*.json"; }
    scrape static as=urls { http-sd "http://sd.example/targets" refresh="1m"; dns "_http._tcp.example.com"; dns "a.example" type=A port=80; }
    scrape federate from=apps { select "{__name__=~\"job:.*\"}"; }
    scrape raw as=own { yaml "static_configs: [{targets: ['c:1']}]\nproxy_url: http://proxy:3128\nfollow_redirects: false"; }
    remote-write "https://far.example/api/v1/write" name=far token="secret:far/token" ca="secret:far/ca" {
        headers X-Scope-OrgID=team
        queue max-shards=20 capacity=5000 batch-send-deadline="5s"
        relabel drop from=__name__ regex="go_.*"
    }
    remote-read "https://far.example/api/v1/read" read-recent=#true job=x
  }
}
"##;

fn group() -> Prometheus {
    let world = MemoryWorld::single("t.kdl", TOPOLOGY);
    let (mut sources, mut diagnostics) = (Sources::default(), Vec::new());
    let decoded = read(&world, "t.kdl", None, &mut sources, &mut diagnostics);
    assert!(diagnostics.is_empty(), "{diagnostics:#?}");
    decoded.parts.into_iter().flat_map(|topology| topology.prometheus).next().expect("one group")
}

fn surroundings(strategy: Strategy) -> Surroundings {
    let component = |job: &str, group: Option<&str>| Component {
        job: job.into(),
        group: group.map(str::to_owned),
        namespace: "monitoring".into(),
        services: vec![format!("m-{job}")],
        port_name: "http".into(),
        port: 9090,
        replicas: 2,
        ..Component::default()
    };
    Surroundings {
        namespace: "monitoring".into(),
        group: None,
        bare: false,
        local: false,
        kubernetes: Version::new(1, 33, 0),
        // As Debian's promtool: fields that came later would be unknown to it.
        prometheus: Version::new(2, 42, 0),
        plan: ShardPlan::new(4, strategy, 256, &[]),
        replica_label: "prometheus_replica".into(),
        external_labels: vec!["cluster".into(), "shard".into()],
        interval: PromDuration::from_secs(30),
        timeout: PromDuration::from_secs(10),
        components: vec![
            component("prometheus", None),
            component("prometheus", Some("apps")),
            component("thanos-store", None),
            component("alertmanager", None),
            component("kube-state-metrics", None),
            component("node-exporter", None),
            component("blackbox", None),
        ],
        sizes: Sizes::default(),
        limits: Default::default(),
        secrets_dir: "/etc/prometheus/secrets".into(),
    }
}

fn config(around: &Surroundings, shard: u32) -> PrometheusConfig {
    let (remotes, findings) = remotes(&group(), around);
    assert!(findings.is_empty(), "{findings:#?}");
    let secret = |key: &str| ("far".to_owned(), key.to_owned());
    assert_eq!(remotes.secrets, [secret("ca"), secret("token")]);
    let labels = [("cluster", "t".to_owned()), ("shard", shard.to_string())];
    PrometheusConfig {
        global: GlobalConfig {
            scrape_interval: Some(PromDuration::from_secs(30)),
            scrape_timeout: Some(PromDuration::from_secs(10)),
            evaluation_interval: Some(PromDuration::from_secs(30)),
            external_labels: labels.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            query_log_file: Some("/prometheus/query.log".into()),
        },
        rule_files: vec!["/etc/prometheus/rules/*.yaml".into()],
        alerting: Some(Alerting {
            alertmanagers: vec![
                AlertmanagerConfig::in_cluster("monitoring", "m-alertmanager", "http"),
                AlertmanagerConfig::by_srv("_http._tcp.m-alertmanager.monitoring.svc"),
                AlertmanagerConfig::fixed(vec!["alertmanager:9093".into()]),
            ],
            ..Alerting::dropping(["prometheus_replica"])
        }),
        remote_write: remotes.writes,
        remote_read: remotes.reads,
        storage: Some(Storage::out_of_order(PromDuration::from_mins(30))),
    }
}

fn resolved(around: &Surroundings) -> Vec<Job> {
    let (jobs, findings) = jobs(&group(), around);
    assert!(findings.is_empty(), "{findings:#?}");
    jobs
}

#[allow(clippy::print_stderr, reason = "a test that looked at less than it could must say so")]
fn promtool_is_missing() -> bool {
    let missing = Command::new("promtool").arg("--version").output().is_err();
    if missing {
        eprintln!("promtool is not installed: what it says about the configuration was not compared");
    }
    missing
}

/// Runs promtool and gives what it printed.
fn promtool(args: &[&str], path: &Path) -> (bool, String) {
    let mut command = Command::new("promtool");
    let output = command.args(args).arg(path).output().expect("promtool runs");
    let text =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    (output.status.success(), text)
}

/// Replaces Kubernetes discovery everywhere below a value; gives the number of places.
fn without_kubernetes(value: &mut Value, file: &str) -> usize {
    match value {
        Value::Object(fields) => {
            let found = usize::from(fields.shift_remove("kubernetes_sd_configs").is_some());
            if found > 0 {
                fields.insert("file_sd_configs".into(), json!([{ "files": [file] }]));
            }
            found + fields.values_mut().map(|value| without_kubernetes(value, file)).sum::<usize>()
        }
        Value::Array(items) => items.iter_mut().map(|item| without_kubernetes(item, file)).sum(),
        _ => 0,
    }
}

#[test]
fn promtool_accepts_every_shard() {
    if promtool_is_missing() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    for strategy in [Strategy::Slots, Strategy::Hashmod] {
        let around = surroundings(strategy);
        let jobs = resolved(&around);
        for shard in 0..4 {
            let pieces = config_text(&config(&around, shard), &jobs, &around.plan, shard);
            let text: String = pieces.iter().map(AsRef::as_ref).collect();
            let mut tree = yaml::parse(&text).expect("legal YAML").remove(0);
            let replaced = without_kubernetes(&mut tree, "/targets/*.json");
            assert!(replaced >= 13, "{replaced} places");
            let path = folder.path().join(format!("{}-{shard}.yaml", strategy.word()));
            std::fs::write(&path, yaml::to_yaml(&tree)).expect("written");
            let (accepted, said) = promtool(&["check", "config", "--syntax-only"], &path);
            assert!(accepted, "{said}\n{text}");
        }
    }
}

#[test]
fn promtool_divides_targets_as_planned() {
    if promtool_is_missing() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let targets = folder.path().join("nodes.json");
    let node = |number: u32| format!("10.0.{}.{}:10250", number / 200, number % 200);
    let groups: Vec<Value> = (0..200)
        .map(|number| {
            let name = format!("node-{number}");
            json!({ "targets": [node(number)], "labels": { "__meta_kubernetes_node_name": name } })
        })
        .collect();
    std::fs::write(&targets, Value::from(groups).to_string()).expect("written");
    for strategy in [Strategy::Slots, Strategy::Hashmod] {
        let around = surroundings(strategy);
        let jobs: Vec<Job> = resolved(&around).into_iter().filter(|job| job.name == "kubelet").collect();
        let mut homes: BTreeMap<String, Vec<u32>> = BTreeMap::new();
        for shard in 0..4 {
            let mut tree = PrometheusConfig::default().tree(&jobs, &around.plan, shard);
            without_kubernetes(&mut tree, &targets.to_string_lossy());
            // The files of the service account exist in pods only.
            for field in ["authorization", "tls_config"] {
                tree["scrape_configs"][0].as_object_mut().expect("a job").shift_remove(field);
            }
            let path = folder.path().join(format!("{}-{shard}.yaml", strategy.word()));
            std::fs::write(&path, yaml::to_yaml(&tree)).expect("written");
            let output = Command::new("promtool")
                .args(["check", "service-discovery", "--timeout=1s"])
                .arg(&path)
                .arg("kubelet")
                .output()
                .expect("promtool runs");
            let found: Value = serde_json::from_slice(&output.stdout).expect("JSON");
            for target in found.as_array().expect("a list") {
                if target["labels"].as_object().is_some_and(|labels| !labels.is_empty()) {
                    let address = target["discoveredLabels"]["__address__"].as_str().expect("an address");
                    homes.entry(address.to_owned()).or_default().push(shard);
                }
            }
        }
        let expected: BTreeMap<String, Vec<u32>> =
            (0..200).map(|number| (node(number), vec![around.plan.shard_of(&node(number))])).collect();
        assert_eq!(homes, expected, "{}", strategy.word());
    }
}
