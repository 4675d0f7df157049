//! Recorded calls of the service Query whose answers do not depend on the data.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "reads the recordings and says what it compared"
)]

use std::path::Path;

use api::thanos::QueryService;
use bytes::Bytes;
use futures::TryStreamExt;
use prost::Message;
use serde_json::Value;
use storeapi::thanos::query_server::Query;
use storeapi::thanos::{QueryRangeRequest, QueryRangeResponse, QueryRequest, QueryResponse};
use tonic::{Request, Status};

use super::memory::Memory;

/// Calls that are answered without samples.
const CASES: [&str; 11] = [
    "empty-query",
    "engine-unknown-9",
    "matrix",
    "negative-timeout",
    "no-result",
    "parse-error",
    "scalar",
    "start-after-end",
    "store-matchers-none-match",
    "string",
    "zero-interval",
];

/// The messages of a `response.pb`: each behind its length.
fn messages<M: Message + Default>(mut bytes: Bytes) -> Vec<M> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let length = prost::decode_length_delimiter(&mut bytes).expect("a length");
        found.push(M::decode(bytes.split_to(length)).expect("a message"));
    }
    found
}

fn read(case: &Path, file: &str) -> Bytes {
    std::fs::read(case.join(file)).unwrap_or_default().into()
}

fn outcome<M>(answer: Result<Vec<M>, Status>) -> (i64, String, Vec<M>) {
    match answer {
        Ok(frames) => (0, String::new(), frames),
        Err(status) => (i64::from(i32::from(status.code())), status.message().to_owned(), Vec::new()),
    }
}

fn recorded<M: Message + Default>(case: &Path) -> (i64, String, Vec<M>) {
    let status: Value = serde_json::from_slice(&read(case, "status.json")).expect("JSON");
    let message = status["grpc_message"].as_str().unwrap_or_default().to_owned();
    (status["grpc_code"].as_i64().unwrap_or_default(), message, messages(read(case, "response.pb")))
}

#[tokio::test]
async fn calls_without_samples_are_answered_as_recorded() {
    let Some(shared) = std::env::var_os("PRONOIA_SHARED") else {
        eprintln!("PRONOIA_SHARED is not set: recordings of Thanos are not compared");
        return;
    };
    let folder = Path::new(&shared).join("fixtures/wire/grpc/query");
    // None of the metrics of the recordings, and some of our own.
    let service = QueryService::new(Memory { series: Vec::new(), ..Memory::new() }.api());
    let mut compared = 0;
    for name in CASES {
        let case = folder.join("Query").join(name);
        if case.is_dir() {
            let request = QueryRequest::decode(read(&case, "request.pb")).expect("a request");
            let answer = match service.query(Request::new(request)).await {
                Ok(stream) => stream.into_inner().try_collect().await,
                Err(status) => Err(status),
            };
            assert_eq!(outcome(answer), recorded::<QueryResponse>(&case), "Query {name}");
            compared += 1;
        }
        let case = folder.join("QueryRange").join(name);
        if case.is_dir() {
            let request = QueryRangeRequest::decode(read(&case, "request.pb")).expect("a request");
            let answer = match service.query_range(Request::new(request)).await {
                Ok(stream) => stream.into_inner().try_collect().await,
                Err(status) => Err(status),
            };
            assert_eq!(outcome(answer), recorded::<QueryRangeResponse>(&case), "QueryRange {name}");
            compared += 1;
        }
    }
    eprintln!("{compared} calls compared");
    assert!(compared > 15);
}
