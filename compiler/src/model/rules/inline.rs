//! Groups that are written in the topology itself.

use std::sync::Arc;

use prom_model::PromDuration;

use super::{Delay, Library, Pair, Rule, RuleGroup, file};
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::topology::decode::Written;
use crate::topology::nodes::alerting::{Alert, Record, Rules};

/// An alert or a record, in the order in which they are written: a group is evaluated from top to bottom.
enum Item<'a> {
    Alert(&'a Alert),
    Record(&'a Record),
}

impl Item<'_> {
    fn span(&self) -> Span {
        match self {
            Item::Alert(alert) => alert.span,
            Item::Record(record) => record.span,
        }
    }
}

/// Reads one `rules` node.
pub(super) fn read(
    library: &mut Library,
    node: &Rules,
    bare: bool,
    diagnostics: &mut Vec<Diagnostic>,
) -> Arc<RuleGroup> {
    let alerts = node.alerts.iter().map(Item::Alert);
    let mut items: Vec<Item> = alerts.chain(node.records.iter().map(Item::Record)).collect();
    items.sort_by_key(Item::span);
    if items.is_empty() {
        let message = format!("group `{}` has no rules", node.name.value);
        diagnostics.push(
            Diagnostic::warning("RUL001", node.name_span, message).help(
                "write `alert` or `record` between its braces; the name of a file ends in .yaml or .yml",
            ),
        );
    }
    let mut group = RuleGroup {
        source: node.name.value.clone(),
        name: node.name.value.clone(),
        span: Some(node.name.span),
        interval: node.every.as_ref().map(|every| every.value),
        limit: node.limit.as_ref().map(|limit| limit.value),
        query_offset: node.query_offset.as_ref().map(|offset| offset.value),
        partial_response: node.partial_response.as_ref().map(|answer| answer.value),
        labels: Vec::new(),
        rules: items.iter().filter_map(|item| rule(library, item, bare, diagnostics)).collect(),
        text: "".into(),
    };
    group.write();
    Arc::new(group)
}

fn rule(library: &mut Library, item: &Item, bare: bool, diagnostics: &mut Vec<Diagnostic>) -> Option<Rule> {
    let (name, expr, labels) = match item {
        Item::Alert(alert) => (&alert.name, &alert.expr, &alert.labels),
        Item::Record(record) => (&record.name, &record.expr, &record.labels),
    };
    let Some(expr) = expr else {
        diagnostics.push(
            Diagnostic::error("KDL005", name.span, format!("`{}` has no expression", name.value))
                .help("write `expr \"…\"` between its braces"),
        );
        return None;
    };
    // The tutorial's YAML writes expressions as blocks, which end in a line break.
    let text = if bare { format!("{}\n", expr.text.value) } else { expr.text.value.clone() };
    let mut rule = Rule {
        alert: matches!(item, Item::Alert(_)),
        name: name.value.clone(),
        span: Some(name.span),
        expr: library.expression(&text),
        expr_span: Some(expr.text.span),
        wait: None,
        keep_firing_for: None,
        labels: labels.iter().map(pair).collect(),
        annotations: Vec::new(),
    };
    if let Item::Alert(alert) = item {
        rule.wait = alert.wait.as_ref().map(|wait| delay(library, wait));
        rule.keep_firing_for = alert.keep_firing_for.as_ref().map(|keep| delay(library, keep));
        rule.labels.extend(alert.severity.as_ref().map(|severity| named("severity", severity)));
        let summary = alert.summary.as_ref().map(|node| named("summary", &node.text));
        let description = alert.description.as_ref().map(|node| named("description", &node.text));
        let runbook = alert.runbook.as_ref().map(|node| named("runbook_url", &node.text));
        rule.annotations = [summary, description, runbook].into_iter().flatten().collect();
        let further = alert.annotations.iter().flat_map(|node| &node.annotations);
        rule.annotations.extend(further.map(pair));
    }
    file::check(library, &rule, diagnostics);
    if !bare {
        rule.wait = rule.wait.filter(|wait| !wait.value.is_zero());
    }
    Some(rule)
}

/// A duration in the user's spelling, where it stands there as such.
fn delay(library: &Library, written: &Written<PromDuration>) -> Delay {
    let spelled = library.sources().snippet(written.span).trim_matches('"');
    let same = spelled.parse::<PromDuration>().is_ok_and(|read| read == written.value);
    let text = if same { spelled.to_string() } else { written.value.to_string() };
    Delay { value: written.value, text, span: Some(written.span) }
}

fn named(name: &str, value: &Written<String>) -> Pair {
    Pair { name: name.to_string(), value: value.value.clone(), span: Some(value.span) }
}

fn pair((name, value): &(Written<String>, Written<String>)) -> Pair {
    Pair { name: name.value.clone(), value: value.value.clone(), span: Some(name.span) }
}
