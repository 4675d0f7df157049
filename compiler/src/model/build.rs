//! Decoded topology to model.

use super::{
    Cluster, Model, Profile, PrometheusGroup, PushTarget, Role, Versions, alertmanager, components, graph,
    jobs, local, rules,
};
use crate::diagnostic::Diagnostic;
use crate::facts::{Image, Program, Version, default_version, supported_range};
use crate::source::{Sources, World};
use crate::topology::Decoded;
use crate::topology::decode::Written;
use crate::topology::nodes::whole::{Runtime, SecretBackend, Topology};
use crate::topology::values::VersionText;

/// Resolves everything that was decoded; files that nodes name are read through `world` and join `sources`.
/// `machine` is there for processes on one machine.
pub fn build(
    decoded: Decoded,
    machine: Option<&local::Machine>,
    world: &dyn World,
    sources: &mut Sources,
    diagnostics: &mut Vec<Diagnostic>,
) -> Model {
    let mut ports = machine.map(local::Ports::new);
    let mut library = rules::Library::new(world, sources);
    let mut clusters = Vec::new();
    let (name, clustered, profiles) = (decoded.name, decoded.clustered, decoded.profiles);
    for topology in decoded.parts {
        clusters.push(cluster(
            topology,
            &name,
            clustered,
            &profiles,
            &mut library,
            ports.as_mut(),
            diagnostics,
        ));
    }
    for at in 0..clusters.len() {
        clusters[at].push = push_target(&clusters, &clusters[at]);
    }
    Model { name, clusters }
}

/// Where the receivers are that a cluster pushes to: its own, or those that another cluster publishes.
fn push_target(clusters: &[Cluster], from: &Cluster) -> Option<PushTarget> {
    let push = from.topology.push.as_ref()?;
    let wanted = push.cluster.as_ref().map(|name| name.value.as_str());
    let receives = |cluster: &&Cluster| {
        wanted.is_none_or(|name| cluster.name == name) && cluster.first(Role::Receive).is_some()
    };
    let target = clusters
        .iter()
        .find(|cluster| cluster.name == from.name && receives(cluster))
        .or_else(|| clusters.iter().find(receives))?;
    let receive = target.topology.receive.as_ref()?;
    let remote = target.name != from.name;
    let door = target.first(Role::ReceiveRouter).or(target.first(Role::Receive))?;
    let published =
        receive.routers.as_ref().and_then(|routers| routers.ingress.as_ref()).map(|host| host.value.clone());
    let near = target.local.as_ref().and_then(|local| local.with_role(door.role).next()?.other);
    let url = match (remote, published) {
        _ if let Some(port) = near => format!("http://{}/api/v1/receive", local::loopback(port)),
        (true, Some(host)) => format!("https://{host}/api/v1/receive"),
        _ => format!("http://{}:19291/api/v1/receive", door.host()),
    };
    let tenants = receive.tenants.as_ref();
    Some(PushTarget {
        url,
        header: target
            .profile
            .or_text(tenants.and_then(|tenants| tenants.header.as_ref()), "receive.tenant-header")
            .value,
        tenant: push.tenant.as_ref().map(|tenant| tenant.value.0.clone()),
        remote: remote && near.is_none(),
    })
}

