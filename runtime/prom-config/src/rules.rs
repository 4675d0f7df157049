//! The check of rule files, and the groups they hold.

use prom_model::{NameScheme, PromDuration};

use crate::checker::{Checker, Step};
use crate::config::{in_order, read};
use crate::record::Record;
use crate::schema::rules::{FILE, GROUP, RULE};
use crate::schema::{Shape, v};
use crate::tree::{Content, Dialect, NodeId};
use crate::{Kind, Options, Problem, promql, template};

const ROOT: Shape = Shape::Struct(&FILE);

/// The outcome of [`check_rules`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RulesReport {
    /// Why Prometheus would not load the file; empty if it would.
    pub problems: Vec<Problem>,
    /// The groups, in the order of the file. Only a file without problems has all of them right.
    pub groups: Vec<RuleGroup>,
}

/// A group of rules.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RuleGroup {
    /// The name, unique in the file.
    pub name: String,
    /// How often the rules are evaluated; none means as `global` says.
    pub interval: Option<PromDuration>,
    /// How many alerts or series a rule may give; 0 means any number.
    pub limit: i64,
    /// How far in the past the rules are evaluated; none means as `global` says.
    pub query_offset: Option<PromDuration>,
    /// Labels that all rules of the group add.
    pub labels: Vec<(String, String)>,
    /// The rules, in the order of their evaluation.
    pub rules: Vec<Rule>,
    /// The line of the group.
    pub line: u32,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// What the rule makes.
    pub kind: RuleKind,
    /// The expression, as written.
    pub expr: String,
    /// How long the expression has to be true.
    pub hold: PromDuration,
    /// How long the alert goes on after the expression is no longer true.
    pub keep_firing_for: PromDuration,
    /// Labels that the rule adds.
    pub labels: Vec<(String, String)>,
    /// Annotations of the alert.
    pub annotations: Vec<(String, String)>,
    /// The line of the rule.
    pub line: u32,
}

/// What a rule makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleKind {
    /// Series of this name.
    Record(String),
    /// Alerts of this name.
    Alert(String),
}

/// Says whether Prometheus would load a rule file, and what rules it holds.
pub fn check_rules(text: &[u8], options: &Options) -> RulesReport {
    let mut report = RulesReport::default();
    let read = read(text, |tree| {
        let mut checker = Checker::new(tree, options, Dialect::V3);
        checker.doubt_tabs();
        if let Some(root) = tree.root() {
            checker.decode(root, &ROOT);
            // Prometheus looks at the rules once all types are right; a wrong type is enough to refuse the file.
            if !checker.is_stopped() && !checker.is_null(root) {
                report.groups = groups(&mut checker, root);
            }
        }
        report.problems = in_order(checker.problems);
    });
    if let Err(problem) = read {
        report.problems = vec![problem];
    }
    report
}

fn groups(c: &mut Checker<'_>, root: NodeId) -> Vec<RuleGroup> {
    let file = c.quiet_record(root, &FILE);
    let mut known = std::collections::HashSet::new();
    let mut groups = Vec::new();
    for (index, item) in c.items(&file, "groups").to_vec().into_iter().enumerate() {
        if c.is_null(item) || c.is_stopped() {
            continue;
        }
        let record = c.quiet_record(item, &GROUP);
        let name = c.text(&record, "name");
        let group = c.within(Step::Field("groups"), |c| {
            c.within(Step::Index(index), |c| {
                if name.is_empty() {
                    c.refuse(&record, "name", "the group has no name: give it one");
                }
                if !known.insert(name) {
                    c.refuse(
                        &record,
                        "name",
                        format!("there is another group `{name}`: names are unique in a file"),
                    );
                }
                group(c, &record, name, c.tree.node(item).mark.line)
            })
        });
        groups.push(group);
    }
    groups
}

fn group(c: &mut Checker<'_>, record: &Record, name: &str, line: u32) -> RuleGroup {
    let duration = |c: &Checker<'_>, name| {
        if c.is_set(record, name) { c.duration_or(record, name, PromDuration::ZERO) } else { None }
    };
    let labels = pairs(c, record, "labels");
    check_labels(c, record, "labels", true);
    let mut rules = Vec::new();
    for (index, item) in c.items(record, "rules").to_vec().into_iter().enumerate() {
        if c.is_null(item) || c.is_stopped() {
            continue;
        }
        let own = c.quiet_record(item, &RULE);
        let line = c.tree.node(item).mark.line;
        c.within(Step::Field("rules"), |c| c.within(Step::Index(index), |c| rules.push(rule(c, &own, line))));
    }
    RuleGroup {
        name: name.to_owned(),
        interval: duration(c, "interval").filter(|interval| !interval.is_zero()),
        limit: c.number_or(record, "limit", 0.0).map_or(0, |limit| limit as i64),
        query_offset: duration(c, "query_offset"),
        labels,
        rules,
        line,
    }
}

