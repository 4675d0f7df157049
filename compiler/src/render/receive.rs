//! Receivers: ingestors, routers, the hashring that both agree on.

mod hashring;
mod limits;

use std::sync::Arc;

use serde_json::{Value, json};

use super::flags::Flags;
use super::output::Output;
use super::surround;
use super::thanos::{self, Pod};
use crate::facts;
use crate::model::{Cluster, Component, Role};
use crate::pipeline::Origin;
use crate::topology::nodes::thanos::{HashringAlgorithm, Receive};

const INGESTOR: &str = "60-thanos/receive-ingestor.yaml";
const ROUTER: &str = "60-thanos/receive-router.yaml";
const RING: &str = "/etc/thanos/hashring";
const LIMITS: &str = "/etc/thanos/limits";

/// How tenants are named: the same for whoever writes and whoever reads.
pub struct Tenancy {
    /// HTTP header with the tenant.
    pub header: String,
    /// Tenant of requests without the header.
    pub default: String,
    /// Label that carries the tenant.
    pub label: String,
}

impl Tenancy {
    /// What the topology says, or else the profile.
    pub fn of(cluster: &Cluster) -> Tenancy {
        let tenants = cluster.topology.receive.as_ref().and_then(|receive| receive.tenants.as_ref());
        let text = |written, key| thanos::literal(&cluster.profile.or_text(written, key).value);
        Tenancy {
            header: text(tenants.and_then(|tenants| tenants.header.as_ref()), "receive.tenant-header"),
            default: text(tenants.and_then(|tenants| tenants.default.as_ref()), "receive.tenant"),
            label: text(tenants.and_then(|tenants| tenants.label.as_ref()), "receive.tenant-label"),
        }
    }
}

/// Adds receivers.
pub fn render(out: &mut Output) {
    let cluster = out.cluster;
    let (Some(node), Some(ingestor)) = (&cluster.topology.receive, cluster.first(Role::Receive)) else {
        return;
    };
    let router = cluster.first(Role::ReceiveRouter);
    // Whoever takes requests from outside divides them and checks their limits.
    let (file, front) = router.map_or((INGESTOR, ingestor), |router| (ROUTER, router));
    let ring: Arc<str> = Arc::from(hashring::render(cluster, node, ingestor));
    out.text("raw/hashring.json", vec![ring.clone()]);
    out.config_map(
        file,
        &map_name(ingestor, "hashring"),
        &ingestor.namespace,
        &front.labels,
        vec![("hashrings.json".to_string(), vec![ring])],
    );
    let limits = limits::render(cluster, node);
    if let Some(limits) = &limits {
        out.config_map(
            file,
            &map_name(ingestor, "limits"),
            &ingestor.namespace,
            &front.labels,
            vec![("limits.yaml".to_string(), vec![Arc::from(limits.as_str())])],
        );
    }
    surround::services(out, INGESTOR, ingestor);
    stateful(out, node, ingestor, router.is_none(), limits.is_some());
    if let Some(router) = router {
        surround::services(out, ROUTER, router);
        routers(out, node, router, ingestor, limits.is_some());
        if let Some(routers) = &node.routers
            && let Some(host) = &routers.ingress
        {
            thanos::ingress(out, ROUTER, router, &host.value, routers.tls.as_ref(), "remote-write");
        }
    }
}

fn map_name(ingestor: &Component, what: &str) -> String {
    format!("{}-{what}", ingestor.name)
}

