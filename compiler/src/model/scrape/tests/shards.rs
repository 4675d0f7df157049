//! Sharded jobs: every target is scraped by exactly one shard, however its labels are rewritten on the way.

use prom_model::{Labels, RelabelConfig, process};
use proptest::prelude::{any, proptest};
use proptest::{prop_assert, prop_assert_eq};

use super::{resolve, sharded};
use crate::model::scrape::{Job, Sharding, Surroundings};
use crate::topology::nodes::prometheus::Strategy;

const JOBS: &str = r#"
    shards 4 { every-shard self; one-shard kube-state-metrics shard=2; key cadvisor by=__meta_kubernetes_node_name; }
    scrape self; scrape kube-state-metrics; scrape kubelet; scrape cadvisor; scrape node-exporter
    scrape annotated-services; scrape pods; scrape etcd; scrape alertmanager
    scrape blackbox { static "https://a.example/" "https://b.example/"; }
    scrape static as=machines { static "a:1" "b:1"; }
    scrape raw as=raw { yaml "static_configs: [{targets: [a, b]}]"; }
"#;

/// Everything that discovery could tell about one target of any job.
fn target(number: u32, ip: [u8; 4], port: u16) -> Labels {
    let [a, b, c, d] = ip;
    let address = format!("{a}.{b}.{c}.{d}:{port}");
    Labels::from([
        ("__address__", address.as_str()),
        ("__meta_kubernetes_namespace", "monitoring"),
        ("__meta_kubernetes_node_name", &format!("node-{number}")),
        ("__meta_kubernetes_pod_name", &format!("pod-{number}")),
        ("__meta_kubernetes_pod_ip", &format!("{a}.{b}.{c}.{d}")),
        ("__meta_kubernetes_pod_node_name", &format!("node-{number}")),
        ("__meta_kubernetes_pod_annotation_prometheus_io_scrape", "true"),
        ("__meta_kubernetes_pod_annotation_prometheus_io_port", "8080"),
        ("__meta_kubernetes_service_annotation_prometheus_io_scrape", "true"),
        ("__meta_kubernetes_service_annotation_prometheus_io_port", "8080"),
        ("__meta_kubernetes_endpointslice_port_name", "http"),
        ("job", "x"),
    ])
}

fn rules(job: &Job, around: &Surroundings, shard: u32) -> Option<Vec<RelabelConfig>> {
    let config = job.on_shard(&around.plan, shard)?;
    Some(config.relabel_configs.iter().map(|rule| rule.compile(3).expect("legal rule")).collect())
}

/// The labels that each shard scrapes the target under.
fn scraped(job: &Job, around: &Surroundings, target: &Labels) -> Vec<(u32, Labels)> {
    let on = |shard| {
        let rules = rules(job, around, shard)?;
        process(&rules, target.clone()).map(|labels| (shard, labels))
    };
    (0..around.plan.count()).filter_map(on).collect()
}

/// Services of the jobs that look for one by name.
fn with_service(job: &Job, mut target: Labels) -> Labels {
    let (service, port) = match job.name.as_str() {
        "prometheus" => ("m-prometheus", "http"),
        "kube-state-metrics" => ("m-kube-state-metrics", "http-metrics"),
        "node-exporter" => ("m-node-exporter", "http-metrics"),
        _ => ("m-alertmanager", "http"),
    };
    target.set("__meta_kubernetes_service_name", service);
    target.set("__meta_kubernetes_endpointslice_port_name", port);
    target
}

#[test]
fn pins_are_obeyed() {
    let around = sharded(4, Strategy::Slots);
    let (jobs, diagnostics) = resolve(JOBS, &around);
    assert!(diagnostics.is_empty(), "{diagnostics:#?}");
    let job = |name: &str| jobs.iter().find(|job| job.name == name).expect("the job");
    assert_eq!(job("prometheus").sharding, Sharding::Whole);
    let pinned = job("kube-state-metrics");
    let homes: Vec<u32> = (0..4).filter(|shard| pinned.on_shard(&around.plan, *shard).is_some()).collect();
    assert_eq!(homes, [2]);
    assert_eq!(
        job("cadvisor").sharding,
        Sharding::Hashed { by: vec!["__meta_kubernetes_node_name".into()], at: 0 }
    );
    assert_eq!(job("blackbox").sharding, Sharding::Hashed { by: vec!["__param_target".into()], at: 1 });
}

#[test]
fn one_shard_has_no_shard_rules() {
    let around = sharded(1, Strategy::Hashmod);
    let (jobs, _) = resolve("scrape kubelet", &around);
    assert_eq!(jobs[0].on_shard(&around.plan, 0).as_ref(), Some(&jobs[0].config));
}

#[test]
fn ports_of_one_pod_go_to_one_shard() {
    let around = sharded(5, Strategy::Slots);
    let (jobs, _) = resolve("scrape pods; scrape annotated-services", &around);
    for job in &jobs {
        for number in 0..40 {
            let ports = [8080, 9999].map(|port| target(number, [10, 0, 0, number as u8], port));
            let seen = ports.map(|target| scraped(job, &around, &target));
            assert_eq!(seen[0].len(), 1);
            // The annotation names the port: both are one target, and Prometheus scrapes it once.
            let shown = |(shard, labels): &(u32, Labels)| (*shard, labels.value("__address__").to_owned());
            assert_eq!(shown(&seen[0][0]), shown(&seen[1][0]), "{}", job.name);
        }
    }
}

#[test]
fn targets_spread() {
    for strategy in [Strategy::Slots, Strategy::Hashmod] {
        let around = sharded(4, strategy);
        let (jobs, _) = resolve("scrape cadvisor", &around);
        let mut counts = [0; 4];
        for number in 0..400 {
            let target = target(number, [10, 0, (number / 256) as u8, (number % 256) as u8], 10250);
            for (shard, _) in scraped(&jobs[0], &around, &target) {
                counts[shard as usize] += 1;
            }
        }
        assert_eq!(counts.iter().sum::<i32>(), 400);
        assert!(counts.iter().all(|count| (60..=140).contains(count)), "{counts:?}");
    }
}

proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(48))]
    #[test]
    fn each_target_has_one_home(
        number in any::<u32>(),
        ip in any::<[u8; 4]>(),
        port in 1_u16..,
        count in 2_u32..=12,
        by_slots in any::<bool>(),
    ) {
        let around = sharded(count, if by_slots { Strategy::Slots } else { Strategy::Hashmod });
        let text = JOBS.replace("shards 4", &format!("shards {count}")).replace("shard=2", "shard=1");
        let (jobs, _) = resolve(&text, &around);
        for job in &jobs {
            let target = with_service(job, target(number, ip, port));
            let homes = scraped(job, &around, &target);
            let expected = if job.name == "prometheus" { count as usize } else { 1 };
            prop_assert_eq!(homes.len(), expected, "{} {:?}", job.name, homes);
            // The hash leaves no label behind that Prometheus would keep.
            let visible = |name: &str| !name.starts_with("__");
            let clean = homes[0].1.iter().all(|label| !visible(&label.name) || !label.name.contains("hash"));
            prop_assert!(clean);
        }
    }
}
