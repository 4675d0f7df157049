//! The query frontend.

use serde_json::Value;

use super::super::output::Output;
use super::super::surround;
use super::super::thanos::{self, Cache, Pod};
use crate::facts;
use crate::model::Component;
use crate::pipeline::Origin;
use crate::topology::nodes::thanos::{Frontend, Query};
use crate::topology::values::Size;

/// Where the frontend is written.
pub(super) const FILE: &str = "60-thanos/frontend.yaml";

/// Adds the frontend of a querier.
pub(super) fn render(
    out: &mut Output,
    query: &Query,
    node: &Frontend,
    front: &Component,
    querier: &Component,
) {
    let cluster = out.cluster;
    surround::services(out, FILE, front);
    let mut pod = Pod::new(cluster, front);
    pod.probes(120, None);
    if cluster.bare && !matches!(front.replicas.origin, Origin::Line(_)) {
        pod.context.put("replicas", Value::Null);
    }
    let mut flags = thanos::flags(cluster, facts::Component::QueryFrontend);
    let port = querier.port("http").map_or(9090, |port| port.service);
    flags.flag("--query-frontend.downstream-url", format!("http://{}:{port}", querier.host()));
    let split = cluster.profile.or_duration(node.split.as_ref(), "frontend.split");
    if thanos::stated(cluster, &split) {
        let split = split.value.map(thanos::go_duration);
        flags.maybe("--query-range.split-interval", split.clone()).maybe("--labels.split-interval", split);
    }
    let cache = cluster.profile.or_text(node.cache.as_ref(), "frontend.cache");
    if thanos::stated(cluster, &cache) {
        // Half of the memory: the other half is for the answers on their way.
        let memory = front.resources.as_ref().and_then(|resources| Size::parse(&resources.memory));
        let megabytes = memory.map_or(256, |memory| (memory.bytes / 2_000_000).max(16));
        if let Some(cache) = Cache::read(out, &cache, megabytes) {
            flags
                .flag("--query-range.response-cache-config", cache.yaml())
                .flag("--labels.response-cache-config", cache.yaml());
        }
    }
    if !cluster.bare {
        flags.switch("--query-frontend.compress-responses");
    }
    // The frontend writes its own default into every request that does not say.
    if super::aborts(query) {
        flags.switch("--no-query-range.partial-response").switch("--no-labels.partial-response");
    }
    if cluster.topology.receive.is_some() {
        let tenants = super::super::receive::Tenancy::of(cluster);
        let header = match flags.has("--query-frontend.tenant-header") {
            true => "--query-frontend.tenant-header",
            false => "--query-frontend.org-id-header",
        };
        flags.flag(header, &tenants.header).flag("--query-frontend.default-tenant-id", &tenants.default);
    }
    pod.finish(out, FILE, "thanos-query-frontend", flags);
}
