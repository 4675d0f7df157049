//! Whether two answers are the same, and why they may not be.

use std::collections::BTreeMap;

use serde_json::Value;

use super::query::Asked;

/// What came of the queries.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) equal: usize,
    pub(super) errors: usize,
    pub(super) empty: usize,
    pub(super) explained: BTreeMap<&'static str, usize>,
    pub(super) different: Vec<String>,
}

impl Tally {
    pub(super) fn merge(&mut self, other: Tally) {
        self.equal += other.equal;
        self.errors += other.errors;
        self.empty += other.empty;
        for (reason, count) in other.explained {
            *self.explained.entry(reason).or_default() += count;
        }
        self.different.extend(other.different);
    }

    pub(super) fn add(&mut self, asked: &Asked, expected: &(u16, Vec<u8>), found: &(u16, Vec<u8>)) {
        let parse = |body: &[u8]| serde_json::from_slice::<Value>(body).unwrap_or(Value::Null);
        let (expected_body, found_body) = (parse(&expected.1), parse(&found.1));
        if expected.0 != 200 || found.0 != 200 {
            if expected.0 == found.0 {
                self.equal += 1;
                self.errors += 1;
                return;
            }
            let (theirs, ours) = (&expected_body["error"], &found_body["error"]);
            return match known_error(asked, theirs, ours) {
                Some(reason) => *self.explained.entry(reason).or_default() += 1,
                None => {
                    self.different.push(format!("{asked}: {} {theirs} but {} {ours}", expected.0, found.0))
                }
            };
        }
        let ordered = asked.range.is_none() && asked.query.starts_with("sort");
        let (theirs, ours) = (series(&expected_body, ordered), series(&found_body, ordered));
        if theirs.is_empty() && ours.is_empty() {
            self.empty += 1;
        }
        if theirs == ours {
            self.equal += 1;
            return;
        }
        let explained =
            known_reasons(asked).into_iter().find(|(_, tolerance)| nearly(&theirs, &ours, *tolerance));
        match explained {
            Some((reason, _)) => *self.explained.entry(reason).or_default() += 1,
            None => self.different.push(format!("{asked}: {}", first_difference(&theirs, &ours))),
        }
    }
}

/// Labels and values of each series as text; in the order of the labels unless the order counts.
fn series(body: &Value, ordered: bool) -> Vec<(String, Vec<(String, String)>)> {
    let result = &body["data"]["result"];
    let point = |point: &Value| (point[0].to_string(), point[1].as_str().unwrap_or_default().to_owned());
    if body["data"]["resultType"] == "scalar" {
        return vec![(String::new(), vec![point(result)])];
    }
    let mut all: Vec<(String, Vec<(String, String)>)> = result
        .as_array()
        .into_iter()
        .flatten()
        .map(|series| {
            let mut labels: Vec<String> = series["metric"]
                .as_object()
                .into_iter()
                .flatten()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            labels.sort();
            let points = match &series["values"] {
                Value::Array(values) => values.iter().map(point).collect(),
                _ => vec![point(&series["value"])],
            };
            (labels.join(","), points)
        })
        .collect();
    if !ordered {
        all.sort();
    }
    all
}

type Series = [(String, Vec<(String, String)>)];

/// Whether the same series have values that differ by no more than the tolerance, relative to the larger; an infinite tolerance
/// lets everything through.
fn nearly(theirs: &Series, ours: &Series, tolerance: f64) -> bool {
    if tolerance.is_infinite() {
        return true;
    }
    theirs.len() == ours.len()
        && theirs.iter().zip(ours).all(|((labels, points), (own_labels, own_points))| {
            labels == own_labels
                && points.len() == own_points.len()
                && points.iter().zip(own_points).all(|((time, value), (own_time, own_value))| {
                    time == own_time && close(value, own_value, tolerance)
                })
        })
}

fn close(a: &str, b: &str, tolerance: f64) -> bool {
    if a == b {
        return true;
    }
    match (a.parse::<f64>(), b.parse::<f64>()) {
        (Ok(a), Ok(b)) => (a - b).abs() <= tolerance * a.abs().max(b.abs()).max(1e-9),
        _ => false,
    }
}

