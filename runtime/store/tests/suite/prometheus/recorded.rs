//! Every call that was recorded of Thanos' sidecar, against a stand-in that answers what its Prometheus answered then.
//!
//! Where the answer of Prometheus was not recorded with the call, it is what the sidecar's answer was made of: its series
//! without the external labels. `PRONOIA_SHARED` names the folder with the recordings.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::{Buf, Bytes};
use futures::StreamExt;
use prost::Message;
use serde_json::{Value, json};
use store::{Context, Store};
use storeapi::prometheus::{Chunk, ChunkedReadResponse, ChunkedSeries, Label, ReadRequest};
use storeapi::thanos::{
    LabelNamesRequest, LabelNamesResponse, LabelValuesRequest, LabelValuesResponse, SeriesRequest,
};
use storeapi::{LabelBytes, Series, SeriesFrame};
use tonic::Status;

use super::fake::{Answer, Asked, Fake, Handler};
use super::store_over;

const EXTERNAL: [(&str, &str); 2] = [("cluster", "one"), ("replica", "p1")];

/// Where this store differs on purpose, and why.
const ON_PURPOSE: [(&str, &str); 3] = [
    ("without-replica-labels-name", "a replica label goes out of label sets without chunks as well"),
    (
        "without-replica-labels-plus-series-label",
        "a replica label goes out of label sets without chunks as well",
    ),
    ("response-batch-size-negative", "a batch size without a meaning is no reason to lose the answer"),
];

pub(super) struct Case {
    pub(super) name: String,
    pub(super) request: Bytes,
    pub(super) answers: Vec<Bytes>,
    pub(super) code: i32,
    pub(super) message: String,
}

/// The folder with the recordings of the wire.
#[expect(clippy::disallowed_methods, reason = "the test is told where the data are")]
pub(super) fn wire() -> Option<PathBuf> {
    let Some(folder) = std::env::var_os("PRONOIA_SHARED") else {
        eprintln!("LEFT OUT: recorded calls of the sidecar; PRONOIA_SHARED names no folder");
        return None;
    };
    let folder = Path::new(&folder).join("fixtures/wire");
    assert!(folder.is_dir(), "{} is no folder", folder.display());
    Some(folder)
}

#[expect(clippy::disallowed_methods, reason = "recordings are files")]
pub(super) fn read(path: &Path) -> Bytes {
    std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).into()
}

