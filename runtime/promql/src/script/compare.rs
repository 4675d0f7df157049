//! Whether an answer is what a script expects. Floats agree to one part in a million.

use std::collections::HashMap;

use prom_model::{FloatHistogram, Labels, go_float, is_stale};
use promql_syntax::SequenceValue;

use super::command::{Expected, Text, Times};
use crate::{Annotations, Answer, Level, Symbols, Value};

/// Values of a series by time.
type Points = Vec<(i64, Point)>;

#[derive(Debug, Clone)]
enum Point {
    Float(f64),
    Histogram(FloatHistogram),
}

/// Compares values; `Err` says where they differ.
pub(super) fn value(expected: &Expected, times: Times, answer: &Answer) -> Result<(), String> {
    let symbols = &answer.symbols;
    match &answer.value {
        Value::String { text, .. } => match &expected.string {
            Some(wanted) if wanted == text => Ok(()),
            wanted => Err(format!("expected string {wanted:?} but got {text:?}")),
        },
        Value::Scalar { value, .. } => scalar(expected, *value),
        Value::Vector { samples, .. } => {
            let found: Vec<(Labels, Points)> = samples
                .iter()
                .map(|sample| {
                    let point = match &sample.histogram {
                        Some(histogram) => Point::Histogram(FloatHistogram::clone(histogram)),
                        None => Point::Float(sample.value),
                    };
                    (sample.labels.to_labels(symbols), vec![(0, point)])
                })
                .collect();
            series(expected, &found, |_| 0)
        }
        Value::Matrix { .. } => {
            let Times::Range { start, step, .. } = times else {
                return Err("got a matrix for an instant query".to_owned());
            };
            let found = matrix(&answer.value, symbols)?;
            if expected.scalar.is_some() || expected.ordered {
                return Err("a range query gives neither a scalar nor an order".to_owned());
            }
            series(expected, &found, |at| start + step * at as i64)
        }
        Value::RangeVector { series: all } => {
            let (start, _, step) =
                expected.range_vector.ok_or("got a range vector that the script does not expect")?;
            let found: Vec<(Labels, Points)> = all
                .iter()
                .map(|series| {
                    let samples = &series.samples;
                    let floats = samples.timestamps.iter().zip(&samples.values);
                    let mut points: Points =
                        floats.map(|(time, value)| (*time, Point::Float(*value))).collect();
                    let histograms = samples.histogram_timestamps.iter().zip(&samples.histograms);
                    points.extend(
                        histograms.map(|(time, h)| (*time, Point::Histogram(FloatHistogram::clone(h)))),
                    );
                    points.sort_by_key(|(time, _)| *time);
                    (series.labels.to_labels(symbols), points)
                })
                .collect();
            series(expected, &found, |at| start + step * at as i64)
        }
    }
}

/// Compares the middle of a range with what an instant query must give.
pub(super) fn middle(expected: &Expected, time: i64, answer: &Answer) -> Result<(), String> {
    let found: Vec<(Labels, Points)> = matrix(&answer.value, &answer.symbols)?
        .into_iter()
        .filter_map(|(labels, points)| {
            let point = points.into_iter().find(|(at, _)| *at == time)?.1;
            Some((labels, vec![(0, point)]))
        })
        .collect();
    if expected.scalar.is_some() {
        return match found.as_slice() {
            [(_, points)] => match points.first() {
                Some((_, Point::Float(value))) => scalar(expected, *value),
                _ => Err("expected scalar".to_owned()),
            },
            _ => Err("expected scalar".to_owned()),
        };
    }
    series(expected, &found, |_| 0)
}

fn scalar(expected: &Expected, value: f64) -> Result<(), String> {
    match expected.scalar {
        Some(wanted) if almost_equal(wanted, value) => Ok(()),
        Some(wanted) => Err(format!("expected scalar {} but got {}", go_float(wanted), go_float(value))),
        None => Err(format!("expected series but got scalar {}", go_float(value))),
    }
}

/// The series of a range query, which must be sorted.
fn matrix(value: &Value, symbols: &Symbols) -> Result<Vec<(Labels, Points)>, String> {
    let Value::Matrix { steps, series } = value else { return Ok(Vec::new()) };
    let found: Vec<(Labels, Points)> = series
        .iter()
        .map(|row| {
            let points = row.column.points().map(|(step, point)| {
                let point = match point {
                    crate::Point::Float(value) => Point::Float(value),
                    crate::Point::Histogram(histogram) => Point::Histogram(FloatHistogram::clone(histogram)),
                };
                (steps.time(step), point)
            });
            (row.labels.to_labels(symbols), points.collect())
        })
        .collect();
    let is_sorted = found.is_sorted_by(|(a, _), (b, _)| a < b);
    if is_sorted { Ok(found) } else { Err("the series of the matrix are not sorted by labels".to_owned()) }
}

fn series(
    expected: &Expected,
    found: &[(Labels, Points)],
    time: impl Fn(usize) -> i64,
) -> Result<(), String> {
    if expected.scalar.is_some() {
        return Err(format!("expected scalar but got {} series", found.len()));
    }
    let mut wanted: HashMap<String, (usize, &[SequenceValue])> = HashMap::new();
    for (position, (labels, values)) in expected.series.iter().enumerate() {
        wanted.insert(labels.to_string(), (position, values));
    }
    let mut missing: Vec<String> = expected.series.iter().map(|(labels, _)| labels.to_string()).collect();
    for (at, (labels, points)) in found.iter().enumerate() {
        let name = labels.to_string();
        let Some((position, values)) = wanted.get(&name) else {
            return Err(format!("unexpected metric {name} in result, has {}", show(points)));
        };
        if expected.ordered && *position != at {
            return Err(format!(
                "expected metric {name} at position {} but it was at {}",
                position + 1,
                at + 1
            ));
        }
        points_of(&name, values, points, &time)?;
        missing.retain(|other| *other != name);
    }
    match missing.first() {
        Some(name) => Err(format!("expected metric {name} not found")),
        None => Ok(()),
    }
}