fn cluster(
    topology: Topology,
    whole: &str,
    clustered: bool,
    profiles: &[crate::topology::tree::Node],
    library: &mut rules::Library,
    ports: Option<&mut local::Ports>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Cluster {
    let here = ports.as_ref().map(|ports| ports.machine.clone()).unwrap_or_default();
    let profile = Profile::find(topology.profile.as_ref(), profiles, diagnostics);
    let bare = profile.is_bare();
    let name = topology.name.value.clone();
    name_is_legal(&topology.name, "the name", diagnostics);
    if let Some(namespace) = &topology.namespace {
        name_is_legal(namespace, "the namespace", diagnostics);
    }
    let target = topology.target.as_ref();
    let versions = Versions {
        kubernetes: version(
            target.and_then(|t| t.kubernetes.as_ref()),
            profile.text("kubernetes.version").value.as_str(),
            None,
            diagnostics,
        ),
        prometheus: here.prometheus.unwrap_or(version(
            target.and_then(|t| t.prometheus.as_ref()),
            default_version(Image::Prometheus),
            Some(Program::Prometheus),
            diagnostics,
        )),
        thanos: version(
            target.and_then(|t| t.thanos.as_ref()),
            default_version(Image::Thanos),
            Some(Program::Thanos(crate::facts::Component::Query)),
            diagnostics,
        ),
        alertmanager: here.alertmanager.unwrap_or(version(
            target.and_then(|t| t.alertmanager.as_ref()),
            default_version(Image::Alertmanager),
            None,
            diagnostics,
        )),
        kube_state_metrics: version(
            target.and_then(|t| t.kube_state_metrics.as_ref()),
            default_version(Image::KubeStateMetrics),
            None,
            diagnostics,
        ),
        node_exporter: version(
            target.and_then(|t| t.node_exporter.as_ref()),
            default_version(Image::NodeExporter),
            None,
            diagnostics,
        ),
        grafana: version(
            target.and_then(|t| t.grafana.as_ref()),
            default_version(Image::Grafana),
            None,
            diagnostics,
        ),
    };
    let prefix = if profile.flag("names.prefix") { whole.to_string() } else { String::new() };
    let namespace = topology
        .namespace
        .as_ref()
        .map_or_else(|| "monitoring".to_string(), |namespace| namespace.value.clone());
    let log = profile.text("log.level");
    let log = match &topology.log {
        Some(level) => super::profile::line(level).map(|level| level.word().to_string()),
        None => log,
    };
    let mut cluster = Cluster {
        folder: if clustered { format!("{name}/") } else { String::new() },
        name,
        prefix,
        namespaces: Vec::new(),
        namespace,
        bare,
        versions,
        runtime: target.and_then(|target| target.image.as_ref()).map_or_else(
            || if *profile.text("image.runtime") == "pronoia" { Runtime::Pronoia } else { Runtime::Thanos },
            |image| image.value,
        ),
        secrets: topology.secrets.as_ref().and_then(|secrets| secrets.backend.as_ref()).map_or_else(
            || match profile.text("secrets.backend").as_str() {
                "stub" => SecretBackend::Stub,
                "external-secrets" => SecretBackend::ExternalSecrets,
                "sops" => SecretBackend::Sops,
                _ => SecretBackend::Existing,
            },
            |backend| backend.value,
        ),
        log,
        prometheus: Vec::new(),
        components: Vec::new(),
        push: None,
        manifests: Vec::new(),
        blackbox_config: None,
        local: None,
        edges: Vec::new(),
        rules: rules::Rules::default(),
        alertmanager: None,
        profile,
        topology,
    };
    let sidecar = cluster.topology.bucket.is_some() || cluster.topology.query.is_some();
    let base = cluster.object_name("prometheus");
    let mode = cluster.topology.mode.as_ref().map(|mode| mode.value);
    cluster.prometheus = cluster
        .topology
        .prometheus
        .iter()
        .map(|node| {
            let base =
                node.name.as_ref().map_or_else(|| base.clone(), |name| format!("{base}-{}", name.value));
            PrometheusGroup::build(
                node,
                &cluster.name,
                base,
                &cluster.profile,
                &cluster.versions,
                sidecar,
                mode,
                diagnostics,
            )
        })
        .collect();
    cluster.components = components::list(&cluster, diagnostics);
    cluster.local = ports.map(|ports| local::plan(&cluster, ports, diagnostics));
    jobs::resolve(&mut cluster, diagnostics);
    for component in &cluster.components {
        // A wrong name of the topology is reported where it stands, not at everything that carries it.
        let prefixed = cluster.prefix.is_empty() || is_dns_label(&cluster.prefix);
        if prefixed && (!is_dns_label(&component.name) || component.name.len() > 52) {
            let help = match cleaned(&component.name).filter(|cleaned| *cleaned != component.name) {
                Some(cleaned) if component.name.len() <= 52 => {
                    format!("lower-case letters, digits and hyphens: \"{cleaned}\"")
                }
                _ => "at most 52 characters in all: shorten the topology's name".to_string(),
            };
            let message = format!("`{}` cannot be the name of a workload", component.name);
            diagnostics.push(Diagnostic::error("K8S004", component.span, message).help(help));
        }
    }
    super::bucket::findings(&cluster, diagnostics);
    super::storage::findings(&cluster, diagnostics);
    cluster.namespaces = namespaces(&cluster);
    cluster.edges = graph::edges(&cluster);
    cluster.rules = rules::resolve(&cluster, library, diagnostics);
    cluster.alertmanager = alertmanager::resolve(&cluster, library, diagnostics);
    cluster
}

fn namespaces(cluster: &Cluster) -> Vec<String> {
    let mut all: Vec<String> =
        cluster.components.iter().map(|component| component.namespace.clone()).collect();
    all.push(cluster.namespace.clone());
    all.retain(|namespace| namespace != "default" && !namespace.starts_with("kube-"));
    all.sort();
    all.dedup();
    all
}

fn version(
    written: Option<&Written<VersionText>>,
    default: &str,
    program: Option<Program>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Version {
    let fallback = default.parse().unwrap_or(Version { major: 0, minor: 0, patch: 0 });
    let Some(written) = written else { return fallback };
    let Ok(version) = written.value.0.parse::<Version>() else {
        diagnostics.push(
            Diagnostic::error(
                "KDL006",
                written.span,
                format!("`{}` is no released version", written.value.0),
            )
            .help("write three numbers, such as \"3.14.0\""),
        );
        return fallback;
    };
    if let Some(program) = program {
        let range = supported_range(&program);
        if !range.contains(version) {
            let name = program.to_string();
            let name = name.split(' ').next().unwrap_or_default();
            diagnostics.push(
                Diagnostic::error(
                    "VER001",
                    written.span,
                    format!("{name} {version} is outside of what this compiler knows"),
                )
                .help(format!("known: {} to {}", range.min, range.max)),
            );
        }
    }
    version
}

fn name_is_legal(name: &Written<String>, what: &str, diagnostics: &mut Vec<Diagnostic>) {
    if is_dns_label(&name.value) {
        return;
    }
    let help = match cleaned(&name.value) {
        None => "lower-case letters, digits and hyphens, at most 63".to_string(),
        Some(cleaned) => format!("lower-case letters, digits and hyphens, at most 63: \"{cleaned}\""),
    };
    diagnostics
        .push(Diagnostic::error("K8S004", name.span, format!("{what} is no Kubernetes name")).help(help));
}

/// The nearest name that Kubernetes accepts, if anything is left of it.
fn cleaned(name: &str) -> Option<String> {
    let hyphen = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let name: String = name.to_lowercase().chars().map(hyphen).take(40).collect();
    Some(name.trim_matches('-').to_string()).filter(|name| !name.is_empty())
}

/// Whether Kubernetes accepts it as a name (RFC 1123 label).
pub fn is_dns_label(name: &str) -> bool {
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=63).contains(&name.len())
        && name.chars().all(legal)
        && !name.starts_with('-')
        && !name.ends_with('-')
}