fn stateful(out: &mut Output, node: &Receive, component: &Component, routes: bool, limits: bool) {
    let cluster = out.cluster;
    let profile = &cluster.profile;
    let mut pod = Pod::new(cluster, component);
    // It replays the WAL of every tenant first.
    pod.probes(1800, None);
    pod.pod_name();
    if zones(node) {
        // Copies are to survive a zone, so zones must not fill up unevenly.
        spread_strictly(&mut pod.context, component);
    }
    let mut flags = head(cluster);
    flags.flag("--tsdb.path", thanos::DATA);
    pod.data();
    pod.bucket(&mut flags);
    let retention = profile.or_duration(node.retention.as_ref(), "receive.retention");
    thanos::state_duration(&mut flags, cluster, "--tsdb.retention", retention);
    flags.maybe("--tsdb.out-of-order.time-window", node.out_of_order.as_ref().map(|window| window.value));
    flags.flag("--receive.local-endpoint", hashring::address(component, "$(POD_NAME)"));
    tenants(cluster, &mut flags);
    if routes {
        routing(cluster, node, component, limits, &mut flags, &mut pod);
    }
    pod.finish(out, INGESTOR, "thanos-receive", flags);
}

fn routers(out: &mut Output, node: &Receive, component: &Component, ingestor: &Component, limits: bool) {
    let cluster = out.cluster;
    let mut pod = Pod::new(cluster, component);
    pod.probes(120, None);
    pod.pod_name();
    if cluster.bare && !matches!(component.replicas.origin, Origin::Line(_)) {
        pod.context.put("replicas", Value::Null);
    }
    let mut flags = head(cluster);
    tenants(cluster, &mut flags);
    routing(cluster, node, ingestor, limits, &mut flags, &mut pod);
    pod.finish(out, ROUTER, "thanos-receive-router", flags);
}

/// Thanos wants an external label of every receiver, of those too that keep nothing.
fn head(cluster: &Cluster) -> Flags {
    let mut flags = thanos::flags(cluster, facts::Component::Receive);
    flags
        .flag("--label", thanos::pod_label(thanos::RECEIVE_REPLICA))
        // Receivers of two clusters have pods of the same names; in one bucket only this tells them apart.
        .flag("--label", thanos::label("received_by", &cluster.name));
    flags
}

fn tenants(cluster: &Cluster, flags: &mut Flags) {
    let tenants = Tenancy::of(cluster);
    flags
        .flag("--receive.tenant-header", &tenants.header)
        .flag("--receive.default-tenant-id", &tenants.default)
        .flag("--receive.tenant-label-name", &tenants.label);
}

fn routing(
    cluster: &Cluster,
    node: &Receive,
    ingestor: &Component,
    limits: bool,
    flags: &mut Flags,
    pod: &mut Pod,
) {
    let factor = cluster.profile.or_count(node.factor.as_ref(), "receive.factor");
    flags.flag("--receive.replication-factor", factor.value);
    let algorithm = node.hashring.as_ref().map(|hashring| match hashring.algorithm.value {
        HashringAlgorithm::Ketama => "ketama".to_string(),
        HashringAlgorithm::Hashmod => "hashmod".to_string(),
    });
    flags.flag(
        "--receive.hashrings-algorithm",
        algorithm.unwrap_or_else(|| cluster.profile.text("receive.algorithm").value),
    );
    flags.flag("--receive.hashrings-file", format!("{RING}/hashrings.json"));
    pod.mount("hashring", json!({ "configMap": { "name": map_name(ingestor, "hashring") } }), RING);
    if limits && flags.has("--receive.limits-config-file") {
        flags.flag("--receive.limits-config-file", format!("{LIMITS}/limits.yaml"));
        pod.mount("limits", json!({ "configMap": { "name": map_name(ingestor, "limits") } }), LIMITS);
    }
}

fn zones(node: &Receive) -> bool {
    node.hashring.as_ref().and_then(|ring| ring.zones.as_ref()).is_some_and(|zones| zones.value)
}

fn spread_strictly(context: &mut super::output::Context, component: &Component) {
    context.derived(
        "topology_spread",
        json!([{
            "labelSelector": { "matchLabels": component.selector },
            "maxSkew": 1,
            "topologyKey": "topology.kubernetes.io/zone",
            "whenUnsatisfiable": "DoNotSchedule",
        }]),
        "`hashring zones=#true`",
    );
}
