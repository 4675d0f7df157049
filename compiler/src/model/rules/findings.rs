//! What can be said about rules in the place where they are evaluated.

use std::collections::BTreeMap;

use prom_model::PromDuration;

use super::expression::Job;
use super::library::place;
use super::placement::View;
use super::{Place, Placed, Rule, RuleGroup};
use crate::diagnostic::Diagnostic;
use crate::facts::{FlagStatus, config_field_since, config_field_status};
use crate::model::Cluster;
use crate::source::{Sources, Span};
use crate::topology::nodes::scrape::Preset;

/// What one ConfigMap may hold: half of what Kubernetes takes, so that an annotation or a patch still fits.
pub const CONFIG_MAP_BYTES_MAX: usize = 512 * 1024;

/// Judges every group of the user; built-in ones have their own tests.
pub(super) fn check(
    cluster: &Cluster,
    sources: &Sources,
    groups: &[Placed],
    diagnostics: &mut Vec<Diagnostic>,
) {
    let view = View::new(cluster);
    let mut judge = Judge { cluster, sources, view, found: diagnostics };
    for placed in groups.iter().filter(|placed| !placed.builtin) {
        judge.group(placed);
        for rule in &placed.group.rules {
            judge.rule(placed, rule);
        }
    }
    judge.duplicates(groups);
}

/// What makes two rules the same: alert or record, name, sorted labels.
type Identity<'g> = (bool, &'g str, Vec<(&'g str, &'g str)>);

struct Judge<'a> {
    cluster: &'a Cluster,
    sources: &'a Sources,
    view: View<'a>,
    found: &'a mut Vec<Diagnostic>,
}

