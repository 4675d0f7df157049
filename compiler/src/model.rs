//! What a topology means: defaults filled in, names given, the graph drawn. Everything after this reads the model only.

pub mod alertmanager;
pub mod bucket;
pub mod build;
pub mod capacity;
pub mod components;
pub mod extra;
pub mod graph;
pub mod jobs;
pub mod local;
pub mod profile;
pub mod prometheus;
pub mod rules;
pub mod scrape;
pub mod shards;
pub mod storage;

use std::collections::BTreeMap;

use crate::facts::Version;
use crate::source::Span;
use crate::topology::nodes::whole::{Runtime, SecretBackend, Topology};
use crate::topology::values::Size;
pub use profile::{Profile, Sourced};
pub use prometheus::PrometheusGroup;

/// The whole input: one cluster, or several that know each other.
#[derive(Debug)]
pub struct Model {
    /// Name of the topology.
    pub name: String,
    /// The clusters, in the order of the file.
    pub clusters: Vec<Cluster>,
}

/// One cluster: one folder of output.
#[derive(Debug)]
pub struct Cluster {
    /// Name of the cluster; the topology's name when it has no clusters.
    pub name: String,
    /// Folder below the output folder: empty, or `NAME/`.
    pub folder: String,
    /// Prefix of object names, without the hyphen; empty under `bare`.
    pub prefix: String,
    /// Namespace of what does not name another.
    pub namespace: String,
    /// Namespaces that are created, sorted.
    pub namespaces: Vec<String>,
    /// The defaults.
    pub profile: Profile,
    /// Whether the profile is `bare`: objects as a tutorial writes them.
    pub bare: bool,
    /// Versions.
    pub versions: Versions,
    /// Which runtime images are deployed.
    pub runtime: Runtime,
    /// What stands where a secret is needed.
    pub secrets: SecretBackend,
    /// Log level of all components.
    pub log: Sourced<String>,
    /// The decoded nodes.
    pub topology: Topology,
    /// Prometheus groups.
    pub prometheus: Vec<PrometheusGroup>,
    /// Everything that runs, in the order of output.
    pub components: Vec<Component>,
    /// Where `push` sends samples.
    pub push: Option<PushTarget>,
    /// The user's own manifests: path and documents.
    pub manifests: Vec<(String, Vec<serde_json::Value>)>,
    /// The user's own blackbox-exporter configuration.
    pub blackbox_config: Option<String>,
    /// Its processes, when it runs on one machine without Kubernetes.
    pub local: Option<local::Local>,
    /// Who talks to whom.
    pub edges: Vec<crate::pipeline::Edge>,
    /// Rules and who evaluates them.
    pub rules: rules::Rules,
    /// Alertmanager: one that runs here, or somebody else's.
    pub alertmanager: Option<alertmanager::Alertmanager>,
}

/// The receivers that a cluster pushes to.
#[derive(Debug, Clone)]
pub struct PushTarget {
    /// URL of remote write.
    pub url: String,
    /// Header that carries the tenant.
    pub header: String,
    /// Tenant.
    pub tenant: Option<String>,
    /// Whether it is in another cluster, so that certificates are checked.
    pub remote: bool,
}

/// Versions of everything.
#[derive(Debug, Clone)]
pub struct Versions {
    /// Kubernetes.
    pub kubernetes: Version,
    /// Prometheus.
    pub prometheus: Version,
    /// Thanos: decides on flags for both runtimes.
    pub thanos: Version,
    /// Alertmanager.
    pub alertmanager: Version,
    /// kube-state-metrics.
    pub kube_state_metrics: Version,
    /// node-exporter.
    pub node_exporter: Version,
    /// Grafana.
    pub grafana: Version,
}

/// What a component is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// One shard of a Prometheus group, with its sidecar.
    Prometheus,
    /// Store gateway.
    Store,
    /// Compactor.
    Compact,
    /// Querier.
    Query,
    /// Query frontend.
    QueryFrontend,
    /// Ruler.
    Ruler,
    /// Receiver that stores.
    Receive,
    /// Receiver that routes.
    ReceiveRouter,
    /// Alertmanager.
    Alertmanager,
    /// kube-state-metrics.
    KubeStateMetrics,
    /// node-exporter.
    NodeExporter,
    /// blackbox-exporter.
    Blackbox,
    /// MinIO.
    Minio,
    /// Grafana.
    Grafana,
    /// NFS provisioner.
    NfsProvisioner,
    /// A Deployment of the user's.
    Workload,
}

