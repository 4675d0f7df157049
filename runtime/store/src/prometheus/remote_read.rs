//! Starts a remote read: the request, and which of its two kinds of answer comes.

use prom_model::Matcher;
use prost::Message;
use reqwest::Response;
use server::http_client::ClientError;
use storeapi::prometheus::read_request::ResponseType;
use storeapi::prometheus::{Query, ReadRequest};
use tonic::{Code, Status};

use super::client::{PrometheusClient, line};
use super::matchers;

/// A remote read that did not start. The texts are those of Thanos.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error("query Prometheus")]
    Client(#[from] ClientError),
    #[error("query Prometheus: marshal read request")]
    Compress(#[source] snap::Error),
    #[error("query Prometheus: send request: Post {url:?}")]
    Send {
        url: String,
        #[source]
        source: reqwest::Error,
    },
    #[error("query Prometheus: request failed with code {status}; msg {body}")]
    Refused { status: reqwest::StatusCode, body: String },
    #[error("not supported remote read content type: {0}")]
    ContentType(String),
}

impl From<ReadError> for Status {
    fn from(error: ReadError) -> Self {
        Status::new(Code::Unknown, line(&error))
    }
}

/// The answer, before its body is read.
pub(super) enum Answer {
    /// Frames with chunks, sorted.
    Streamed(Response),
    /// One compressed message with samples, in any order.
    Sampled(Response),
}

/// Asks for the series that match and have samples from `min_time` to `max_time`, both included, milliseconds.
pub(super) async fn start(
    client: &PrometheusClient,
    matchers: &[Matcher],
    min_time: i64,
    max_time: i64,
) -> Result<Answer, ReadError> {
    let query = Query {
        start_timestamp_ms: min_time,
        end_timestamp_ms: max_time,
        matchers: matchers::remote(matchers),
        hints: None,
    };
    let accepted = [ResponseType::StreamedXorChunks, ResponseType::Samples];
    let request =
        ReadRequest { queries: vec![query], accepted_response_types: accepted.map(i32::from).to_vec() };
    let body =
        snap::raw::Encoder::new().compress_vec(&request.encode_to_vec()).map_err(ReadError::Compress)?;
    let path = ["api", "v1", "read"];
    let sent = client
        .post(&path)?
        .header("Content-Encoding", "snappy")
        .header("Content-Type", "application/x-stream-protobuf")
        .header("X-Prometheus-Remote-Read-Version", "0.1.0")
        .body(body)
        .send()
        .await;
    let url = || client.url(&path, &[]).to_string();
    let answer = sent.map_err(|source| ReadError::Send { url: url(), source: source.without_url() })?;
    let status = answer.status();
    if !status.is_success() {
        let body = answer.text().await.unwrap_or_default();
        return Err(ReadError::Refused { status, body });
    }
    let kind = answer.headers().get("Content-Type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind.starts_with("application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse") {
        return Ok(Answer::Streamed(answer));
    }
    if kind.starts_with("application/x-protobuf") {
        return Ok(Answer::Sampled(answer));
    }
    Err(ReadError::ContentType(kind.to_owned()))
}
