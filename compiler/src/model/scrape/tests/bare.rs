//! The bare form: what a tutorial writes, and remarks instead of errors.
#![expect(clippy::disallowed_methods, reason = "the original is looked up where PRONOIA_SHARED points")]

use serde_json::Value;

use super::{component, prometheus};
use crate::diagnostic::Severity;
use crate::facts::Version;
use crate::model::scrape::{Component, Surroundings, jobs};
use crate::render::yaml;

const SCRAPES: &str = r#"
    scrape self               as=prometheus
    scrape kube-state-metrics as=stat-metric
    scrape coredns { static "10.244.166.159:9153" "10.244.104.50:9153"; }
    scrape node-exporter      as=kubernetes-nodes
    scrape kubelet            as=kubernetes-kubelet
    scrape cadvisor           as=kubernetes-cadvisor via=apiserver-proxy
    scrape apiserver          as=kubernetes-apiservers
    scrape annotated-services as=kubernetes-endpoints
"#;

const EXPECTED: &str = r#"
- {job_name: prometheus, static_configs: [{targets: ['localhost:9090']}]}
- {job_name: stat-metric, static_configs: [{targets: ['kube-state-metrics:8080']}]}
- {job_name: coredns, static_configs: [{targets: ['10.244.166.159:9153', '10.244.104.50:9153']}]}
- job_name: kubernetes-nodes
  kubernetes_sd_configs: [{role: node}]
  relabel_configs:
  - {source_labels: [__address__], regex: '(.*):10250', target_label: __address__, replacement: '${1}:9100', action: replace}
  - {action: labelmap, regex: __meta_kubernetes_node_label_(.+)}
- job_name: kubernetes-kubelet
  scheme: https
  bearer_token_file: /var/run/secrets/kubernetes.io/serviceaccount/token
  tls_config: {ca_file: /var/run/secrets/kubernetes.io/serviceaccount/ca.crt, insecure_skip_verify: true}
  kubernetes_sd_configs: [{role: node}]
  relabel_configs: [{action: labelmap, regex: __meta_kubernetes_node_label_(.+)}]
- job_name: kubernetes-cadvisor
  scheme: https
  bearer_token_file: /var/run/secrets/kubernetes.io/serviceaccount/token
  tls_config: {ca_file: /var/run/secrets/kubernetes.io/serviceaccount/ca.crt}
  kubernetes_sd_configs: [{role: node}]
  relabel_configs:
  - {action: labelmap, regex: __meta_kubernetes_node_label_(.+)}
  - {target_label: __address__, replacement: 'kubernetes.default.svc:443'}
  - source_labels: [__meta_kubernetes_node_name]
    regex: (.+)
    target_label: __metrics_path__
    replacement: /api/v1/nodes/${1}/proxy/metrics/cadvisor
- job_name: kubernetes-apiservers
  scheme: https
  bearer_token_file: /var/run/secrets/kubernetes.io/serviceaccount/token
  tls_config: {ca_file: /var/run/secrets/kubernetes.io/serviceaccount/ca.crt}
  kubernetes_sd_configs: [{role: endpoints}]
  relabel_configs:
  - source_labels: [__meta_kubernetes_namespace, __meta_kubernetes_service_name, __meta_kubernetes_endpoint_port_name]
    regex: default;kubernetes;https
    action: keep
- job_name: kubernetes-endpoints
  kubernetes_sd_configs: [{role: endpoints}]
  relabel_configs:
  - {source_labels: [__meta_kubernetes_service_annotation_prometheus_io_scrape], action: keep, regex: true}
  - {source_labels: [__meta_kubernetes_service_annotation_prometheus_io_scheme], target_label: __scheme__, regex: (https?), action: replace}
  - {source_labels: [__meta_kubernetes_service_annotation_prometheus_io_path], target_label: __metrics_path__, regex: (.+), action: replace}
  - source_labels: [__address__, __meta_kubernetes_service_annotation_prometheus_io_port]
    target_label: __address__
    regex: '([^:]+)(?::\d+)?;(\d+)'
    replacement: '$1:$2'
    action: replace
  - {action: labelmap, regex: __meta_kubernetes_service_label_(.+)}
  - {source_labels: [__meta_kubernetes_namespace], target_label: kubernetes_namespace, action: replace}
  - {source_labels: [__meta_kubernetes_service_name], target_label: kubernetes_name, action: replace}
  - {source_labels: [__meta_kubernetes_pod_name], target_label: kubernetes_pod_name, action: replace}
