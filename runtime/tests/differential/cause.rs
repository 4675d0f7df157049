//! Which part of a query makes two answers differ: the parts below a part are asked too, at the same times, until one is found
//! whose own parts are answered equally. What it differs in has to be what a reason says.

use std::collections::BTreeSet;

use prom_model::PromDuration;
use promql_syntax::{AtModifier, DurationValue, Expr, Subquery, ValueType};

use super::client::Client;
use super::compare::{Answer, Series, first_difference};
use super::query::Asked;
use super::reasons;

/// The interval of subqueries without a step, milliseconds.
const SUBQUERY_STEP: i64 = 60_000;

/// Both servers, and the query that is looked into.
pub(super) struct Inquiry<'c> {
    pub(super) asked: &'c Asked,
    pub(super) theirs: &'c mut Client,
    pub(super) ours: &'c mut Client,
}

/// The subquery around a part, milliseconds.
#[derive(Debug, Clone, Copy)]
struct Around {
    range: i64,
    step: i64,
    offset: i64,
    at: Option<AtModifier>,
}

/// What both answered to the same.
pub(super) struct Pair {
    pub(super) theirs: Answer,
    pub(super) ours: Answer,
}

impl Inquiry<'_> {
    /// Why the answers differ; what differs without a reason otherwise.
    pub(super) fn reason(&mut self, ordered: bool) -> Result<&'static str, String> {
        let (expr, errors) = promql_syntax::parse(&self.asked.query);
        let Some(expr) = expr.filter(|_| errors.is_empty()) else { return Err("no query".to_owned()) };
        let pairs = self.ask(&expr, None, ordered);
        if pairs.is_empty() {
            return Ok(reasons::VARIES);
        }
        self.look(&expr, None, pairs)
    }

    fn look(
        &mut self,
        expr: &Expr,
        around: Option<Around>,
        pairs: Vec<Pair>,
    ) -> Result<&'static str, String> {
        let mut reason = None;
        for child in expr.children() {
            let (child, around) = match child.without_parens() {
                Expr::Subquery(subquery) => (&*subquery.expr, Some(inside(subquery, around))),
                Expr::Matrix(_) | Expr::Number(_) | Expr::String(_) => continue,
                child => (child, around),
            };
            let different = self.ask(child, around, false);
            if !different.is_empty() {
                reason = Some(self.look(child, around, different)?);
            }
        }
        if let Some(reason) = reason {
            return Ok(reason);
        }
        let expr = expr.without_parens();
        let largest = self.largest(expr, around);
        for pair in &pairs {
            match reasons::of(expr, pair, largest) {
                Ok(found) => reason = Some(found),
                Err(()) if reasons::moves(expr) && self.each_alone(expr, around, pair, largest) => {
                    reason = Some(reasons::FIXED);
                }
                Err(()) => return Err(format!("{expr}: {}", first_difference(&pair.theirs, &pair.ours))),
            }
        }
        reason.ok_or_else(|| format!("{expr} is answered equally alone"))
    }

    /// Whether Prometheus, asked for each time alone, gives what we give for all of them.
    fn each_alone(&mut self, expr: &Expr, around: Option<Around>, pair: &Pair, largest: f64) -> bool {
        let (Answer::Series(theirs), Answer::Series(ours)) = (&pair.theirs, &pair.ours) else { return false };
        let asked = Asked { query: self.text(expr, None), ..self.asked.clone() };
        let steps = times(&asked, true).into_iter().map(|asked| asked.start);
        let evaluated: BTreeSet<i64> = match around {
            None => steps.collect(),
            Some(_) => {
                let points = theirs.iter().chain(ours).flat_map(|(_, points)| points);
                points.filter_map(|(time, _)| time.parse().ok()).collect()
            }
        };
        let points = |series: &[Series]| series.iter().map(|(_, points)| points.len()).sum::<usize>();
        let mut compared = 0;
        for start in evaluated {
            let asked = Asked { start, range: None, query: asked.query.clone() };
            let Some(alone) = self.theirs.get(&asked.path()) else { return false };
            let Answer::Series(alone) = Answer::new(&alone, false) else { return false };
            let ours = at(ours, start);
            if !reasons::predicts(&alone, &ours, largest) {
                return false;
            }
            compared += points(&ours);
        }
        compared == points(ours)
    }

    /// The answers to a part that are not the same.
    fn ask(&mut self, expr: &Expr, around: Option<Around>, ordered: bool) -> Vec<Pair> {
        let query = self.text(expr, around);
        let asked = Asked { query, ..self.asked.clone() };
        let mut pairs = Vec::new();
        for asked in times(&asked, around.is_some()) {
            let path = asked.path();
            let (Some(theirs), Some(ours)) = (self.theirs.get(&path), self.ours.get(&path)) else { continue };
            let (theirs, ours) = (Answer::new(&theirs, ordered), Answer::new(&ours, ordered));
            if !theirs.same(&ours) {
                pairs.push(Pair { theirs, ours });
            }
        }
        pairs
    }

    fn text(&self, expr: &Expr, around: Option<Around>) -> String {
        let mut text = expr.to_string();
        if around.is_some() && expr.value_type() == ValueType::Scalar {
            text = format!("vector({text})");
        }
        if let Some(around) = around {
            text = format!("({text})[{}ms:{}ms]", around.range, around.step);
            match around.at {
                Some(AtModifier::Time(time)) => text += &format!(" @ {}", time.as_millis() as f64 / 1000.0),
                Some(AtModifier::Start) => text += " @ start()",
                Some(AtModifier::End) => text += " @ end()",
                None => {}
            }
            if around.offset != 0 {
                let sign = if around.offset < 0 { "-" } else { "" };
                text += &format!(" offset {sign}{}ms", around.offset.abs());
            }
        }
        // Parts are asked at single times, where these would be another time; the end is what was asked for, on a step or not.
        let end = self.asked.range.map_or(self.asked.start, |(end, _)| end);
        text.replace("start()", &self.asked.start.to_string()).replace("end()", &end.to_string())
    }

    /// The largest finite magnitude among the values that a part works on, where it is no larger than the data's.
    fn largest(&mut self, expr: &Expr, around: Option<Around>) -> f64 {
        let mut largest = 0.0_f64;
        for child in expr.children() {
            let query = match child.without_parens() {
                Expr::Number(_) | Expr::String(_) => continue,
                Expr::Matrix(matrix) => {
                    // Where the selector is in a subquery, all its values are as good.
                    let name = matrix.selector.metric_name().unwrap_or_default();
                    format!("{name}[3h] @ {}", super::data::START / 1000 + 7_200)
                }
                Expr::Subquery(subquery) => self.text(&subquery.expr, Some(inside(subquery, around))),
                child => self.text(child, around),
            };
            let alone = around.is_some() || child.value_type() == ValueType::Matrix;
            let asked = Asked { query, ..self.asked.clone() };
            for asked in times(&asked, alone) {
                let Some(answer) = self.ours.get(&asked.path()) else { continue };
                let Answer::Series(series) = Answer::new(&answer, false) else { continue };
                for (_, value) in series.iter().flat_map(|(_, points)| points) {
                    let value = value.parse::<f64>().unwrap_or(0.0).abs();
                    if value.is_finite() {
                        largest = largest.max(value);
                    }
                }
            }
        }
        largest
    }
}

