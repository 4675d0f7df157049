//! Several jobs: names used twice, targets scraped twice.

use std::collections::BTreeMap;

use super::targets::split;
use crate::diagnostic::Diagnostic;
use crate::model::scrape::{Component, Job, Surroundings};
use crate::topology::nodes::scrape::Preset;

/// Checks the jobs of a group against each other.
pub(super) fn check(jobs: &[Job], around: &Surroundings, diagnostics: &mut Vec<Diagnostic>) {
    names(jobs, diagnostics);
    same_targets(jobs, diagnostics);
    for (at, job) in jobs.iter().enumerate() {
        for other in &jobs[..at] {
            if let Some(what) = shared_discovery(job, other) {
                report(job, other, &what, diagnostics);
            }
        }
    }
    annotated(jobs, around, diagnostics);
    for job in jobs {
        for component in around.components.iter().filter(|part| names_service(job, part, around)) {
            let by_discovery = |other: &&Job| {
                other.component.as_deref() == Some(component.job.as_str())
                    && other.name != job.name
                    && !other.config.kubernetes_sd_configs.is_empty()
            };
            if let Some(other) = jobs.iter().find(by_discovery) {
                report(job, other, &component.job, diagnostics);
            }
        }
    }
}

fn names(jobs: &[Job], diagnostics: &mut Vec<Diagnostic>) {
    let mut seen: BTreeMap<&str, &Job> = BTreeMap::new();
    for job in jobs {
        if let Some(first) = seen.insert(&job.name, job) {
            diagnostics.push(
                Diagnostic::error("KDL008", job.span, format!("a second job `{}`", job.name))
                    .related(first.span, "the first one")
                    .help("Prometheus refuses it: give one of them another name with `as=`"),
            );
        }
    }
}

fn report(job: &Job, other: &Job, what: &str, diagnostics: &mut Vec<Diagnostic>) {
    diagnostics.push(
        Diagnostic::error(
            "DSC008",
            job.span,
            format!("`{}` and `{}` both scrape {what}", other.name, job.name),
        )
        .related(other.span, "the other job")
        .help("every sum over these series counts twice: keep one of the two"),
    );
}

/// Fixed targets that stand in two jobs under one scheme, path and parameters.
fn same_targets(jobs: &[Job], diagnostics: &mut Vec<Diagnostic>) {
    let mut seen: BTreeMap<(&str, &str, &str, String), &Job> = BTreeMap::new();
    for job in jobs {
        for target in job.config.static_configs.iter().flat_map(|group| &group.targets) {
            let parameters = format!("{:?}", job.config.params);
            let key = (job.scheme().word(), target.as_str(), job.path(), parameters);
            match seen.get(&key) {
                Some(first) if first.name != job.name => report(job, first, target, diagnostics),
                _ => drop(seen.insert(key, job)),
            }
        }
    }
}

/// The same preset twice, without anything that tells the two apart.
fn shared_discovery(job: &Job, other: &Job) -> Option<String> {
    let same = job.preset == other.preset
        && !matches!(job.preset, Preset::Raw | Preset::Static | Preset::File | Preset::Blackbox)
        && job.config.kubernetes_sd_configs == other.config.kubernetes_sd_configs
        && !job.config.kubernetes_sd_configs.is_empty()
        && job.config.relabel_configs == other.config.relabel_configs
        && job.path() == other.path()
        && job.scheme() == other.scheme()
        && job.config.params == other.config.params;
    same.then(|| format!("what `scrape {}` finds", job.preset.word()))
}

/// Annotated Services that another job scrapes by name.
fn annotated(jobs: &[Job], around: &Surroundings, diagnostics: &mut Vec<Diagnostic>) {
    let all =
        |job: &&Job| job.preset == Preset::AnnotatedServices && !job.config.kubernetes_sd_configs.is_empty();
    let Some(everything) = jobs.iter().find(all) else { return };
    for job in jobs.iter().filter(|job| job.name != everything.name) {
        let of_job = |part: &&Component| job.component.as_deref() == Some(part.job.as_str());
        if let Some(component) = around.components.iter().filter(of_job).find(|part| part.annotated) {
            report(job, everything, &component.job, diagnostics);
        }
        // kubeadm annotates kube-dns; the hardened form leaves it out where CoreDNS has its own job.
        if job.preset == Preset::Coredns && around.bare {
            diagnostics.push(
                Diagnostic::warning("DSC008", job.span, "CoreDNS is probably scraped twice")
                    .related(everything.span, "kubeadm annotates its Service, so this job finds it too")
                    .help("remove one of the two"),
            );
        }
    }
}

/// Whether a fixed target of the job is the Service of a component.
fn names_service(job: &Job, component: &Component, around: &Surroundings) -> bool {
    job.config.static_configs.iter().flat_map(|group| &group.targets).any(|target| {
        let (host, port) = split(target);
        let mut parts = host.split('.');
        let service = parts.next().unwrap_or("");
        let namespace = parts.next().unwrap_or(&around.namespace);
        component.services.iter().any(|name| name == service)
            && component.namespace == namespace
            && port.is_none_or(|port| port == component.port.to_string())
    })
}
