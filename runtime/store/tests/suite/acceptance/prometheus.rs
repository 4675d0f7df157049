//! The store over one Prometheus keeps the contract, whichever way Prometheus answers.

use std::sync::Arc;

use futures::StreamExt;
use futures::executor::block_on;
use prost::Message;
use serde_json::{Map, Value, json};
use store::acceptance::{Dataset, MemoryStore, Part, Traits};
use store::{Context, Store};
use storeapi::prometheus::{
    Chunk, ChunkedSeries, Label, QueryResult, ReadRequest, ReadResponse, Sample, TimeSeries,
};
use storeapi::thanos::{LabelMatcher, LabelNamesRequest, LabelValuesRequest, SeriesRequest};
use storeapi::{Aggregate, LabelBytes, Series, SeriesFrame};
use tsdb::chunk::{Columns, Encoding, Order, decode_floats};

use super::passes_with;
use crate::suite::prometheus::fake::{Answer, Asked, Fake};
use crate::suite::prometheus::recorded::frame;
use crate::suite::prometheus::store_over;

/// A Prometheus that has some data.
#[derive(Debug, Clone)]
struct Prometheus {
    external: Vec<(String, String)>,
    /// The series with the labels that they have inside.
    data: MemoryStore,
    /// Whether it streams chunks, as of 2.13, or sends samples.
    streams: bool,
}

impl Prometheus {
    fn new(part: &Part, streams: bool) -> Self {
        let inside = Part { external: Vec::new(), series: part.series.clone() };
        let data = MemoryStore::new(Dataset { parts: vec![inside] });
        Prometheus { external: part.external.clone(), data, streams }
    }

    fn answer(&self, asked: &Asked) -> Answer {
        let path: Vec<&str> = asked.path.split('/').skip(3).collect();
        match path.as_slice() {
            ["read"] => self.read(&asked.body),
            ["series"] => Answer::data(json!(self.sets(asked))),
            ["labels"] => Answer::data(json!(self.names(asked))),
            ["label", name, "values"] => Answer::data(json!(self.values(name, asked))),
            _ => Answer::json(404, "{}"),
        }
    }

    fn series(&self, request: SeriesRequest) -> Vec<Series> {
        let frames = block_on(self.data.series(request, Context::unlimited())).expect("an answer");
        block_on(frames.collect::<Vec<_>>())
            .into_iter()
            .flat_map(|frame| match frame.expect("a frame") {
                SeriesFrame::Batch(batch) => batch,
                other => panic!("{other:?}"),
            })
            .collect()
    }

    fn read(&self, body: &[u8]) -> Answer {
        let body = snap::raw::Decoder::new().decompress_vec(body).expect("snappy");
        let request = ReadRequest::decode(body.as_slice()).expect("a request");
        let [query] = request.queries.as_slice() else { panic!("one query") };
        let matchers = query.matchers.iter().map(|matcher| LabelMatcher {
            r#type: matcher.r#type,
            name: matcher.name.clone(),
            value: matcher.value.clone(),
        });
        let found = self.series(SeriesRequest {
            min_time: query.start_timestamp_ms,
            max_time: query.end_timestamp_ms,
            matchers: matchers.collect(),
            ..SeriesRequest::default()
        });
        if !self.streams {
            let timeseries = found.iter().map(|series| self.samples(series)).collect();
            let response = ReadResponse { results: vec![QueryResult { timeseries }] }.encode_to_vec();
            let body = snap::raw::Encoder::new().compress_vec(&response).expect("snappy");
            let content_type = "application/x-protobuf".to_owned();
            return Answer { status: 200, content_type, pieces: vec![body], breaks: false };
        }
        // Each chunk in a frame of its own, as Prometheus does with large ones.
        let pieces = found.iter().flat_map(|series| {
            series.chunks.iter().map(|chunk| {
                let raw = chunk.parts.get(Aggregate::Raw).expect("raw samples");
                let chunk = Chunk {
                    min_time_ms: chunk.min_time,
                    max_time_ms: chunk.max_time,
                    r#type: raw.encoding + 1,
                    data: raw.data.clone(),
                };
                frame(ChunkedSeries { labels: self.labels(series), chunks: vec![chunk] })
            })
        });
        Answer::streamed(pieces.collect())
    }