pub(super) fn read_json(path: &Path) -> Value {
    serde_json::from_slice(&read(path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The folders in a folder.
#[expect(clippy::disallowed_methods, reason = "recordings are files")]
pub(super) fn below(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("it can be read").path()).collect();
    paths.sort();
    paths
}

pub(super) fn cases(wire: &Path, method: &str) -> Vec<Case> {
    below(&wire.join("grpc/sidecar").join(method))
        .into_iter()
        .map(|folder| {
            let status = read_json(&folder.join("status.json"));
            let mut bytes = read(&folder.join("response.pb"));
            let mut answers = Vec::new();
            while bytes.has_remaining() {
                let length = prost::decode_length_delimiter(&mut bytes).expect("a length");
                answers.push(bytes.split_to(length));
            }
            Case {
                name: folder.file_name().expect("a name").to_string_lossy().into_owned(),
                request: read(&folder.join("request.pb")),
                answers,
                code: i32::try_from(status["grpc_code"].as_i64().expect("a code")).expect("small"),
                message: status["grpc_message"].as_str().expect("a text").to_owned(),
            }
        })
        .collect()
}

/// What Prometheus must have said for this message of the sidecar, if the message quotes it.
pub(super) fn refusal(case: &Case) -> Option<Answer> {
    let quoted = case.message.strip_prefix("expected 2xx response, got ")?;
    let (status, body) = quoted.split_once(". Body: ")?;
    Some(Answer::json(status.parse().expect("a status"), body))
}

pub(super) fn same_status(case: &Case, status: &Status) -> Result<(), String> {
    if (status.code() as i32, status.message()) == (case.code, case.message.as_str()) {
        return Ok(());
    }
    Err(format!("{status:?} instead of {} {:?}", case.code, case.message))
}

fn is_external(name: &[u8]) -> bool {
    EXTERNAL.iter().any(|(external, _)| external.as_bytes() == name)
}

fn recorded_series(case: &Case) -> Vec<Series> {
    let mut all = Vec::new();
    for answer in &case.answers {
        match SeriesFrame::from_wire(answer).expect("a recorded frame") {
            SeriesFrame::Series(series) => all.push(series),
            SeriesFrame::Batch(list) => all.extend(list),
            SeriesFrame::Warning(_) | SeriesFrame::Hints(_) => {}
        }
    }
    all
}

/// Recorded answers of remote reads, by their query.
fn remote_reads(wire: &Path) -> Vec<(storeapi::prometheus::Query, Vec<u8>)> {
    let recorded = below(&wire.join("remote-read"));
    let sidecar = recorded.iter().filter(|folder| folder.to_string_lossy().contains("/sidecar-"));
    sidecar
        .map(|folder| {
            let mut request = query(&read(&folder.join("request.body")));
            (request.queries.remove(0), read(&folder.join("response.body")).to_vec())
        })
        .collect()
}

fn query(body: &[u8]) -> ReadRequest {
    let plain = snap::raw::Decoder::new().decompress_vec(body).expect("snappy");
    ReadRequest::decode(plain.as_slice()).expect("a request")
}

/// A frame of a streamed remote read.
pub(in crate::suite) fn frame(series: ChunkedSeries) -> Vec<u8> {
    let message = ChunkedReadResponse { chunked_series: vec![series], query_index: 0 }.encode_to_vec();
    let mut frame = Vec::new();
    prost::encode_length_delimiter(message.len(), &mut frame).expect("room");
    let sum = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, &message) as u32;
    frame.extend(sum.to_be_bytes());
    frame.extend(message);
    frame
}

/// A series as Prometheus streams it, with the external labels that it adds itself.
fn streamed(series: &Series) -> Vec<u8> {
    let labels = series.labels.with(EXTERNAL.map(|(name, value)| (name.as_bytes(), value.as_bytes())));
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
    frame(ChunkedSeries {
        labels: labels.iter().map(|(name, value)| Label { name: text(name), value: text(value) }).collect(),
        chunks: series
            .chunks
            .iter()
            .flat_map(|chunk| chunk.parts.iter().map(move |(_, part)| (chunk, part)))
            .map(|(chunk, part)| Chunk {
                min_time_ms: chunk.min_time,
                max_time_ms: chunk.max_time,
                r#type: part.encoding + 1,
                data: part.data.clone(),
            })
            .collect(),
    })
}

fn own(labels: &LabelBytes) -> Value {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let pairs = labels.iter().filter(|(name, _)| !is_external(name));
    Value::Object(pairs.map(|(name, value)| (text(name), Value::String(text(value)))).collect())
}

/// Series with the labels that they have inside Prometheus, in an order that is not that of the answer.
fn prometheus_of(
    case: &Case,
    series: Vec<Series>,
    reads: Arc<Vec<(storeapi::prometheus::Query, Vec<u8>)>>,
) -> Handler {
    let refusal = refusal(case);
    Arc::new(move |asked: &Asked| match asked.path.as_str() {
        "/api/v1/labels" => {
            let names: BTreeSet<&str> = ["__name__", "instance", "job", "room", "team"].into();
            Answer::data(json!(names))
        }
        "/api/v1/series" => match &refusal {
            Some(refusal) => refusal.clone(),
            None => {
                Answer::data(Value::Array(series.iter().rev().map(|series| own(&series.labels)).collect()))
            }
        },
        "/api/v1/read" => {
            let request = query(&asked.body);
            let known = reads.iter().find(|(query, _)| *query == request.queries[0]);
            Answer::streamed(match known {
                Some((_, body)) => vec![body.clone()],
                None => series.iter().map(streamed).collect(),
            })
        }
        _ => Answer::json(404, "{}"),
    })
}

async fn ask_series(case: &Case, handler: Handler) -> Result<Vec<SeriesFrame>, Status> {
    let fake = Fake::start(handler).await;
    let store = store_over(&fake, &EXTERNAL, "");
    let request =
        SeriesRequest::decode(case.request.clone()).map_err(|error| Status::internal(error.to_string()))?;
    let mut frames = store.series(request, Context::unlimited()).await?;
    let mut all = Vec::new();
    while let Some(frame) = frames.next().await {
        all.push(frame?);
    }
    Ok(all)
}

#[tokio::test]
async fn recorded_series_are_given_again() {
    let Some(wire) = wire() else { return };
    let reads = Arc::new(remote_reads(&wire));
    let plain = recorded_series(
        cases(&wire, "Series").iter().find(|case| case.name == "skip-chunks").expect("it is there"),
    );
    let (mut matched, mut on_purpose, mut wrong) = (0, 0, Vec::new());
    let all = cases(&wire, "Series");
    for case in &all {
        let reason = ON_PURPOSE.iter().find(|(name, _)| *name == case.name);
        let mut wanted = recorded_series(case);
        let served = if case.name == "response-batch-size-negative" { plain.clone() } else { wanted.clone() };
        let answer = ask_series(case, prometheus_of(case, served, Arc::clone(&reads))).await;
        if case.name == "response-batch-size-negative" {
            wanted = plain.clone();
        } else if reason.is_some() {
            let gone: &[u8] = if case.name.ends_with("-name") { b"__name__" } else { b"room" };
            for series in &mut wanted {
                series.labels = series.labels.without(|name| name == gone);
            }
            wanted.dedup();
        }
        let outcome = match answer {
            Err(status) if case.name == "garbage-request" => {
                if status.code() as i32 == case.code {
                    Ok(())
                } else {
                    Err(format!("{status:?}"))
                }
            }
            Err(status) => same_status(case, &status),
            Ok(_) if case.code != 0 => Err(format!("no error, wanted {} {}", case.code, case.message)),
            Ok(frames) => {
                let mut found = Vec::new();
                for frame in frames {
                    match frame {
                        SeriesFrame::Series(series) => found.push(series),
                        SeriesFrame::Batch(list) => found.extend(list),
                        other => panic!("{}: {other:?}", case.name),
                    }
                }
                if found == wanted { Ok(()) } else { Err(format!("{found:?}\ninstead of {wanted:?}")) }
            }
        };
        match (outcome, reason) {
            (Ok(()), None) => matched += 1,
            (Ok(()), Some(_)) => on_purpose += 1,
            (Err(difference), _) => wrong.push(format!("{}: {difference}", case.name)),
        }
    }
    eprintln!(
        "sidecar Series: {matched} of {} recorded calls match, {on_purpose} differ on purpose",
        all.len()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn recorded_label_names_are_given_again() {
    let Some(wire) = wire() else { return };
    let all = cases(&wire, "LabelNames");
    for case in &all {
        let names = |answer: &Bytes| LabelNamesResponse::decode(answer.clone()).expect("a message").names;
        let wanted: Vec<String> = case.answers.first().map(names).unwrap_or_default();
        let own: Vec<String> = wanted.iter().filter(|name| !is_external(name.as_bytes())).cloned().collect();
        let (refusal, series) = (refusal(case), own.clone());
        let fake = Fake::start(Arc::new(move |asked: &Asked| match (asked.path.as_str(), &refusal) {
            (_, Some(refusal)) => refusal.clone(),
            ("/api/v1/labels", None) => Answer::data(json!(own)),
            ("/api/v1/series", None) if series.is_empty() => Answer::data("[]"),
            ("/api/v1/series", None) => {
                let set = series.iter().map(|name| (name.clone(), json!("x"))).collect();
                Answer::data(json!([Value::Object(set)]))
            }
            _ => Answer::json(404, "{}"),
        }))
        .await;
        let store = store_over(&fake, &EXTERNAL, "");
        let request = LabelNamesRequest::decode(case.request.clone()).expect("a message");
        match store.label_names(request, Context::unlimited()).await {
            Ok(response) => assert_eq!((0, &response.names), (case.code, &wanted), "{}", case.name),
            Err(status) => same_status(case, &status).unwrap_or_else(|text| panic!("{}: {text}", case.name)),
        }
    }
    eprintln!("sidecar LabelNames: {0} of {0} recorded calls match", all.len());
}

#[tokio::test]
async fn recorded_label_values_are_given_again() {
    let Some(wire) = wire() else { return };
    let all = cases(&wire, "LabelValues");
    for case in &all {
        let values = |answer: &Bytes| LabelValuesResponse::decode(answer.clone()).expect("a message").values;
        let wanted: Vec<String> = case.answers.first().map(values).unwrap_or_default();
        let request = LabelValuesRequest::decode(case.request.clone()).expect("a message");
        let (refusal, served, label) = (refusal(case), wanted.clone(), request.label.clone());
        let fake = Fake::start(Arc::new(move |asked: &Asked| match (asked.path.as_str(), &refusal) {
            (_, Some(refusal)) => refusal.clone(),
            ("/api/v1/series", None) => {
                let sets = served.iter().rev().map(|value| json!({ label.as_str(): value }));
                Answer::data(Value::Array(sets.collect()))
            }
            (path, None) if path == format!("/api/v1/label/{label}/values") => {
                Answer::data(json!(served.iter().rev().collect::<Vec<_>>()))
            }
            _ => Answer::json(404, "{}"),
        }))
        .await;
        let store = store_over(&fake, &EXTERNAL, "");
        match store.label_values(request, Context::unlimited()).await {
            Ok(response) => assert_eq!((0, &response.values), (case.code, &wanted), "{}", case.name),
            Err(status) => same_status(case, &status).unwrap_or_else(|text| panic!("{}: {text}", case.name)),
        }
    }
    eprintln!("sidecar LabelValues: {0} of {0} recorded calls match", all.len());
}

#[tokio::test]
async fn remote_reads_are_asked_as_recorded_and_their_frames_are_spliced_through() {
    let Some(wire) = wire() else { return };
    let (reads, mut chunks) = (remote_reads(&wire), 0);
    assert_eq!(reads.len(), 14);
    for (query, body) in &reads {
        let body = body.clone();
        let fake = Fake::start(Arc::new(move |asked: &Asked| match asked.path.as_str() {
            "/api/v1/read" => Answer::streamed(body.chunks(7).map(<[u8]>::to_vec).collect()),
            _ => Answer::data("[]"),
        }))
        .await;
        let store = store_over(&fake, &EXTERNAL, "3.12.0");
        let request = SeriesRequest {
            min_time: query.start_timestamp_ms,
            max_time: query.end_timestamp_ms,
            matchers: query
                .matchers
                .iter()
                .map(|matcher| storeapi::thanos::LabelMatcher {
                    r#type: matcher.r#type,
                    name: matcher.name.clone(),
                    value: matcher.value.clone(),
                })
                .collect(),
            ..SeriesRequest::default()
        };
        let mut frames = store.series(request, Context::unlimited()).await.expect("an answer");
        while let Some(frame) = frames.next().await {
            let SeriesFrame::Batch(list) = frame.expect("a frame") else { panic!("series come in batches") };
            chunks += list.iter().map(|series| series.chunks.len()).sum::<usize>();
        }
        let asked = fake.asked();
        let read = asked.iter().find(|asked| asked.path == "/api/v1/read").expect("it was asked");
        assert_eq!(self::query(&read.body).queries, std::slice::from_ref(query));
        assert_eq!(self::query(&read.body).accepted_response_types, [1, 0]);
        assert_eq!(read.header("x-prometheus-remote-read-version"), Some("0.1.0"));
        assert_eq!(read.header("content-type"), Some("application/x-stream-protobuf"));
        assert_eq!(read.header("content-encoding"), Some("snappy"));
    }
    let recorded: usize = below(&wire.join("remote-read"))
        .iter()
        .filter(|folder| folder.to_string_lossy().contains("/sidecar-"))
        .map(|folder| read_json(&folder.join("response.json")))
        .flat_map(|response| response["frames"].as_array().cloned().unwrap_or_default())
        .map(|frame| frame["message"]["chunked_series"][0]["chunks"].as_array().map_or(0, Vec::len))
        .sum();
    assert_eq!(chunks, recorded);
    eprintln!("remote read: {0} of {0} recorded exchanges match, {chunks} chunks", reads.len());
}
