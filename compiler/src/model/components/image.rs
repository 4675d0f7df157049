//! Which image a component runs from, and as which user.

use super::Lister;
use crate::diagnostic::Diagnostic;
use crate::facts::{Image, image_facts};
use crate::model::profile::line;
use crate::model::{Cluster, Role, Sourced};
use crate::pipeline::Origin;
use crate::topology::decode::Written;
use crate::topology::nodes::whole::Runtime;

impl Lister<'_> {
    /// The image reference and the user it runs as.
    pub(super) fn image(
        &mut self,
        role: Role,
        image: Image,
        written: Option<&Written<String>>,
    ) -> (Sourced<String>, u32) {
        let cluster = self.cluster;
        let versions = &cluster.versions;
        let target = cluster.topology.target.as_ref();
        let (version, version_span) = match image {
            Image::Prometheus => {
                (Some(versions.prometheus), target.and_then(|t| t.prometheus.as_ref().map(|v| v.span)))
            }
            Image::Thanos => (Some(versions.thanos), target.and_then(|t| t.thanos.as_ref().map(|v| v.span))),
            Image::Alertmanager => {
                (Some(versions.alertmanager), target.and_then(|t| t.alertmanager.as_ref().map(|v| v.span)))
            }
            Image::KubeStateMetrics => (
                Some(versions.kube_state_metrics),
                target.and_then(|t| t.kube_state_metrics.as_ref().map(|v| v.span)),
            ),
            Image::NodeExporter => {
                (Some(versions.node_exporter), target.and_then(|t| t.node_exporter.as_ref().map(|v| v.span)))
            }
            Image::Grafana => {
                (Some(versions.grafana), target.and_then(|t| t.grafana.as_ref().map(|v| v.span)))
            }
            _ => (None, None),
        };
        let text = version.map(|version| version.to_string());
        let facts = image_facts(image, text.as_deref()).ok();
        let user = match (facts.as_ref().map_or(0, |facts| facts.uid), image) {
            // Images that set no user run as root, which no restricted namespace admits.
            (0, _) => 65534,
            // The sidecar hard-links Prometheus' blocks: both must be one user.
            (_, Image::Thanos) if role == Role::Prometheus => 65534,
            (uid, _) => uid,
        };
        let origin = version_span
            .map_or_else(|| Origin::Derived("default version of the image".to_string()), Origin::Line);
        let reference = match written {
            Some(written) if written.value == "thanos" || written.value == "pronoia" => Sourced {
                value: if written.value == "pronoia" {
                    own_image(cluster)
                } else {
                    facts.map(|f| f.to_string()).unwrap_or_default()
                },
                origin: Origin::Line(written.span),
            },
            Some(written) => {
                if !written.value.contains('/') && !written.value.contains(':') {
                    self.diagnostics.push(
                        Diagnostic::error("KDL007", written.span, format!("`{}` is no image", written.value))
                            .help("write `thanos`, `pronoia`, or a full reference such as \"quay.io/thanos/thanos:v0.42.4\""),
                    );
                }
                line(written)
            }
            None if image == Image::Thanos && cluster.runtime == Runtime::Pronoia => {
                Sourced { value: own_image(cluster), origin }
            }
            None => Sourced { value: facts.map(|facts| facts.to_string()).unwrap_or_default(), origin },
        };
        let registry = target.and_then(|target| target.registry.as_ref());
        let reference = match registry {
            Some(registry) if written.is_none_or(|written| !written.value.contains('/')) => {
                let rest = reference.value.split_once('/').map_or(reference.value.as_str(), |(_, rest)| rest);
                Sourced {
                    value: format!("{}/{rest}", registry.value.trim_end_matches('/')),
                    origin: Origin::Line(registry.span),
                }
            }
            _ => reference,
        };
        (bare_spelling(cluster.bare, image, reference), user)
    }
}

/// The tutorial writes Docker Hub's short names.
fn bare_spelling(bare: bool, image: Image, reference: Sourced<String>) -> Sourced<String> {
    if !bare {
        return reference;
    }
    reference.map(|text| match image {
        Image::Prometheus => text.replace("quay.io/prometheus/prometheus", "prom/prometheus"),
        Image::Thanos => text.replace("quay.io/thanos/thanos", "thanosio/thanos"),
        Image::KubeStateMetrics => text.replace(
            "registry.k8s.io/kube-state-metrics/kube-state-metrics",
            "quay.io/coreos/kube-state-metrics",
        ),
        Image::NfsSubdirExternalProvisioner => text.replace(
            "registry.k8s.io/sig-storage/nfs-subdir-external-provisioner",
            "registry.cn-hangzhou.aliyuncs.com/lfy_k8s_images/nfs-subdir-external-provisioner",
        ),
        _ => text,
    })
}

/// The image of our own runtime.
pub fn own_image(cluster: &Cluster) -> String {
    format!("ghcr.io/pronoia/pronoiad:v{}", cluster.versions.thanos)
}

/// The image of components that have no node of their own: the sidecar beside Prometheus.
pub fn runtime_image(cluster: &Cluster) -> String {
    let mut diagnostics = Vec::new();
    let mut lister = Lister { cluster, diagnostics: &mut diagnostics, components: Vec::new() };
    lister.image(Role::Prometheus, Image::Thanos, None).0.value
}