/// The text of `record`, `alert` and `expr`: before 3.3 they were kept as nodes, null and alias as they stand.
fn node_text(c: &Checker<'_>, record: &Record, name: &str) -> String {
    let Some(id) = record.value(name) else { return String::new() };
    if c.options.before(v(3, 3, 0)) {
        return match &c.tree.node(id).content {
            Content::Scalar { text, .. } => text.to_string(),
            Content::Alias { name, .. } => name.to_string(),
            _ => String::new(),
        };
    }
    c.text(record, name).to_owned()
}

fn rule(c: &mut Checker<'_>, own: &Record, line: u32) -> Rule {
    let (name, alert, expr) =
        (node_text(c, own, "record"), node_text(c, own, "alert"), node_text(c, own, "expr"));
    match (name.is_empty(), alert.is_empty()) {
        (true, true) => c.refuse(own, "record", "the rule has neither `record` nor `alert`: give it one"),
        (false, false) => c.refuse(own, "alert", "the rule has both `record` and `alert`: remove one"),
        _ => {}
    }
    let hold = c.duration_or(own, "for", PromDuration::ZERO).unwrap_or_default();
    let keep_firing_for = c.duration_or(own, "keep_firing_for", PromDuration::ZERO).unwrap_or_default();
    check_expression(c, own, &expr);
    if !name.is_empty() {
        check_record(c, own, &name, hold, keep_firing_for);
    }
    check_labels(c, own, "labels", true);
    check_labels(c, own, "annotations", false);
    if !alert.is_empty() {
        check_templates(c, own, "labels");
        check_templates(c, own, "annotations");
    }
    let kind = if alert.is_empty() { RuleKind::Record(name) } else { RuleKind::Alert(alert) };
    let (labels, annotations) = (pairs(c, own, "labels"), pairs(c, own, "annotations"));
    Rule { kind, expr, hold, keep_firing_for, labels, annotations, line }
}

fn check_expression(c: &mut Checker<'_>, own: &Record, expr: &str) {
    if expr.is_empty() {
        return c.refuse(own, "expr", "the rule has no `expr`: give it one");
    }
    let (Some(wrong), Some(id)) = (promql::problem(expr, c.options), own.value("expr")) else { return };
    let mark = c.tree.node(id).mark;
    c.within(Step::Field("expr"), |c| c.push(mark, Kind::Expression, wrong.message, wrong.certain));
}

fn check_record(c: &mut Checker<'_>, own: &Record, name: &str, hold: PromDuration, keep: PromDuration) {
    if c.get(own, "annotations").is_some_and(|id| !c.pairs(id).is_empty()) {
        c.refuse(own, "annotations", "a recording rule takes no `annotations`: remove them");
    }
    for (field, value) in [("for", hold), ("keep_firing_for", keep)] {
        if !value.is_zero() {
            c.refuse(own, field, format!("a recording rule takes no `{field}`: remove it"));
        }
    }
    if !c.scheme().is_valid_metric_name(name) {
        let text =
            format!("{name:?} is no metric name: letters, digits, `_` and `:` make one, the first no digit");
        refuse_name(c, own.value("record"), "record", text);
    } else if c.options.at_least(v(3, 2, 0)) && name.contains(['{', '}']) {
        c.refuse(own, "record", format!("{name:?}: braces belong in `expr`"));
    }
}

fn refuse_name(c: &mut Checker<'_>, id: Option<NodeId>, field: &'static str, message: String) {
    let Some(id) = id else { return };
    let doubt = c.may_have_utf8_names();
    c.within(Step::Field(field), |c| {
        if doubt {
            c.doubt_at(id, Kind::Value, message);
        } else {
            c.problem_at(id, Kind::Value, message);
        }
    });
}

fn check_labels(c: &mut Checker<'_>, own: &Record, field: &'static str, label: bool) {
    let Some(id) = c.get(own, field) else { return };
    for (key, _) in c.pairs(id) {
        let name = c.scalar_text(key);
        if label && name == prom_model::METRIC_NAME {
            c.within(Step::Field(field), |c| {
                c.problem_at(key, Kind::Value, "`__name__` may not be set here: remove it");
            });
        } else if !c.scheme().is_valid_label_name(name) {
            let rule = if c.scheme() == NameScheme::Legacy {
                "letters, digits and `_`, the first no digit"
            } else {
                "it is empty"
            };
            refuse_name(c, Some(key), field, format!("{name:?} is no valid name: {rule}"));
        }
    }
}

fn check_templates(c: &mut Checker<'_>, own: &Record, field: &'static str) {
    let Some(id) = c.get(own, field) else { return };
    for (key, value) in c.pairs(id) {
        if let Some(problem) = template::problem(c.scalar_text(value), c.options) {
            let name = c.scalar_text(key);
            c.within(Step::Field(field), |c| {
                c.within(Step::Field(name), |c| {
                    c.problem_at(value, Kind::Expression, format!("the template does not parse: {problem}"));
                });
            });
        }
    }
}

fn pairs(c: &Checker<'_>, record: &Record, field: &str) -> Vec<(String, String)> {
    let Some(id) = c.get(record, field) else { return Vec::new() };
    let text = |id| c.scalar_text(id).to_owned();
    c.pairs(id).into_iter().map(|(key, value)| (text(key), text(value))).collect()
}
