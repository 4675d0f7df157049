//! Hardened presets for Kubernetes itself and for what runs in it unknown to the topology.

use super::Surroundings;
use super::build::Draft;
use super::config::{Authorization, HttpClient, KubernetesSd, ScrapeConfig, SdRole, SdSelector, TlsConfig};
use super::presets::job_name;
use super::rule::{Rule, any_of};
use super::sharding::Sharding;
use crate::topology::nodes::scrape::{Preset, Scrape, Via};

/// Certificate authority that the kubelet mounts into every pod with a token.
pub(super) const SERVICE_ACCOUNT_CA: &str = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt";
/// Token that the kubelet mounts and renews.
pub(super) const SERVICE_ACCOUNT_TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// Splits `host:port`, where the host may be an IPv6 address in brackets.
const HOST: &str = r"(.+?)(?::\d+)?";
const NODE_NAME: &str = "__meta_kubernetes_node_name";
const NAMESPACE: &str = "__meta_kubernetes_namespace";
const SERVICE_NAME: &str = "__meta_kubernetes_service_name";
const SLICE_PORT: &str = "__meta_kubernetes_endpointslice_port_name";
const POD_NAME: &str = "__meta_kubernetes_pod_name";
/// Host of a target without its port: what all ports of one pod share.
const TMP_HOST: &str = "__tmp_host";

/// The job of a preset of this file.
pub(super) fn draft(scrape: &Scrape, around: &Surroundings) -> Draft {
    let preset = scrape.preset.value;
    let name = job_name(preset);
    match preset {
        Preset::Kubelet => Draft::new(name, kubelet(scrape, "/metrics")),
        Preset::Cadvisor => Draft::new(name, cadvisor(scrape)),
        Preset::Apiserver => Draft::new(name, apiserver()),
        Preset::Coredns => Draft::new(name, coredns()),
        Preset::Etcd => Draft { sharding: Sharding::by(&[POD_NAME], 0), ..Draft::new(name, etcd(scrape)) },
        Preset::AnnotatedServices => {
            let config = annotated_services(scrape, around);
            Draft { sharding: Sharding::by(&[TMP_HOST], 1), ..Draft::new(name, config) }
        }
        _ => Draft {
            sharding: Sharding::by(&[NAMESPACE, POD_NAME], 0),
            ..Draft::new(name, pods(scrape, around))
        },
    }
}

/// The pod's own identity, shown to kubelets and API servers.
pub(super) fn service_account(verify: bool, server_name: Option<&str>) -> HttpClient {
    HttpClient {
        authorization: Some(Authorization {
            credentials_file: Some(SERVICE_ACCOUNT_TOKEN.into()),
            ..Authorization::default()
        }),
        tls_config: Some(TlsConfig {
            ca_file: verify.then(|| SERVICE_ACCOUNT_CA.into()),
            server_name: server_name.map(str::to_owned),
            insecure_skip_verify: (!verify).then_some(true),
            ..TlsConfig::default()
        }),
        ..HttpClient::default()
    }
}

/// The port that the user wrote, when it is a number.
pub(super) fn port_number(scrape: &Scrape) -> Option<u16> {
    scrape.port.as_ref().and_then(|port| port.value.0.parse().ok())
}

/// The port that the user wrote, when it is a name.
pub(super) fn port_name(scrape: &Scrape) -> Option<&str> {
    let name = scrape.port.as_ref().map(|port| port.value.0.as_str());
    name.filter(|name| name.parse::<u16>().is_err())
}

/// Replaces the port of the address.
pub(super) fn set_port(port: u16) -> Rule {
    Rule::rewrite(&["__address__"], HOST, "__address__", &format!("${{1}}:{port}"))
}

fn nodes(scrape: &Scrape) -> Vec<Rule> {
    let mut rules: Vec<Rule> = port_number(scrape).map(set_port).into_iter().collect();
    rules.extend([Rule::copy(NODE_NAME, "instance"), Rule::copy(NODE_NAME, "node")]);
    rules
}

fn kubelet(scrape: &Scrape, path: &str) -> ScrapeConfig {
    let skip = scrape.insecure_skip_verify.as_ref().is_some_and(|skip| skip.value);
    ScrapeConfig {
        metrics_path: (path != "/metrics").then(|| path.into()),
        scheme: Some("https".into()),
        http: service_account(!skip, None),
        kubernetes_sd_configs: vec![KubernetesSd::new(SdRole::Node, &[])],
        relabel_configs: nodes(scrape),
        ..ScrapeConfig::default()
    }
}

fn cadvisor(scrape: &Scrape) -> ScrapeConfig {
    // The timestamps are those of cAdvisor's own housekeeping: they would hide that a container is gone.
    let honor_timestamps = Some(false);
    if scrape.via.as_ref().map(|via| via.value) != Some(Via::ApiserverProxy) {
        return ScrapeConfig { honor_timestamps, ..kubelet(scrape, "/metrics/cadvisor") };
    }
    let mut relabel_configs = vec![
        Rule::set("__address__", "kubernetes.default.svc:443"),
        Rule::rewrite(&[NODE_NAME], "(.+)", "__metrics_path__", "/api/v1/nodes/${1}/proxy/metrics/cadvisor"),
    ];
    relabel_configs.extend([Rule::copy(NODE_NAME, "instance"), Rule::copy(NODE_NAME, "node")]);
    ScrapeConfig {
        honor_timestamps,
        scheme: Some("https".into()),
        http: service_account(true, None),
        kubernetes_sd_configs: vec![KubernetesSd::new(SdRole::Node, &[])],
        relabel_configs,
        ..ScrapeConfig::default()
    }
}

