//! From when to when a query reads samples: over all of its selectors.

use promql::QueryRange;
use promql_syntax::{AtModifier, Descend, DurationValue, Expr, VectorSelector, visit};

/// The first and the last time that any selector reads, milliseconds since the epoch; `None` where there is none, or where the
/// text alone does not tell. Instant selectors look back by `lookback_delta`.
pub(super) fn times(expr: &Expr, range: QueryRange, lookback_delta: i64) -> Option<(i64, i64)> {
    let (start, end) = match range {
        QueryRange::Instant { time } => (time, time),
        QueryRange::Range { start, end, .. } => (start, end),
    };
    let mut found = Found { query: (start, end), lookback_delta, times: None, unknown: false };
    found.look(expr, (start, end));
    found.times.filter(|_| !found.unknown)
}

struct Found {
    query: (i64, i64),
    lookback_delta: i64,
    times: Option<(i64, i64)>,
    unknown: bool,
}

impl Found {
    /// Takes in what an expression reads that is evaluated between two times.
    fn look(&mut self, expr: &Expr, window: (i64, i64)) {
        visit(expr, &mut |expr| {
            match expr {
                Expr::Vector(selector) => self.selector(selector, self.lookback_delta, window),
                Expr::Matrix(matrix) => {
                    let range = self.millis(&matrix.range);
                    self.selector(&matrix.selector, range, window);
                    return Descend::Skip;
                }
                Expr::Subquery(subquery) => {
                    let range = self.millis(&subquery.range);
                    let offset = subquery.offset.as_ref().map_or(0, |offset| self.millis(offset));
                    let (start, end) = self.fixed(subquery.at.as_ref(), window);
                    let start = start.saturating_sub(offset).saturating_sub(range);
                    self.look(&subquery.expr, (start, end.saturating_sub(offset)));
                    return Descend::Skip;
                }
                _ => {}
            }
            Descend::Into
        });
    }

    fn selector(&mut self, selector: &VectorSelector, back: i64, window: (i64, i64)) {
        let offset = selector.offset.as_ref().map_or(0, |offset| self.millis(offset));
        let (start, end) = self.fixed(selector.at.as_ref(), window);
        let back = if selector.extension.is_some() { back.saturating_add(self.lookback_delta) } else { back };
        let start = start.saturating_sub(offset).saturating_sub(back).saturating_add(1);
        let end = end.saturating_sub(offset);
        let (least, most) = self.times.unwrap_or((start, end));
        self.times = Some((least.min(start), most.max(end)));
    }

    fn fixed(&self, at: Option<&AtModifier>, window: (i64, i64)) -> (i64, i64) {
        let time = match at {
            None => return window,
            Some(AtModifier::Time(time)) => time.as_millis(),
            Some(AtModifier::Start) => self.query.0,
            Some(AtModifier::End) => self.query.1,
        };
        (time, time)
    }

    fn millis(&mut self, duration: &DurationValue) -> i64 {
        let constant = duration.constant();
        self.unknown |= constant.is_none();
        constant.map_or(0, |duration| duration.as_millis())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_selectors_count() {
        const SECOND: i64 = 1000;
        let range = QueryRange::Range { start: 10_000 * SECOND, end: 20_000 * SECOND, step: 60 * SECOND };
        for (query, expected) in [
            ("up", Some((9700, 20_000))),
            ("up offset 1h", Some((6100, 16_400))),
            ("up / up offset 1h", Some((6100, 20_000))),
            ("rate(up[10m])", Some((9400, 20_000))),
            ("max_over_time(up[1h:1m])", Some((6100, 20_000))),
            ("max_over_time(rate(up[5m])[1h:1m] offset 10m)", Some((5500, 19_400))),
            ("up @ 5", Some((-295, 5))),
            ("up @ end()", Some((19_700, 20_000))),
            ("1 + 1", None),
        ] {
            let (expr, errors) = promql_syntax::parse(query);
            assert!(errors.is_empty(), "{query}");
            let seconds = |(first, last): (i64, i64)| ((first - 1) / SECOND, last / SECOND);
            let found = times(&expr.unwrap(), range, 300 * SECOND).map(seconds);
            assert_eq!(found, expected, "{query}");
        }
    }
}
