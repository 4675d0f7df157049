//! What is written: ConfigMaps, keys, plain files.

use std::fmt::Write as _;
use std::time::Instant;

use compiler::render::yaml;
use serde_json::{Value, json};

use super::{object, objects, render, rendered, run, text, write};

const TUTORIAL: &str = r#"
topology ms-prom namespace=prom profile=bare {
    target kubernetes="1.25" prometheus="2.37.1" thanos="0.28.0"
    prometheus replicas=2 { identity cluster=ms-prom replica-label=replica; every "15s" timeout="15s"; }
    rules Deployment {
        alert "Deployment at 0 Replicas" for="1m" team=node {
            expr "sum(kube_deployment_status_replicas) by (deployment,namespace)  < 1"
            summary "Deployment {{$labels.deployment}} in {{$labels.namespace}} is currently having no pods running"
        }
    }
    rules Pods {
        alert "Container restarted" for="0m" team=node {
            expr "sum(increase(kube_pod_container_status_restarts_total[1m])) by (pod,namespace,container) > 0"
            summary "Container named {{$labels.container}} in {{$labels.pod}} in {{$labels.namespace}} was restarted"
        }
    }
}
"#;

#[test]
fn bare_is_the_tutorial() {
    let outcome = rendered(TUTORIAL, &[]);
    let mut map = object(&outcome, "30-prometheus/rules-0.yaml", "ConfigMap/prometheus-rules");
    let inner = map["data"]["alert-rules.yaml"].take();
    let inner = yaml::parse(inner.as_str().expect("a text")).expect("YAML");
    let pod =
        "Container named {{$labels.container}} in {{$labels.pod}} in {{$labels.namespace}} was restarted";
    let deployment =
        "Deployment {{$labels.deployment}} in {{$labels.namespace}} is currently having no pods running";
    assert_eq!(
        inner,
        [json!({ "groups": [
            { "name": "Deployment", "rules": [{
                "alert": "Deployment at 0 Replicas",
                "annotations": { "summary": deployment },
                "expr": "sum(kube_deployment_status_replicas) by (deployment,namespace)  < 1\n",
                "for": "1m",
                "labels": { "team": "node" },
            }] },
            { "name": "Pods", "rules": [{
                "alert": "Container restarted",
                "annotations": { "summary": pod },
                "expr": "sum(increase(kube_pod_container_status_restarts_total[1m])) by (pod,namespace,container) > 0\n",
                "for": "0m",
                "labels": { "team": "node" },
            }] },
        ] })]
    );
    assert_eq!(
        map,
        json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": { "name": "prometheus-rules", "namespace": "prom" },
            "data": { "alert-rules.yaml": null },
        })
    );
}

const FULL: &str = r#"
topology demo {
    prometheus { scrape kubelet; scrape thanos; scrape kube-state-metrics; }
    kube-state-metrics
    node-exporter
    alertmanager { receiver team webhook="secret:hook/url"; }
    bucket b { minio; }
    store; compact; query { frontend; }; ruler
    receive { routers; }
    rules Own every="1m" {
        record "job:up:sum" team=infra { expr "sum by (job, instance) (up)"; }
        alert PodsPending for="10m" severity=warning team=infra {
            expr """
                kube_pod_status_phase{phase="Pending"} > 0
                and on (namespace, pod)
                kube_pod_info
                """
            summary "Pod {{ $labels.pod }} waits"
            runbook "https://example.net/pending"
            annotations dashboard="https://example.net/d"
        }
    }
    rules "rules/*.yaml"
}
"#;

const TEAM: &str = "\
groups:
  - name: team
    interval: 30s
    limit: 10
    rules:
      - alert: Slow
        expr: |
          rate(x_seconds_sum[5m])
            / rate(x_seconds_count[5m]) > 0.5
        for: 1h30m
        keep_firing_for: 5m
        labels: {severity: 1, on: yes}
        annotations:
          summary: 'slow: {{ $value | printf \"%.2f\" }}'
";

#[test]
fn promtool_takes_every_file() {
    let outcome = rendered(FULL, &[("rules/team.yaml", TEAM)]);
    let folder = tempfile::tempdir().expect("a folder");
    write(&outcome, folder.path());
    let mut files = Vec::new();
    for sub in ["raw/rules", "raw/ruler-rules"] {
        for entry in std::fs::read_dir(folder.path().join(sub)).expect(sub) {
            files.push(entry.expect("an entry").path().display().to_string());
        }
    }
    assert!(files.len() > 14, "{files:?}");
    let mut args = vec!["check", "rules"];
    args.extend(files.iter().map(String::as_str));
    let printed = run("promtool", &args);
    assert_eq!(printed.matches("SUCCESS").count(), files.len(), "{printed}");
}

#[test]
fn the_maps_hold_what_the_plain_files_hold() {
    let outcome = rendered(FULL, &[("rules/team.yaml", TEAM)]);
    let mut keys = Vec::new();
    for map in objects(&outcome, "30-prometheus/rules-0.yaml") {
        for (key, value) in map["data"].as_object().expect("data") {
            let raw = text(&outcome, &format!("raw/rules/{}.yml", key.trim_end_matches(".yaml")));
            assert_eq!(value.as_str(), Some(raw.as_str()), "{key}");
            keys.push(key.clone());
        }
    }
    assert!(keys.starts_with(&["Own.yaml".to_string(), "rules-team.yaml".to_string()]), "{keys:?}");
    assert!(keys.contains(&"builtin-sidecar.yaml".to_string()), "{keys:?}");
    let team = yaml::parse(&text(&outcome, "raw/rules/rules-team.yml")).expect("YAML");
    assert_eq!(
        team,
        [json!({ "groups": [{
            "name": "team",
            "interval": "30s",
            "limit": 10,
            "rules": [{
                "alert": "Slow",
                "expr": "rate(x_seconds_sum[5m])\n  / rate(x_seconds_count[5m]) > 0.5\n",
                "for": "1h30m",
                "keep_firing_for": "5m",
                "labels": { "severity": "1", "on": "yes" },
                "annotations": { "summary": "slow: {{ $value | printf \"%.2f\" }}" },
            }],
        }] })]
    );
}