fn points_of(
    name: &str,
    values: &[SequenceValue],
    points: &Points,
    time: &impl Fn(usize) -> i64,
) -> Result<(), String> {
    let wanted: Vec<(i64, &SequenceValue)> = values
        .iter()
        .enumerate()
        .filter(|(_, value)| !matches!(value, SequenceValue::Omitted))
        .map(|(at, value)| (time(at), value))
        .collect();
    if wanted.len() != points.len() {
        return Err(format!("expected {} points for {name}, but got {}", wanted.len(), show(points)));
    }
    for ((wanted_time, wanted), (time, point)) in wanted.into_iter().zip(points) {
        if wanted_time != *time {
            return Err(format!("expected a point of {name} at {wanted_time}, but it was at {time}"));
        }
        let agrees = match (wanted, point) {
            (SequenceValue::Float(wanted), Point::Float(value)) => almost_equal(*wanted, *value),
            (SequenceValue::Stale, Point::Float(value)) => is_stale(*value),
            (SequenceValue::Histogram { histogram, hint_written, .. }, Point::Histogram(found)) => {
                histograms_agree(histogram, found, *hint_written)
            }
            _ => false,
        };
        if !agrees {
            let wanted = match wanted {
                SequenceValue::Float(value) => go_float(*value),
                SequenceValue::Histogram { histogram, .. } => histogram.notation(),
                other => format!("{other:?}"),
            };
            return Err(format!("expected {wanted} at {time} for {name} but got {}", show_point(point)));
        }
    }
    Ok(())
}

fn show(points: &Points) -> String {
    let shown: Vec<String> =
        points.iter().map(|(time, point)| format!("{} @{time}", show_point(point))).collect();
    format!("[{}]", shown.join(", "))
}

fn show_point(point: &Point) -> String {
    match point {
        Point::Float(value) => go_float(*value),
        Point::Histogram(histogram) => histogram.notation(),
    }
}

fn histograms_agree(wanted: &FloatHistogram, found: &FloatHistogram, hint_written: bool) -> bool {
    let (mut wanted, mut found) = (wanted.clone(), found.clone());
    wanted.compact(0);
    found.compact(0);
    let all = |a: &[f64], b: &[f64]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| almost_equal(*a, *b));
    let indexes = |h: &FloatHistogram| {
        let positive: Vec<i64> = h.positive().map(|(index, _)| index).collect();
        let negative: Vec<i64> = h.negative().map(|(index, _)| index).collect();
        (positive, negative)
    };
    wanted.schema == found.schema
        && all(&[wanted.count, wanted.sum, wanted.zero_count], &[found.count, found.sum, found.zero_count])
        && wanted.zero_threshold == found.zero_threshold
        && wanted.custom_values == found.custom_values
        && indexes(&wanted) == indexes(&found)
        && all(&wanted.positive_buckets, &found.positive_buckets)
        && all(&wanted.negative_buckets, &found.negative_buckets)
        && (!hint_written || wanted.counter_reset_hint == found.counter_reset_hint)
}

/// Whether two floats differ by less than a millionth of their sum; beside 0 practically only 0 is equal.
fn almost_equal(a: f64, b: f64) -> bool {
    const EPSILON: f64 = 0.000_001;
    if is_stale(a) || is_stale(b) {
        return is_stale(a) && is_stale(b);
    }
    if a == b || a.is_nan() && b.is_nan() {
        return true;
    }
    let (sum, difference) = (a.abs() + b.abs(), (a - b).abs());
    if a == 0.0 || b == 0.0 || sum < f64::MIN_POSITIVE {
        return difference < EPSILON * f64::MIN_POSITIVE;
    }
    difference / sum.min(f64::MAX) < EPSILON
}

/// Compares warnings and infos with what is expected of them.
pub(super) fn annotations(expected: &Expected, query: &str, annotations: &Annotations) -> Result<(), String> {
    let kinds = [
        (Level::Warning, "warn", &expected.warnings, expected.no_warnings),
        (Level::Info, "info", &expected.infos, expected.no_infos),
    ];
    for (level, kind, wanted, none_wanted) in kinds {
        let found = annotations.texts(level, query, 0);
        if none_wanted && !found.is_empty() {
            return Err(format!("unexpected {kind} annotations: {found:?}"));
        }
        if wanted.is_empty() {
            continue;
        }
        if let Some(missing) = wanted.iter().find(|text| !found.iter().any(|found| text.matches(found))) {
            return Err(format!("expected {kind} annotation {} but found {found:?}", describe(missing)));
        }
        if let Some(extra) = found.iter().find(|found| !wanted.iter().any(|text| text.matches(found))) {
            return Err(format!("unexpected {kind} annotation {extra:?}"));
        }
    }
    Ok(())
}

/// Compares an error with what is expected of it.
pub(super) fn failure(wanted: &Text, error: &str) -> Result<(), String> {
    if wanted.matches(error) {
        return Ok(());
    }
    Err(format!("expected error {} but got: {error}", describe(wanted)))
}

fn describe(text: &Text) -> String {
    match text {
        Text::Any => "of any text".to_owned(),
        Text::Exactly(text) => format!("{text:?}"),
        Text::Matching { pattern, .. } => format!("matching {pattern:?}"),
    }
}
