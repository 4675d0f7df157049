//! Sends finished spans in batches, and gives up on them rather than hold up the component.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue};
use prost::Message;
use thiserror::Error;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::Code;
use tonic::metadata::MetadataMap;
use tracing::{debug, warn};

use super::Recorder;
use super::otlp::{self, ExportRequest, ExportResponse, Resource};
use super::sampler::Sampler;
use super::settings::{Retry, Settings, TracingError, Transport};
use super::span::Finished;
use crate::grpc::{Channel, ChannelSettings, Compression};
use crate::tls::ClientTls;

/// The defaults of OpenTelemetry's batch processor.
const QUEUE: usize = 2048;
const BATCH: usize = 512;
const EVERY: Duration = Duration::from_secs(5);
/// How long the last spans may take when the component stops.
const CLOSE: Duration = Duration::from_secs(5);

const EXPORT: PathAndQuery =
    PathAndQuery::from_static("/opentelemetry.proto.collector.trace.v1.TraceService/Export");

/// Takes spans and passes them on.
#[derive(Debug)]
pub(super) struct Exporter {
    sampler: Sampler,
    queue: mpsc::Sender<Finished>,
    dropped: Arc<AtomicU64>,
}

impl Recorder for Exporter {
    fn samples(&self, trace_id: u128, parent: Option<bool>) -> bool {
        self.sampler.samples(trace_id, parent)
    }

