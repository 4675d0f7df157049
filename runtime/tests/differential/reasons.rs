//! Why Prometheus 2.42 gives another answer than the releases that we follow: for each part of the language the shape that the
//! difference must have. What the part works on is known to be equal.

use std::collections::BTreeMap;

use promql_syntax::{AggregateOp, BinaryOp, Call, Expr};

use super::cause::Pair;
use super::compare::{Answer, Series};

const SUMS: &str = "sums are compensated, means are divided once since 3.0";
const VARIANCE: &str = "the variance of what is not finite was 0 or infinite, and is NaN since 3.0";
const ZERO: &str = "before 3.0 the zero point of a counter was looked at before the threshold";
const TIES: &str = "of equal values any may be among the best: the input has no order in Prometheus";
const ORDER: &str = "the order of equal values is that of Go's unstable sort, which changed";
const NAME: &str = "atan2 takes the name off since 3.0";
const MATCHES: &str = "a comparison refuses several matches also where it filters them since 3.0";
const LOOKBACK: &str = "the lookback of timestamp() with @ and an offset is counted from another time";
const OVERFLOW: &str = "a compensated sum that overflows is infinite since 3.0, and was NaN";
pub(super) const VARIES: &str = "Prometheus gives our answer too, when it is asked again";
pub(super) const FIXED: &str = "a range with @ moved with the steps of predict_linear before 3.0";

/// The reason for a difference of a part; `largest` is the largest finite magnitude that it works on.
pub(super) fn of(part: &Expr, pair: &Pair, largest: f64) -> Result<&'static str, ()> {
    let (theirs, ours) = match (&pair.theirs, &pair.ours) {
        (Answer::Series(theirs), Answer::Series(ours)) => (theirs.as_slice(), ours.as_slice()),
        (Answer::Series(_), Answer::Failed(_, text)) => {
            let compares = matches!(part, Expr::Binary(binary) if binary.op.is_comparison());
            let refused = text.starts_with("multiple matches for labels");
            return if compares && refused { Ok(MATCHES) } else { Err(()) };
        }
        _ => return Err(()),
    };
    match part {
        Expr::Aggregate(aggregate) => match aggregate.op {
            AggregateOp::Sum | AggregateOp::Avg => near(theirs, ours, largest).then_some(SUMS).ok_or(()),
            AggregateOp::Quantile if each(theirs, ours, zeros) => Ok(ORDER),
            AggregateOp::Stddev | AggregateOp::Stdvar => deviation(theirs, ours, largest),
            AggregateOp::Topk | AggregateOp::Bottomk => ties(theirs, ours).then_some(TIES).ok_or(()),
            _ => Err(()),
        },
        Expr::Call(call) => of_call(call, theirs, ours, largest),
        Expr::Binary(binary) if binary.op == BinaryOp::Atan2 => {
            without_names(theirs, ours).then_some(NAME).ok_or(())
        }
        _ => Err(()),
    }
}

fn of_call(call: &Call, theirs: &[Series], ours: &[Series], largest: f64) -> Result<&'static str, ()> {
    match call.function.name {
        "sum_over_time" | "avg_over_time" | "deriv" if near(theirs, ours, largest) => Ok(SUMS),
        "predict_linear" if near(theirs, ours, largest) => Ok(SUMS),
        "predict_linear" if predicts(theirs, ours, largest) => Ok(OVERFLOW),
        "stddev_over_time" | "stdvar_over_time" if each(theirs, ours, overflow) => Ok(OVERFLOW),
        "stddev_over_time" | "stdvar_over_time" => deviation(theirs, ours, largest),
        "rate" | "increase" if each(theirs, ours, zero_point) => Ok(ZERO),
        "quantile_over_time" if each(theirs, ours, zeros) => Ok(ORDER),
        "sort" | "sort_desc" if same_values_in_order(theirs, ours) => Ok(ORDER),
        "timestamp" if call.args.first().is_some_and(|selector| modified(selector) == (true, true)) => {
            same_where_both(theirs, ours).then_some(LOOKBACK).ok_or(())
        }
        _ => Err(()),
    }
}

/// Whether the range of a part has an `@` and moved even so.
pub(super) fn moves(part: &Expr) -> bool {
    let Expr::Call(call) = part else { return false };
    call.function.name == "predict_linear" && call.args.first().is_some_and(|range| modified(range).0)
}

