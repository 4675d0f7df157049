//! Presets as tutorials write them, field for field. What is wrong with them is said by the checks, not mended here.

use prom_model::RelabelAction;

use super::build::Draft;
use super::config::{HttpClient, KubernetesSd, ScrapeConfig, SdRole, StaticConfig, TlsConfig};
use super::kubernetes::{SERVICE_ACCOUNT_CA, SERVICE_ACCOUNT_TOKEN};
use super::presets::job_name;
use super::rule::{Pattern, Rule};
use super::{Component, Surroundings};
use crate::topology::nodes::scrape::{Preset, Scrape, Via};

/// The job of a preset that has a bare form of its own.
pub(super) fn draft(scrape: &Scrape, around: &Surroundings) -> Option<Draft> {
    let preset = scrape.preset.value;
    let mut component = None;
    let config = match preset {
        Preset::Itself => ScrapeConfig {
            static_configs: vec![StaticConfig {
                targets: vec!["localhost:9090".into()],
                ..StaticConfig::default()
            }],
            ..ScrapeConfig::default()
        },
        Preset::KubeStateMetrics => {
            let found = around.components.iter().find(|component| component.job == preset.word())?;
            component = Some(found.job.clone());
            ScrapeConfig {
                static_configs: vec![StaticConfig {
                    targets: vec![service_address(found, around)?],
                    ..StaticConfig::default()
                }],
                ..ScrapeConfig::default()
            }
        }
        Preset::NodeExporter => ScrapeConfig {
            kubernetes_sd_configs: vec![KubernetesSd::new(SdRole::Node, &[])],
            relabel_configs: vec![
                explicit(Rule::rewrite(&["__address__"], "(.*):10250", "__address__", "${1}:9100")),
                Rule::labelmap("__meta_kubernetes_node_label_(.+)"),
            ],
            ..ScrapeConfig::default()
        },
        Preset::Kubelet => kubelet(true, None),
        Preset::Cadvisor => match scrape.via.as_ref().map(|via| via.value) {
            Some(Via::ApiserverProxy) => {
                let mut config = kubelet(false, None);
                config.relabel_configs.extend([
                    Rule::set("__address__", "kubernetes.default.svc:443"),
                    Rule::rewrite(
                        &["__meta_kubernetes_node_name"],
                        "(.+)",
                        "__metrics_path__",
                        "/api/v1/nodes/${1}/proxy/metrics/cadvisor",
                    ),
                ]);
                config
            }
            _ => kubelet(true, Some("/metrics/cadvisor")),
        },
        Preset::Apiserver => ScrapeConfig {
            scheme: Some("https".into()),
            http: service_account(false),
            kubernetes_sd_configs: vec![KubernetesSd::new(SdRole::Endpoints, &[])],
            relabel_configs: vec![Rule::keep(
                &[
                    "__meta_kubernetes_namespace",
                    "__meta_kubernetes_service_name",
                    "__meta_kubernetes_endpoint_port_name",
                ],
                "default;kubernetes;https",
            )],
            ..ScrapeConfig::default()
        },
        Preset::AnnotatedServices => annotated_services(),
        _ => return None,
    };
    Some(Draft { component, ..Draft::new(job_name(preset), config) })
}

/// `service:port` inside the namespace, `service.namespace:port` outside.
fn service_address(component: &Component, around: &Surroundings) -> Option<String> {
    let service = component.services.first()?;
    Some(if component.namespace == around.namespace {
        format!("{service}:{}", component.port)
    } else {
        format!("{service}.{}:{}", component.namespace, component.port)
    })
}

fn service_account(skip_verify: bool) -> HttpClient {
    HttpClient {
        tls_config: Some(TlsConfig {
            ca_file: Some(SERVICE_ACCOUNT_CA.into()),
            insecure_skip_verify: skip_verify.then_some(true),
            ..TlsConfig::default()
        }),
        bearer_token_file: Some(SERVICE_ACCOUNT_TOKEN.into()),
        ..HttpClient::default()
    }
}

fn kubelet(skip_verify: bool, path: Option<&str>) -> ScrapeConfig {
    ScrapeConfig {
        metrics_path: path.map(str::to_owned),
        scheme: Some("https".into()),
        http: service_account(skip_verify),
        kubernetes_sd_configs: vec![KubernetesSd::new(SdRole::Node, &[])],
        relabel_configs: vec![Rule::labelmap("__meta_kubernetes_node_label_(.+)")],
        ..ScrapeConfig::default()
    }
}

/// With `action: replace` written out.
fn explicit(rule: Rule) -> Rule {
    Rule { action: Some(RelabelAction::Replace), ..rule }
}

fn annotated_services() -> ScrapeConfig {
    const SCRAPE: &str = "__meta_kubernetes_service_annotation_prometheus_io_scrape";
    const SCHEME: &str = "__meta_kubernetes_service_annotation_prometheus_io_scheme";
    const PATH: &str = "__meta_kubernetes_service_annotation_prometheus_io_path";
    const PORT: &str = "__meta_kubernetes_service_annotation_prometheus_io_port";
    let relabel_configs = vec![
        Rule { regex: Some(Pattern::Word(true)), ..Rule::keep(&[SCRAPE], "") },
        explicit(Rule::copy(SCHEME, "__scheme__").matching("(https?)")),
        explicit(Rule::copy(PATH, "__metrics_path__").matching("(.+)")),
        explicit(Rule::rewrite(&["__address__", PORT], r"([^:]+)(?::\d+)?;(\d+)", "__address__", "$1:$2")),
        Rule::labelmap("__meta_kubernetes_service_label_(.+)"),
        explicit(Rule::copy("__meta_kubernetes_namespace", "kubernetes_namespace")),
        explicit(Rule::copy("__meta_kubernetes_service_name", "kubernetes_name")),
        explicit(Rule::copy("__meta_kubernetes_pod_name", "kubernetes_pod_name")),
    ];
    ScrapeConfig {
        kubernetes_sd_configs: vec![KubernetesSd::new(SdRole::Endpoints, &[])],
        relabel_configs,
        ..ScrapeConfig::default()
    }
}
