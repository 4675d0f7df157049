//! Jobs from topologies: the bare form field for field, the hardened form by what it must never get wrong.

mod bare;
mod hardened;
mod refusals;
mod shards;

use prom_model::PromDuration;

use super::{Component, Job, Sizes, Surroundings, jobs};
use crate::diagnostic::{Diagnostic, has_errors};
use crate::facts::Version;
use crate::model::shards::ShardPlan;
use crate::source::{MemoryWorld, Sources};
use crate::topology::nodes::prometheus::{Prometheus, Strategy};
use crate::topology::read;

/// The `prometheus` node of a topology that holds just this one.
fn prometheus(children: &str) -> Prometheus {
    let text = format!("topology t {{\n  prometheus {{\n{children}\n  }}\n}}\n");
    let world = MemoryWorld::single("t.kdl", text.clone());
    let (mut sources, mut diagnostics) = (Sources::default(), Vec::new());
    let decoded = read(&world, "t.kdl", None, &mut sources, &mut diagnostics);
    assert!(!has_errors(&diagnostics), "{text}\n{diagnostics:#?}");
    let topology = decoded.parts.into_iter().next().expect("one topology");
    topology.prometheus.into_iter().next().expect("one group")
}

fn component(job: &str, service: &str, port_name: &str, port: u16) -> Component {
    Component {
        job: job.into(),
        namespace: "monitoring".into(),
        services: vec![service.into()],
        port_name: port_name.into(),
        port,
        replicas: 2,
        ..Component::default()
    }
}

fn hardened() -> Surroundings {
    Surroundings {
        namespace: "monitoring".into(),
        group: None,
        bare: false,
        local: false,
        kubernetes: Version::new(1, 37, 0),
        prometheus: Version::new(3, 14, 0),
        plan: ShardPlan::single(),
        replica_label: "prometheus_replica".into(),
        external_labels: vec!["cluster".into(), "shard".into()],
        interval: PromDuration::from_secs(30),
        timeout: PromDuration::from_secs(10),
        components: vec![
            component("prometheus", "m-prometheus", "http", 9090),
            component("thanos-sidecar", "m-prometheus", "http-sidecar", 10902),
            component("thanos-store", "m-store", "http", 10902),
            component("thanos-store", "m-store-w1", "http", 10902),
            component("thanos-query", "m-query", "http", 9090),
            component("alertmanager", "m-alertmanager", "http", 9093),
            component("kube-state-metrics", "m-kube-state-metrics", "http-metrics", 8080),
            component("node-exporter", "m-node-exporter", "http-metrics", 9100),
            component("minio", "m-minio", "http", 9000),
            component("grafana", "m-grafana", "http", 3000),
            component("blackbox", "m-blackbox", "http", 9115),
        ],
        sizes: Sizes { nodes: Some(100), pods: Some(3000), series_per_pod: Some(100) },
        limits: Default::default(),
        secrets_dir: "/etc/prometheus/secrets".into(),
    }
}

fn sharded(count: u32, strategy: Strategy) -> Surroundings {
    Surroundings { plan: ShardPlan::new(count, strategy, 256, &[]), ..hardened() }
}

fn resolve(children: &str, around: &Surroundings) -> (Vec<Job>, Vec<Diagnostic>) {
    jobs(&prometheus(children), around)
}

/// The only job of the text, which must have no findings.
fn clean(children: &str, around: &Surroundings) -> Job {
    let (jobs, diagnostics) = resolve(children, around);
    assert!(diagnostics.is_empty(), "{children}\n{diagnostics:#?}");
    assert_eq!(jobs.len(), 1, "{children}");
    jobs.into_iter().next().expect("one job")
}

fn codes(diagnostics: &[Diagnostic]) -> Vec<(&'static str, &'static str)> {
    diagnostics.iter().map(|found| (found.code, found.severity.word())).collect()
}