/// Whether a selector or subquery has an `@`, and an offset.
fn modified(expr: &Expr) -> (bool, bool) {
    match expr.without_parens() {
        Expr::Vector(selector) => (selector.at.is_some(), selector.offset.is_some()),
        Expr::Matrix(matrix) => (matrix.selector.at.is_some(), matrix.selector.offset.is_some()),
        Expr::Subquery(subquery) => (subquery.at.is_some(), subquery.offset.is_some()),
        _ => (false, false),
    }
}

/// Whether there are the same series with values at the same times, of which those that differ satisfy a condition.
fn each(theirs: &[Series], ours: &[Series], condition: impl Fn(f64, f64) -> bool) -> bool {
    theirs.len() == ours.len()
        && theirs.iter().zip(ours).all(|((labels, points), (own_labels, own))| {
            labels == own_labels
                && points.len() == own.len()
                && points.iter().zip(own).all(|((time, value), (own_time, own_value))| {
                    let condition = || condition(number(value), number(own_value));
                    time == own_time && (value == own_value || condition())
                })
        })
}

fn number(text: &str) -> f64 {
    text.parse().unwrap_or(f64::NAN)
}

/// Whether values differ by what adding up loses.
fn near(theirs: &[Series], ours: &[Series], largest: f64) -> bool {
    each(theirs, ours, |a, b| rounds(a, b, largest))
}

fn rounds(a: f64, b: f64, largest: f64) -> bool {
    (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(largest * 1e-3)
}

fn deviation(theirs: &[Series], ours: &[Series], largest: f64) -> Result<&'static str, ()> {
    if near(theirs, ours, largest) {
        return Ok(SUMS);
    }
    // What is not finite, or has no finite square, among the values.
    let odd = |theirs: f64, ours: f64| {
        ours.is_nan() && (theirs == 0.0 || !theirs.is_finite()) || rounds(theirs, ours, largest)
    };
    each(theirs, ours, odd).then_some(VARIANCE).ok_or(())
}

/// Whether values differ by what adding up loses, or overflow.
pub(super) fn predicts(theirs: &[Series], ours: &[Series], largest: f64) -> bool {
    each(theirs, ours, |a, b| overflow(a, b.abs()) || rounds(a, b, largest))
}

/// Whether both are 0, of either sign.
fn zeros(theirs: f64, ours: f64) -> bool {
    theirs == 0.0 && ours == 0.0
}

fn overflow(theirs: f64, ours: f64) -> bool {
    theirs.is_nan() && ours == f64::INFINITY
}

/// Whether the older value counts from a zero point that lies further back, but not further than the time covered.
fn zero_point(theirs: f64, ours: f64) -> bool {
    0.0 < ours && ours < theirs && theirs <= ours * 2.2
}

/// Whether there are as many series at each time, with the same values.
fn ties(theirs: &[Series], ours: &[Series]) -> bool {
    let values = |series: &[Series]| {
        let mut values: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (time, value) in series.iter().flat_map(|(_, points)| points.clone()) {
            // -0 and 0 are equal.
            let value = if value == "-0" { "0".to_owned() } else { value };
            values.entry(time).or_default().push(value);
        }
        values.values_mut().for_each(|values| values.sort());
        values
    };
    values(theirs) == values(ours)
}

fn without_names(theirs: &[Series], ours: &[Series]) -> bool {
    let mut theirs = theirs.to_vec();
    for (labels, _) in &mut theirs {
        labels.retain(|(name, _)| name != "__name__");
    }
    theirs.sort();
    theirs == ours
}

fn same_values_in_order(theirs: &[Series], ours: &[Series]) -> bool {
    let values = |series: &[Series]| series.iter().map(|(_, points)| points.clone()).collect::<Vec<_>>();
    let sorted = |series: &[Series]| {
        let mut series = series.to_vec();
        series.sort();
        series
    };
    values(theirs) == values(ours) && sorted(theirs) == sorted(ours)
}

/// Whether no value differs; a series or a point may be absent.
fn same_where_both(theirs: &[Series], ours: &[Series]) -> bool {
    let ours: BTreeMap<_, _> = ours.iter().map(|(labels, points)| (labels, points)).collect();
    theirs.iter().all(|(labels, points)| {
        let own: BTreeMap<_, _> = ours.get(labels).into_iter().copied().flatten().cloned().collect();
        points.iter().all(|(time, value)| own.get(time).is_none_or(|own| own == value))
    })
}
