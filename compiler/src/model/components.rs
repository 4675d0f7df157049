//! Names, ports, images and volumes of everything that runs.

mod image;

use std::collections::BTreeMap;

use super::profile::line;
use super::{Cluster, Component, Port, Resources, Role, Sourced};
use crate::diagnostic::Diagnostic;
use crate::facts::Image;
use crate::source::Span;
use crate::topology::decode::Written;
use crate::topology::nodes::prometheus::ReloadStrategy;
use crate::topology::values::{Cpu, Size};
pub use image::{own_image, runtime_image};

const GRPC: Port = Port::tcp("grpc", 10901);
const HTTP: Port = Port::tcp("http", 10902);
/// The web port of what people open in a browser: 10902 inside, 9090 at the Service.
const HTTP_USER: Port = Port { name: "http", number: 10902, service: 9090, udp: false };

/// What the language lets a user say about any component.
#[derive(Default)]
struct Settings<'a> {
    replicas: Option<&'a Written<u32>>,
    disk: Option<&'a Written<Size>>,
    class: Option<&'a Written<String>>,
    memory: Option<&'a Written<Size>>,
    cpu: Option<&'a Written<Cpu>>,
    image: Option<&'a Written<String>>,
}

/// What a node says about its component: `settings!(node: replicas, disk)`.
macro_rules! settings {
    ($node:ident: $($field:ident),+) => {{
        let mut settings = Settings::default();
        $(settings.$field = $node.$field.as_ref();)+
        settings
    }};
}

/// Lists everything that runs in one cluster.
pub fn list(cluster: &Cluster, diagnostics: &mut Vec<Diagnostic>) -> Vec<Component> {
    let mut lister = Lister { cluster, diagnostics, components: Vec::new() };
    lister.prometheus();
    lister.exporters();
    lister.bucket();
    lister.store();
    lister.compact();
    lister.query();
    lister.ruler();
    lister.receive();
    lister.alertmanager();
    lister.grafana();
    lister.others();
    lister.components
}

struct Lister<'a> {
    cluster: &'a Cluster,
    diagnostics: &'a mut Vec<Diagnostic>,
    components: Vec<Component>,
}

