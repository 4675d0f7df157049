//! Where a job's shard rules stand, and what they hash.

use prom_model::RelabelAction;

use super::rule::Rule;
use super::{Job, Surroundings};
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::model::shards::{HASH_LABEL, ShardPlan};
use crate::source::Span;
use crate::topology::nodes::prometheus::Shards;
use crate::topology::nodes::scrape::Preset;

/// How a job's targets are divided over the shards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sharding {
    /// Every shard scrapes all of them.
    Whole,
    /// One shard scrapes all of them, the others do not have the job.
    One(u32),
    /// Each shard scrapes those whose hash it owns.
    Hashed {
        /// Labels that are hashed, joined with `;`.
        by: Vec<String>,
        /// How many of the job's relabelling rules stand before the shard rules.
        at: usize,
    },
}

impl Sharding {
    /// By the address as discovered, before anything rewrites it.
    pub fn by_address() -> Sharding {
        Sharding::by(&["__address__"], 0)
    }

    /// By these labels, after so many rules.
    pub fn by(labels: &[&str], at: usize) -> Sharding {
        Sharding::Hashed { by: labels.iter().map(|label| label.to_string()).collect(), at }
    }

    /// The rule that hashes and the rule that keeps; empty when there is nothing to divide.
    pub fn rules(&self, plan: &ShardPlan, shard: u32) -> Vec<Rule> {
        match self {
            Sharding::Hashed { by, .. } if plan.is_sharded() => {
                vec![hash_rule(by, plan), keep_rule(plan, shard)]
            }
            _ => Vec::new(),
        }
    }
}

/// The rule that hashes; the same on every shard.
pub fn hash_rule(by: &[String], plan: &ShardPlan) -> Rule {
    Rule::hashmod(by, plan.modulus(), HASH_LABEL)
}

/// The rule that keeps what a shard owns; the same in every job.
pub fn keep_rule(plan: &ShardPlan, shard: u32) -> Rule {
    Rule::keep(&[HASH_LABEL], &plan.keep_regex(shard))
}

/// Applies `every-shard`, `one-shard` and `key` to the jobs that they name.
pub(super) fn assign(
    jobs: &mut [Job],
    node: Option<&Shards>,
    around: &Surroundings,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let Some(node) = node else { return };
    // Keys first: `every-shard` and `one-shard` are stronger.
    for key in &node.keys {
        let Some(by) = &key.by else {
            diagnostics.push(
                Diagnostic::error("KDL005", key.span, "`key` does not say what is hashed")
                    .help("write `key JOB by=__address__`"),
            );
            continue;
        };
        for job in named(jobs, &key.job.value, key.job.span, around, diagnostics) {
            // Fixed addresses have no labels of Kubernetes: a hash of nothing would put all of them on one shard.
            if around.local && by.value.starts_with("__meta_kubernetes_") {
                continue;
            }
            rehash(job, &by.value, by.span, diagnostics);
        }
    }
    for group in &node.one_shard {
        let shard = group.shard.as_ref().map_or(0, |shard| shard.value);
        if let Some(written) = &group.shard
            && shard >= around.plan.count()
        {
            diagnostics.push(
                Diagnostic::error("KDL007", written.span, format!("there is no shard {shard}"))
                    .help(format!("shards are numbered 0 to {}", around.plan.count().saturating_sub(1))),
            );
            continue;
        }
        for name in &group.jobs {
            for job in named(jobs, &name.value, name.span, around, diagnostics) {
                job.sharding = Sharding::One(shard);
            }
        }
    }
    for group in &node.every_shard {
        for name in &group.jobs {
            for job in named(jobs, &name.value, name.span, around, diagnostics) {
                if matches!(job.sharding, Sharding::One(_)) {
                    diagnostics.push(
                        Diagnostic::error(
                            "KDL008",
                            name.span,
                            format!("job `{}` is on one shard and on every shard", job.name),
                        )
                        .help("keep `one-shard` or `every-shard`"),
                    );
                }
                job.sharding = Sharding::Whole;
            }
        }
    }
}

/// The jobs with this name, or, when there is none, those of the preset with this name.
fn named<'a>(
    jobs: &'a mut [Job],
    name: &str,
    span: Span,
    around: &Surroundings,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<&'a mut Job> {
    let by_name = jobs.iter().any(|job| job.name == name);
    let matches = |job: &Job| if by_name { job.name == name } else { job.preset.word() == name };
    // Without Kubernetes some jobs are left out, and naming them is no mistake.
    if !around.local && !jobs.iter().any(matches) {
        let known: Vec<&str> = jobs.iter().map(|job| job.name.as_str()).collect();
        diagnostics.push(
            Diagnostic::error("KDL013", span, format!("there is no job `{name}`"))
                .maybe_help(did_you_mean(name, known)),
        );
    }
    jobs.iter_mut().filter(|job| matches(job)).collect()
}

/// Hashes a job by another label, as early as that label has its value.
fn rehash(job: &mut Job, by: &str, span: Span, diagnostics: &mut Vec<Diagnostic>) {
    if job.preset == Preset::Blackbox && by == "__address__" {
        diagnostics.push(
            Diagnostic::error("SHD007", span, format!("probes of `{}` are hashed by __address__", job.name))
                .help("every probe goes to the exporter's address; leave the key out: it is __param_target"),
        );
    }
    let discovered = by == "__address__" || by.starts_with("__meta_");
    let rules = &job.config.relabel_configs;
    let writes = |rule: &Rule| rule.writes() == Some(by);
    let maps = |rule: &Rule| rule.action() == RelabelAction::LabelMap;
    let last = rules.iter().rposition(writes).or_else(|| rules.iter().rposition(maps));
    let written = last.map_or(0, |last| last + 1);
    job.sharding = Sharding::by(&[by], if discovered { 0 } else { written });
}