/// The points that series have at one time.
fn at(series: &[Series], time: i64) -> Vec<Series> {
    let time = time.to_string();
    let points = |points: &[(String, String)]| points.iter().filter(|(at, _)| *at == time).cloned().collect();
    let at = series.iter().map(|(labels, all)| (labels.clone(), points(all)));
    at.filter(|(_, points): &Series| !points.is_empty()).collect()
}

/// A query at each of its steps alone, if it has to be.
fn times(asked: &Asked, alone: bool) -> Vec<Asked> {
    match asked.range {
        Some((end, step)) if alone => {
            let steps = (asked.start..=end).step_by(usize::try_from(step).unwrap_or(1));
            steps.map(|start| Asked { start, range: None, query: asked.query.clone() }).collect()
        }
        _ => vec![asked.clone()],
    }
}

/// The times at which the expression of a subquery is evaluated, as those of one subquery.
fn inside(subquery: &Subquery, around: Option<Around>) -> Around {
    let millis = |duration: &DurationValue| duration.constant().map_or(0, PromDuration::as_millis);
    let own = Around {
        range: millis(&subquery.range),
        step: subquery.step.as_ref().map_or(SUBQUERY_STEP, millis),
        offset: subquery.offset.as_ref().map_or(0, millis),
        at: subquery.at,
    };
    match around {
        Some(around) if own.at.is_none() => Around {
            range: own.range + around.range,
            offset: own.offset + around.offset,
            at: around.at,
            ..own
        },
        _ => own,
    }
}
