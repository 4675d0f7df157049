//! KDL013: a name that nothing in the topology carries.

use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::model::{Cluster, Model, Role};
use crate::topology::decode::Written;
use crate::topology::nodes::scrape::Preset;

/// Components that `args` may name.
const COMPONENTS: &[&str] = &[
    "prometheus",
    "sidecar",
    "store",
    "compact",
    "query",
    "frontend",
    "ruler",
    "receive",
    "receive-router",
    "alertmanager",
    "kube-state-metrics",
    "node-exporter",
];

/// Whether anything of a component runs.
fn is_deployed(cluster: &Cluster, component: &str) -> bool {
    match component {
        "sidecar" => cluster.prometheus.iter().any(|group| group.sidecar),
        word => cluster.components.iter().any(|component| component.role.word() == word),
    }
}

/// Jobs named by `shards`, components named by `args`, clusters named by `reach` and `push`.
pub(super) fn check(model: &Model, diagnostics: &mut Vec<Diagnostic>) {
    for cluster in &model.clusters {
        for group in &cluster.prometheus {
            let Some(shards) = &group.node.shards else { continue };
            let mut jobs: Vec<&str> = Vec::new();
            for scrape in &group.node.scrapes {
                jobs.push(
                    scrape.name.as_ref().map_or(scrape.preset.value.word(), |name| name.value.as_str()),
                );
                jobs.push(scrape.preset.value.word());
                if scrape.preset.value == Preset::Thanos {
                    jobs.extend(cluster.components.iter().map(|component| component.role.job()));
                    jobs.push("thanos-sidecar");
                }
            }
            let named: Vec<&Written<String>> = shards
                .every_shard
                .iter()
                .flat_map(|node| &node.jobs)
                .chain(shards.one_shard.iter().flat_map(|node| &node.jobs))
                .chain(shards.keys.iter().map(|key| &key.job))
                .collect();
            for name in named {
                if !jobs.contains(&name.value.as_str()) {
                    diagnostics.push(
                        Diagnostic::error("KDL013", name.span, format!("there is no job `{}`", name.value))
                            .maybe_help(did_you_mean(&name.value, jobs.iter().copied())),
                    );
                }
            }
        }
        for args in &cluster.topology.args {
            let known = COMPONENTS.contains(&args.component.value.as_str());
            if known && !is_deployed(cluster, &args.component.value) {
                diagnostics.push(
                    Diagnostic::info(
                        "KDL013",
                        args.component.span,
                        format!("no `{}` runs here, so these flags change nothing", args.component.value),
                    )
                    .help("remove them, or deploy it"),
                );
            }
            if !known {
                diagnostics.push(
                    Diagnostic::error(
                        "KDL013",
                        args.component.span,
                        format!("there is no component `{}`", args.component.value),
                    )
                    .maybe_help(did_you_mean(&args.component.value, COMPONENTS.iter().copied())),
                );
            }
        }
        let clusters: Vec<&str> =
            model.clusters.iter().map(|cluster| cluster.name.as_str()).chain(["local"]).collect();
        let reached =
            cluster.topology.query.iter().flat_map(|query| &query.reaches).flat_map(|reach| &reach.targets);
        for target in reached.filter(|target| !target.value.contains([':', '+'])) {
            if !clusters.contains(&target.value.as_str()) {
                diagnostics.push(
                    Diagnostic::error(
                        "KDL013",
                        target.span,
                        format!("there is no cluster `{}`", target.value),
                    )
                    .help(did_you_mean(&target.value, clusters.iter().copied()).unwrap_or_default()),
                );
            }
        }
        if let Some(push) = &cluster.topology.push {
            let named = push.cluster.as_ref();
            let mut candidates =
                model.clusters.iter().filter(|other| named.is_none_or(|name| other.name == name.value));
            let found = match named {
                Some(name) if !model.clusters.iter().any(|other| other.name == name.value) => {
                    Diagnostic::error("KDL013", name.span, format!("there is no cluster `{}`", name.value))
                        .maybe_help(did_you_mean(
                            &name.value,
                            model.clusters.iter().map(|cluster| cluster.name.as_str()),
                        ))
                }
                _ if candidates.any(|other| other.first(Role::Receive).is_some()) => continue,
                Some(name) => {
                    let message = format!("cluster `{}` has no `receive` to push to", name.value);
                    Diagnostic::error("KDL013", name.span, message)
                        .help("add `receive` to it, or name another cluster")
                }
                None => Diagnostic::error("KDL013", push.span, "there is no `receive` to push to")
                    .help("add `receive` to one cluster of this file, or write `remote-write \"https://…\"`"),
            };
            diagnostics.push(found);
        }
    }
}
