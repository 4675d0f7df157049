//! Answers of queries: for people as promtool prints them, for programs as the HTTP API gives them.

use prom_model::{FloatHistogram, Labels, METRIC_NAME};
use promql::{Answer, Point, Samples, Value};
use serde_json::{Value as Json, json};

/// One line per series of an instant vector, several per series of a matrix.
pub(super) fn text(answer: &Answer) -> String {
    let mut out = String::new();
    match &answer.value {
        Value::Scalar { time, value } => {
            out.push_str(&format!("scalar: {} @[{}]\n", number(*value), seconds(*time)))
        }
        Value::String { text, .. } => out.push_str(&format!("{text}\n")),
        Value::Vector { time, samples } => {
            for sample in samples {
                let value = match &sample.histogram {
                    Some(histogram) => histogram.to_string(),
                    None => number(sample.value),
                };
                let metric = metric(&sample.labels.to_labels(&answer.symbols));
                out.push_str(&format!("{metric} => {value} @[{}]\n", seconds(*time)));
            }
        }
        Value::Matrix { steps, series } => {
            for row in series {
                out.push_str(&format!("{} =>\n", metric(&row.labels.to_labels(&answer.symbols))));
                for step in 0..row.column.len() {
                    let value = match row.column.get(step) {
                        Some(Point::Float(value)) => number(value),
                        Some(Point::Histogram(histogram)) => histogram.to_string(),
                        None => continue,
                    };
                    out.push_str(&format!("{value} @[{}]\n", seconds(steps.time(step))));
                }
            }
        }
        Value::RangeVector { series } => {
            for one in series {
                out.push_str(&format!("{} =>\n", metric(&one.labels.to_labels(&answer.symbols))));
                for (time, point) in merged(&one.samples) {
                    let value = match point {
                        Point::Float(value) => number(value),
                        Point::Histogram(histogram) => histogram.to_string(),
                    };
                    out.push_str(&format!("{value} @[{}]\n", seconds(time)));
                }
            }
        }
    }
    out
}

/// The body of an answer of `/api/v1/query` or `/api/v1/query_range`.
pub(super) fn json(answer: &Answer, warnings: Vec<String>, infos: Vec<String>) -> Json {
    let (kind, result) = match &answer.value {
        Value::Scalar { time, value } => ("scalar", json!([time_of(*time), number(*value)])),
        Value::String { time, text } => ("string", json!([time_of(*time), text])),
        Value::Vector { time, samples } => {
            let one = |sample: &promql::InstantSample| {
                let labels = sample.labels.to_labels(&answer.symbols);
                match &sample.histogram {
                    Some(histogram) => {
                        json!({ "metric": labels, "histogram": [time_of(*time), histogram_of(histogram)] })
                    }
                    None => json!({ "metric": labels, "value": [time_of(*time), number(sample.value)] }),
                }
            };
            ("vector", samples.iter().map(one).collect())
        }
        Value::Matrix { steps, series } => {
            let one = |row: &promql::Row| {
                let points = (0..row.column.len())
                    .filter_map(|step| row.column.get(step).map(|point| (steps.time(step), point)));
                series_of(&row.labels.to_labels(&answer.symbols), points)
            };
            ("matrix", series.iter().map(one).collect())
        }
        Value::RangeVector { series } => {
            let one = |one: &promql::RangeSeries| {
                series_of(&one.labels.to_labels(&answer.symbols), merged(&one.samples).into_iter())
            };
            ("matrix", series.iter().map(one).collect())
        }
    };
    let mut body = json!({ "status": "success", "data": { "resultType": kind, "result": result } });
    if let Some(object) = body.as_object_mut() {
        for (name, texts) in [("warnings", warnings), ("infos", infos)] {
            if !texts.is_empty() {
                object.insert(name.to_owned(), json!(texts));
            }
        }
    }
    body
}

fn series_of<'p>(labels: &Labels, points: impl Iterator<Item = (i64, Point<'p>)>) -> Json {
    let (mut values, mut histograms) = (Vec::new(), Vec::new());
    for (time, point) in points {
        match point {
            Point::Float(value) => values.push(json!([time_of(time), number(value)])),
            Point::Histogram(histogram) => {
                histograms.push(json!([time_of(time), histogram_of(histogram)]));
            }
        }
    }
    let mut series = json!({ "metric": labels });
    if let Some(object) = series.as_object_mut() {
        for (name, points) in [("values", values), ("histograms", histograms)] {
            if !points.is_empty() {
                object.insert(name.to_owned(), Json::Array(points));
            }
        }
    }
    series
}

/// Floats and histograms of a series in the order of time.
fn merged(samples: &Samples) -> Vec<(i64, Point<'_>)> {
    let floats =
        samples.timestamps.iter().zip(&samples.values).map(|(at, value)| (*at, Point::Float(*value)));
    let histograms = samples.histogram_timestamps.iter().zip(&samples.histograms);
    let histograms = histograms.map(|(at, histogram)| (*at, Point::Histogram(histogram)));
    let mut all: Vec<_> = floats.chain(histograms).collect();
    all.sort_by_key(|(at, _)| *at);
    all
}

/// Count, sum and the buckets that hold something; the first number of a bucket says which of its bounds are in it.
fn histogram_of(histogram: &FloatHistogram) -> Json {
    let bucket = |bucket: prom_model::Bucket| {
        let bounds = match (bucket.lower_inclusive, bucket.upper_inclusive) {
            (false, true) => 0,
            (true, false) => 1,
            (false, false) => 2,
            (true, true) => 3,
        };
        json!([bounds, number(bucket.lower), number(bucket.upper), number(bucket.count)])
    };
    let buckets: Vec<Json> =
        histogram.all_buckets().filter(|bucket| bucket.count != 0.0).map(bucket).collect();
    let mut shown = json!({ "count": number(histogram.count), "sum": number(histogram.sum) });
    if let Some(object) = shown.as_object_mut().filter(|_| !buckets.is_empty()) {
        object.insert("buckets".to_owned(), Json::Array(buckets));
    }
    shown
}

/// `up{job="a"}`
fn metric(labels: &Labels) -> String {
    let Some(name) = labels.metric_name() else { return labels.to_string() };
    let mut rest = labels.clone();
    rest.remove(METRIC_NAME);
    if rest.is_empty() { name.to_owned() } else { format!("{name}{rest}") }
}

fn number(value: f64) -> String {
    if value.is_finite() { value.to_string() } else { prom_model::go_float(value) }
}

fn seconds(millis: i64) -> String {
    time_of(millis).to_string()
}

/// Seconds, with a fraction only where there is one.
fn time_of(millis: i64) -> Json {
    if millis % 1_000 == 0 { json!(millis / 1_000) } else { json!(millis as f64 / 1_000.0) }
}
