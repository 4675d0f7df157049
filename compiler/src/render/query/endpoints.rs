//! Whom a querier asks, and what the answers differ in.

use serde_json::{Value, json};

use super::super::flags::Flags;
use super::super::output::Output;
use super::super::thanos::{self, Pod};
use super::super::yaml;
use super::trust;
use crate::diagnostic::Diagnostic;
use crate::facts::Version;
use crate::model::{Cluster, Component, Model, Role};
use crate::source::Span;
use crate::topology::nodes::thanos::ReachVia;

/// The one headless Service of the tutorial.
pub(super) const BARE_SERVICE: &str = "thanos-store-gateway";

/// First release whose endpoints have TLS settings of their own; the ones before it read the same file, leave them out
/// without a word and speak plain text.
const PER_ENDPOINT_TLS: Version = Version::new(0, 42, 0);

/// Something that answers StoreAPI.
#[derive(Debug, PartialEq, Eq)]
struct Endpoint {
    /// Address, or a name to look up.
    address: String,
    /// Name in its certificate; `None` means that it speaks plain text.
    server_name: Option<String>,
    /// The line that asks for it.
    span: Option<Span>,
}

impl Endpoint {
    fn plain(address: String) -> Endpoint {
        Endpoint { address, server_name: None, span: None }
    }
}

/// Adds the flags for all endpoints.
pub(super) fn render(out: &mut Output, model: &Model, flags: &mut Flags, pod: &mut Pod) {
    let cluster = out.cluster;
    let mut endpoints = local(cluster);
    endpoints.extend(remote(model, cluster));
    let (plain, secure): (Vec<_>, Vec<_>) =
        endpoints.into_iter().partition(|endpoint| endpoint.server_name.is_none());
    let flag = if cluster.bare && flags.has("--store") { "--store" } else { "--endpoint" };
    let addresses = |endpoints: &[Endpoint]| {
        thanos::unique(endpoints.iter().map(|endpoint| thanos::literal(&endpoint.address)).collect())
    };
    for address in addresses(&plain) {
        flags.flag(flag, address);
    }
    let Some(first) = secure.first() else { return };
    trust::mount(cluster, pod);
    if cluster.versions.thanos >= PER_ENDPOINT_TLS {
        let list: Vec<Value> = secure.iter().map(with_tls).collect();
        let list = yaml::to_yaml(&json!({ "endpoints": list }));
        flags.flag("--endpoint.sd-config", thanos::literal(&list));
        return;
    }
    if !plain.is_empty() {
        out.diagnostics.push(
            Diagnostic::error(
                "VER003",
                first.span,
                format!(
                    "Thanos {} has one TLS setting for all endpoints, and some here speak plain text",
                    cluster.versions.thanos
                ),
            )
            .help("use Thanos 0.42 or later, or a querier that only reaches other clusters"),
        );
    }
    for address in addresses(&secure) {
        flags.flag("--endpoint", address);
    }
    flags
        .switch("--grpc-client-tls-secure")
        .flag("--grpc-client-tls-cert", trust::CERTIFICATE)
        .flag("--grpc-client-tls-key", trust::KEY)
        .flag("--grpc-client-tls-ca", trust::AUTHORITY);
}

fn with_tls(endpoint: &Endpoint) -> Value {
    json!({
        "address": endpoint.address,
        "client_config": {
            "tls_config": {
                "enabled": true,
                "cert_file": trust::CERTIFICATE,
                "key_file": trust::KEY,
                "ca_file": trust::AUTHORITY,
            },
            "server_name": endpoint.server_name,
        },
    })
}

/// Everything in this cluster that answers StoreAPI.
fn local(cluster: &Cluster) -> Vec<Endpoint> {
    if cluster.bare {
        // A forced port: whatever the Service publishes is dialled there.
        return vec![Endpoint::plain(format!("dnssrv+{BARE_SERVICE}:10901"))];
    }
    cluster
        .components
        .iter()
        .filter(|component| thanos::serves_store_api(cluster, component))
        .map(|component| Endpoint::plain(format!("dnssrv+{}", component.srv("grpc"))))
        .collect()
}