fn first_difference(theirs: &Series, ours: &Series) -> String {
    for (labels, points) in theirs {
        let Some((_, own)) = ours.iter().find(|(own, _)| own == labels) else {
            return format!("{{{labels}}} is missing, has {:?}", points.first());
        };
        if points != own {
            let pair = points.iter().zip(own).find(|(a, b)| a != b);
            return format!("{{{labels}}} has {} and {} points, first {pair:?}", points.len(), own.len());
        }
    }
    match ours.iter().find(|(own, _)| !theirs.iter().any(|(labels, _)| labels == own)) {
        Some((labels, points)) => format!("{{{labels}}} is too much, has {:?}", points.first()),
        None => "the order".to_owned(),
    }
}

/// Why 2.42 gives other floats than the releases that we follow, and by how much they may differ; the narrowest first.
fn known_reasons(asked: &Asked) -> Vec<(&'static str, f64)> {
    let has = |words: &[&str]| words.iter().any(|word| asked.query.contains(word));
    let mut reasons = Vec::new();
    if has(&["sum", "avg", "stddev", "stdvar", "deriv", "predict_linear"]) {
        reasons.push(("sums are compensated, means are divided once since 3.0", 1e-6));
    }
    // What cancels out may leave nothing but the error of the older sum.
    if has(&["odd"]) && has(&["sum", "avg", "stddev", "stdvar", "deriv", "predict_linear"]) {
        reasons.push(("sums of huge and tiny values are compensated since 3.0", f64::INFINITY));
    }
    if has(&["stddev", "stdvar"]) {
        reasons.push(("the variance of a single NaN or infinity was 0, and is NaN since 3.0", f64::INFINITY));
    }
    if has(&["count_values"]) && has(&["sum", "avg", "stddev", "stdvar"]) {
        reasons.push(("values that differ in their last digits become labels", f64::INFINITY));
    }
    if has(&["rate(", "increase("]) && has(&["temperature", "memory_bytes", "odd", "up", "build_info"]) {
        // A gauge comes near zero, where a counter would have begun.
        reasons.push((
            "before 3.0 the zero point of a counter was looked at before the threshold",
            f64::INFINITY,
        ));
    }
    if has(&["topk", "bottomk"]) {
        reasons.push((
            "of equal values any may be among the best: the input has no order in Prometheus",
            f64::INFINITY,
        ));
    }
    if has(&["rate((", "increase(("]) {
        reasons.push((
            "before 3.0 the zero point of a counter was looked at before the threshold",
            f64::INFINITY,
        ));
    }
    if has(&["atan2"]) {
        reasons.push(("atan2 takes the name off since 3.0", f64::INFINITY));
    }
    if has(&["sort"]) {
        reasons
            .push(("the order of equal values is that of Go's unstable sort, which changed", f64::INFINITY));
    }
    if has(&["timestamp("]) && has(&["@"]) && has(&["offset"]) {
        reasons.push((
            "the lookback of timestamp() with @ and an offset is counted from another time",
            f64::INFINITY,
        ));
    }
    if has(&["predict_linear"]) && has(&["@"]) {
        reasons.push(("a range with @ moved with the steps of predict_linear before 3.0", f64::INFINITY));
    }
    reasons
}

/// Why one of the two refuses what the other does not.
fn known_error(asked: &Asked, theirs: &Value, ours: &Value) -> Option<&'static str> {
    let ours = ours.as_str().unwrap_or_default();
    if theirs.is_null() && ours.starts_with("multiple matches for labels") {
        return Some("a comparison refuses several matches also where it filters them since 3.0");
    }
    // What the query above makes of a value that differs may be refused or not.
    let text = &asked.query;
    let differs = ["topk", "bottomk"].iter().any(|word| text.contains(word));
    differs.then_some("of equal values any may be among the best: the input has no order in Prometheus")
}