    fn record(&self, span: Finished) {
        if self.queue.try_send(span).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The task that exports; spans that wait are sent by [`Tracing::close`].
#[derive(Debug, Default)]
pub struct Tracing {
    task: Option<(JoinHandle<()>, CancellationToken)>,
}

impl Tracing {
    /// Sends what waits, for a few seconds at most.
    pub async fn close(self) {
        if let Some((task, stop)) = self.task {
            stop.cancel();
            let _ = tokio::time::timeout(CLOSE, task).await;
        }
    }
}

/// Starts the task.
pub(super) fn start(settings: Settings) -> Result<(Exporter, Tracing), TracingError> {
    let sink = Sink::new(&settings)?;
    let (queue, spans) = mpsc::channel(QUEUE);
    let dropped = Arc::new(AtomicU64::new(0));
    let resource = Resource {
        attributes: settings.resource.iter().map(|(key, value)| otlp::attribute(key, value)).collect(),
    };
    let stop = CancellationToken::new();
    let work = Work { sink, resource, retry: settings.retry, dropped: Arc::clone(&dropped) };
    let task = tokio::spawn(work.run(spans, stop.clone()));
    Ok((Exporter { sampler: settings.sampler, queue, dropped }, Tracing { task: Some((task, stop)) }))
}

struct Work {
    sink: Sink,
    resource: Resource,
    retry: Retry,
    dropped: Arc<AtomicU64>,
}

impl Work {
    async fn run(self, mut spans: mpsc::Receiver<Finished>, stop: CancellationToken) {
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            let due = Instant::now() + EVERY;
            while batch.len() < BATCH {
                let room = BATCH - batch.len();
                tokio::select! {
                    taken = spans.recv_many(&mut batch, room) => if taken == 0 { return },
                    () = tokio::time::sleep_until(due) => break,
                    () = stop.cancelled() => break,
                }
            }
            if stop.is_cancelled() {
                while let Ok(span) = spans.try_recv() {
                    batch.push(span);
                }
            }
            for part in batch.chunks(BATCH) {
                self.send(part, &stop).await;
            }
            batch.clear();
            let dropped = self.dropped.swap(0, Ordering::Relaxed);
            if dropped > 0 {
                warn!(msg = "spans were dropped, the collector does not keep up", count = dropped);
            }
            if stop.is_cancelled() {
                return;
            }
        }
    }

    async fn send(&self, spans: &[Finished], stop: &CancellationToken) {
        let request = otlp::request(&self.resource, spans);
        let begun = Instant::now();
        let mut pause = self.retry.first;
        loop {
            match self.sink.send(&request).await {
                Ok(response) => {
                    if let Some(partial) =
                        response.partial_success.filter(|partial| partial.rejected_spans > 0)
                    {
                        let (count, reason) = (partial.rejected_spans, partial.error_message);
                        warn!(msg = "the collector rejected spans", count, reason);
                    }
                    return;
                }
                Err(failure) => {
                    let again = failure.may_pass() && begun.elapsed() + pause < self.retry.all;
                    if !again || stop.is_cancelled() {
                        let failure: &dyn std::error::Error = &failure;
                        warn!(msg = "traces were not exported", count = spans.len(), err = failure);
                        return;
                    }
                    debug!(msg = "traces are sent again", err = %failure);
                }
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => {}
            }
            pause = (pause * 2).min(self.retry.longest);
        }
    }
}

#[derive(Debug, Error)]
enum ExportError {
    #[error("{}: {}", .0.code(), .0.message())]
    Grpc(Box<tonic::Status>),
    #[error("cannot reach the collector")]
    Http(#[from] reqwest::Error),
    #[error("the collector answered {0}")]
    Refused(reqwest::StatusCode),
    #[error("the collector's answer is malformed")]
    Malformed(#[from] prost::DecodeError),
}

impl ExportError {
    /// Whether the same may work later, by the rules of OTLP.
    fn may_pass(&self) -> bool {
        match self {
            Self::Grpc(status) => matches!(
                status.code(),
                Code::Cancelled
                    | Code::DeadlineExceeded
                    | Code::ResourceExhausted
                    | Code::Aborted
                    | Code::OutOfRange
                    | Code::Unavailable
                    | Code::DataLoss
            ),
            Self::Http(_) => true,
            Self::Refused(status) => matches!(status.as_u16(), 429 | 502 | 503 | 504),
            Self::Malformed(_) => false,
        }
    }
}

/// Where batches go.
enum Sink {
    Grpc { channel: Channel, metadata: MetadataMap, timeout: Duration },
    Http { client: reqwest::Client, url: String, headers: HeaderMap, gzip: bool },
}

impl Sink {
    fn new(settings: &Settings) -> Result<Self, TracingError> {
        let mut headers = HeaderMap::new();
        for (name, value) in &settings.headers {
            let parsed = HeaderName::try_from(name).ok().zip(HeaderValue::try_from(value).ok());
            let (header, mut value) = parsed.ok_or_else(|| TracingError::Header(name.clone()))?;
            value.set_sensitive(true);
            headers.insert(header, value);
        }
        let endpoint = || TracingError::Endpoint(settings.endpoint.clone());
        match settings.transport {
            Transport::Grpc => {
                let compression = if settings.gzip { Compression::Gzip } else { Compression::None };
                let channel = ChannelSettings::new(settings.tls.as_ref(), compression, None)?;
                Ok(Self::Grpc {
                    channel: Channel::lazy(&settings.endpoint, &Arc::new(channel)).map_err(|_| endpoint())?,
                    metadata: MetadataMap::from_headers(headers),
                    timeout: settings.timeout,
                })
            }
            Transport::Http => {
                let _ = crate::tls::provider();
                let mut client = reqwest::Client::builder().no_proxy().timeout(settings.timeout);
                if let Some(tls) = &settings.tls {
                    let tls = ClientTls::new(tls, &["h2", "http/1.1"])?;
                    client = client.tls_backend_preconfigured(tls.to_config());
                }
                let scheme = if settings.tls.is_some() { "https" } else { "http" };
                let url = format!("{scheme}://{}{}", settings.endpoint, settings.url_path);
                reqwest::Url::parse(&url).map_err(|_| endpoint())?;
                Ok(Self::Http { client: client.build()?, url, headers, gzip: settings.gzip })
            }
        }
    }

    async fn send(&self, request: &ExportRequest) -> Result<ExportResponse, ExportError> {
        match self {
            Self::Grpc { channel, metadata, timeout } => {
                let mut call = tonic::Request::new(request.clone());
                *call.metadata_mut() = metadata.clone();
                call.set_timeout(*timeout);
                let failed = |status| ExportError::Grpc(Box::new(status));
                let mut grpc = tonic::client::Grpc::new(channel.clone());
                grpc.ready().await.map_err(|error| failed(tonic::Status::from_error(error.into())))?;
                let codec = tonic_prost::ProstCodec::<ExportRequest, ExportResponse>::default();
                let answer = tokio::time::timeout(*timeout, grpc.unary(call, EXPORT, codec)).await;
                let answer = answer.map_err(|_| failed(tonic::Status::deadline_exceeded("no answer")))?;
                Ok(answer.map_err(failed)?.into_inner())
            }
            Self::Http { client, url, headers, gzip } => {
                let mut post = client
                    .post(url)
                    .headers(headers.clone())
                    .header(http::header::CONTENT_TYPE, "application/x-protobuf");
                let body = request.encode_to_vec();
                post = match gzip {
                    true => post.header(http::header::CONTENT_ENCODING, "gzip").body(packed(&body)),
                    false => post.body(body),
                };
                let answer = post.send().await?;
                if !answer.status().is_success() {
                    return Err(ExportError::Refused(answer.status()));
                }
                Ok(ExportResponse::decode(answer.bytes().await?)?)
            }
        }
    }
}

fn packed(body: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    // A vector takes everything.
    let _ = writer.write_all(body);
    writer.finish().unwrap_or_default()
}
