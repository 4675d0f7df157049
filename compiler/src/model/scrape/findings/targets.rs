//! Single jobs: addresses that will not last, discovery that finds too much.

use std::net::IpAddr;

use crate::diagnostic::Diagnostic;
use crate::model::scrape::config::SdRole;
use crate::model::scrape::{Job, Surroundings};
use crate::topology::nodes::scrape::Preset;

/// Checks the targets of a job.
pub(super) fn check(job: &Job, around: &Surroundings, diagnostics: &mut Vec<Diagnostic>) {
    if !around.local {
        for target in job.config.static_configs.iter().flat_map(|group| &group.targets) {
            if host(target).is_some_and(|host| is_pod_address(host, job.preset)) {
                diagnostics.push(
                    Diagnostic::error("DSC006", job.span, format!("{target} is the address of a pod")).help(
                        "it changes with the next restart: remove it, and the preset finds the pods itself",
                    ),
                );
            }
        }
        let own = |target: &String| matches!(split(target).0, "localhost" | "127.0.0.1" | "[::1]");
        if job.preset == Preset::Itself
            && job.config.static_configs.iter().flat_map(|group| &group.targets).any(own)
        {
            diagnostics.push(
                Diagnostic::warning("DSC012", job.span, "each replica scrapes itself as localhost")
                    .help("deduplication then takes several servers for one: discover them by pod"),
            );
        }
    }
    for discovery in &job.config.kubernetes_sd_configs {
        let endpoints = discovery.role == SdRole::Endpoints;
        let old = (around.kubernetes.major, around.kubernetes.minor) < (1, 33);
        if endpoints && !old {
            diagnostics.push(
                Diagnostic::warning(
                    "DSC007",
                    job.span,
                    format!("job `{}` discovers through Endpoints", job.name),
                )
                .help("Kubernetes 1.33 deprecates them: role endpointslice"),
            );
        }
        let by_port = job.config.relabel_configs.iter().any(|rule| {
            rule.source_labels.iter().any(|label| {
                label.ends_with("_port_name")
                    || label.ends_with("_port_number")
                    || label.contains("prometheus_io_port")
            })
        });
        if (endpoints || discovery.role == SdRole::Pod) && !by_port && job.preset != Preset::Etcd {
            diagnostics.push(
                Diagnostic::warning(
                    "DSC013",
                    job.span,
                    format!("job `{}` takes every port of its pods", job.name),
                )
                .help("ports without metrics become targets that are down: name one with `port=`"),
            );
        }
    }
}

/// Host and port of a target.
pub(super) fn split(target: &str) -> (&str, Option<&str>) {
    match target.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !host.is_empty() => {
            (host, Some(port))
        }
        _ => (target, None),
    }
}

fn host(target: &str) -> Option<IpAddr> {
    split(target).0.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// Whether an address lies where clusters have their pods. What a preset for Kubernetes' own things names is a pod in
/// any private range; a plain `static` job may name machines, and only ranges that nothing else uses count.
fn is_pod_address(address: IpAddr, preset: Preset) -> bool {
    let machines = matches!(preset, Preset::Static | Preset::Blackbox | Preset::Raw | Preset::Federate)
        || matches!(preset, Preset::NodeExporter | Preset::Etcd | Preset::Apiserver | Preset::Kubelet);
    match address {
        IpAddr::V4(address) => match address.octets() {
            [10, 42 | 244, ..] => true,
            _ => address.is_private() && !machines,
        },
        IpAddr::V6(address) => address.is_unique_local() && !machines,
    }
}
