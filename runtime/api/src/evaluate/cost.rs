//! About how much a query is, told from its text and from how many series there are, before anything is read.

use ::query::Catalog;
use promql::QueryRange;
use promql_syntax::{Descend, DurationValue, Expr, VectorSelector, visit};

/// How far samples of a series lie from each other, about.
const SAMPLE_MS: u64 = 15_000;

/// The samples and the values of steps that a query goes through, about. Too much rather than too little.
pub(super) fn cost(expr: &Expr, range: QueryRange, catalog: &dyn Catalog) -> u64 {
    let (start, end, step) = match range {
        QueryRange::Instant { time } => (time, time, 1),
        QueryRange::Range { start, end, step } => (start, end, step.max(1)),
    };
    let span = end.abs_diff(start);
    let window = Window { start, end, steps: span / step.unsigned_abs() + 1, span };
    of(expr, window, catalog)
}

#[derive(Debug, Clone, Copy)]
struct Window {
    start: i64,
    end: i64,
    steps: u64,
    span: u64,
}

fn of(expr: &Expr, window: Window, catalog: &dyn Catalog) -> u64 {
    let mut total = 0u64;
    let mut add = |more: u64| total = total.saturating_add(more);
    visit(expr, &mut |expr| {
        match expr {
            Expr::Vector(selector) => {
                add(series(selector, window, 300_000, catalog).saturating_mul(window.steps))
            }
            Expr::Matrix(matrix) => {
                let range = millis(&matrix.range);
                let samples = (window.span.saturating_add(range)) / SAMPLE_MS + window.steps;
                add(series(&matrix.selector, window, range, catalog).saturating_mul(samples));
                return Descend::Skip;
            }
            Expr::Subquery(subquery) => {
                let range = millis(&subquery.range);
                let step = subquery.step.as_ref().map_or(60_000, millis).max(1);
                let span = window.span.saturating_add(range);
                let start = window.start.saturating_sub_unsigned(range);
                let inner = Window { start, end: window.end, steps: span / step + 1, span };
                // Each step looks at all values in its range.
                add((range / step).saturating_mul(window.steps));
                add(of(&subquery.expr, inner, catalog));
                return Descend::Skip;
            }
            _ => {}
        }
        Descend::Into
    });
    total
}

/// Offsets and `@` are not looked at: how many series there are changes little with the time.
fn series(selector: &VectorSelector, window: Window, back: u64, catalog: &dyn Catalog) -> u64 {
    catalog.series_at_most(&selector.matchers, window.start.saturating_sub_unsigned(back), window.end)
}

fn millis(duration: &DurationValue) -> u64 {
    // What depends on the query's times is most often short.
    duration.constant().map_or(300_000, |duration| duration.as_millis().unsigned_abs())
}
