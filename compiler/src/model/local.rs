//! The processes of `--target local`: which run, what they are called, which loopback ports they have.
//!
//! Ports are given out over the whole file, clusters in their order, so that all of it runs on one machine at a time.
//! Each kind counts upwards from its own start and skips what is taken already:
//!
//! | kind | HTTP from | gRPC from | third port from |
//! |---|---|---|---|
//! | Prometheus | 9090 | | |
//! | querier | 9190 | 11901 | |
//! | query frontend | 9290 | | |
//! | Alertmanager | 9390 | | 9490, peers |
//! | sidecar | 11001 | 10901 | |
//! | store gateway | 11101 | 11201 | |
//! | compactor | 11301 | | |
//! | ruler | 11401 | 11501 | |
//! | receiver | 11601 | 11701 | 19291, remote write |
//! | receive router | 11801 | 12001 | 19391, remote write |
//! | reloader of a Prometheus or an Alertmanager | 12101 | | |
//!
//! An offset moves all of them, for machines on which one of these ports is taken.

use std::collections::BTreeSet;

use super::{Cluster, Component, Role};
use crate::diagnostic::Diagnostic;
use crate::facts::Version;

/// More processes than this are a mistake on one machine.
const PROCESSES_MAX: u64 = 500;

/// The machine that runs everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Machine {
    /// Added to every port.
    pub port_offset: u16,
    /// The Prometheus that is installed here, which decides instead of `target`.
    pub prometheus: Option<Version>,
    /// The same for Alertmanager.
    pub alertmanager: Option<Version>,
}

/// Where the ports of reloaders begin.
const RELOADER_PORTS: u16 = 12101;

/// What is different when a cluster runs as plain processes.
#[derive(Debug, Default)]
pub struct Local {
    /// Processes, in the order of the components.
    pub processes: Vec<Process>,
    /// What stays away, and why.
    pub left_out: Vec<LeftOut>,
}

/// Something of the topology that does not run on one machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// The thing.
    pub what: String,
    /// The reason.
    pub why: String,
}

/// One process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// `COMPONENT-REPLICA`, and `-sidecar` behind it for sidecars; one name in one cluster.
    pub name: String,
    /// Name of the component.
    pub component: String,
    /// What the component is for.
    pub role: Role,
    /// Whether it is the sidecar of a Prometheus.
    pub sidecar: bool,
    /// Replica, from 0.
    pub replica: u32,
    /// Port for people, metrics and readiness.
    pub http: u16,
    /// Port of StoreAPI.
    pub grpc: Option<u16>,
    /// Remote write of receivers, peers of Alertmanagers.
    pub other: Option<u16>,
    /// Port of the reloader that stands between the rendered files and this process.
    pub reloader: Option<u16>,
}

impl Process {
    /// `127.0.0.1:HTTP`.
    pub fn http_address(&self) -> String {
        loopback(self.http)
    }

    /// `127.0.0.1:GRPC` of whoever has one.
    pub fn grpc_address(&self) -> Option<String> {
        self.grpc.map(loopback)
    }
}

