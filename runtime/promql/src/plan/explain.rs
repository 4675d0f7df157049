//! A plan in words: one line per node, the nodes below indented.

use std::fmt::Write;

use prom_model::{METRIC_NAME, MatchOp, Matcher, PromDuration};
use promql_syntax::{AggregateOp, Cardinality, RangeExtension, ValueType};

use super::{Aggregate, Binary, Kind, Node, RangeInput, RangeSource, Selection};
use crate::{Projection, Steps};

/// A node in words, and how deep it lies below the outermost one.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) depth: usize,
    pub(crate) text: String,
}

/// All nodes, each before those below it.
pub(crate) fn lines(plan: &Node) -> Vec<Line> {
    let mut lines = Vec::new();
    walk(plan, None, 0, &mut lines);
    lines
}

fn walk(node: &Node, above: Option<Steps>, depth: usize, lines: &mut Vec<Line>) {
    let mut text = describe(node);
    if above != Some(node.steps) && !matches!(node.kind, Kind::Number(_) | Kind::Text(_)) {
        text.push_str(&at_steps(node.steps));
    }
    lines.push(Line { depth, text });
    for child in node.children() {
        walk(child, Some(node.steps), depth + 1, lines);
    }
}

/// The lines as one text.
pub(crate) fn text(plan: &Node) -> String {
    lines(plan).iter().fold(String::new(), |mut text, line| {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{:indent$}{}", "", line.text, indent = line.depth * 2);
        text
    })
}

fn millis(millis: i64) -> String {
    if millis < 0 {
        return format!("-{}", PromDuration::from_millis(millis.saturating_neg()));
    }
    PromDuration::from_millis(millis).to_string()
}

fn seconds(millis: i64) -> String {
    format!("{}.{:03}", millis.div_euclid(1000), millis.rem_euclid(1000))
}

fn at_steps(steps: Steps) -> String {
    match steps.count {
        0 => "; at no step".to_owned(),
        1 => format!("; at {}", seconds(steps.start)),
        count => {
            let (first, last, every) = (seconds(steps.start), seconds(steps.end()), millis(steps.interval));
            format!("; {count} steps of {every} from {first} to {last}")
        }
    }
}

fn describe(node: &Node) -> String {
    match &node.kind {
        Kind::Number(number) => format!("number {}", prom_model::go_float(*number)),
        Kind::Text(text) => format!("string {}", prom_model::quote(text)),
        Kind::Select(selection) => format!("select {}{}", selector(selection, None), hints(selection)),
        Kind::RangeVector(input) => format!("samples of {}", range(input)),
        Kind::RangeCall(call) => format!("{} over {}", call.function.name, range(&call.input)),
        Kind::Call(call) => call.function.name.to_owned(),
        Kind::Aggregate(aggregate) => grouped(aggregate),
        Kind::Binary(binary) => operation(binary),
        Kind::Negate(_) => "negate".to_owned(),
        Kind::Invariant(_) => "once for all steps".to_owned(),
        Kind::Shared(shared) => format!("shared by {} places, number {}", shared.uses, shared.number + 1),
    }
}

fn selector(selection: &Selection, range: Option<i64>) -> String {
    let is_name = |m: &&Matcher| m.name() == METRIC_NAME && m.op() == MatchOp::Equal;
    let name = selection.matchers.iter().find(is_name);
    let others: Vec<String> =
        selection.matchers.iter().filter(|m| Some(*m) != name).map(Matcher::to_string).collect();
    let mut text = name.map_or("", Matcher::value).to_owned();
    if !others.is_empty() || name.is_none() {
        text.push_str(&format!("{{{}}}", others.join(",")));
    }
    if let Some(range) = range {
        text.push_str(&format!("[{}]", millis(range)));
    }
    match selection.extension {
        Some(RangeExtension::Anchored) => text.push_str(" anchored"),
        Some(RangeExtension::Smoothed) => text.push_str(" smoothed"),
        None => {}
    }
    text + &moved(selection.at, selection.offset)
}

fn moved(at: Option<i64>, offset: i64) -> String {
    let at = at.map(|at| format!(" @ {}", seconds(at))).unwrap_or_default();
    if offset == 0 { at } else { format!("{at} offset {}", millis(offset)) }
}

fn hints(selection: &Selection) -> String {
    let mut text = match &selection.projection {
        Projection::All => String::new(),
        Projection::Only(names) => format!("; labels {}", names.join(", ")),
        Projection::Without(names) => format!("; labels without {}", names.join(", ")),
    };
    if selection.histogram_stats_only {
        text.push_str("; histograms without buckets");
    }
    text
}

fn range(input: &RangeInput) -> String {
    match &input.source {
        RangeSource::Selector(selection) => selector(selection, Some(input.range)) + &hints(selection),
        RangeSource::Subquery { at, offset, input: inner } => {
            let interval = millis(inner.steps.interval);
            format!("subquery [{}:{interval}]{}", millis(input.range), moved(*at, *offset))
        }
    }
}

fn grouped(aggregate: &Aggregate) -> String {
    let limits = matches!(aggregate.op, AggregateOp::Limitk | AggregateOp::LimitRatio);
    let labels = aggregate.grouping.join(", ");
    match (aggregate.without, aggregate.grouping.is_empty()) {
        (true, _) => format!("{} without ({labels})", aggregate.op),
        (false, false) => format!("{} by ({labels})", aggregate.op),
        (false, true) if limits => aggregate.op.to_string(),
        (false, true) => format!("{} of all", aggregate.op),
    }
}

fn operation(binary: &Binary) -> String {
    let mut text = binary.op.to_string();
    if binary.return_bool {
        text.push_str(" bool");
    }
    let vectors = binary.lhs.value_type == ValueType::Vector && binary.rhs.value_type == ValueType::Vector;
    let Some(matching) = binary.matching.as_ref().filter(|_| vectors) else { return text };
    let words = matching.to_string();
    let words = words.trim();
    if !words.is_empty() {
        text.push(' ');
        text.push_str(words);
    }
    text.push_str(match matching.cardinality {
        Cardinality::OneToOne => "; one to one, the right side waits in memory",
        Cardinality::ManyToOne => "; many to one, the right side waits in memory",
        Cardinality::OneToMany => "; one to many, the left side waits in memory",
        Cardinality::ManyToMany => "",
    });
    text
}

#[cfg(test)]
mod tests {
    use crate::{Engine, QueryRange};

    #[test]
    fn a_plan_has_one_line_per_node() {
        let query = r#"topk(3, sum by (pod) (rate(http_requests_total{code=~"5.."}[5m] offset 1h)) / on (pod) group_left (node) max_over_time(info[30m:1m])) > bool scalar(up @ 100)"#;
        let range = QueryRange::Range { start: 0, end: 3_600_000, step: 30_000 };
        let prepared = Engine::default().prepare(query, range).expect("the query is good");
        let expected = r#"> bool; 121 steps of 30s from 0.000 to 3600.000
  topk of all
    number 3
    / on (pod) group_left (node); many to one, the right side waits in memory
      sum by (pod)
        rate over http_requests_total{code=~"5.."}[5m] offset 1h; labels __name__, __type__, __unit__, pod
      max_over_time over subquery [30m:1m]
        select info; 90 steps of 1m from -1740.000 to 3600.000
  once for all steps
    scalar; at 0.000
      select up @ 100.000
"#;
        assert_eq!(prepared.explain(), expected);
    }
}