impl Role {
    /// The name in flags, labels and `args NAME`.
    pub fn word(self) -> &'static str {
        match self {
            Role::Prometheus => "prometheus",
            Role::Store => "store",
            Role::Compact => "compact",
            Role::Query => "query",
            Role::QueryFrontend => "frontend",
            Role::Ruler => "ruler",
            Role::Receive => "receive",
            Role::ReceiveRouter => "receive-router",
            Role::Alertmanager => "alertmanager",
            Role::KubeStateMetrics => "kube-state-metrics",
            Role::NodeExporter => "node-exporter",
            Role::Blackbox => "blackbox",
            Role::Minio => "minio",
            Role::Grafana => "grafana",
            Role::NfsProvisioner => "nfs-provisioner",
            Role::Workload => "workload",
        }
    }

    /// The job under which it is scraped.
    pub fn job(self) -> &'static str {
        match self {
            Role::Store => "thanos-store",
            Role::Compact => "thanos-compact",
            Role::Query => "thanos-query",
            Role::QueryFrontend => "thanos-query-frontend",
            Role::Ruler => "thanos-ruler",
            Role::Receive => "thanos-receive",
            Role::ReceiveRouter => "thanos-receive-router",
            other => other.word(),
        }
    }
}

/// A named port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Port {
    /// Name, at most 15 characters.
    pub name: &'static str,
    /// Container port.
    pub number: u16,
    /// Port of the Service, when it differs.
    pub service: u16,
    /// UDP instead of TCP.
    pub udp: bool,
}

impl Port {
    /// A TCP port that the Service publishes under the same number.
    pub const fn tcp(name: &'static str, number: u16) -> Port {
        Port { name, number, service: number, udp: false }
    }
}

/// Requests and limits of one container.
#[derive(Debug, Clone, PartialEq)]
pub struct Resources {
    /// Processor request.
    pub cpu: Sourced<String>,
    /// Memory request, and limit.
    pub memory: Sourced<String>,
}

/// One thing that runs: a workload with its Services.
#[derive(Debug, Clone)]
pub struct Component {
    /// What it is for.
    pub role: Role,
    /// Name of the workload object.
    pub name: String,
    /// Namespace.
    pub namespace: String,
    /// Prometheus group, for [`Role::Prometheus`].
    pub group: usize,
    /// Shard number, for roles that are sharded.
    pub shard: Option<u32>,
    /// Index of the time window, for store gateways.
    pub window: Option<usize>,
    /// Replicas.
    pub replicas: Sourced<u32>,
    /// Image.
    pub image: Sourced<String>,
    /// User and group that it runs as.
    pub user: u32,
    /// Labels of all its objects.
    pub labels: BTreeMap<String, String>,
    /// Labels that select its pods; never change.
    pub selector: BTreeMap<String, String>,
    /// Ports of its main container.
    pub ports: Vec<Port>,
    /// Name of the Service that balances over it, if it has one.
    pub service: Option<String>,
    /// Name of its headless Service, if it has one.
    pub headless: Option<String>,
    /// Service account; `None` means the namespace's default one.
    pub service_account: Option<String>,
    /// Requests and limits; `None` when the profile sets none.
    pub resources: Option<Resources>,
    /// Volume size; `None` means no volume.
    pub disk: Option<Sourced<Size>>,
    /// Storage class; `None` means the cluster's default.
    pub class: Option<Sourced<String>>,
    /// Seconds between SIGTERM and SIGKILL.
    pub grace_seconds: Option<Sourced<i64>>,
    /// Whether it is a StatefulSet.
    pub stateful: bool,
    /// The node of the topology.
    pub span: Span,
}

impl Component {
    /// The port of this name.
    pub fn port(&self, name: &str) -> Option<&Port> {
        self.ports.iter().find(|port| port.name == name)
    }

    /// `NAME.NAMESPACE.svc`, the address of its balancing Service.
    pub fn host(&self) -> String {
        let service = self.service.as_deref().or(self.headless.as_deref()).unwrap_or(&self.name);
        format!("{service}.{}.svc", self.namespace)
    }

    /// SRV name of a port behind the headless Service: `_grpc._tcp.NAME.NAMESPACE.svc`.
    pub fn srv(&self, port: &str) -> String {
        let service = self.headless.as_deref().or(self.service.as_deref()).unwrap_or(&self.name);
        format!("_{port}._tcp.{service}.{}.svc", self.namespace)
    }
}

impl Cluster {
    /// All components of a role.
    pub fn with_role(&self, role: Role) -> impl Iterator<Item = &Component> {
        self.components.iter().filter(move |component| component.role == role)
    }

    /// The first component of a role.
    pub fn first(&self, role: Role) -> Option<&Component> {
        self.with_role(role).next()
    }

    /// `PREFIX-NAME`, or `NAME` when the profile prefixes nothing.
    pub fn object_name(&self, name: &str) -> String {
        if self.prefix.is_empty() { name.to_string() } else { format!("{}-{name}", self.prefix) }
    }

    /// Name of a cluster-scoped object: it carries the namespace, so that two installations never share one.
    pub fn cluster_wide_name(&self, name: &str) -> String {
        if self.bare { name.to_string() } else { format!("{}-{}", self.namespace, self.object_name(name)) }
    }

    /// The same for a name that carries the prefix already.
    pub fn cluster_wide_name_of(&self, name: &str) -> String {
        if self.bare { name.to_string() } else { format!("{}-{name}", self.namespace) }
    }
}