fn apiserver() -> ScrapeConfig {
    ScrapeConfig {
        scheme: Some("https".into()),
        http: service_account(true, Some("kubernetes.default.svc")),
        kubernetes_sd_configs: vec![KubernetesSd::new(SdRole::Endpointslice, &["default".into()])],
        relabel_configs: vec![Rule::keep(&[SERVICE_NAME, SLICE_PORT], "kubernetes;https")],
        ..ScrapeConfig::default()
    }
}

fn coredns() -> ScrapeConfig {
    ScrapeConfig {
        kubernetes_sd_configs: vec![KubernetesSd::new(SdRole::Endpointslice, &["kube-system".into()])],
        relabel_configs: vec![
            Rule::keep(&[SERVICE_NAME, SLICE_PORT], "kube-dns;metrics"),
            Rule::copy(NAMESPACE, "namespace"),
            Rule::copy(POD_NAME, "pod"),
            Rule::copy(POD_NAME, "instance"),
        ],
        ..ScrapeConfig::default()
    }
}

/// etcd's static pods, which declare no container port for metrics.
fn etcd(scrape: &Scrape) -> ScrapeConfig {
    const POD_IP: &str = "__meta_kubernetes_pod_ip";
    let port = port_number(scrape).unwrap_or(2381);
    let mut discovery = KubernetesSd::new(SdRole::Pod, &["kube-system".into()]);
    discovery.selectors = vec![SdSelector {
        role: SdRole::Pod,
        label: Some("component=etcd,tier=control-plane".into()),
        field: None,
    }];
    ScrapeConfig {
        kubernetes_sd_configs: vec![discovery],
        relabel_configs: vec![
            Rule::rewrite(&[POD_IP], "([^:]+)", "__address__", &format!("${{1}}:{port}")),
            Rule::rewrite(&[POD_IP], "(.*:.*)", "__address__", &format!("[${{1}}]:{port}")),
            Rule::copy(NAMESPACE, "namespace"),
            Rule::copy(POD_NAME, "pod"),
            Rule::copy("__meta_kubernetes_pod_node_name", "instance"),
        ],
        ..ScrapeConfig::default()
    }
}

/// The rules that follow `prometheus.io/scheme`, `path` and `port` of a Service or a pod.
fn annotated(kind: &str) -> [Rule; 3] {
    let annotation = |name: &str| format!("__meta_kubernetes_{kind}_annotation_prometheus_io_{name}");
    [
        Rule::copy(&annotation("scheme"), "__scheme__").matching("(https?)"),
        Rule::copy(&annotation("path"), "__metrics_path__").matching("(.+)"),
        Rule::rewrite(&["__address__", &annotation("port")], r"(.+?)(?::\d+)?;(\d+)", "__address__", "$1:$2"),
    ]
}

fn fallback_protocol(around: &Surroundings) -> Option<String> {
    // Prometheus 3 refuses answers without a known content type unless told what they are.
    (around.prometheus.major >= 3).then(|| "PrometheusText0.0.4".into())
}

fn annotated_services(scrape: &Scrape, around: &Surroundings) -> ScrapeConfig {
    const SCRAPE: &str = "__meta_kubernetes_service_annotation_prometheus_io_scrape";
    // The host comes first: ports of one pod that lead to one target must be hashed alike.
    let mut rules = vec![Rule::copy("__address__", TMP_HOST).matching(HOST), Rule::keep(&[SCRAPE], "true")];
    rules.extend(port_name(scrape).map(|port| Rule::keep(&[SLICE_PORT], &any_of([port]))));
    rules.extend(annotated("service"));
    rules.extend(port_number(scrape).map(set_port));
    rules.extend([
        Rule::copy(NAMESPACE, "namespace"),
        Rule::copy(SERVICE_NAME, "service"),
        Rule::copy(POD_NAME, "pod"),
    ]);
    ScrapeConfig {
        fallback_scrape_protocol: fallback_protocol(around),
        kubernetes_sd_configs: vec![KubernetesSd::new(SdRole::Endpointslice, &[])],
        relabel_configs: rules,
        ..ScrapeConfig::default()
    }
}

fn pods(scrape: &Scrape, around: &Surroundings) -> ScrapeConfig {
    const SCRAPE: &str = "__meta_kubernetes_pod_annotation_prometheus_io_scrape";
    const CONTAINER_PORT: &str = "__meta_kubernetes_pod_container_port_name";
    let chosen = scrape.matches.iter().any(|rule| rule.annotation.is_some() || rule.label.is_some());
    let by_port = port_name(scrape).is_some() || scrape.matches.iter().any(|rule| rule.port.is_some());
    let mut rules = vec![Rule::drop(&["__meta_kubernetes_pod_phase"], "Pending|Succeeded|Failed")];
    if !chosen && !by_port {
        rules.push(Rule::keep(&[SCRAPE], "true"));
    }
    rules.extend(port_name(scrape).map(|port| Rule::keep(&[CONTAINER_PORT], &any_of([port]))));
    if !by_port {
        rules.extend(annotated("pod"));
        rules.extend(port_number(scrape).map(set_port));
    }
    rules.extend([Rule::copy(NAMESPACE, "namespace"), Rule::copy(POD_NAME, "pod")]);
    if by_port {
        // Only then is a target one container; otherwise its ports lead to one target and must look alike.
        rules.push(Rule::copy("__meta_kubernetes_pod_container_name", "container"));
    }
    ScrapeConfig {
        fallback_scrape_protocol: fallback_protocol(around),
        kubernetes_sd_configs: vec![KubernetesSd::new(SdRole::Pod, &[])],
        relabel_configs: rules,
        ..ScrapeConfig::default()
    }
}
