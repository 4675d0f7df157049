//! Queriers and their frontend.

mod endpoints;
mod frontend;
mod trust;

use prom_model::PromDuration;
use serde_json::{Value, json};

use super::flags::Flags;
use super::output::{Context, Output};
use super::thanos::{self, Pod};
use crate::facts;
use crate::model::{Cluster, Component, Model, Role, Sourced};
use crate::pipeline::Origin;
use crate::topology::nodes::alerting::PartialResponse;
use crate::topology::nodes::thanos::{EngineName, Query};

const FILE: &str = "60-thanos/query.yaml";

/// Longest silence of an endpoint before it is left out of an answer.
const RESPONSE_TIMEOUT: PromDuration = PromDuration::from_secs(30);

/// Adds queriers and frontends; `model` names the other clusters that they reach.
pub fn render(out: &mut Output, model: &Model) {
    let cluster = out.cluster;
    if cluster.bare {
        store_api(out);
    }
    let (Some(node), Some(component)) = (&cluster.topology.query, cluster.first(Role::Query)) else { return };
    querier(out, model, node, component);
    service(out, node, component);
    trust::render(out, model, component);
    let front = cluster.first(Role::QueryFrontend);
    if let Some(host) = &node.host {
        let (file, target) = front.map_or((FILE, component), |front| (frontend::FILE, front));
        thanos::ingress(out, file, target, &host.value, node.tls.as_ref(), "http");
    }
    if let (Some(frontend), Some(front)) = (&node.frontend, front) {
        frontend::render(out, node, frontend, front, component);
    }
}

/// The one headless Service of the tutorial: everything that answers StoreAPI carries its label.
fn store_api(out: &mut Output) {
    let cluster = out.cluster;
    let served = cluster.components.iter().any(|component| thanos::serves_store_api(cluster, component));
    if !served && cluster.topology.query.is_none() {
        return;
    }
    let mut context = Context::default();
    context
        .put("name", endpoints::BARE_SERVICE)
        .put("namespace", &cluster.namespace)
        .put("labels", Value::Null)
        .put("annotations", Value::Null)
        .put("headless", true)
        .put("publish_not_ready", Value::Null)
        .put("type", Value::Null)
        .put("selector", json!({ "thanos-store-api": "true" }))
        .put("ports", json!([port("grpc", 10901, None)]));
    out.render("60-thanos/services.yaml", "service", &context);
}

fn port(name: &str, number: u16, protocol: Option<&str>) -> Value {
    json!({ "name": name, "port": number, "target": name, "protocol": protocol })
}

/// The Service of the querier: web page and API, and the StoreAPI that queriers of other clusters ask.
fn service(out: &mut Output, node: &Query, component: &Component) {
    let cluster = out.cluster;
    let Some(name) = &component.service else { return };
    let public: Vec<Value> = component
        .ports
        .iter()
        .filter(|port| !cluster.bare || port.name == "http")
        .map(|each| port(each.name, each.service, Some("TCP")))
        .collect();
    let node_port = node.node_port.as_ref().map(|node_port| Sourced {
        value: if node_port.value { "NodePort" } else { "ClusterIP" },
        origin: Origin::Line(node_port.span),
    });
    let mut context = Context::default();
    context
        .put("name", name)
        .put("namespace", &component.namespace)
        .put("labels", &component.labels)
        .put("annotations", Value::Null)
        .put("headless", false)
        .put("publish_not_ready", Value::Null)
        .put("selector", &component.selector)
        .put("ports", public);
    match &node_port {
        Some(kind) => context.sourced("type", kind),
        None => context.put("type", "ClusterIP"),
    };
    out.render(FILE, "service", &context);
}

fn querier(out: &mut Output, model: &Model, node: &Query, component: &Component) {
    let cluster = out.cluster;
    let profile = &cluster.profile;
    let mut pod = Pod::new(cluster, component);
    pod.probes(300, Some(("/-/healthy", json!("http"), Some([10, 15]))));
    if cluster.bare && !matches!(component.replicas.origin, Origin::Line(_)) {
        pod.context.put("replicas", Value::Null);
    }
    let mut flags = thanos::flags(cluster, facts::Component::Query);
    for label in endpoints::replica_labels(model, cluster) {
        flags.flag("--query.replica-label", label);
    }
    endpoints::render(out, model, &mut flags, &mut pod);
    trust::serve(model, cluster, &mut flags, &mut pod);
    let timeout = profile.or_duration(node.timeout.as_ref(), "query.timeout");
    let limit = timeout.value;
    thanos::state_duration(&mut flags, cluster, "--query.timeout", timeout);
    if !cluster.bare {
        // An endpoint that accepts and never answers must not hold every query until its end.
        let half = limit.map(|limit| PromDuration::from_millis(limit.as_millis() / 2));
        flags.flag(
            "--store.response-timeout",
            half.map_or(RESPONSE_TIMEOUT, |half| half.min(RESPONSE_TIMEOUT)),
        );
    }
    let concurrent = profile.or_count(node.max_concurrent.as_ref(), "query.max-concurrent");
    thanos::state(&mut flags, cluster, "--query.max-concurrent", &concurrent);
    flags.maybe("--query.promql-engine", node.engine.as_ref().map(|engine| engine_name(engine.value)));
    if downsampled(cluster, node) {
        flags.switch("--query.auto-downsampling");
    }
    if aborts(node) {
        flags.switch("--no-query.partial-response");
    }
    tenancy(cluster, &mut flags);
    flags.maybe(
        "--alert.query-url",
        node.host.as_ref().map(|host| format!("https://{}", thanos::literal(&host.value))),
    );
    pod.finish(out, FILE, "thanos-query", flags);
}

fn engine_name(engine: EngineName) -> &'static str {
    match engine {
        EngineName::Prometheus => "prometheus",
        EngineName::Thanos => "thanos",
    }
}

/// Whether an answer with holes is an error.
fn aborts(node: &Query) -> bool {
    node.partial_response.as_ref().is_some_and(|node| node.strategy.value == PartialResponse::Abort)
}

/// Whether queries choose the resolution by their step. Where raw samples are deleted first, a query for an older range
/// would find nothing otherwise.
fn downsampled(cluster: &Cluster, node: &Query) -> bool {
    if let Some(written) = &node.auto_downsampling {
        return written.value;
    }
    let compact = cluster.topology.compact.as_ref();
    let Some(keep) = compact.and_then(|compact| compact.keep.as_ref()) else { return false };
    let days = |written: &Option<_>, key: &str| {
        let kept = cluster.profile.or_duration(Option::as_ref(written), key).value;
        kept.filter(|kept| !kept.is_zero()).unwrap_or(PromDuration::MAX)
    };
    let raw = days(&keep.raw, "compact.keep.raw");
    !cluster.bare
        && compact.is_none_or(|compact| compact.downsample.as_ref().is_none_or(|on| on.value))
        && (raw < days(&keep.m5, "compact.keep.m5") || raw < days(&keep.h1, "compact.keep.h1"))
}

/// Tenants are read as receivers write them.
fn tenancy(cluster: &Cluster, flags: &mut Flags) {
    if cluster.topology.receive.is_none() {
        return;
    }
    let tenants = super::receive::Tenancy::of(cluster);
    let default = match flags.has("--query.default-tenant-id") {
        true => "--query.default-tenant-id",
        false => "--query.default-tenant",
    };
    flags
        .flag("--query.tenant-header", &tenants.header)
        .flag(default, &tenants.default)
        .flag("--query.tenant-label-name", &tenants.label);
}