/// What `reach` names: other clusters of the file, and addresses.
fn remote(model: &Model, cluster: &Cluster) -> Vec<Endpoint> {
    let mut endpoints = Vec::new();
    for reach in cluster.topology.query.iter().flat_map(|query| &query.reaches) {
        let via = reach.via.as_ref().map_or(ReachVia::Query, |via| via.value);
        for target in &reach.targets {
            let found = match model.clusters.iter().find(|other| other.name == target.value) {
                _ if target.value == "local" => Vec::new(),
                Some(other) if other.name == cluster.name => Vec::new(),
                Some(other) => of_cluster(other, via),
                None => vec![Endpoint::plain(target.value.clone())],
            };
            endpoints.extend(found.into_iter().map(|found| Endpoint { span: Some(target.span), ..found }));
        }
    }
    endpoints
}

fn of_cluster(other: &Cluster, via: ReachVia) -> Vec<Endpoint> {
    let role = match via {
        ReachVia::Query => {
            let Some(query) = other.first(Role::Query) else { return Vec::new() };
            let (address, name) = published(other, query);
            return vec![Endpoint {
                address,
                server_name: other.topology.trust.is_some().then_some(name),
                span: None,
            }];
        }
        ReachVia::Sidecar => Role::Prometheus,
        ReachVia::Store => Role::Store,
    };
    other
        .with_role(role)
        .filter(|component| thanos::serves_store_api(other, component))
        .map(|component| Endpoint::plain(format!("dnssrv+{}.{}", component.srv("grpc"), other.name)))
        .collect()
}

/// Address and name under which other clusters find a querier's StoreAPI.
///
/// With a published host it is `grpc-HOST`; without one, the Service's name in the other cluster's DNS domain, which
/// carries the cluster's name.
pub(super) fn published(cluster: &Cluster, query: &Component) -> (String, String) {
    match host(cluster) {
        Some(host) => {
            let port = if cluster.topology.trust.is_some() { 443 } else { 10901 };
            (format!("{host}:{port}"), host)
        }
        None => {
            let host = format!("{}.{}", query.host(), cluster.name);
            (format!("{host}:10901"), host)
        }
    }
}

/// The host under which a querier's StoreAPI is published.
pub(super) fn host(cluster: &Cluster) -> Option<String> {
    let host = cluster.topology.query.as_ref()?.host.as_ref()?;
    Some(format!("grpc-{}", host.value))
}

/// Whether the querier of another cluster asks this one's.
pub(super) fn is_reached(model: &Model, cluster: &Cluster) -> bool {
    model.clusters.iter().filter(|other| other.name != cluster.name).any(|other| {
        reached(model, other).any(|(target, via)| target.name == cluster.name && via == ReachVia::Query)
    })
}

fn reached<'a>(model: &'a Model, cluster: &'a Cluster) -> impl Iterator<Item = (&'a Cluster, ReachVia)> {
    cluster.topology.query.iter().flat_map(|query| &query.reaches).flat_map(move |reach| {
        let via = reach.via.as_ref().map_or(ReachVia::Query, |via| via.value);
        reach.targets.iter().filter_map(move |target| {
            model.clusters.iter().find(|other| other.name == target.value).map(|other| (other, via))
        })
    })
}

/// Labels that tell copies apart, over everything that this querier sees: here, in the clusters that it reaches, and in
/// those that push to the receivers of either.
pub(super) fn replica_labels(model: &Model, cluster: &Cluster) -> Vec<String> {
    let mut seen: Vec<&Cluster> = vec![cluster];
    let mut at = 0;
    while let Some(each) = seen.get(at).copied() {
        at += 1;
        let pushing = model.clusters.iter().filter(|other| pushes_to(other, each));
        for other in reached(model, each).map(|(other, _)| other).chain(pushing) {
            if !seen.iter().any(|known| known.name == other.name) {
                seen.push(other);
            }
        }
    }
    thanos::unique(seen.into_iter().flat_map(thanos::replica_labels).collect())
}

/// Whether the Prometheus of `from` write to the receivers of `to`.
fn pushes_to(from: &Cluster, to: &Cluster) -> bool {
    let Some(push) = &from.topology.push else { return false };
    to.topology.receive.is_some() && push.cluster.as_ref().is_none_or(|named| named.value == to.name)
}
