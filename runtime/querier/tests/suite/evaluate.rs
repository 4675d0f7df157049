//! Queries over a store, answered as the HTTP API answers them.

use std::sync::Arc;

use budget::Budget;
use prom_model::{FloatHistogram, SystemClock};
use promql::{Answer, Control, Engine, EngineOptions, LabelSet, QueryRange, Value};
use querier::{QueryOptions, StoreSource};
use serde_json::{Map, Value as Json, json};
use store::Store;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

/// Asks a query of a store.
pub(crate) fn ask(
    runtime: &Runtime,
    store: Arc<dyn Store>,
    options: QueryOptions,
    query: &str,
    range: QueryRange,
) -> Result<Json, String> {
    let lookback_delta = query::resolution::lookback(300_000, options.max_source_resolution);
    let engine = Engine::new(EngineOptions { lookback_delta, ..EngineOptions::default() });
    let prepared = engine.prepare(query, range).map_err(|error| error.to_string())?;
    let cancel = CancellationToken::new();
    let source = StoreSource::new(store, runtime.handle().clone(), options, cancel, Budget::unlimited());
    let control = Control::unlimited(Arc::new(SystemClock));
    let answer = prepared.run(Arc::new(source), control).map_err(|error| format!("{error:?}"))?;
    Ok(to_json(&answer))
}

fn to_json(answer: &Answer) -> Json {
    let labels = |labels: &LabelSet| -> Json {
        let labels = labels.to_labels(&answer.symbols);
        let pairs = labels.iter().map(|label| (label.name.to_string(), json!(label.value.to_string())));
        Json::Object(pairs.collect::<Map<String, Json>>())
    };
    match &answer.value {
        Value::Scalar { time, value } => json!([seconds(*time), number(*value)]),
        Value::String { time, text } => json!([seconds(*time), text]),
        Value::Vector { time, samples } => {
            let one = |sample: &promql::InstantSample| {
                let (key, value) = match &sample.histogram {
                    Some(found) => ("histogram", histogram(found)),
                    None => ("value", number(sample.value)),
                };
                json!({ "metric": labels(&sample.labels), key: [seconds(*time), value] })
            };
            samples.iter().map(one).collect()
        }
        Value::Matrix { steps, series } => {
            let one = |row: &promql::Row| {
                let (mut floats, mut histograms) = (Vec::new(), Vec::new());
                for (step, time) in steps.times().enumerate() {
                    match row.column.get(step) {
                        Some(promql::Point::Float(value)) => {
                            floats.push(json!([seconds(time), number(value)]))
                        }
                        Some(promql::Point::Histogram(found)) => {
                            histograms.push(json!([seconds(time), histogram(found)]));
                        }
                        None => {}
                    }
                }
                series_of(labels(&row.labels), floats, histograms)
            };
            series.iter().map(one).collect()
        }
        Value::RangeVector { series } => {
            let one = |series: &promql::RangeSeries| {
                let samples = &series.samples;
                let floats = samples.timestamps.iter().zip(&samples.values);
                let floats = floats.map(|(time, value)| json!([seconds(*time), number(*value)])).collect();
                let histograms = samples.histogram_timestamps.iter().zip(&samples.histograms);
                let histograms =
                    histograms.map(|(time, found)| json!([seconds(*time), histogram(found)])).collect();
                series_of(labels(&series.labels), floats, histograms)
            };
            series.iter().map(one).collect()
        }
    }
}

fn series_of(metric: Json, floats: Vec<Json>, histograms: Vec<Json>) -> Json {
    let mut series = Map::new();
    series.insert("metric".to_owned(), metric);
    if !floats.is_empty() {
        series.insert("values".to_owned(), Json::Array(floats));
    }
    if !histograms.is_empty() {
        series.insert("histograms".to_owned(), Json::Array(histograms));
    }
    Json::Object(series)
}

fn seconds(time: i64) -> Json {
    if time % 1000 == 0 { json!(time / 1000) } else { json!(time as f64 / 1000.0) }
}

fn number(value: f64) -> Json {
    json!(prom_model::go_float(value))
}

fn histogram(found: &FloatHistogram) -> Json {
    let bucket = |bucket: prom_model::Bucket| {
        let bounds = match (bucket.lower_inclusive, bucket.upper_inclusive) {
            (false, true) => 0,
            (true, false) => 1,
            (false, false) => 2,
            (true, true) => 3,
        };
        json!([bounds, number(bucket.lower), number(bucket.upper), number(bucket.count)])
    };
    let mut text = json!({ "count": number(found.count), "sum": number(found.sum) });
    let buckets: Vec<Json> = found.all_buckets().filter(|found| found.count != 0.0).map(bucket).collect();
    if !buckets.is_empty() {
        text["buckets"] = Json::Array(buckets);
    }
    text
}
