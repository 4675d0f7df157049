//! `Series` over remote read: order, labels, limits, damage, and the older kind of answer.

use std::sync::Arc;

use budget::Budget;
use futures::StreamExt;
use prometheus_client::registry::Registry;
use prost::Message;
use serde_json::json;
use store::{Context, LimitedStore, SeriesLimits, Store};
use storeapi::prometheus::{Chunk, ChunkedSeries, Label, QueryResult, ReadResponse, Sample, TimeSeries};
use storeapi::thanos::{LabelMatcher, LabelNamesRequest, SeriesRequest, ShardInfo};
use storeapi::{LabelBytes, Series, SeriesFrame};
use tonic::{Code, Status};
use tsdb::chunk::{Columns, Encoding, Order, XorAppender, decode_floats};

use super::fake::{Answer, Asked, Fake, Handler};
use super::recorded::frame;
use super::store_over;

const EXTERNAL: [(&str, &str); 2] = [("cluster", "one"), ("replica", "a")];

type Pairs<'a> = &'a [(&'a str, &'a str)];

fn chunk(samples: usize) -> Chunk {
    let mut appender = XorAppender::new();
    for at in 0..samples {
        appender.append(at as i64 * 1000, at as f64);
    }
    let data = appender.into_bytes().into();
    Chunk { min_time_ms: 0, max_time_ms: samples as i64 * 1000 - 1000, r#type: 1, data }
}

fn series(labels: Pairs<'_>, chunks: Vec<Chunk>) -> Vec<u8> {
    let labels =
        labels.iter().map(|(name, value)| Label { name: (*name).to_owned(), value: (*value).to_owned() });
    frame(ChunkedSeries { labels: labels.collect(), chunks })
}

/// A Prometheus that streams these pieces and has own labels of these names.
fn streaming(pieces: Vec<Vec<u8>>, names: &[&str]) -> Handler {
    let names = json!(names);
    Arc::new(move |asked: &Asked| match asked.path.as_str() {
        "/api/v1/read" => Answer::streamed(pieces.clone()),
        "/api/v1/labels" => Answer::data(&names),
        _ => Answer::json(404, "{}"),
    })
}

fn request() -> SeriesRequest {
    let matcher = LabelMatcher { r#type: 0, name: "__name__".to_owned(), value: "m".to_owned() };
    SeriesRequest { max_time: 1_000_000, matchers: vec![matcher], ..SeriesRequest::default() }
}

async fn collect(
    store: &dyn Store,
    request: SeriesRequest,
    context: Context,
) -> (Vec<Series>, Option<Status>) {
    let mut all = Vec::new();
    let mut frames = match store.series(request, context).await {
        Ok(frames) => frames,
        Err(status) => return (all, Some(status)),
    };
    while let Some(next) = frames.next().await {
        match next {
            Ok(SeriesFrame::Batch(list)) => {
                assert!(!list.is_empty(), "a batch without series");
                all.extend(list);
            }
            Ok(other) => panic!("{other:?}"),
            Err(status) => return (all, Some(status)),
        }
    }
    (all, None)
}

fn texts(all: &[Series]) -> Vec<String> {
    let text = |labels: &LabelBytes| {
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        labels
            .iter()
            .map(|(name, value)| format!("{}={}", text(name), text(value)))
            .collect::<Vec<_>>()
            .join(" ")
    };
    all.iter().map(|series| text(&series.labels)).collect()
}

#[tokio::test]
async fn external_labels_win_and_replica_labels_go_and_the_order_is_right() {
    let pieces = vec![
        series(&[("__name__", "m"), ("cluster", "x"), ("pod", "1"), ("replica", "7")], vec![chunk(3)]),
        series(&[("__name__", "m"), ("cluster", "y"), ("pod", "0"), ("replica", "8")], vec![chunk(3)]),
        series(&[("__name__", "m"), ("pod", "2")], vec![chunk(3)]),
    ];
    let fake = Fake::start(streaming(pieces, &["__name__", "cluster", "pod", "replica"])).await;
    let store = store_over(&fake, &EXTERNAL, "2.42.0");
    let (all, error) = collect(&store, request(), Context::unlimited()).await;
    assert!(error.is_none(), "{error:?}");
    assert_eq!(
        texts(&all),
        [
            "__name__=m cluster=one pod=0 replica=a",
            "__name__=m cluster=one pod=1 replica=a",
            "__name__=m cluster=one pod=2 replica=a",
        ]
    );
    let without =
        SeriesRequest { without_replica_labels: vec!["replica".to_owned(), "pod".to_owned()], ..request() };
    let (all, error) = collect(&store, without, Context::unlimited()).await;
    assert!(error.is_none(), "{error:?}");
    assert_eq!(texts(&all), ["__name__=m cluster=one"; 3]);
}

#[tokio::test]
async fn names_are_asked_for_only_as_far_as_order_depends_on_them() {
    let pieces = vec![series(&[("__name__", "m"), ("pod", "1")], vec![chunk(3)])];
    for (names, version, questions) in [
        (&["__name__", "pod"][..], "2.42.0", 1),
        (&["__name__", "cluster"], "2.42.0", 2),
        (&["__name__", "cluster"], "2.20.0", 1),
    ] {
        let fake = Fake::start(streaming(pieces.clone(), names)).await;
        let store = store_over(&fake, &EXTERNAL, version);
        let (all, error) = collect(&store, request(), Context::unlimited()).await;
        assert!(error.is_none(), "{error:?}");
        assert_eq!(texts(&all), ["__name__=m cluster=one pod=1 replica=a"]);
        let asked = fake.asked();
        let asked: Vec<&Asked> = asked.iter().filter(|asked| asked.path == "/api/v1/labels").collect();
        assert_eq!(asked.len(), questions, "{names:?} {version}");
        assert_eq!(asked[0].param("match[]"), None);
        assert!(questions == 1 || asked[1].param("match[]") == Some("{__name__=\"m\"}"));
    }
}

#[tokio::test]
async fn a_long_answer_in_order_holds_next_to_nothing_and_one_that_must_be_sorted_is_bounded() {
    let pods: Vec<String> = (0..3_000).map(|pod| format!("{pod:05}")).collect();
    let pieces: Vec<Vec<u8>> =
        pods.iter().map(|pod| series(&[("__name__", "m"), ("pod", pod)], vec![chunk(120)])).collect();
    let context = |bytes| Context { budget: Budget::new("test", bytes), ..Context::unlimited() };

    let fake = Fake::start(streaming(pieces.clone(), &["__name__", "pod"])).await;
    let store = store_over(&fake, &EXTERNAL, "2.42.0");
    let small = context(128 << 10);
    let (all, error) = collect(&store, request(), small.clone()).await;
    assert!(error.is_none(), "{error:?}");
    assert_eq!(all.len(), 3_000);
    assert!(small.budget.peak() <= 128 << 10, "{} bytes waited", small.budget.peak());

    let fake = Fake::start(streaming(pieces, &["__name__", "pod"])).await;
    let store = store_over(&fake, &EXTERNAL, "2.42.0");
    let without = SeriesRequest { without_replica_labels: vec!["pod".to_owned()], ..request() };
    let (all, error) = collect(&store, without.clone(), context(128 << 10)).await;
    assert!(all.is_empty(), "nothing can go out before everything is there");
    let error = error.expect("it does not fit");
    assert_eq!(error.code(), Code::ResourceExhausted);
    assert!(error.message().contains("series that wait for their place"), "{error}");
    let (all, error) = collect(&store, without, context(64 << 20)).await;
    assert!(error.is_none(), "{error:?}");
    assert_eq!(all.len(), 3_000);
}

#[tokio::test]
async fn damage_ends_the_answer_with_an_error_behind_what_was_sound() {
    let one = series(&[("__name__", "m"), ("pod", "1")], vec![chunk(3)]);
    let two = series(&[("__name__", "m"), ("pod", "2")], vec![chunk(3)]);
    let mut flipped = two.clone();
    *flipped.last_mut().expect("bytes") ^= 1;
    let early = series(&[("__name__", "m"), ("pod", "0")], vec![chunk(3)]);
    for (second, code, words) in [
        (flipped, Code::Unknown, "checksum mismatch"),
        (two[..two.len() - 1].to_vec(), Code::Unknown, "unexpected EOF"),
        (early, Code::Internal, "out of order"),
    ] {
        let fake = Fake::start(streaming(vec![one.clone(), second], &["__name__", "pod"])).await;
        // No external label behind `pod`: nothing waits.
        let store = store_over(&fake, &EXTERNAL[..1], "2.42.0");
        let (all, error) = collect(&store, request(), Context::unlimited()).await;
        assert_eq!(texts(&all), ["__name__=m cluster=one pod=1"]);
        let error = error.expect("the second is damaged");
        assert_eq!(error.code(), code);
        assert!(error.message().contains(words), "{error}");
    }
    let mut broken = Answer::streamed(vec![one]);
    broken.breaks = true;
    let fake = Fake::start(Arc::new(move |asked: &Asked| match asked.path.as_str() {
        "/api/v1/read" => broken.clone(),
        _ => Answer::data("[]"),
    }))
    .await;
    let store = store_over(&fake, &EXTERNAL[..1], "2.42.0");
    let (all, error) = collect(&store, request(), Context::unlimited()).await;
    assert_eq!((all.len(), error.map(|error| error.code())), (1, Some(Code::Unknown)));
}

#[tokio::test]
async fn refusals_of_a_remote_read_are_told() {
    for (answer, words) in [
        (Answer::json(400, "no such thing"), "request failed with code 400 Bad Request; msg no such thing"),
        (Answer::json(200, "{}"), "not supported remote read content type: application/json"),
    ] {
        let fake = Fake::start(Arc::new(move |asked: &Asked| match asked.path.as_str() {
            "/api/v1/read" => answer.clone(),
            _ => Answer::data("[]"),
        }))
        .await;
        let (_, error) =
            collect(&store_over(&fake, &EXTERNAL, "2.42.0"), request(), Context::unlimited()).await;
        let error = error.expect("it was refused");
        assert_eq!(error.code(), Code::Unknown);
        assert!(error.message().ends_with(words), "{error}");
    }
}

#[tokio::test]
async fn samples_become_chunks_of_120() {
    let sample = |at: i64| Sample { timestamp: at * 1000, value: at as f64 };
    let labels = |pod: &str| {
        [("__name__", "m"), ("pod", pod)]
            .map(|(name, value)| Label { name: name.to_owned(), value: value.to_owned() })
            .to_vec()
    };
    let one = |pod, samples: i64| TimeSeries {
        labels: labels(pod),
        samples: (0..samples).map(sample).collect(),
        ..TimeSeries::default()
    };
    let timeseries = vec![one("2", 250), one("empty", 0), one("1", 120)];
    let message = ReadResponse { results: vec![QueryResult { timeseries }] }.encode_to_vec();
    let body = snap::raw::Encoder::new().compress_vec(&message).expect("it fits");
    let content_type = "application/x-protobuf".to_owned();
    let answer = Answer {
        status: 200,
        content_type,
        pieces: body.chunks(100).map(<[u8]>::to_vec).collect(),
        breaks: false,
    };
    let fake = Fake::start(Arc::new(move |asked: &Asked| match asked.path.as_str() {
        "/api/v1/read" => answer.clone(),
        _ => Answer::data("[]"),
    }))
    .await;
    let store = store_over(&fake, &EXTERNAL, "2.10.0");
    let (all, error) = collect(&store, request(), Context::unlimited()).await;
    assert!(error.is_none(), "{error:?}");
    assert_eq!(
        texts(&all),
        ["__name__=m cluster=one pod=1 replica=a", "__name__=m cluster=one pod=2 replica=a"]
    );
    let times: Vec<(i64, i64)> = all[1].chunks.iter().map(|chunk| (chunk.min_time, chunk.max_time)).collect();
    assert_eq!(times, [(0, 119_000), (120_000, 239_000), (240_000, 249_000)]);
    let mut values = Vec::new();
    for chunk in &all[1].chunks {
        let (_, data) = chunk.parts.iter().next().expect("raw");
        assert_eq!(data.hash, xxhash_rust::xxh64::xxh64(&data.data, 0));
        let mut columns = Columns::default();
        decode_floats(Encoding::Xor, &data.data, Order::Any, &mut columns).expect("a chunk");
        values.extend(columns.iter());
    }
    assert_eq!(values, (0..250).map(|at| (at * 1000, at as f64)).collect::<Vec<_>>());
}

#[tokio::test]
async fn the_shards_of_an_answer_are_the_answer() {
    let pieces: Vec<Vec<u8>> = (0..40)
        .map(|pod| series(&[("__name__", "m"), ("pod", &format!("{pod:02}"))], vec![chunk(1)]))
        .collect();
    let fake = Fake::start(streaming(pieces, &["__name__", "pod"])).await;
    let store = store_over(&fake, &EXTERNAL, "2.42.0");
    let mut all = Vec::new();
    for shard_index in 0..3 {
        let info = ShardInfo { shard_index, total_shards: 3, by: true, labels: vec!["pod".to_owned()] };
        let shard = SeriesRequest { shard_info: Some(info), ..request() };
        let (part, error) = collect(&store, shard, Context::unlimited()).await;
        assert!(error.is_none() && !part.is_empty() && part.len() < 40, "{error:?}");
        all.extend(texts(&part));
    }
    all.sort();
    let (whole, _) = collect(&store, request(), Context::unlimited()).await;
    assert_eq!(all, texts(&whole));
}

#[tokio::test]
async fn limits_of_a_call_end_it() {
    let pieces: Vec<Vec<u8>> = (0..10)
        .map(|pod| series(&[("__name__", "m"), ("pod", &pod.to_string())], vec![chunk(1), chunk(1)]))
        .collect();
    let fake = Fake::start(streaming(pieces, &["__name__", "pod"])).await;
    for (limits, words) in [
        (SeriesLimits { series: 9, samples: 0 }, Some("failed to send series: limit 9 violated (got 10)")),
        (
            SeriesLimits { series: 10, samples: 2399 },
            Some("failed to send samples: limit 2399 violated (got 2400)"),
        ),
        (SeriesLimits { series: 10, samples: 2400 }, None),
    ] {
        let store = LimitedStore::new(
            Arc::new(store_over(&fake, &EXTERNAL, "2.42.0")),
            limits,
            &mut Registry::default(),
        );
        let (_, error) = collect(&store, request(), Context::unlimited()).await;
        assert_eq!(error.as_ref().map(Status::message), words);
    }
}

#[tokio::test]
async fn label_calls_carry_matchers_where_prometheus_takes_them() {
    for (version, path) in [("2.24.0", "/api/v1/labels"), ("2.23.0", "/api/v1/series")] {
        let fake = Fake::start(Arc::new(|asked: &Asked| match asked.path.as_str() {
            "/api/v1/labels" => Answer::data(json!(["__name__", "pod"])),
            _ => Answer::data(json!([{"__name__": "m", "pod": "1"}])),
        }))
        .await;
        let store = store_over(&fake, &EXTERNAL, version);
        let request = LabelNamesRequest {
            matchers: request().matchers,
            without_replica_labels: vec!["replica".to_owned(), "pod".to_owned()],
            ..LabelNamesRequest::default()
        };
        let names = store.label_names(request, Context::unlimited()).await.expect("an answer").names;
        assert_eq!(names, ["__name__", "cluster"]);
        let asked = fake.asked().remove(0);
        assert_eq!((asked.path.as_str(), asked.param("match[]")), (path, Some("{__name__=\"m\"}")));
    }
}