impl Lister<'_> {
    /// A component with everything that follows from its role and the profile.
    fn component(
        &mut self,
        role: Role,
        name: String,
        image: Image,
        span: Span,
        settings: &Settings,
    ) -> Component {
        let cluster = self.cluster;
        let profile = &cluster.profile;
        let key = role.word();
        let (image, user) = self.image(role, image, settings.image);
        let labels = labels(cluster, role, &name);
        let mut selector = labels.clone();
        selector.retain(|label, _| {
            matches!(
                label.as_str(),
                "app"
                    | "app.kubernetes.io/name"
                    | "app.kubernetes.io/instance"
                    | "app.kubernetes.io/component"
            )
        });
        let resources = profile.flag("pod.resources").then(|| Resources {
            cpu: settings
                .cpu
                .map_or_else(|| profile.text(&format!("{key}.cpu")), |cpu| line(cpu).map(|cpu| cpu.0)),
            memory: settings.memory.map_or_else(
                || profile.text(&format!("{key}.memory")),
                |memory| line(memory).map(|memory| memory.quantity()),
            ),
        });
        let grace_key = match role {
            Role::Prometheus => "prometheus.grace",
            Role::Receive => "receive.grace",
            _ => "pod.grace",
        };
        let grace = profile.or_duration(None, grace_key);
        let disk = profile.or_size(settings.disk, &format!("{key}.disk"));
        let origin = disk.origin.clone();
        Component {
            role,
            namespace: cluster.namespace.clone(),
            group: 0,
            shard: None,
            window: None,
            replicas: profile.or_count(settings.replicas, &format!("{key}.replicas")),
            image,
            user,
            labels,
            selector,
            ports: vec![GRPC, HTTP],
            service: None,
            headless: None,
            service_account: profile.flag("pod.service-account").then(|| name.clone()),
            resources,
            disk: disk.value.map(|value| Sourced { value, origin }),
            class: settings.class.map(line).or_else(|| only_class(cluster)),
            grace_seconds: grace
                .value
                .map(|value| Sourced { value: value.as_millis() / 1000, origin: grace.origin }),
            stateful: false,
            name,
            span,
        }
    }

    fn prometheus(&mut self) {
        for (index, group) in self.cluster.prometheus.iter().enumerate() {
            let node = &group.node;
            let settings = settings!(node: replicas, disk, class, memory, cpu, image);
            for shard in 0..group.shards.value {
                let mut component = self.component(
                    Role::Prometheus,
                    group.shard_name(shard),
                    Image::Prometheus,
                    node.name_span,
                    &settings,
                );
                component.group = index;
                component.shard = group.sharded().then_some(shard);
                component.stateful = true;
                component.ports = vec![Port::tcp("http", 9090)];
                if group.sidecar {
                    component.ports.extend([GRPC, Port::tcp("http-sidecar", 10902)]);
                }
                if group.reload.value == ReloadStrategy::Sidecar {
                    component.ports.push(Port::tcp("http-reloader", 10904));
                }
                if self.cluster.bare {
                    // The tutorial names a governing Service that nobody creates.
                    component.headless = Some(component.name.clone());
                    component.labels.insert("thanos-store-api".to_string(), "true".to_string());
                    component.selector.insert("thanos-store-api".to_string(), "true".to_string());
                    component.service_account = Some("prometheus".to_string());
                } else {
                    component.headless = Some(format!("{}-headless", component.name));
                    component.service = Some(component.name.clone());
                    component.service_account = Some(group.base.clone());
                    if let Some(name) = &group.name {
                        insert_both(&mut component, "prometheus-group", name);
                    }
                    if group.sharded() {
                        insert_both(&mut component, "shard", &shard.to_string());
                    }
                }
                self.components.push(component);
            }
        }
    }

    fn exporters(&mut self) {
        let cluster = self.cluster;
        if let Some(node) =
            cluster.topology.kube_state_metrics.as_ref().filter(|node| !is_external(&node.external))
        {
            let settings = settings!(node: memory, cpu, image);
            let name = cluster.object_name("kube-state-metrics");
            let mut component = self.component(
                Role::KubeStateMetrics,
                name.clone(),
                Image::KubeStateMetrics,
                node.name_span,
                &settings,
            );
            component.replicas = Sourced::derived(1, "a singleton: two would count everything twice");
            component.service = Some(name.clone());
            component.service_account = Some(name);
            component.disk = None;
            component.ports = match cluster.bare {
                true => vec![Port::tcp("kube-state-metrics", 8080)],
                false => vec![Port::tcp("http", 8080), Port::tcp("telemetry", 8081)],
            };
            self.components.push(component);
        }
        if let Some(node) =
            cluster.topology.node_exporter.as_ref().filter(|node| !is_external(&node.external))
        {
            let settings = settings!(node: memory, image);
            let name = cluster.object_name("node-exporter");
            let mut component =
                self.component(Role::NodeExporter, name, Image::NodeExporter, node.name_span, &settings);
            let port = node.port.as_ref().map_or_else(
                || cluster.profile.text("node-exporter.port").parse().unwrap_or(9100),
                |port| port.value,
            );
            component.ports = vec![Port::tcp("http-metrics", port)];
            component.headless = Some(component.name.clone());
            component.disk = None;
            self.components.push(component);
        }
        if let Some(node) = &cluster.topology.blackbox {
            let settings = settings!(node: replicas, image);
            let name = cluster.object_name("blackbox");
            let mut component = self.component(
                Role::Blackbox,
                name.clone(),
                Image::BlackboxExporter,
                node.name_span,
                &settings,
            );
            component.ports = vec![Port::tcp("http", 9115)];
            component.service = Some(name);
            component.disk = None;
            self.components.push(component);
        }
    }

    fn bucket(&mut self) {
        let cluster = self.cluster;
        let Some(node) = cluster.topology.bucket.as_ref().and_then(|bucket| bucket.minio.as_ref()) else {
            return;
        };
        let settings = settings!(node: disk, class, image);
        let name = cluster.object_name("minio");
        let mut component =
            self.component(Role::Minio, name.clone(), Image::Minio, node.name_span, &settings);
        let namespace = cluster.profile.or_text(node.namespace.as_ref(), "minio.namespace").value;
        if !namespace.is_empty() {
            component.namespace = namespace;
        }
        component.replicas = Sourced::derived(1, "one volume, one server");
        component.service = Some(name);
        let console = if cluster.bare { 5000 } else { 9001 };
        component.ports = vec![Port::tcp("data", 9000), Port::tcp("console", console)];
        self.components.push(component);
    }

    fn store(&mut self) {
        let cluster = self.cluster;
        let Some(node) = &cluster.topology.store else { return };
        let shards = node.shards.as_ref().map_or(1, |shards| shards.value.clamp(1, 128));
        let windows = node.windows.len().max(1);
        let base = cluster.object_name(if cluster.bare { "thanos-store-gateway" } else { "thanos-store" });
        for window in 0..windows {
            let replicas =
                node.windows.get(window).and_then(|w| w.replicas.as_ref()).or(node.replicas.as_ref());
            let settings = Settings {
                replicas,
                disk: node.disk.as_ref(),
                class: node.class.as_ref(),
                memory: node.memory.as_ref(),
                cpu: node.cpu.as_ref(),
                image: node.image.as_ref(),
            };
            for shard in 0..shards {
                let mut name = base.clone();
                if window > 0 {
                    name.push_str(&format!("-window-{window}"));
                }
                if shard > 0 {
                    name.push_str(&format!("-shard-{shard}"));
                }
                let mut component =
                    self.component(Role::Store, name, Image::Thanos, node.name_span, &settings);
                component.stateful = true;
                component.shard = (shards > 1).then_some(shard);
                component.window = (windows > 1).then_some(window);
                component.headless = Some(base.clone());
                if cluster.bare {
                    component.labels.insert("thanos-store-api".to_string(), "true".to_string());
                } else {
                    if shards > 1 {
                        insert_both(&mut component, "store-shard", &shard.to_string());
                    }
                    if windows > 1 {
                        insert_both(&mut component, "store-window", &window.to_string());
                    }
                }
                self.components.push(component);
            }
        }
    }

    fn compact(&mut self) {
        let cluster = self.cluster;
        let Some(node) = &cluster.topology.compact else { return };
        let base = cluster.object_name(if cluster.bare { "thanos-compactor" } else { "thanos-compact" });
        // By shard: one compactor for each shard of the groups that upload, and each owns its own streams.
        let shards = match &node.by {
            Some(by) if by.value == crate::topology::nodes::thanos::DivideBy::Shard => cluster
                .prometheus
                .iter()
                .filter(|group| group.sidecar)
                .map(|group| group.shards.value)
                .max()
                .unwrap_or(1),
            Some(by) => {
                self.diagnostics.push(
                    Diagnostic::error(
                        "CMP002",
                        by.span,
                        "a compactor cannot be divided by block: it merges blocks",
                    )
                    .help("write `by=shard`"),
                );
                1
            }
            None => 1,
        };
        let settings = settings!(node: disk, class, memory, cpu, image);
        for shard in 0..shards {
            let name = if shard == 0 { base.clone() } else { format!("{base}-shard-{shard}") };
            let mut component = self.component(Role::Compact, name, Image::Thanos, node.name_span, &settings);
            component.replicas = Sourced::derived(1, "one owner for each stream of blocks");
            component.stateful = true;
            component.shard = (shards > 1).then_some(shard);
            component.ports = vec![HTTP];
            component.headless = Some(component.name.clone());
            if shards > 1 && !cluster.bare {
                insert_both(&mut component, "compact-shard", &shard.to_string());
            }
            self.components.push(component);
        }
    }

    fn query(&mut self) {
        let cluster = self.cluster;
        let Some(node) = &cluster.topology.query else { return };
        let settings = settings!(node: replicas, memory, cpu, image);
        let name = cluster.object_name(if cluster.bare { "thanos-querier" } else { "thanos-query" });
        let mut component =
            self.component(Role::Query, name.clone(), Image::Thanos, node.name_span, &settings);
        component.ports = vec![HTTP_USER, GRPC];
        component.service = Some(name);
        component.disk = None;
        self.components.push(component);
        if let Some(frontend) = &node.frontend {
            let settings = settings!(frontend: replicas, memory, image);
            let name = cluster.object_name("thanos-query-frontend");
            let mut component = self.component(
                Role::QueryFrontend,
                name.clone(),
                Image::Thanos,
                frontend.name_span,
                &settings,
            );
            component.ports = vec![HTTP_USER];
            component.service = Some(name);
            component.disk = None;
            self.components.push(component);
        }
    }

    fn ruler(&mut self) {
        let cluster = self.cluster;
        let Some(node) = &cluster.topology.ruler else { return };
        let settings = settings!(node: replicas, disk, class, memory, cpu, image);
        let name = cluster.object_name("thanos-ruler");
        let mut component =
            self.component(Role::Ruler, name.clone(), Image::Thanos, node.name_span, &settings);
        component.stateful = true;
        component.headless = Some(name);
        self.components.push(component);
    }

    fn receive(&mut self) {
        let cluster = self.cluster;
        let Some(node) = &cluster.topology.receive else { return };
        let settings = settings!(node: replicas, disk, class, memory, cpu, image);
        let name = cluster.object_name("thanos-receive");
        let mut component =
            self.component(Role::Receive, name.clone(), Image::Thanos, node.name_span, &settings);
        component.stateful = true;
        component.ports = vec![GRPC, HTTP, Port::tcp("remote-write", 19291)];
        component.headless = Some(name);
        self.components.push(component);
        if let Some(routers) = &node.routers {
            let settings = Settings {
                replicas: routers.replicas.as_ref(),
                image: node.image.as_ref(),
                ..Settings::default()
            };
            let name = cluster.object_name("thanos-receive-router");
            let mut component = self.component(
                Role::ReceiveRouter,
                name.clone(),
                Image::Thanos,
                routers.name_span,
                &settings,
            );
            component.ports = vec![GRPC, HTTP, Port::tcp("remote-write", 19291)];
            component.service = Some(name);
            component.disk = None;
            self.components.push(component);
        }
    }

    fn alertmanager(&mut self) {
        let cluster = self.cluster;
        let Some(node) = cluster.topology.alertmanager.as_ref().filter(|node| node.external.is_none()) else {
            return;
        };
        let settings = settings!(node: replicas, disk, class, memory, cpu, image);
        let name = cluster.object_name("alertmanager");
        let mut component =
            self.component(Role::Alertmanager, name.clone(), Image::Alertmanager, node.name_span, &settings);
        component.stateful = true;
        component.ports = vec![
            Port::tcp("http", 9093),
            Port::tcp("mesh-tcp", 9094),
            Port { name: "mesh-udp", number: 9094, service: 9094, udp: true },
        ];
        component.headless = Some(format!("{name}-headless"));
        component.service = Some(name);
        self.components.push(component);
    }

    fn grafana(&mut self) {
        let cluster = self.cluster;
        let Some(node) = cluster.topology.grafana.as_ref().filter(|node| node.external.is_none()) else {
            return;
        };
        let settings = settings!(node: replicas, disk, class, image);
        let name = cluster.object_name("grafana");
        let mut component =
            self.component(Role::Grafana, name.clone(), Image::Grafana, node.name_span, &settings);
        if let Some(namespace) = &node.namespace {
            component.namespace = namespace.value.clone();
        }
        component.ports = vec![Port::tcp("http", 3000)];
        component.service = Some(name);
        self.components.push(component);
    }

    fn others(&mut self) {
        let cluster = self.cluster;
        for storage in &cluster.topology.storage {
            let Some(nfs) = &storage.nfs else { continue };
            let settings = settings!(nfs: image);
            let name = match cluster.bare {
                true => "thanos-nfs-client-provisioner".to_string(),
                false => cluster.object_name(&format!("nfs-provisioner-{}", storage.name.value)),
            };
            let mut component = self.component(
                Role::NfsProvisioner,
                name,
                Image::NfsSubdirExternalProvisioner,
                nfs.name_span,
                &settings,
            );
            component.replicas = Sourced::derived(1, "a singleton with leader election");
            component.ports = Vec::new();
            component.disk = None;
            component.service_account = Some(if cluster.bare {
                "nfs-client-provisioner".to_string()
            } else {
                component.name.clone()
            });
            component.resources = cluster.profile.flag("pod.resources").then(|| Resources {
                cpu: cluster.profile.text("nfs.cpu"),
                memory: cluster.profile.text("nfs.memory"),
            });
            self.components.push(component);
        }
        for node in &cluster.topology.workload {
            let Some(image) = &node.image else {
                self.diagnostics.push(
                    Diagnostic::error(
                        "KDL005",
                        node.span,
                        format!("workload `{}` has no image", node.name.value),
                    )
                    .help("write image=\"nginx:1.27\""),
                );
                continue;
            };
            let settings =
                Settings { replicas: node.replicas.as_ref(), image: Some(image), ..Settings::default() };
            let mut component = self.component(
                Role::Workload,
                node.name.value.clone(),
                Image::Memcached,
                node.name_span,
                &settings,
            );
            let short = image
                .value
                .rsplit('/')
                .next()
                .unwrap_or("")
                .split([':', '@'])
                .next()
                .unwrap_or("")
                .to_string();
            let app = node.app.as_ref().map_or(short, |app| app.value.0.clone());
            component.labels = BTreeMap::from([("app".to_string(), app)]);
            component.selector = component.labels.clone();
            component.namespace =
                node.namespace.as_ref().map_or(cluster.namespace.clone(), |n| n.value.clone());
            component.ports = node.port.iter().map(|port| Port::tcp("http", port.value)).collect();
            component.disk = None;
            component.service_account = None;
            self.components.push(component);
        }
    }
}

