//! Who talks to whom: the edges that Services, NetworkPolicies and `pronoia graph` are made from.

use super::{Cluster, Role};
use crate::pipeline::Edge;

fn edge(from: &str, to: &str, kind: &str, port: u16) -> Edge {
    Edge { from: from.to_string(), to: to.to_string(), kind: kind.to_string(), port: Some(port) }
}

/// Draws the edges between the components of one cluster.
pub fn edges(cluster: &Cluster) -> Vec<Edge> {
    let mut edges = Vec::new();
    let queriers: Vec<_> = cluster.with_role(Role::Query).collect();
    for component in &cluster.components {
        let store_api = match component.role {
            Role::Prometheus => cluster.prometheus.get(component.group).is_some_and(|group| group.sidecar),
            Role::Store | Role::Ruler | Role::Receive => true,
            _ => false,
        };
        if store_api {
            edges.extend(queriers.iter().map(|querier| edge(&querier.name, &component.name, "query", 10901)));
        }
        match component.role {
            Role::QueryFrontend => {
                edges.extend(
                    queriers.iter().map(|querier| edge(&component.name, &querier.name, "query", 10902)),
                );
            }
            Role::Ruler => {
                edges.extend(
                    queriers.iter().map(|querier| edge(&component.name, &querier.name, "query", 10902)),
                );
            }
            Role::Grafana => match cluster.first(Role::QueryFrontend).or(cluster.first(Role::Query)) {
                Some(target) => edges.push(edge(&component.name, &target.name, "query", 10902)),
                None => edges.extend(
                    cluster
                        .with_role(Role::Prometheus)
                        .map(|p| edge(&component.name, &p.name, "query", 9090)),
                ),
            },
            Role::ReceiveRouter => {
                edges.extend(
                    cluster.with_role(Role::Receive).map(|r| edge(&component.name, &r.name, "write", 10901)),
                );
            }
            Role::Receive => {
                edges.push(edge(&component.name, &component.name, "write", 10901));
            }
            Role::Alertmanager => edges.push(edge(&component.name, &component.name, "gossip", 9094)),
            _ => {}
        }
        if matches!(component.role, Role::Prometheus | Role::Ruler) {
            edges.extend(
                cluster
                    .with_role(Role::Alertmanager)
                    .map(|am| edge(&component.name, &am.name, "alert", 9093)),
            );
        }
        let routes = component.role == Role::ReceiveRouter
            || component.role == Role::Receive && cluster.first(Role::ReceiveRouter).is_none();
        let limited = cluster
            .topology
            .receive
            .iter()
            .flat_map(|receive| &receive.tenants)
            .flat_map(|tenants| &tenants.tenants)
            .any(|tenant| tenant.limit_series.is_some());
        if routes && limited {
            // How many series a tenant has over all ingestors, only a query tells.
            edges.extend(queriers.iter().map(|querier| edge(&component.name, &querier.name, "query", 10902)));
        }
        let uploads = match component.role {
            Role::Prometheus => cluster.prometheus.get(component.group).is_some_and(|group| group.sidecar),
            Role::Store | Role::Compact | Role::Ruler | Role::Receive => true,
            _ => false,
        };
        if uploads && cluster.topology.bucket.is_some() {
            match cluster.first(Role::Minio) {
                Some(minio) => edges.push(edge(&component.name, &minio.name, "bucket", 9000)),
                None => edges.push(Edge {
                    from: component.name.clone(),
                    to: "bucket".to_string(),
                    kind: "bucket".to_string(),
                    port: None,
                }),
            }
        }
        if component.role == Role::Prometheus {
            for target in &cluster.components {
                for port in target.ports.iter().filter(|port| !port.udp && !port.name.starts_with("mesh")) {
                    let metrics = match target.role {
                        Role::Workload | Role::NfsProvisioner => false,
                        Role::Minio => port.name == "data",
                        _ => {
                            port.name.starts_with("http")
                                || port.name == "telemetry"
                                || port.name == "kube-state-metrics"
                        }
                    };
                    if metrics {
                        edges.push(edge(&component.name, &target.name, "scrape", port.number));
                    }
                }
            }
        }
        if component.role == Role::Prometheus && cluster.topology.push.is_some() {
            edges.extend(
                cluster
                    .first(Role::ReceiveRouter)
                    .or(cluster.first(Role::Receive))
                    .map(|r| edge(&component.name, &r.name, "write", 19291)),
            );
        }
    }
    edges.sort();
    edges.dedup();
    edges
}
