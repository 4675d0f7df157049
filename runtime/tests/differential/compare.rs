//! Whether two answers are the same.

use std::collections::BTreeMap;

use serde_json::Value;

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
}

/// Labels and values of one series, as text.
pub(super) type Series = (Vec<(String, String)>, Vec<(String, String)>);

/// What one server answered.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Answer {
    /// The series; sorted by their labels unless the order counts.
    Series(Vec<Series>),
    /// Status and text of an error.
    Failed(u16, String),
}

impl Answer {
    pub(super) fn new((status, body): &(u16, Vec<u8>), ordered: bool) -> Self {
        let body = serde_json::from_slice::<Value>(body).unwrap_or(Value::Null);
        if *status == 200 {
            Answer::Series(series(&body, ordered))
        } else {
            Answer::Failed(*status, body["error"].as_str().unwrap_or_default().to_owned())
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Answer::Series(series) if series.is_empty())
    }

    /// Of two errors only the status counts.
    pub(super) fn same(&self, other: &Answer) -> bool {
        match (self, other) {
            (Answer::Failed(status, _), Answer::Failed(other, _)) => status == other,
            _ => self == other,
        }
    }
}

fn series(body: &Value, ordered: bool) -> Vec<Series> {
    let result = &body["data"]["result"];
    let point = |point: &Value| (point[0].to_string(), point[1].as_str().unwrap_or_default().to_owned());
    if body["data"]["resultType"] == "scalar" {
        return vec![(Vec::new(), vec![point(result)])];
    }
    let mut all: Vec<Series> = result
        .as_array()
        .into_iter()
        .flatten()
        .map(|series| {
            let mut labels: Vec<(String, String)> = series["metric"]
                .as_object()
                .into_iter()
                .flatten()
                .map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()))
                .collect();
            labels.sort();
            let points = match &series["values"] {
                Value::Array(values) => values.iter().map(point).collect(),
                _ => vec![point(&series["value"])],
            };
            (labels, points)
        })
        .collect();
    if !ordered {
        all.sort();
    }
    all
}

/// The first difference, in words.
pub(super) fn first_difference(theirs: &Answer, ours: &Answer) -> String {
    let (Answer::Series(theirs), Answer::Series(ours)) = (theirs, ours) else {
        return format!("{} but {}", outline(theirs), outline(ours));
    };
    for (labels, points) in theirs {
        let Some((_, own)) = ours.iter().find(|(own, _)| own == labels) else {
            return format!("{labels:?} is missing, has {:?}", points.first());
        };
        if points != own {
            let pair = points.iter().zip(own).find(|(a, b)| a != b);
            return format!("{labels:?} has {} and {} points, first {pair:?}", points.len(), own.len());
        }
    }
    match ours.iter().find(|(own, _)| !theirs.iter().any(|(labels, _)| labels == own)) {
        Some((labels, points)) => format!("{labels:?} is too much, has {:?}", points.first()),
        None => "the order".to_owned(),
    }
}

fn outline(answer: &Answer) -> String {
    match answer {
        Answer::Series(series) => format!("{} series", series.len()),
        Answer::Failed(status, text) => format!("{status} {text}"),
    }
}