/// An address on this machine that no other machine reaches.
pub fn loopback(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

impl Local {
    /// The processes of one component, its sidecars or itself.
    pub fn of<'a>(&'a self, component: &'a Component, sidecar: bool) -> impl Iterator<Item = &'a Process> {
        self.processes
            .iter()
            .filter(move |process| process.component == component.name && process.sidecar == sidecar)
    }

    /// The processes of a role, without sidecars.
    pub fn with_role(&self, role: Role) -> impl Iterator<Item = &Process> {
        self.processes.iter().filter(move |process| process.role == role && !process.sidecar)
    }

    /// Everything that answers StoreAPI, without queriers.
    pub fn store_api(&self) -> impl Iterator<Item = &Process> {
        self.processes.iter().filter(|process| {
            process.sidecar || matches!(process.role, Role::Store | Role::Ruler | Role::Receive)
        })
    }

    /// Notes what stays away, once.
    pub fn leave_out(&mut self, what: impl Into<String>, why: impl Into<String>) {
        let entry = LeftOut { what: what.into(), why: why.into() };
        if !self.left_out.contains(&entry) {
            self.left_out.push(entry);
        }
    }
}

/// Gives out ports.
#[derive(Debug, Default)]
pub struct Ports {
    /// What they are for.
    pub machine: Machine,
    taken: BTreeSet<u16>,
    processes: u64,
}

impl Ports {
    /// All ports of a machine.
    pub fn new(machine: &Machine) -> Ports {
        Ports { machine: machine.clone(), ..Ports::default() }
    }

    /// The first free port from `start` on.
    fn take(&mut self, start: u16) -> u16 {
        let start = start.saturating_add(self.machine.port_offset);
        let port = (start..u16::MAX).find(|port| !self.taken.contains(port)).unwrap_or(start);
        self.taken.insert(port);
        port
    }
}

/// Where the ports of a kind begin: HTTP, gRPC, the third one.
fn starts(role: Role, sidecar: bool) -> Option<(u16, Option<u16>, Option<u16>)> {
    Some(match role {
        Role::Prometheus if sidecar => (11001, Some(10901), None),
        Role::Prometheus => (9090, None, None),
        Role::Query => (9190, Some(11901), None),
        Role::QueryFrontend => (9290, None, None),
        Role::Alertmanager => (9390, None, Some(9490)),
        Role::Store => (11101, Some(11201), None),
        Role::Compact => (11301, None, None),
        Role::Ruler => (11401, Some(11501), None),
        Role::Receive => (11601, Some(11701), Some(19291)),
        Role::ReceiveRouter => (11801, Some(12001), Some(19391)),
        _ => return None,
    })
}

/// Plans the processes of one cluster.
pub fn plan(cluster: &Cluster, ports: &mut Ports, diagnostics: &mut Vec<Diagnostic>) -> Local {
    let mut local = Local::default();
    for component in &cluster.components {
        if starts(component.role, false).is_none() {
            local.leave_out(component.name.clone(), reason(component.role));
            continue;
        }
        ports.processes += u64::from(component.replicas.value);
        if ports.processes > PROCESSES_MAX {
            diagnostics.push(
                Diagnostic::error(
                    "KDL007",
                    component.span,
                    format!("more than {PROCESSES_MAX} processes are too many for one machine"),
                )
                .help("fewer shards or replicas, in an `env` of their own for example"),
            );
            return local;
        }
        let group = cluster.prometheus.get(component.group).filter(|_| component.role == Role::Prometheus);
        for replica in 0..component.replicas.value {
            let name = format!("{}-{replica}", component.name);
            local.processes.extend(process(component, replica, name.clone(), false, ports));
            if group.is_some_and(|group| group.sidecar) {
                local.processes.extend(process(component, replica, format!("{name}-sidecar"), true, ports));
            }
        }
    }
    local
}

fn process(
    component: &Component,
    replica: u32,
    name: String,
    sidecar: bool,
    ports: &mut Ports,
) -> Option<Process> {
    let (http, grpc, other) = starts(component.role, sidecar)?;
    Some(Process {
        name,
        component: component.name.clone(),
        role: component.role,
        sidecar,
        replica,
        http: ports.take(http),
        grpc: grpc.map(|start| ports.take(start)),
        other: other.map(|start| ports.take(start)),
        reloader: (matches!(component.role, Role::Prometheus | Role::Alertmanager) && !sidecar)
            .then(|| ports.take(RELOADER_PORTS)),
    })
}

fn reason(role: Role) -> &'static str {
    match role {
        Role::Minio => "the bucket is a folder on this machine",
        Role::KubeStateMetrics => "there is no Kubernetes to ask",
        Role::NodeExporter => {
            "it belongs to the machine, not to the topology: scrape it with `static` when it runs"
        }
        Role::NfsProvisioner => "there are no volumes to provide: data is in plain folders",
        Role::Workload => "its image is not run",
        _ => "it does not run here; point your own at the URLs of the runbook",
    }
}
