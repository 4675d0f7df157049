//! Traces on their way: in by headers, through a process, out to a collector.
//!
//! A process has one recorder, so one test sees it all.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::{get, post};
use prometheus_client::registry::Registry;
use server::grpc::{Channel, ChannelSettings, Compression, GrpcSettings};
use server::http::Server;
use server::http_client::{HttpClient, Settings};
use server::metrics::Metrics;
use server::probe::Probe;
use tokio_util::sync::CancellationToken;

use super::grpc_calls::Running;
use super::ticker::{Message, repeat};

/// A span, as far as the test looks at it; the numbers are those of OTLP.
#[derive(Clone, PartialEq, prost::Message)]
struct Span {
    #[prost(bytes = "vec", tag = "1")]
    trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    span_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    parent_span_id: Vec<u8>,
    #[prost(string, tag = "5")]
    name: String,
    #[prost(int32, tag = "6")]
    kind: i32,
    #[prost(fixed64, tag = "7")]
    start: u64,
    #[prost(fixed64, tag = "8")]
    end: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ScopeSpans {
    #[prost(message, repeated, tag = "2")]
    spans: Vec<Span>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ResourceSpans {
    #[prost(message, repeated, tag = "2")]
    scope_spans: Vec<ScopeSpans>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Export {
    #[prost(message, repeated, tag = "1")]
    resource_spans: Vec<ResourceSpans>,
}

type Collected = Arc<Mutex<Vec<Span>>>;

async fn collect(State(collected): State<Collected>, body: Bytes) {
    let export: Export = prost::Message::decode(body).unwrap();
    let spans = export.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
    collected.lock().unwrap().extend(spans.flat_map(|scope| scope.spans));
}

async fn serve(routes: Router) -> String {
    let server = Server::listen("127.0.0.1:0").await.unwrap();
    let address = server.address().to_string();
    let metrics = Metrics::new(Registry::default());
    let stop = CancellationToken::new();
    tokio::spawn(server.run(routes, metrics, Probe::new(), stop, Duration::from_secs(1)));
    address
}

#[tokio::test]
async fn a_request_is_one_trace_through_http_and_grpc() {
    let collected = Collected::default();
    let collector =
        serve(Router::new().route("/v1/traces", post(collect)).with_state(Arc::clone(&collected))).await;
    let yaml = format!(
        "{{type: OTLP, config: {{client_type: http, endpoint: '{collector}', insecure: true, \
         sampler_type: parentbasedneversample}}}}"
    );
    let tracing = server::trace::start(&yaml, "thanos-query").unwrap();

    // A querier of one handler, which asks a store.
    let store = Running::start(GrpcSettings::default()).await;
    let settings = ChannelSettings::new(None, Compression::None, None).unwrap();
    let channel = Channel::lazy(&store.address, &Arc::new(settings)).unwrap();
    let handler = move || async move {
        let request = tonic::Request::new(Message { service: "headers".to_owned() });
        repeat(channel, request).await.unwrap().remove(0).service
    };
    let querier = serve(Router::new().route("/api/v1/query", get(handler))).await;
    let url = format!("http://{querier}/api/v1/query");
    let client = HttpClient::new(Settings::default()).unwrap();
    let ask = |headers: &[(&'static str, &'static str)]| {
        let request = headers
            .iter()
            .fold(client.get(&url).unwrap(), |request, (name, value)| request.header(*name, *value));
        async move {
            let answer = request.send().await.unwrap();
            let trace = answer.headers().get("x-thanos-trace-id").map(|id| id.to_str().unwrap().to_owned());
            (trace, answer.text().await.unwrap())
        }
    };

    // Not sampled: nothing is recorded, and the store is told so.
    let (trace, heard) = ask(&[]).await;
    assert_eq!(trace, None);
    assert!(
        heard.lines().any(|line| line.starts_with("traceparent: 00-") && line.ends_with("-00")),
        "{heard}"
    );
    // Sampled by whoever asks.
    let id = "0af7651916cd43dd8448eb211c80319c";
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let (trace, heard) = ask(&[("traceparent", parent), ("x-request-id", "mine")]).await;
    assert_eq!(trace.as_deref(), Some(id));
    assert!(
        heard
            .lines()
            .any(|line| line.starts_with(&format!("traceparent: 00-{id}-")) && line.ends_with("-01"))
    );
    assert!(heard.lines().any(|line| line == "request-id: mine"), "{heard}");
    // Forced.
    let (forced, _) = ask(&[("x-thanos-force-tracing", "1")]).await;
    assert!(forced.is_some());

    tracing.close().await;
    let spans = collected.lock().unwrap().clone();
    assert_eq!(spans.len(), 6, "{spans:?}");
    let of: Vec<&Span> = spans.iter().filter(|span| span.trace_id == hex(id)).collect();
    let find = |name: &str, kind| {
        *of.iter()
            .find(|span| span.name == name && span.kind == kind)
            .unwrap_or_else(|| panic!("{name}: {of:?}"))
    };
    let query = find("/query HTTP[server]", 2);
    let client = find("/test.Ticker/Repeat", 3);
    let server = find("/test.Ticker/Repeat", 2);
    assert_eq!(query.parent_span_id, hex("b7ad6b7169203331"));
    assert_eq!(client.parent_span_id, query.span_id);
    assert_eq!(server.parent_span_id, client.span_id);
    assert!(query.start <= client.start && client.end <= query.end && query.start < query.end);
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len() / 2).map(|byte| u8::from_str_radix(&text[2 * byte..2 * byte + 2], 16).unwrap()).collect()
}