/// A topology that declares one storage class means it for all its volumes.
fn only_class(cluster: &Cluster) -> Option<Sourced<String>> {
    match cluster.topology.storage.as_slice() {
        [only] => Some(line(&only.name)),
        _ => None,
    }
}

fn insert_both(component: &mut Component, key: &str, value: &str) {
    component.labels.insert(key.to_string(), value.to_string());
    component.selector.insert(key.to_string(), value.to_string());
}

fn labels(cluster: &Cluster, role: Role, name: &str) -> BTreeMap<String, String> {
    let pair = |key: &str, value: &str| (key.to_string(), value.to_string());
    if !cluster.profile.flag("names.recommended-labels") {
        return BTreeMap::from([pair("app", name)]);
    }
    let application = match role {
        Role::Store => "thanos-store",
        Role::Compact => "thanos-compact",
        Role::Query => "thanos-query",
        Role::QueryFrontend => "thanos-query-frontend",
        Role::Ruler => "thanos-ruler",
        Role::Receive => "thanos-receive",
        Role::ReceiveRouter => "thanos-receive-router",
        other => other.word(),
    };
    BTreeMap::from([
        pair("app.kubernetes.io/name", application),
        pair("app.kubernetes.io/instance", &cluster.prefix),
        pair("app.kubernetes.io/component", role.word()),
        pair("app.kubernetes.io/part-of", &cluster.prefix),
        pair("app.kubernetes.io/managed-by", "pronoia"),
    ])
}

/// Whether `external=#true` says that somebody else deploys it.
pub fn is_external(written: &Option<Written<bool>>) -> bool {
    written.as_ref().is_some_and(|external| external.value)
}