impl Judge<'_> {
    fn group(&mut self, placed: &Placed) {
        let group = &placed.group;
        if group.text.len() > CONFIG_MAP_BYTES_MAX - 64 {
            self.found.push(
                Diagnostic::error(
                    "RES007",
                    group.span,
                    format!("group `{}` has {} KiB", group.name, group.text.len() / 1024),
                )
                .help("a ConfigMap holds 512 KiB and a group cannot be divided: make several groups of it"),
            );
        }
        if placed.place.is_local() {
            let fields = [
                ("rule_group.query_offset", "query_offset", group.query_offset.is_some()),
                ("rule_group.labels", "labels", !group.labels.is_empty()),
            ];
            for (path, name, used) in fields {
                if used {
                    self.since(path, name, group.span);
                }
            }
        }
        for label in &group.labels {
            self.external_label(&group.name, &label.name, label.span.or(group.span));
        }
    }

    fn since(&mut self, path: &str, name: &str, span: Option<Span>) {
        let version = self.cluster.versions.prometheus;
        if matches!(config_field_status(version, path), FlagStatus::Known | FlagStatus::Deprecated { .. }) {
            return;
        }
        let since = config_field_since(path).map_or(String::new(), |since| format!(" {since} and later"));
        self.found.push(
            Diagnostic::error("VER003", span, format!("Prometheus {version} does not know `{name}`"))
                .help(format!("known to Prometheus{since}: leave it out, or raise `target prometheus=`")),
        );
    }

    fn external_label(&mut self, rule: &str, name: &str, span: Option<Span>) {
        if self.view.external.contains(name) {
            self.found.push(
                Diagnostic::warning("IDN010", span, format!("`{rule}` sets the external label `{name}`"))
                    .help(
                        "external labels say who evaluated it and are added by themselves: name it otherwise",
                    ),
            );
        }
    }

    fn rule(&mut self, placed: &Placed, rule: &Rule) {
        for label in &rule.labels {
            self.external_label(&rule.name, &label.name, label.span.or(rule.span));
        }
        if !rule.expr.problems.is_empty() {
            return;
        }
        if placed.place.is_local() {
            self.local(rule);
        }
        let evaluation = self.evaluation(&placed.group, placed.place);
        if let Some(wait) = &rule.wait
            && !wait.value.is_zero()
            && wait.value < evaluation
        {
            self.found.push(
                Diagnostic::warning(
                    "RUL005",
                    wait.span,
                    format!("`{}` waits {}, but is evaluated every {evaluation}", rule.name, wait.text),
                )
                .help(format!("it fires at the second evaluation, after {evaluation}: write that, or more")),
            );
        }
        self.windows(rule, evaluation);
    }

    fn local(&mut self, rule: &Rule) {
        if self.view.sharded {
            for need in rule.expr.needs.iter().filter(|need| self.view.is_unmet(need)) {
                let span = rule.expr_span.map(|span| place(self.sources, span, &rule.expr.text, &need.at));
                let help = match self.view.ruler {
                    true => "leave `place=local` out, and the ruler evaluates it",
                    false => "add `ruler`, keep `instance` or the shard label, or scrape its job `one-shard`",
                };
                self.found.push(
                    Diagnostic::error(
                        "SHD013",
                        span,
                        format!("`{}` is evaluated on each shard alone: {}", rule.name, need.what),
                    )
                    .help(help),
                );
            }
        }
        if let Some(label) = rule.expr.labels.iter().find(|name| self.view.external.contains(name.as_str())) {
            self.found.push(
                Diagnostic::warning(
                    "RUL009",
                    rule.expr_span,
                    format!("`{}` selects by the external label `{label}`", rule.name),
                )
                .help("inside of Prometheus series do not have it: leave it out, or evaluate on the ruler"),
            );
        }
        if rule.keep_firing_for.is_some() {
            self.since("rule.keep_firing_for", "keep_firing_for", rule.span);
        }
        for (feature, at) in &rule.expr.features {
            let missing = self.view.servers.iter().any(|group| {
                let mut named = group.node.features.iter().flat_map(|node| &node.names);
                !named.any(|name| name.value == feature.flag())
            });
            if missing {
                let span = rule.expr_span.map(|span| place(self.sources, span, &rule.expr.text, at));
                self.found.push(
                    Diagnostic::error("RUL001", span, "this is off by default in Prometheus")
                        .help(format!("write `feature {}` inside `prometheus`", feature.flag())),
                );
            }
        }
    }

    fn windows(&mut self, rule: &Rule, evaluation: PromDuration) {
        for window in &rule.expr.windows {
            let Some(interval) = self.interval(window.job.as_ref()) else { continue };
            let scrape = interval.as_millis().max(1);
            let span = || rule.expr_span.map(|span| place(self.sources, span, &rule.expr.text, &window.at));
            let least = if matches!(window.function, "irate" | "idelta") { 2 } else { 4 };
            let (function, range) = (window.function, &window.written);
            if window.range_ms < scrape.saturating_mul(2) {
                self.found.push(
                    Diagnostic::error(
                        "RUL003",
                        span(),
                        format!(
                            "`{function}` over {range} never sees two samples: they come every {interval}"
                        ),
                    )
                    .help(format!("write a range of {} or more", times(interval, 4))),
                );
            } else if window.range_ms < scrape.saturating_mul(least) {
                self.found.push(
                    Diagnostic::warning(
                        "RUL003",
                        span(),
                        format!("`{function}` over {range} breaks at one lost scrape: samples come every {interval}"),
                    )
                    .help(format!("write a range of {} or more", times(interval, 4))),
                );
            }
            let blind = evaluation.checked_add(interval).unwrap_or(evaluation);
            if rule.alert && window.counts_changes && window.range_ms <= blind.as_millis() {
                self.found.push(
                    Diagnostic::warning(
                        "RUL004",
                        span(),
                        format!("`{}` misses changes: `{function}` looks back {range}", rule.name),
                    )
                    .help(format!(
                        "what happens between two evaluations ({evaluation}) and two samples ({interval}) is seen only \
                         by a range above {blind}: write [5m] or more",
                    )),
                );
            }
        }
    }

    /// How often the group is evaluated.
    fn evaluation(&self, group: &RuleGroup, place: Place) -> PromDuration {
        let default = PromDuration::from_secs(60);
        group.interval.unwrap_or_else(|| match place {
            Place::Ruler => {
                let written = self.cluster.topology.ruler.as_ref().and_then(|ruler| ruler.every.as_ref());
                self.cluster.profile.or_duration(written, "ruler.every").value.unwrap_or(default)
            }
            _ => {
                let all = self.view.servers.iter().filter_map(|group| group.evaluation.as_ref());
                all.map(|every| every.value).max().unwrap_or(default)
            }
        })
    }

    /// How often the series of a job get a sample; the shortest of all where the job is not known.
    fn interval(&self, job: Option<&Job>) -> Option<PromDuration> {
        let mut of_job = None;
        let mut of_all = None;
        for group in &self.view.servers {
            let least = |known: Option<PromDuration>, new| Some(known.map_or(new, |known| known.min(new)));
            of_all = least(of_all, group.interval.value);
            for scrape in &group.node.scrapes {
                let name = scrape.name.as_ref().map_or(scrape.preset.value.word(), |name| &name.value);
                let same = match job {
                    Some(Job::Named(wanted)) => name == wanted,
                    Some(Job::KubeState) => scrape.preset.value == Preset::KubeStateMetrics,
                    None => false,
                };
                let every = scrape.every.as_ref().map_or(group.interval.value, |every| every.value);
                if same {
                    of_job = least(of_job, every);
                }
                if job.is_none() {
                    of_all = least(of_all, every);
                }
            }
        }
        of_job.or(of_all)
    }

    fn duplicates(&mut self, groups: &[Placed]) {
        let mut seen: BTreeMap<Identity<'_>, Option<Span>> = BTreeMap::new();
        for placed in groups.iter().filter(|placed| !placed.builtin) {
            for rule in &placed.group.rules {
                let own = rule.labels.iter();
                let inherited = placed.group.labels.iter().filter(|pair| rule.label(&pair.name).is_none());
                let mut labels: Vec<(&str, &str)> =
                    own.chain(inherited).map(|pair| (pair.name.as_str(), pair.value.as_str())).collect();
                labels.sort_unstable();
                let key = (rule.alert, rule.name.as_str(), labels);
                let Some(first) = seen.get(&key) else {
                    seen.insert(key, rule.span);
                    continue;
                };
                let mut finding = Diagnostic::error(
                    "RUL006",
                    rule.span,
                    format!("`{}` is there already with the same labels", rule.name),
                )
                .help("remove one of the two, or tell them apart by a label such as `severity`");
                if let Some(first) = first.filter(|first| Some(*first) != rule.span) {
                    finding = finding.related(first, "the first one");
                }
                self.found.push(finding);
            }
        }
    }
}

fn times(interval: PromDuration, factor: i64) -> String {
    interval.checked_mul(factor).unwrap_or(interval).to_string()
}
