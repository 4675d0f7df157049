//! A service with one streaming method for tests: it repeats what it is told, panics or hangs on demand. It is written by hand,
//! over health's messages, because a test needs no compiler of protocols.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::StreamExt;
use futures::stream::BoxStream;
use http::{Request, Response};
use tonic::body::Body;
use tonic::server::{NamedService, ServerStreamingService};
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tower::Service;

/// What the method repeats.
pub(crate) type Message = HealthCheckRequest;

/// The path of its method.
pub(crate) const PATH: &str = "/test.Ticker/Repeat";
/// How often a message is repeated.
pub(crate) const TIMES: usize = 100;

/// `/test.Ticker/Repeat`.
#[derive(Debug, Clone)]
pub(crate) struct Ticker;

impl NamedService for Ticker {
    const NAME: &'static str = "test.Ticker";
}

impl ServerStreamingService<Message> for Ticker {
    type Response = Message;
    type ResponseStream = BoxStream<'static, Result<Message, Status>>;
    type Future = Pin<Box<dyn Future<Output = Result<tonic::Response<Self::ResponseStream>, Status>> + Send>>;

    fn call(&mut self, request: tonic::Request<Message>) -> Self::Future {
        let metadata = request.metadata().clone();
        let message = request.into_inner();
        Box::pin(async move {
            let stream: Self::ResponseStream = match message.service.as_str() {
                "panic" => panic!("told to"),
                "panic later" => futures::stream::once(async { Ok(Message::default()) })
                    .chain(futures::stream::once(async { panic!("told to, later") }))
                    .boxed(),
                "fail" => return Err(Status::new(Code::Aborted, "told to")),
                "hang" => futures::stream::once(async { Ok(Message::default()) })
                    .chain(futures::stream::pending())
                    .boxed(),
                "headers" => {
                    let headers: Vec<String> = metadata
                        .into_headers()
                        .iter()
                        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap_or("?")))
                        .collect();
                    futures::stream::once(async move { Ok(Message { service: headers.join("\n") }) }).boxed()
                }
                _ => futures::stream::iter(std::iter::repeat_n(Ok(message), TIMES)).boxed(),
            };
            Ok(tonic::Response::new(stream))
        })
    }
}

impl Service<Request<Body>> for Ticker {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let ticker = self.clone();
        Box::pin(async move {
            let codec = tonic_prost::ProstCodec::default();
            let mut grpc = tonic::server::Grpc::new(codec).max_decoding_message_size(usize::MAX);
            Ok(grpc.server_streaming(ticker, request).await)
        })
    }
}

/// Calls the method and collects its answer.
pub(crate) async fn repeat(
    channel: server::grpc::Channel,
    request: tonic::Request<Message>,
) -> Result<Vec<Message>, Status> {
    let mut grpc = tonic::client::Grpc::new(channel).max_decoding_message_size(usize::MAX);
    grpc.ready().await.map_err(|error| Status::unavailable(format!("{error:?}")))?;
    let codec = tonic_prost::ProstCodec::<Message, Message>::default();
    let path = http::uri::PathAndQuery::from_static(PATH);
    let mut stream = grpc.server_streaming(request, path, codec).await?.into_inner();
    let mut messages = Vec::new();
    while let Some(message) = stream.message().await? {
        messages.push(message);
    }
    Ok(messages)
}
