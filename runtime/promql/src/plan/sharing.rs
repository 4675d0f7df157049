//! A rule: an aggregation that stands in a query several times is evaluated once.
//!
//! Only aggregations that keep something per group: their results are no more than what they hold anyway. And only where the
//! same steps count the same samples: outside of subqueries and of what is evaluated once, or all inside of the same one.

use std::collections::BTreeMap;

use promql_syntax::{AggregateOp, Span};

use super::{Kind, Node, RangeInput, RangeSource, Shared};

/// Applies the rule to a plan; the last one, because it compares what the others have made of it.
pub(super) fn apply(plan: &mut Node) {
    share(plan, &mut 0);
}

/// Looks for equal aggregations among the nodes that are evaluated together with `root`.
fn share(root: &mut Node, next: &mut usize) {
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    each(root, &mut |node| {
        if is_shareable(node) {
            *found.entry(key(node)).or_default() += 1;
        }
        true
    });
    found.retain(|_, count| *count > 1);
    // Those inside of another one that is shared do not stand alone any more.
    let mut uses: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    if !found.is_empty() {
        each(root, &mut |node| {
            let key = if is_shareable(node) { key(node) } else { String::new() };
            if !found.contains_key(&key) {
                return true;
            }
            let number = *next + uses.len();
            uses.entry(key).or_insert((number, 0)).1 += 1;
            false
        });
        *next += uses.len();
        uses.retain(|_, (_, uses)| *uses > 1);
        each(root, &mut |node| {
            let key = if is_shareable(node) { key(node) } else { String::new() };
            let Some((number, uses)) = uses.get(&key) else { return !found.contains_key(&key) };
            let (span, value_type, steps) = (node.span, node.value_type, node.steps);
            let kind = Kind::Text(String::new());
            let child = Box::new(std::mem::replace(node, Node { kind, span, value_type, steps }));
            node.kind = Kind::Shared(Shared { number: *number, uses: *uses, child });
            false
        });
    }
    inside(root, next);
}

/// Applies the rule to what is evaluated on its own.
fn inside(node: &mut Node, next: &mut usize) {
    match &mut node.kind {
        Kind::Shared(Shared { child, .. }) => {
            for child in child.children_mut() {
                share(child, next);
            }
        }
        Kind::Invariant(child) => share(child, next),
        Kind::RangeCall(call) => {
            if let Some(input) = call.input.subquery_mut() {
                share(input, next);
            }
            for param in &mut call.params {
                inside(param, next);
            }
        }
        Kind::RangeVector(input) => {
            if let Some(input) = input.subquery_mut() {
                share(input, next);
            }
        }
        _ => {
            for child in node.children_mut() {
                inside(child, next);
            }
        }
    }
}

/// Visits the nodes that are evaluated together with `root`, each before those below it; those below only where `visit` says so.
fn each(root: &mut Node, visit: &mut dyn FnMut(&mut Node) -> bool) {
    if !visit(root) {
        return;
    }
    match &mut root.kind {
        Kind::Invariant(_) | Kind::RangeVector(_) => {}
        Kind::RangeCall(call) => {
            for param in &mut call.params {
                each(param, visit);
            }
        }
        _ => {
            for child in root.children_mut() {
                each(child, visit);
            }
        }
    }
}

fn is_shareable(node: &Node) -> bool {
    use AggregateOp::{Avg, Count, Group, Max, Min, Quantile, Stddev, Stdvar, Sum};
    let Kind::Aggregate(aggregate) = &node.kind else { return false };
    matches!(aggregate.op, Sum | Avg | Min | Max | Count | Group | Stddev | Stdvar | Quantile)
}

/// A text that is the same for nodes which differ in nothing but their places.
fn key(node: &Node) -> String {
    let mut node = node.clone();
    each_span(&mut node, &mut |span| *span = Span::default());
    format!("{node:?}")
}

/// The places of a node and of those below it, in an order that is the same for all nodes of one key.
pub(crate) fn spans(node: &Node) -> Vec<Span> {
    let mut spans = Vec::new();
    each_span(&mut node.clone(), &mut |span| spans.push(*span));
    spans
}

fn each_span(node: &mut Node, visit: &mut dyn FnMut(&mut Span)) {
    visit(&mut node.span);
    let of_range = |input: &mut RangeInput, visit: &mut dyn FnMut(&mut Span)| {
        visit(&mut input.span);
        if let RangeSource::Selector(selection) = &mut input.source {
            visit(&mut selection.span);
        }
    };
    match &mut node.kind {
        Kind::Select(selection) => visit(&mut selection.span),
        Kind::RangeVector(input) => of_range(input, visit),
        Kind::RangeCall(call) => of_range(&mut call.input, visit),
        _ => {}
    }
    for child in node.children_mut() {
        each_span(child, visit);
    }
}

#[cfg(test)]
mod tests {
    use crate::{Engine, QueryRange};

    /// How many nodes of the plan are shared, and how many places they have in all.
    fn shared(query: &str) -> (usize, usize) {
        let range = QueryRange::Range { start: 0, end: 60_000, step: 30_000 };
        let plan = Engine::default().prepare(query, range).expect("the query is good").explain();
        let mut numbers: Vec<&str> =
            plan.lines().filter_map(|line| line.trim_start().strip_prefix("shared ")).collect();
        let places = numbers.len();
        numbers.sort_unstable();
        numbers.dedup();
        (numbers.len(), places)
    }

    #[test]
    fn equal_aggregations_are_shared() {
        for (query, expected) in [
            ("sum(up) / sum(up)", (1, 2)),
            ("sum by (a) (rate(x[5m])) / (sum by (a) (rate( x[5m] )) + sum by (b) (rate(x[5m])))", (1, 2)),
            // The larger one, and nothing of it twice.
            ("max(sum by (a) (x)) + max(sum by (a) (x)) + sum by (a) (x)", (1, 2)),
            ("sum(up) - sum(up offset 1m)", (0, 0)),
            ("sum(x * 0) + sum(x * -0)", (0, 0)),
            ("quantile(0.9, x) > quantile(0.5, x)", (0, 0)),
            // As many results as series.
            ("rate(x[5m]) / rate(x[5m])", (0, 0)),
            ("topk(2, x) or topk(2, x)", (0, 0)),
            // Other steps.
            ("sum(x) / max_over_time(sum(x)[5m:1m])", (0, 0)),
            ("max_over_time((sum(x) / sum(x))[5m:1m])", (1, 2)),
            ("sum(x) + sum(x @ 5) + sum(x @ 5)", (0, 0)),
            // One of them may do without buckets.
            ("histogram_count(sum(h)) / histogram_quantile(0.5, sum(h))", (0, 0)),
        ] {
            assert_eq!(shared(query), expected, "{query}");
        }
    }
}