    /// Remote read adds external labels where a series has none of that name.
    fn labels(&self, series: &Series) -> Vec<Label> {
        let own = |name: &str| series.labels.get(name.as_bytes()).is_some();
        let added = self.external.iter().filter(|(name, _)| !own(name));
        let added = added.map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        let all: LabelBytes = series.labels.with(added);
        let labels = all.to_messages().into_iter();
        labels.map(|label| Label { name: label.name, value: label.value }).collect()
    }

    fn samples(&self, series: &Series) -> TimeSeries {
        let mut columns = Columns::default();
        for chunk in &series.chunks {
            let raw = chunk.parts.get(Aggregate::Raw).expect("raw samples");
            decode_floats(Encoding::Xor, &raw.data, Order::Rising, &mut columns).expect("a chunk");
        }
        let samples = columns.iter().map(|(timestamp, value)| Sample { timestamp, value }).collect();
        TimeSeries { labels: self.labels(series), samples, ..TimeSeries::default() }
    }

    fn sets(&self, asked: &Asked) -> Vec<Map<String, Value>> {
        let (matchers, (min_time, max_time), limit) = question(asked);
        let request = SeriesRequest { min_time, max_time, matchers, limit, ..SeriesRequest::default() };
        let set = |series: Series| {
            series.labels.to_messages().into_iter().map(|label| (label.name, json!(label.value))).collect()
        };
        self.series(request).into_iter().map(set).collect()
    }

    fn names(&self, asked: &Asked) -> Vec<String> {
        let (matchers, (start, end), limit) = question(asked);
        let request = LabelNamesRequest { start, end, matchers, limit, ..LabelNamesRequest::default() };
        block_on(self.data.label_names(request, Context::unlimited())).expect("names").names
    }

    fn values(&self, label: &str, asked: &Asked) -> Vec<String> {
        let (matchers, (start, end), limit) = question(asked);
        let label = label.to_owned();
        let request =
            LabelValuesRequest { label, start, end, matchers, limit, ..LabelValuesRequest::default() };
        block_on(self.data.label_values(request, Context::unlimited())).expect("values").values
    }
}

/// The parameters of a request: selector, times, limit.
fn question(asked: &Asked) -> (Vec<LabelMatcher>, (i64, i64), i64) {
    let matchers = match asked.param("match[]") {
        None => Vec::new(),
        Some(text) => match promql_syntax::parse(text) {
            (Some(promql_syntax::Expr::Vector(selector)), _) => storeapi::to_wire(&selector.matchers),
            other => panic!("{text}: {other:?}"),
        },
    };
    let millis = |name| {
        let seconds: f64 = asked.param(name).expect("a time").parse().expect("seconds");
        (seconds * 1000.0).round() as i64
    };
    let limit = asked.param("limit").map_or(0, |limit| limit.parse().expect("a number"));
    (matchers, (millis("start"), millis("end")), limit)
}

async fn passes(streams: bool, version: &str) {
    let mut data = Dataset::one();
    if !streams {
        // Samples in protobuf lose the sign of zero.
        let all = data.parts.iter_mut().flat_map(|part| &mut part.series);
        all.flat_map(|series| &mut series.samples).for_each(|(_, value)| *value += 0.0);
    }
    let [part] = data.parts.as_slice() else { panic!("one part") };
    let prometheus = Prometheus::new(part, streams);
    let fake = Fake::start(Arc::new(move |asked: &Asked| prometheus.answer(asked))).await;
    let external: Vec<(&str, &str)> =
        part.external.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let store = store_over(&fake, &external, version);
    // As the original: `limit` and shards are for one kind of call each, and something has to be asked of Prometheus.
    let traits = Traits { limits_chunks: false, shards_labels: false, external_alone: false, ..Traits::NONE };
    passes_with(Arc::new(store), &data, traits).await;
}

#[tokio::test]
async fn streamed_chunks() {
    passes(true, "2.42.0").await;
}

#[tokio::test]
async fn samples_of_an_old_version() {
    passes(false, "2.12.0").await;
}
