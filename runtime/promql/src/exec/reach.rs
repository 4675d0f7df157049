//! Which times selections read.

use promql_syntax::RangeExtension::{Anchored, Smoothed};

use crate::plan::{Kind, Node, RangeInput, RangeSource, Selection};

/// The first and the last time of which a selection wants samples, for the times from `first` to `last`, both of steps.
pub(super) fn of_selection(
    selection: &Selection,
    (first, last): (i64, i64),
    range: i64,
    lookback: i64,
) -> (i64, i64) {
    let (back, ahead) = (back(selection, range, lookback), ahead(selection, lookback));
    let (from, to) = (selection.time(first), selection.time(last));
    (from.min(to).saturating_sub(back).saturating_add(1), to.max(from).saturating_add(ahead))
}

/// How far before a time it looks.
pub(super) const fn back(selection: &Selection, range: i64, lookback: i64) -> i64 {
    match (range, selection.extension) {
        (0, _) => lookback,
        (range, Some(_)) => range.saturating_add(lookback),
        (range, None) => range,
    }
}

/// How far behind a time it looks.
pub(super) const fn ahead(selection: &Selection, lookback: i64) -> i64 {
    match selection.extension {
        Some(Smoothed) => lookback,
        Some(Anchored) | None => 0,
    }
}

/// The first and the last time of all selections of a plan; `None` where there is none.
pub(super) fn of_plan(plan: &Node, lookback: i64) -> Option<(i64, i64)> {
    let of_range = |input: &RangeInput| match &input.source {
        RangeSource::Selector(selection) => Some((selection.clone(), input.range)),
        RangeSource::Subquery { .. } => None,
    };
    let own = match &plan.kind {
        Kind::Select(selection) => Some((selection.clone(), 0)),
        Kind::RangeVector(input) => of_range(input),
        Kind::RangeCall(call) => of_range(&call.input),
        _ => None,
    };
    let times = (plan.steps.start, plan.steps.end());
    let own = own.filter(|_| plan.steps.count > 0);
    let own = own.map(|(selection, range)| of_selection(&selection, times, range, lookback));
    let below = plan.children().into_iter().filter_map(|child| of_plan(child, lookback));
    own.into_iter().chain(below).reduce(|all, next| (all.0.min(next.0), all.1.max(next.1)))
}
