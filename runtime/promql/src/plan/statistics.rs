//! A rule: where a query asks for count and sum of histograms only, storage may leave the buckets out.

use promql_syntax::BinaryOp;

use super::{Kind, Node, RangeSource};

/// Applies the rule to a plan.
pub(super) fn apply(node: &mut Node) {
    mark(node, false);
}

/// Looks for selectors below a function that wants statistics, without anything above them that wants buckets. A subquery is
/// such a thing: resets between its values are told by buckets.
fn mark(node: &mut Node, wanted: bool) {
    let mut wanted = wanted;
    match &mut node.kind {
        Kind::Select(selection) => selection.histogram_stats_only = wanted,
        Kind::RangeCall(call) => match &mut call.input.source {
            RangeSource::Selector(selection) => selection.histogram_stats_only = wanted,
            RangeSource::Subquery { .. } => return,
        },
        Kind::RangeVector(_) => return,
        Kind::Call(call) => match call.function.name {
            "histogram_count" | "histogram_sum" | "histogram_avg" => wanted = true,
            "histogram_quantile" | "histogram_quantiles" | "histogram_fraction" => return,
            _ => {}
        },
        Kind::Binary(binary) if matches!(binary.op, BinaryOp::TrimUpper | BinaryOp::TrimLower) => return,
        _ => {}
    }
    for child in node.children_mut() {
        mark(child, wanted);
    }
}

#[cfg(test)]
mod tests {
    use promql_syntax::parse;

    use crate::plan::{Kind, Lowering, Node, RangeSource, lower, optimise};

    fn marked(node: &Node) -> Vec<bool> {
        match &node.kind {
            Kind::Select(selection) => vec![selection.histogram_stats_only],
            Kind::RangeCall(call) => match &call.input.source {
                RangeSource::Selector(selection) => vec![selection.histogram_stats_only],
                RangeSource::Subquery { input, .. } => marked(input),
            },
            _ => node.children().into_iter().flat_map(marked).collect(),
        }
    }

    #[test]
    fn buckets_are_left_out_where_nobody_looks_at_them() {
        for (query, expected) in [
            ("h", vec![false]),
            ("histogram_count(h)", vec![true]),
            ("histogram_sum(sum(rate(h[5m]))) / histogram_quantile(0.5, h)", vec![true, false]),
            ("histogram_count(increase(h[40m:9m]))", vec![false]),
            ("histogram_quantile(0.9, h + histogram_count(h))", vec![false, false]),
            ("histogram_avg(h + g)", vec![true, true]),
        ] {
            let expr = parse(query).0.expect("the query is good");
            let mut plan =
                lower(&expr, Lowering { start: 0, end: 0, step: 0, subquery_step: 60_000 }).expect("lowers");
            optimise(&mut plan);
            assert_eq!(marked(&plan), expected, "{query}");
        }
    }
}
