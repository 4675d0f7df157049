//! Mutual TLS between queriers of different clusters, and the Service that lets them in.

use serde_json::{Value, json};

use super::super::flags::Flags;
use super::super::output::{Context, Output};
use super::super::thanos::Pod;
use super::{FILE, endpoints};
use crate::model::{Cluster, Component, Model, Role};
use crate::topology::nodes::whole::Trust;
use crate::topology::values::SecretValue;

const FOLDER: &str = "/etc/thanos/tls";
/// Certificate of this querier, as server and as client.
pub(super) const CERTIFICATE: &str = "/etc/thanos/tls/tls.crt";
/// Its key.
pub(super) const KEY: &str = "/etc/thanos/tls/tls.key";
/// Whom it trusts.
pub(super) const AUTHORITY: &str = "/etc/thanos/tls/ca.crt";

const VOLUME: &str = "grpc-tls";

/// Name of the Secret with the querier's certificate.
fn secret(query: &Component) -> String {
    format!("{}-grpc-tls", query.name)
}

/// Mounts certificate, key and authority.
pub(super) fn mount(cluster: &Cluster, pod: &mut Pod) {
    let (Some(trust), Some(query)) = (&cluster.topology.trust, cluster.first(Role::Query)) else { return };
    let own = json!({ "secret": { "name": secret(query), "items": [
        { "key": "tls.crt", "path": "tls.crt" },
        { "key": "tls.key", "path": "tls.key" },
    ] } });
    let authority = authority(query, trust);
    pod.mount(VOLUME, json!({ "projected": { "sources": [own, { "secret": authority }] } }), FOLDER);
}

fn authority(query: &Component, trust: &Trust) -> Value {
    let (name, key) = match trust.ca.as_ref().map(|ca| &ca.value) {
        Some(SecretValue::Reference { name, key }) => (name.clone(), key.as_str()),
        // Anything else cannot be mounted; cert-manager writes the authority beside the certificate.
        Some(SecretValue::File(_) | SecretValue::Literal(_)) | None => (secret(query), "ca.crt"),
    };
    json!({ "name": name, "items": [{ "key": key, "path": "ca.crt" }] })
}

/// Adds the server side of TLS to a querier that other clusters ask.
pub(super) fn serve(model: &Model, cluster: &Cluster, flags: &mut Flags, pod: &mut Pod) {
    if cluster.topology.trust.is_none() || !endpoints::is_reached(model, cluster) {
        return;
    }
    mount(cluster, pod);
    flags
        .flag("--grpc-server-tls-cert", CERTIFICATE)
        .flag("--grpc-server-tls-key", KEY)
        .flag("--grpc-server-tls-client-ca", AUTHORITY);
}

/// Adds certificate and published Service of a querier, as far as other clusters need them.
pub(super) fn render(out: &mut Output, model: &Model, query: &Component) {
    let cluster = out.cluster;
    let reached = endpoints::is_reached(model, cluster);
    let reaches = cluster.topology.query.as_ref().is_some_and(|node| !node.reaches.is_empty());
    if let Some(trust) = cluster.topology.trust.as_ref().filter(|_| reached || reaches) {
        certificate(out, trust, query);
    }
    if reached {
        published(out, query);
        open(out, query);
    }
}

fn certificate(out: &mut Output, trust: &Trust, query: &Component) {
    let cluster = out.cluster;
    let Some(issuer) = &trust.issuer else { return };
    let ca_secret = match trust.ca.as_ref().map(|ca| &ca.value) {
        Some(SecretValue::Reference { name, .. }) if issuer.value == "cert-manager" => Some(name),
        _ => None,
    };
    // `cert-manager` signs with the authority's own Secret; any other name is an issuer of the whole cluster.
    let issuer = match ca_secret {
        Some(_) => json!({ "name": cluster.object_name("grpc-ca"), "kind": "Issuer" }),
        None => json!({ "name": issuer.value, "kind": "ClusterIssuer" }),
    };
    let (_, name) = endpoints::published(cluster, query);
    let mut names = vec![name, query.host()];
    names.sort();
    let mut context = Context::default();
    context
        .put("name", secret(query))
        .put("namespace", &query.namespace)
        .put("labels", &query.labels)
        .put("ca_secret", ca_secret)
        .put("issuer", issuer)
        .put("common_name", &query.name)
        .put("dns_names", names);
    out.render(FILE, "certificate", &context);
}

/// A Service that other clusters reach. It passes connections through as they are: the querier itself checks the
/// certificate of who calls.
fn published(out: &mut Output, query: &Component) {
    let cluster = out.cluster;
    let Some(host) = endpoints::host(cluster) else { return };
    let port = if cluster.topology.trust.is_some() { 443 } else { 10901 };
    let mut context = Context::default();
    context
        .put("name", format!("{}-grpc", query.name))
        .put("namespace", &query.namespace)
        .put("labels", &query.labels)
        .put("annotations", json!({ "external-dns.alpha.kubernetes.io/hostname": host }))
        .put("headless", false)
        .put("publish_not_ready", Value::Null)
        .put("type", "LoadBalancer")
        .put("selector", &query.selector)
        .put("ports", json!([super::port("grpc", port, Some("TCP"))]));
    out.render(FILE, "service", &context);
}

/// Lets callers from outside at the StoreAPI; policies add up.
fn open(out: &mut Output, query: &Component) {
    let cluster = out.cluster;
    let network = cluster.topology.network.as_ref().and_then(|network| network.policies.as_ref());
    if !cluster.profile.flag("network.policies") || network.is_some_and(|policies| !policies.value) {
        return;
    }
    let mut context = Context::default();
    context
        .put("name", format!("{}-grpc", query.name))
        .put("namespace", &query.namespace)
        .put("labels", &query.labels)
        .put("selector", &query.selector)
        .derived(
            "ingress",
            json!([{ "ports": [{ "port": "grpc", "protocol": "TCP" }] }]),
            "queriers of other clusters",
        );
    out.render(FILE, "networkpolicy", &context);
}