#[test]
fn the_stateful_set_mounts_every_map() {
    let outcome = rendered(FULL, &[("rules/team.yaml", TEAM)]);
    let set = object(&outcome, "30-prometheus/statefulset-shard-0.yaml", "StatefulSet/demo-prometheus");
    let volumes = set["spec"]["template"]["spec"]["volumes"].as_array().expect("volumes");
    let rules = volumes.iter().find(|volume| volume["name"] == "rules").expect("rules");
    assert_eq!(
        rules["projected"]["sources"],
        json!([{ "configMap": { "name": "demo-prometheus-rules-0" } }])
    );
    let ruler = objects(&outcome, "60-thanos/ruler-rules-0.yaml");
    assert_eq!(ruler[0]["metadata"]["name"], "demo-thanos-ruler-rules-0");
}

#[test]
fn built_in_alerts_follow_what_is_deployed() {
    let small = rendered("topology t { prometheus { scrape self; }; }", &[]);
    let keys: Vec<String> = objects(&small, "30-prometheus/rules-0.yaml")[0]["data"]
        .as_object()
        .expect("data")
        .keys()
        .cloned()
        .collect();
    assert_eq!(keys, ["builtin-prometheus.yaml", "builtin-recording.yaml", "builtin-watchdog.yaml"]);
    let own = r#"topology t {
        prometheus { scrape self; }
        rules Own { alert Watchdog severity=none { expr "vector(1)"; summary "ours"; }; }
    }"#;
    let outcome = rendered(own, &[]);
    let watchdogs: usize = outcome
        .artefacts
        .iter()
        .filter(|artefact| artefact.path.starts_with("raw/rules/"))
        .map(|artefact| artefact.text().matches("alert: Watchdog\n").count())
        .sum();
    assert_eq!(watchdogs, 1, "the user's alert stands in for the built-in one");
}

fn many(groups: usize, rules: usize) -> String {
    let mut text = String::from("groups:\n");
    for group in 0..groups {
        let _ = writeln!(text, "- name: group-{group}\n  rules:");
        for rule in 0..rules {
            let _ = writeln!(
                text,
                "  - alert: Alert{group}x{rule}\n    expr: sum by (job, instance) (rate(metric_{group}_{rule}_total{{code=~\"5..\"}}[5m])) > {rule}\n    for: 10m\n    labels:\n      severity: warning\n      team: team-{group}\n    annotations:\n      summary: Too many errors of metric {rule} in {{{{ $labels.job }}}}\n      description: A longer text that says what this means for people, number {rule}."
            );
        }
    }
    text
}

#[test]
fn large_files_are_divided_between_groups() {
    let file = many(100, 20);
    assert!(file.len() > 600_000, "{}", file.len());
    let topology = r#"topology t { prometheus; rules "big.yaml"; }"#;
    let outcome = rendered(topology, &[("big.yaml", &file)]);
    let (mut names, mut keys, mut groups) = (Vec::new(), Vec::new(), 0);
    for at in 0..2 {
        let map = &objects(&outcome, &format!("30-prometheus/rules-{at}.yaml"))[0];
        names.push(map["metadata"]["name"].as_str().unwrap_or_default().to_string());
        let data = map["data"].as_object().expect("data");
        let bytes: usize = data.values().filter_map(Value::as_str).map(str::len).sum();
        assert!(bytes <= 512 * 1024, "{bytes}");
        keys.extend(data.keys().cloned());
        groups += data
            .values()
            .filter_map(Value::as_str)
            .map(|t| t.matches("\n- name: group-").count())
            .sum::<usize>();
    }
    assert_eq!(names, ["t-prometheus-rules-0", "t-prometheus-rules-1"]);
    assert!(
        keys.contains(&"big.yaml".to_string()) && keys.contains(&"big.part-2.yaml".to_string()),
        "{keys:?}"
    );
    assert_eq!(groups, 100);
    let mut unique = keys.clone();
    unique.sort();
    unique.dedup();
    assert_eq!(unique.len(), keys.len(), "all maps are mounted into one folder");

    let one = render(topology, &[("big.yaml", &many(1, 2000))]);
    super::assert_found(&one, "RES007 error big.yaml:2:9: group `group-0` has");
}

#[test]
fn five_thousand_rules_in_twenty_clusters_are_read_once() {
    let file = many(250, 20);
    let mut topology = String::from("topology t {\n    rules \"big.yaml\"\n    prometheus\n");
    for cluster in 0..20 {
        let _ = writeln!(topology, "    cluster c{cluster}");
    }
    topology.push('}');
    let start = Instant::now();
    let outcome = rendered(&topology, &[("big.yaml", &file)]);
    let took = start.elapsed();
    let shared: Vec<*const u8> = (0..20)
        .map(|cluster| {
            let path = format!("c{cluster}/raw/rules/big.yml");
            let artefact = outcome.artefacts.iter().find(|artefact| artefact.path == path).expect("a file");
            artefact.pieces[1].as_ptr()
        })
        .collect();
    assert!(shared.windows(2).all(|pair| pair[0] == pair[1]), "the text is written once");
    assert!(took.as_secs() < 60, "{took:?}");
}
