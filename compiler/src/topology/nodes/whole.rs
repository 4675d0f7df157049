//! `topology` itself and what describes the whole deployment: target versions, estimates, trust, secrets.

use super::alerting::{Alertmanager, Grafana, Rules};
use super::bucket::Bucket;
use super::escape::{Ack, Allow, Args, Manifest, Patch};
use super::kubernetes::{Blackbox, KubeStateMetrics, Network, NodeExporter, Storage, Workload};
use super::prometheus::Prometheus;
use super::thanos::{Compact, Push, Query, Receive, Ruler, Store};
use crate::topology::decode::{node, words};
use crate::topology::values::{SecretValue, VersionText};

words! {
    /// Which runtime images are deployed.
    Runtime {
        /// Stock Thanos.
        Thanos = "thanos",
        /// Our own `pronoiad`.
        Pronoia = "pronoia",
    }
}

words! {
    /// Log level of every component.
    LogLevel {
        /// Everything.
        Debug = "debug",
        /// The usual.
        Info = "info",
        /// Only what needs attention.
        Warn = "warn",
        /// Only failures.
        Error = "error",
    }
}

words! {
    /// What stands in the manifests where a secret is needed.
    SecretBackend {
        /// Nothing: the Secret exists already.
        Existing = "existing",
        /// A Secret without data, to be filled by hand.
        Stub = "stub",
        /// An ExternalSecret object.
        ExternalSecrets = "external-secrets",
        /// A Secret whose values are SOPS placeholders.
        Sops = "sops",
    }
}

node! {
    /// One deployment: everything between its braces is rendered together.
    Topology "topology" {
        needs {
            /// Name; it prefixes every object and is the default `cluster` label.
            name: String,
        }
        props {
            /// Kubernetes namespace of all components that do not name another.
            namespace: String = "namespace",
            /// Set of defaults: `hardened` (default), `bare`, or one declared by a `profile` node.
            profile: String = "profile",
            /// Log level of all components.
            log: LogLevel = "log",
            /// Renders the built-in alerts of every deployed component; `#false` leaves them out.
            alerts: bool = "alerts",
            /// Failure zone of the cluster, for reports.
            zone: String = "zone",
            /// `server` (default) or `agent`: what kind of Prometheus the cluster runs.
            mode: super::prometheus::Mode = "mode",
        }
        one {
            /// Versions and images.
            target: Target,
            /// Sizes that the capacity model starts from.
            estimate: Estimate,
            /// Certificates between clusters.
            trust: Trust,
            /// Where secrets come from.
            secrets: Secrets,
            /// Traffic rules.
            network: Network,
            /// Alertmanager.
            alertmanager: Alertmanager,
            /// kube-state-metrics.
            kube_state_metrics: KubeStateMetrics,
            /// node-exporter.
            node_exporter: NodeExporter,
            /// blackbox-exporter.
            blackbox: Blackbox,
            /// The object storage bucket.
            bucket: Bucket,
            /// Store gateways.
            store: Store,
            /// The compactor.
            compact: Compact,
            /// Queriers.
            query: Query,
            /// Rulers.
            ruler: Ruler,
            /// Receivers.
            receive: Receive,
            /// Remote write to the receivers of another cluster of this file.
            push: Push,
            /// Grafana.
            grafana: Grafana,
        }
        many {
            /// Storage classes to create.
            storage: Storage,
            /// Prometheus groups.
            prometheus: Prometheus,
            /// Rules.
            rules: Rules,
            /// Other Deployments.
            workload: Workload,
            /// Changes to rendered objects.
            patch: Patch,
            /// Extra flags.
            args: Args,
            /// Extra manifests.
            manifest: Manifest,
            /// Findings that are accepted.
            allow: Allow,
            /// Hazards that are accepted.
            ack: Ack,
        }
    }
}

node! {
    /// Versions, which decide on flags, schemas and images.
    Target "target" {
        props {
            /// Kubernetes version.
            kubernetes: VersionText = "kubernetes",
            /// Prometheus version, 2.37 to 3.14.
            prometheus: VersionText = "prometheus",
            /// Thanos version, 0.28 to 0.43; flags are chosen by it for both runtimes.
            thanos: VersionText = "thanos",
            /// Alertmanager version.
            alertmanager: VersionText = "alertmanager",
            /// kube-state-metrics version.
            kube_state_metrics: VersionText = "kube-state-metrics",
            /// node-exporter version.
            node_exporter: VersionText = "node-exporter",
            /// Grafana version.
            grafana: VersionText = "grafana",
            /// Runtime: stock Thanos or our own images.
            image: Runtime = "image",
            /// Registry prefix that replaces the registry of every image.
            registry: String = "registry",
        }
    }
}

node! {
    /// Sizes for the capacity model.
    Estimate "estimate" {
        props {
            /// Kubernetes nodes.
            nodes: u32 = "nodes",
            /// Pods.
            pods: u32 = "pods",
            /// Series per pod.
            series_per_pod: u32 = "series-per-pod",
            /// Active series of one Prometheus group; overrides the computed number.
            series: u64 = "series",
            /// Share of series replaced per day.
            churn_per_day: f64 = "churn-per-day",
            /// Price of a GiB in the bucket per month; an input, never a default.
            bucket_price: f64 = "bucket-price-per-gib-month",
        }
    }
}

node! {
    /// Mutual TLS between clusters.
    Trust "trust" {
        props {
            /// Certificate authority.
            ca: SecretValue = "ca",
            /// Who issues the certificates: `cert-manager`, or leave out when Secrets exist already.
            issuer: String = "issuer",
        }
    }
}

node! {
    /// Where secrets come from.
    Secrets "secrets" {
        props {
            /// What is rendered for a secret.
            backend: SecretBackend = "backend",
            /// Name of the ClusterSecretStore, for `external-secrets`.
            store: String = "store",
        }
    }
}