"#;

fn surroundings() -> Surroundings {
    let kube_state_metrics = Component {
        namespace: "prom".into(),
        annotated: true,
        ..component("kube-state-metrics", "kube-state-metrics", "kube-state-metrics", 8080)
    };
    Surroundings {
        namespace: "prom".into(),
        bare: true,
        kubernetes: Version::new(1, 25, 0),
        prometheus: Version::new(2, 37, 1),
        replica_label: "replica".into(),
        interval: prom_model::PromDuration::from_secs(15),
        timeout: prom_model::PromDuration::from_secs(15),
        components: vec![kube_state_metrics],
        ..super::hardened()
    }
}

fn written() -> Value {
    let (jobs, diagnostics) = jobs(&prometheus(SCRAPES), &surroundings());
    assert!(diagnostics.iter().all(|found| found.severity == Severity::Info), "{diagnostics:#?}");
    jobs.iter().map(|job| serde_json::to_value(&job.config).expect("plain data")).collect()
}

fn parse(text: &str) -> Value {
    yaml::parse(text).expect("legal YAML").remove(0)
}

#[test]
fn the_tutorials_jobs_come_out_field_for_field() {
    assert_eq!(written(), parse(EXPECTED));
}

#[test]
#[allow(clippy::print_stderr, reason = "a test that looked at less than it could must say so")]
fn the_tutorials_own_file_agrees() {
    let Some(shared) = std::env::var_os("PRONOIA_SHARED") else {
        eprintln!("PRONOIA_SHARED is not set: the tutorial's own ConfigMap was not compared");
        return;
    };
    let path = std::path::Path::new(&shared).join("tutorial/yaml/06-configmap.yaml");
    let text = std::fs::read_to_string(path).expect("the tutorial's ConfigMap");
    let manifest = parse(&text);
    let config = parse(manifest["data"]["prometheus.yaml.tmpl"].as_str().expect("a text"));
    assert_eq!(written(), config["scrape_configs"]);
}

#[test]
fn every_mistake_is_remarked() {
    let (_, diagnostics) = jobs(&prometheus(SCRAPES), &surroundings());
    for code in [
        "DSC006", "DSC008", "DSC009", "DSC010", "DSC011", "DSC012", "K8S007", "RBC004", "RES006", "SEC007",
        "VER002",
    ] {
        assert!(diagnostics.iter().any(|found| found.code == code), "{code} in {diagnostics:#?}");
    }
}

#[test]
fn sharding_adds_the_two_rules_in_front() {
    let around = Surroundings {
        plan: crate::model::shards::ShardPlan::new(
            4,
            crate::topology::nodes::prometheus::Strategy::Hashmod,
            256,
            &[],
        ),
        ..surroundings()
    };
    let (jobs, _) = jobs(&prometheus("scrape node-exporter"), &around);
    let config = jobs[0].on_shard(&around.plan, 1).expect("every shard has the job");
    let rules = serde_json::to_value(&config.relabel_configs[..2]).expect("plain data");
    let expected = parse(
        "- {source_labels: [__address__], modulus: 4, target_label: __tmp_hash, action: hashmod}\n\
         - {source_labels: [__tmp_hash], regex: '1', action: keep}\n",
    );
    assert_eq!(rules, expected);
    assert_eq!(config.relabel_configs.len(), 4);
}
