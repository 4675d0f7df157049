//! Where a group is evaluated: on every Prometheus, or on the ruler, which sees what all of them scrape.

use std::collections::BTreeSet;

use super::expression::{Job, Keeps, Need};
use super::library::Wanted;
use super::{Place, Placed, Rule, RuleGroup};
use crate::diagnostic::Diagnostic;
use crate::model::{Cluster, PrometheusGroup};
use crate::topology::nodes::alerting::Placement;
use crate::topology::nodes::scrape::Preset;

/// What decides on places in one cluster.
pub(super) struct View<'a> {
    /// Prometheus groups that can evaluate rules.
    pub(super) servers: Vec<&'a PrometheusGroup>,
    /// Whether there is a ruler.
    pub(super) ruler: bool,
    /// Whether some group divides its targets over shards.
    pub(super) sharded: bool,
    /// Names of all external labels, with those of replica and shard.
    pub(super) external: BTreeSet<&'a str>,
    shard_labels: BTreeSet<&'a str>,
    whole_jobs: BTreeSet<&'a str>,
    tenant_label: Option<&'a str>,
}

impl<'a> View<'a> {
    /// Looks at a cluster.
    pub(super) fn new(cluster: &'a Cluster) -> View<'a> {
        let servers: Vec<&PrometheusGroup> = cluster.prometheus.iter().filter(|group| !group.agent).collect();
        let mut view = View {
            ruler: cluster.topology.ruler.is_some(),
            sharded: servers.iter().any(|group| group.sharded()),
            external: BTreeSet::new(),
            shard_labels: BTreeSet::new(),
            whole_jobs: BTreeSet::new(),
            tenant_label: None,
            servers,
        };
        for group in &view.servers {
            view.external.insert(&group.replica_label.value);
            view.external.extend(group.external_labels.iter().map(|(name, _)| name.as_str()));
            if group.sharded() {
                view.external.insert(&group.shard_label.value);
                view.shard_labels.insert(&group.shard_label.value);
            }
            if let Some(shards) = &group.node.shards {
                let every = shards.every_shard.iter().flat_map(|node| &node.jobs);
                let one = shards.one_shard.iter().flat_map(|node| &node.jobs);
                view.whole_jobs.extend(every.chain(one).map(|job| job.value.as_str()));
            }
            // One target is always on one shard.
            let single = group.node.scrapes.iter().filter(|job| job.preset.value == Preset::KubeStateMetrics);
            view.whole_jobs.extend(single.map(|job| {
                job.name.as_ref().map_or(Preset::KubeStateMetrics.word(), |name| name.value.as_str())
            }));
        }
        if let Some(receive) = &cluster.topology.receive {
            let named = receive.tenants.as_ref().and_then(|tenants| tenants.label.as_ref());
            view.tenant_label = Some(named.map_or("tenant_id", |label| label.value.as_str()));
        }
        view
    }

    /// Whether one Prometheus cannot answer it, because the series are spread over several.
    pub(super) fn is_unmet(&self, need: &Need) -> bool {
        if let Some(Keeps::By(labels)) = &need.keeps
            && labels.iter().any(|label| self.shard_labels.contains(label.as_str()))
        {
            return false;
        }
        !match &need.job {
            Some(Job::Named(name)) => self.whole_jobs.contains(name.as_str()),
            Some(Job::KubeState) => true,
            None => false,
        }
    }

    /// Why a rule cannot be evaluated by each Prometheus on its own.
    fn obstacle(&self, rule: &Rule, ruled: &BTreeSet<String>) -> Option<String> {
        let expr = &rule.expr;
        if let Some(label) = self.tenant_label
            && expr.labels.iter().any(|name| name == label)
        {
            return Some(format!("`{}` selects by tenant (`{label}`)", rule.name));
        }
        if let Some(label) = expr.labels.iter().find(|name| self.external.contains(name.as_str())) {
            return Some(format!(
                "`{}` selects by the external label `{label}`, which series have only behind the querier",
                rule.name
            ));
        }
        if let Some(metric) = expr.metrics.iter().find(|metric| ruled.contains(*metric)) {
            return Some(format!("`{}` reads `{metric}`, which the ruler records", rule.name));
        }
        if self.sharded || self.servers.len() > 1 {
            let need = expr.needs.iter().find(|need| self.is_unmet(need))?;
            return Some(format!("`{}`: {}, and those are on several Prometheus", rule.name, need.what));
        }
        None
    }

    fn group_obstacle(&self, group: &RuleGroup, ruled: &BTreeSet<String>) -> Option<String> {
        group.rules.iter().find_map(|rule| self.obstacle(rule, ruled))
    }
}

/// Gives every group its place.
pub(super) fn place(
    cluster: &Cluster,
    wanted: Vec<Wanted>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<Placed> {
    let view = View::new(cluster);
    let mut placed: Vec<Placed> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    for want in wanted {
        let written = want.place.as_ref().map(|place| (place.value, place.span));
        let (place, reason) = match written {
            _ if want.in_ruler => (Place::Ruler, "it is written inside `ruler`".to_string()),
            _ if view.servers.is_empty() && view.ruler => {
                (Place::Ruler, "no Prometheus of this cluster evaluates rules".to_string())
            }
            Some((Placement::Ruler, span)) => {
                if !view.ruler {
                    diagnostics.push(
                        Diagnostic::error("KDL007", span, "`place=ruler` needs a ruler, and there is none")
                            .help("add `ruler`, or leave `place` out"),
                    );
                }
                (Place::Ruler, "the topology says so".to_string())
            }
            Some((Placement::Local, _)) => (Place::Local, "the topology says so".to_string()),
            Some((Placement::Auto, _)) | None if !view.ruler => {
                (Place::Local, "there is no ruler".to_string())
            }
            Some((Placement::Auto, _)) | None => {
                open.push(placed.len());
                (Place::Local, "each of its rules is right with what one Prometheus scrapes".to_string())
            }
        };
        if view.servers.is_empty() && place.is_local() {
            diagnostics.push(
                Diagnostic::error(
                    "MCL007",
                    want.group.span,
                    format!("nobody evaluates group `{}`", want.group.name),
                )
                .help("an agent only forwards: add `ruler`, or move the rules to the cluster that stores"),
            );
        }
        placed.push(Placed { group: want.group, place, reason, builtin: false });
    }
    // A group that reads what the ruler records has to follow it there.
    let mut ruled: BTreeSet<String> = BTreeSet::new();
    let records = |group: &RuleGroup| -> Vec<String> {
        group.rules.iter().filter(|rule| !rule.alert).map(|rule| rule.name.clone()).collect()
    };
    placed.iter().filter(|p| p.place == Place::Ruler).for_each(|p| ruled.extend(records(&p.group)));
    loop {
        let before = open.len();
        open.retain(|at| {
            let Some(group) = placed.get_mut(*at) else { return false };
            let Some(reason) = view.group_obstacle(&group.group, &ruled) else { return true };
            ruled.extend(records(&group.group));
            (group.place, group.reason) = (Place::Ruler, reason);
            false
        });
        if open.len() == before {
            return placed;
        }
    }
}
