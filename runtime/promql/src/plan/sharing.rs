//! A rule: what stands in a query several times is read and evaluated once.
//!
//! The largest equal parts are shared, and only where the same steps count the same samples: outside of subqueries and of what is
//! evaluated once, or all inside of the same one.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use promql_syntax::{AggregateOp, Span, ValueType};

use super::{Kind, Node, RangeInput, RangeSource, Shared};

/// Larger parts are not compared; what is equal in them still is.
const NODES_MAX: usize = 64;

/// Applies the rule to a plan; the last one, because it compares what the others have made of it.
pub(super) fn apply(plan: &mut Node) {
    share(vec![plan], &mut 0);
}

/// Looks for equal parts among the nodes that are evaluated together with the `roots`.
fn share(mut roots: Vec<&mut Node>, next: &mut usize) {
    let mut leaves: BTreeMap<String, usize> = BTreeMap::new();
    each(&mut roots, &mut |node| {
        if is_leaf(node) {
            *leaves.entry(key(node)).or_default() += 1;
        }
        true
    });
    if leaves.values().any(|count| *count > 1) {
        let found = numbered(&mut roots);
        // Parts of one size are never in each other; a smaller one in a larger one that is shared does not stand alone any more.
        let sizes: BTreeSet<usize> = found.values().map(|(_, size)| *size).collect();
        for size in sizes.into_iter().rev() {
            replace(&mut roots, &found, size, next);
        }
    }
    for root in roots {
        inside(root, next);
    }
}

/// What is known of the nodes that have their like, by their addresses: a number that equal ones have in common, and how many
/// nodes they are made of.
type Numbered = HashMap<usize, (usize, usize)>;

fn address(node: &Node) -> usize {
    std::ptr::from_ref(node).addr()
}

fn numbered(roots: &mut [&mut Node]) -> Numbered {
    let mut numbers: HashMap<String, usize> = HashMap::new();
    let mut counts: Vec<usize> = Vec::new();
    let mut found = Numbered::new();
    each(roots, &mut |node| {
        let size = size(node);
        if size <= NODES_MAX && is_shareable(node) {
            let number = *numbers.entry(key(node)).or_insert(counts.len());
            counts.resize(counts.len().max(number + 1), 0);
            if let Some(count) = counts.get_mut(number) {
                *count += 1;
            }
            found.insert(address(node), (number, size));
        }
        true
    });
    found.retain(|_, (number, _)| counts.get(*number).is_some_and(|count| *count > 1));
    found
}

/// Puts shared nodes in the places of the parts of a size that stand in several.
fn replace(roots: &mut [&mut Node], found: &Numbered, size: usize, next: &mut usize) {
    let part = |node: &Node| {
        // In the place of one that was shared stands another node.
        let known = found.get(&address(node)).filter(|(_, of)| *of == size && is_shareable(node));
        known.map(|(number, _)| *number)
    };
    let mut uses: BTreeMap<usize, usize> = BTreeMap::new();
    each(roots, &mut |node| {
        if let Some(number) = part(node) {
            *uses.entry(number).or_default() += 1;
        }
        true
    });
    uses.retain(|_, uses| *uses > 1);
    let shared: BTreeMap<usize, (usize, usize)> =
        uses.into_iter().zip(*next..).map(|((number, uses), shared)| (number, (shared, uses))).collect();
    *next += shared.len();
    each(roots, &mut |node| {
        if let Some((number, uses)) = part(node).and_then(|number| shared.get(&number)) {
            let (span, value_type, steps) = (node.span, node.value_type, node.steps);
            let kind = Kind::Text(String::new());
            let child = Box::new(std::mem::replace(node, Node { kind, span, value_type, steps }));
            let is_held = is_held(&child);
            node.kind = Kind::Shared(Shared { number: *number, uses: *uses, is_held, child });
        }
        true
    });
}

/// Applies the rule to what is evaluated on its own.
fn inside(node: &mut Node, next: &mut usize) {
    match &mut node.kind {
        Kind::Shared(Shared { child, .. }) => match &child.kind {
            Kind::Invariant(_) | Kind::RangeCall(_) => inside(child, next),
            _ => share(child.children_mut(), next),
        },
        Kind::Invariant(child) => share(vec![child], next),
        Kind::RangeCall(call) => {
            if let Some(input) = call.input.subquery_mut() {
                share(vec![input], next);
            }
            for param in &mut call.params {
                inside(param, next);
            }
        }
        Kind::RangeVector(input) => {
            if let Some(input) = input.subquery_mut() {
                share(vec![input], next);
            }
        }
        _ => {
            for child in node.children_mut() {
                inside(child, next);
            }
        }
    }
}

