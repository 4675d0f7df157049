//! What is wrong with jobs as they stand: hashes that hash nothing, targets seen twice, labels that collide.

mod fields;
mod overlap;
mod targets;

use super::rule::{Pattern, Rule};
use super::symbolic::{Spread, Targets};
use super::{Component, Job, Sharding, Surroundings, permissions};
use crate::diagnostic::Diagnostic;
use crate::model::shards::HASH_LABEL;
use crate::topology::nodes::scrape::Preset;
use prom_model::{RelabelAction, RelabelConfig};

/// Labels with few values: one shard would get far more than another.
const COARSE: [&str; 6] = [
    "__meta_kubernetes_namespace",
    "__meta_kubernetes_service_name",
    "__meta_kubernetes_pod_container_name",
    "__meta_kubernetes_pod_container_port_name",
    "__meta_kubernetes_endpointslice_port_name",
    "__meta_kubernetes_pod_node_name",
];

/// Checks all jobs of a group.
pub(super) fn check(jobs: &[Job], around: &Surroundings, diagnostics: &mut Vec<Diagnostic>) {
    for job in jobs {
        relabelling(job, around, diagnostics);
        targets::check(job, around, diagnostics);
        fields::check(job, around, diagnostics);
        if permissions::uses_node_proxy(&job.config) {
            diagnostics.push(
                Diagnostic::error(
                    "RBC004",
                    job.span,
                    format!(
                        "job `{}` needs nodes/proxy, which allows to run commands in every container",
                        job.name
                    ),
                )
                .help(
                    "scrape the kubelet itself: remove `via=apiserver-proxy`; that needs nodes/metrics only",
                ),
            );
        }
    }
    overlap::check(jobs, around, diagnostics);
    if around.timeout >= around.interval
        && let Some(first) = jobs.first()
    {
        diagnostics.push(
            Diagnostic::warning(
                "RES006",
                first.span,
                format!(
                    "the scrape timeout {} leaves no head-room in the interval {}",
                    around.timeout, around.interval
                ),
            )
            .help("write `every \"INTERVAL\" timeout=…` with some seconds between the two"),
        );
    }
    if around.bare
        && let Some(first) = jobs.first()
    {
        diagnostics.push(
            Diagnostic::warning(
                "RES006",
                first.span,
                "no job has limits: one bad target can fill the memory",
            )
            .help("the profile `hardened` sets them; `limit samples=…` does for one job"),
        );
    }
}

/// Follows the rules symbolically: what is hashed, what becomes of `instance`.
fn relabelling(job: &Job, around: &Surroundings, diagnostics: &mut Vec<Diagnostic>) {
    let rules = &job.config.relabel_configs;
    let mut compiled: Vec<RelabelConfig> = Vec::new();
    for rule in rules {
        match rule.compile(around.prometheus.major) {
            Ok(config) => compiled.push(config),
            Err(error) => {
                diagnostics.push(Diagnostic::error(
                    "KDL007",
                    job.span,
                    format!("job `{}`: {error}", job.name),
                ));
                return;
            }
        }
    }
    if around.plan.is_sharded()
        && let Sharding::Hashed { by, at } = &job.sharding
    {
        hashing(job, by, compiled.get(..*at).unwrap_or(&compiled), diagnostics);
    }
    let fixed: usize = job.config.static_configs.iter().map(|group| group.targets.len()).sum();
    let discovered = !job.config.kubernetes_sd_configs.is_empty()
        || !job.config.file_sd_configs.is_empty()
        || !job.config.dns_sd_configs.is_empty()
        || !job.config.http_sd_configs.is_empty();
    let single = job.preset == Preset::KubeStateMetrics || (!discovered && fixed < 2);
    let mut targets = Targets::discovered(&job.config);
    targets.run(&compiled);
    let instance = match targets.spread("instance") {
        Spread::Absent => targets.spread("__address__"),
        spread => spread,
    };
    if instance != Spread::Varying && !single && job.preset != Preset::Raw {
        diagnostics.push(
            Diagnostic::error(
                "DSC011",
                job.span,
                format!("all targets of job `{}` have the same `instance`", job.name),
            )
            .help("their series melt into one: set `instance` from a label that differs, such as the node's name"),
        );
    }
    habits(job, rules, diagnostics);
}

