//! The time at which info series are looked at: that of the first selector of the informed vector.

use crate::plan::{Kind, Node, RangeInput, RangeSource};

/// The fixed time, if there is one, and the offset, milliseconds. Offsets of subqueries around the selector add up, until a
/// time is fixed.
pub(super) fn time(node: &Node) -> Option<(Option<i64>, i64)> {
    match &node.kind {
        Kind::Select(selection) => Some((selection.at, selection.offset)),
        Kind::RangeVector(input) => of_range(input),
        Kind::RangeCall(call) => {
            // In the order of the text.
            let (before, after): (Vec<&Node>, Vec<&Node>) =
                call.params.iter().partition(|param| param.span.start < call.input.span.start);
            before
                .into_iter()
                .find_map(time)
                .or_else(|| of_range(&call.input))
                .or_else(|| after.into_iter().find_map(time))
        }
        Kind::Aggregate(aggregate) => {
            time(&aggregate.input).or_else(|| aggregate.param.as_deref().and_then(time))
        }
        _ => node.children().into_iter().find_map(time),
    }
}

fn of_range(input: &RangeInput) -> Option<(Option<i64>, i64)> {
    match &input.source {
        RangeSource::Selector(selection) => Some((selection.at, selection.offset)),
        RangeSource::Subquery { input, offset, at } => match time(input)? {
            (None, inner) => Some((*at, inner.saturating_add(*offset))),
            fixed => Some(fixed),
        },
    }
}
