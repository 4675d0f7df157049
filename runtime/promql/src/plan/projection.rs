//! A rule: below an aggregation a selector reads only the labels that the groups are made of.

use promql_syntax::{AggregateOp, ValueType};

use super::{Kind, Node, RangeSource, Selection};
use crate::Projection;

/// Labels that the engine itself looks at.
const ALWAYS: [&str; 3] = [prom_model::METRIC_NAME, "__type__", "__unit__"];

/// Applies the rule to a plan.
pub(super) fn apply(node: &mut Node) {
    if let Kind::Aggregate(aggregate) = &mut node.kind
        && !matches!(
            aggregate.op,
            AggregateOp::Topk | AggregateOp::Bottomk | AggregateOp::Limitk | AggregateOp::LimitRatio
        )
    {
        let mut labels = aggregate.grouping.clone();
        let projection = if aggregate.without {
            labels.retain(|label| !ALWAYS.contains(&label.as_str()));
            Projection::Without(labels)
        } else {
            labels.extend(ALWAYS.map(str::to_owned));
            labels.sort();
            labels.dedup();
            Projection::Only(labels)
        };
        push(&mut aggregate.input, &projection);
    }
    for child in node.children_mut() {
        apply(child);
    }
}

/// Gives the projection to the selector below, if nothing in between tells series apart by their labels.
fn push(node: &mut Node, projection: &Projection) {
    match &mut node.kind {
        Kind::Select(selection) => set(selection, projection),
        Kind::RangeCall(call) if call.function.name != "absent_over_time" => {
            if let RangeSource::Selector(selection) = &mut call.input.source {
                set(selection, projection);
            }
        }
        Kind::Invariant(child) => push(child, projection),
        Kind::Negate(child) if !keeps_names(child) => push(child, projection),
        Kind::Binary(binary) => {
            let (vector, other) = if binary.lhs.value_type == ValueType::Vector {
                (&mut binary.lhs, &binary.rhs)
            } else {
                (&mut binary.rhs, &binary.lhs)
            };
            let is_leaf = matches!(vector.kind, Kind::Select(_) | Kind::RangeCall(_));
            if is_leaf && !keeps_names(vector) && other.value_type == ValueType::Scalar {
                push(vector, projection);
            }
        }
        _ => {}
    }
}

/// Whether a function leaves its series their names: what takes them away above it sees to it that no two series become alike.
fn keeps_names(node: &Node) -> bool {
    match &node.kind {
        Kind::RangeCall(call) => matches!(call.function.name, "last_over_time" | "first_over_time"),
        Kind::Invariant(child) => keeps_names(child),
        _ => false,
    }
}

fn set(selection: &mut Selection, projection: &Projection) {
    // Series of several metrics may become alike when their names go, which all labels are needed to see.
    if selection.metric_name().is_some() {
        selection.projection = projection.clone();
    }
}

#[cfg(test)]
mod tests {
    use promql_syntax::parse;

    use crate::Projection;
    use crate::plan::{Kind, Lowering, Node, RangeSource, lower, optimise};

    fn selector(node: &Node) -> Option<&Projection> {
        match &node.kind {
            Kind::Select(selection) => Some(&selection.projection),
            Kind::RangeCall(call) => match &call.input.source {
                RangeSource::Selector(selection) => Some(&selection.projection),
                RangeSource::Subquery { input, .. } => selector(input),
            },
            _ => node.children().into_iter().find_map(selector),
        }
    }

    #[test]
    fn a_selector_reads_what_the_groups_are_made_of() {
        let only =
            |labels: &[&str]| Projection::Only(labels.iter().map(|label| (*label).to_owned()).collect());
        let cases = [
            ("sum by (pod) (rate(m[5m]))", only(&["__name__", "__type__", "__unit__", "pod"])),
            ("count(m)", only(&["__name__", "__type__", "__unit__"])),
            ("sum without (pod) (m) ", Projection::Without(vec!["pod".to_owned()])),
            ("sum by (pod) (rate(m[5m]) * 8)", only(&["__name__", "__type__", "__unit__", "pod"])),
            ("sum by (pod) (last_over_time(m[5m]))", only(&["__name__", "__type__", "__unit__", "pod"])),
            ("sum by (pod) (last_over_time(m[5m]) * 8)", Projection::All),
            ("sum by (pod) (-first_over_time(m[5m]))", Projection::All),
            ("topk(3, m)", Projection::All),
            // Series of two metrics can become alike.
            (r#"sum(rate({__name__=~"a|b"}[5m]))"#, Projection::All),
            ("sum(m * on (pod) n)", Projection::All),
        ];
        for (query, expected) in cases {
            let expr = parse(query).0.expect("the query is good");
            let mut plan =
                lower(&expr, Lowering { start: 0, end: 0, step: 0, subquery_step: 60_000 }).expect("lowers");
            optimise(&mut plan);
            assert_eq!(selector(&plan), Some(&expected), "{query}");
        }
    }
}