fn hashing(job: &Job, by: &[String], before: &[RelabelConfig], diagnostics: &mut Vec<Diagnostic>) {
    let mut targets = Targets::discovered(&job.config);
    targets.run(before);
    let names = by.join(", ");
    if by.iter().all(|label| targets.spread(label) != Spread::Varying) {
        diagnostics.push(
            Diagnostic::error(
                "SHD003",
                job.span,
                format!("{names} is the same for all targets of job `{}`: one shard would scrape them all", job.name),
            )
            .help("hash a label that differs between targets, `__address__` in most cases, or write `one-shard`"),
        );
    } else if by.iter().all(|label| COARSE.contains(&label.as_str())) {
        diagnostics.push(
            Diagnostic::warning(
                "SHD004",
                job.span,
                format!("{names} has few values: shards get uneven parts of job `{}`", job.name),
            )
            .help("hash `__address__`, or accept it because these targets belong together"),
        );
    }
    let second = |rule: &Rule| {
        rule.action() == RelabelAction::HashMod || rule.target_label.as_deref() == Some(HASH_LABEL)
    };
    if job.config.relabel_configs.iter().any(second) {
        diagnostics.push(
            Diagnostic::error(
                "SHD006",
                job.span,
                format!("job `{}` hashes its targets itself, and is hashed for the shards too", job.name),
            )
            .help("remove its `hashmod` rule; to keep it, name the job in `every-shard`"),
        );
    }
}

/// Rules that work today and surprise tomorrow.
fn habits(job: &Job, rules: &[Rule], diagnostics: &mut Vec<Diagnostic>) {
    for rule in rules {
        let regex = rule.regex.as_ref().map_or("", Pattern::as_text);
        let address = rule.source_labels.iter().any(|label| label == "__address__");
        if address && rule.action() == RelabelAction::Replace && regex.contains("[^:]") {
            diagnostics.push(
                Diagnostic::warning(
                    "DSC009",
                    job.span,
                    format!("`{regex}` of job `{}` fails on IPv6", job.name),
                )
                .help(r"addresses may hold colons: `(.+?)(?::\d+)?;(\d+)`"),
            );
        }
        let all = |regex: &str| {
            regex.starts_with("__meta_kubernetes_")
                && (regex.ends_with("_label_(.+)") || regex.ends_with("_label_(.*)"))
        };
        if rule.action() == RelabelAction::LabelMap && all(regex) {
            diagnostics.push(
                Diagnostic::warning(
                    "DSC010",
                    job.span,
                    format!("job `{}` copies every label it finds", job.name),
                )
                .help(
                    "each new label makes new series of everything: list the wanted ones with `keep-labels`",
                ),
            );
        }
        if let Some(Pattern::Word(word)) = rule.regex {
            diagnostics.push(
                Diagnostic::info("K8S007", job.span, format!("`regex: {word}` is a boolean in YAML"))
                    .help("Prometheus reads the text; other readers do not: quote it"),
            );
        }
    }
}

/// Components that no job of any group scrapes.
pub fn unscraped(groups: &[&[Job]], components: &[Component]) -> Vec<Diagnostic> {
    let scraped = |component: &Component| {
        let annotated = |job: &Job| component.annotated && job.preset == Preset::AnnotatedServices;
        // Every probe goes through the blackbox-exporter, so its absence does not go unnoticed.
        let probed = |job: &Job| component.job == "blackbox" && job.preset == Preset::Blackbox;
        groups.iter().flat_map(|jobs| jobs.iter()).any(|job| {
            job.component.as_deref() == Some(component.job.as_str()) || annotated(job) || probed(job)
        })
    };
    let mut missing: Vec<&Component> = Vec::new();
    for component in components.iter().filter(|component| !component.external && !scraped(component)) {
        if !missing.iter().any(|seen| seen.job == component.job) {
            missing.push(component);
        }
    }
    let finding = |component: &Component| {
        let preset = match component.job.as_str() {
            "prometheus" => "self",
            job if job.starts_with("thanos-") => "thanos",
            job => job,
        };
        Diagnostic::warning("DSC015", component.span, format!("nothing scrapes {}", component.job))
            .help(format!("add `scrape {preset}`"))
    };
    missing.into_iter().map(finding).collect()
}