/// Visits the nodes that are evaluated together with `roots`, each before those below it; those below only where `visit` says so.
fn each(roots: &mut [&mut Node], visit: &mut dyn FnMut(&mut Node) -> bool) {
    for root in roots {
        if !visit(root) {
            continue;
        }
        let looks_at_selectors = looks_at_selectors(root);
        let mut below = match &mut root.kind {
            Kind::Invariant(_) | Kind::RangeVector(_) | Kind::Shared(_) => Vec::new(),
            Kind::RangeCall(call) => call.params.iter_mut().collect(),
            // The second one is never evaluated.
            Kind::Call(call) if call.function.name == "info" => call.args.iter_mut().take(1).collect(),
            _ => root.children_mut(),
        };
        if looks_at_selectors {
            below.retain(|child| !matches!(child.kind, Kind::Select(_)));
        }
        each(&mut below, visit);
    }
}

/// Whether a node treats selectors directly below it otherwise than what else gives the same series.
fn looks_at_selectors(node: &Node) -> bool {
    match &node.kind {
        Kind::Call(call) => matches!(call.function.name, "absent" | "timestamp" | "start_timestamp" | "info"),
        Kind::Aggregate(aggregate) => {
            matches!(aggregate.op, AggregateOp::Limitk | AggregateOp::LimitRatio)
        }
        _ => false,
    }
}

/// Whether a node brings series into being.
fn is_leaf(node: &Node) -> bool {
    let reads = matches!(node.kind, Kind::Select(_) | Kind::RangeCall(_) | Kind::Invariant(_));
    (reads || looks_at_selectors(node)) && node.value_type == ValueType::Vector
}

fn is_shareable(node: &Node) -> bool {
    node.value_type == ValueType::Vector
        && !matches!(node.kind, Kind::Shared(_) | Kind::RangeVector(_))
        && reads(node)
}

/// Whether there is a leaf in a part.
fn reads(node: &Node) -> bool {
    is_leaf(node) || node.children().into_iter().any(reads)
}

/// Whether all results of a node are held in any case, by itself.
fn is_held(node: &Node) -> bool {
    use AggregateOp::{Avg, Count, Group, Max, Min, Quantile, Stddev, Stdvar, Sum};
    let Kind::Aggregate(aggregate) = &node.kind else { return false };
    matches!(aggregate.op, Sum | Avg | Min | Max | Count | Group | Stddev | Stdvar | Quantile)
}

/// How many nodes a part is made of.
fn size(node: &Node) -> usize {
    1 + node.children().into_iter().map(size).sum::<usize>()
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
    fn equal_parts_are_shared() {
        for (query, expected) in [
            ("sum(up) / sum(up)", (1, 2)),
            ("sum by (a) (rate(x[5m])) / (sum by (a) (rate( x[5m] )) + sum by (b) (rate(x[5m])))", (1, 2)),
            // The larger one, and nothing of it twice.
            ("max(sum by (a) (x)) + max(sum by (a) (x)) + sum by (a) (x)", (1, 2)),
            ("sum(up) - sum(up offset 1m)", (0, 0)),
            ("sum(x * 0) + sum(x * -0)", (1, 2)),
            ("quantile(0.9, x) > quantile(0.5, x)", (1, 2)),
            ("rate(x[5m]) / rate(x[5m] offset 0s)", (1, 2)),
            ("x / ignoring(pod) group_left sum without (pod) (x)", (0, 0)),
            ("x / scalar(max(x)) + x", (1, 2)),
            ("x + on (pod) x * on (pod) (x + x)", (1, 4)),
            ("topk(2, x) or topk(2, x)", (1, 2)),
            ("(x > 1) / (x > 1) + (x + 1) * (x + 1) + y", (2, 4)),
            // Each place of a part shows those in it, though it is evaluated at one.
            ("abs(x + x) - abs(x + x)", (3, 6)),
            // What is made of a selector, not of its values.
            ("timestamp(x) - timestamp(x)", (1, 2)),
            ("x - timestamp(x)", (0, 0)),
            ("x unless absent(x) or limitk(1, x)", (0, 0)),
            ("info(x, {a='b'}) + on () info(y, {a='b'})", (0, 0)),
            ("vector(1) + vector(1)", (0, 0)),
            // Other steps.
            ("sum(x) / max_over_time(sum(x)[5m:1m])", (0, 0)),
            ("max_over_time((sum(x) / sum(x))[5m:1m])", (1, 2)),
            ("sum(x) + sum(x @ 5) + sum(x @ 5)", (1, 2)),
            // One of them may do without buckets.
            ("histogram_count(sum(h)) / histogram_quantile(0.5, sum(h))", (0, 0)),
        ] {
            assert_eq!(shared(query), expected, "{query}");
        }
    }
    #[test]
    fn thousands_of_parts_are_shared_as_few_are() {
        let sums = |from: usize| {
            let terms: Vec<String> = (0..40).map(|at| format!("x{}", from + at / 2)).collect();
            format!("({})", terms.join(" + "))
        };
        let query: Vec<String> = (0..50).map(|at| sums(at * 20)).collect();
        assert_eq!(shared(&query.join(" + ")), (1_000, 2_000));
    }
}
