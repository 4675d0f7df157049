//! The channel to another component.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, Uri};
use http_body::{Body as HttpBody, Frame};
use prometheus_client::registry::Registry;
use thiserror::Error;
use tokio::time::Instant;
use tonic::body::Body;
use tonic::transport::Endpoint;
use tonic::{Code, Status};
use tower::Service;

use super::compression::{ACCEPTED, ALL, ENCODING, Encoding, Packed, Unpacked};
use super::connector::Connector;
use super::frames::Counted;
use super::methods::{self, Methods};
use super::metrics::{CallMetrics, MethodMetrics, Side};
use crate::tls::{ClientTls, ClientTlsSettings, TlsError};
use crate::trace::{self, Span};

/// As Thanos sets it for its clients.
const KEEPALIVE: Duration = Duration::from_secs(10);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(5);
/// The largest HTTP/2 frame that a server may send, bytes: about two batches of series with their chunks.
const FRAME_MAX: u32 = 256 << 10;

/// An address that is none.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is no address of a gRPC server; write HOST:PORT")]
pub struct AddressError(String);

/// How requests are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// They are not.
    #[default]
    None,
    /// With snappy.
    Snappy,
    /// With gzip, which collectors of traces know.
    Gzip,
}

impl std::str::FromStr for Compression {
    type Err = String;

    /// Reads `none`, `snappy` or nothing.
    fn from_str(word: &str) -> Result<Self, String> {
        match word {
            "" | "none" => Ok(Self::None),
            "snappy" => Ok(Self::Snappy),
            other => Err(format!("invalid compression: {other}, must be 'none' or 'snappy'")),
        }
    }
}

/// `grpc_client_*`, shared by all channels of a process; clones share them.
#[derive(Debug, Clone)]
pub struct ChannelMetrics {
    calls: CallMetrics,
    methods: Arc<Methods>,
    known: Arc<Mutex<BTreeMap<String, Arc<MethodMetrics>>>>,
}

impl ChannelMetrics {
    /// Registers them. `descriptors` (an encoded `FileDescriptorSet`) says which methods stream.
    ///
    /// # Errors
    /// When the descriptors cannot be decoded.
    pub fn register(descriptors: &[u8], registry: &mut Registry) -> Result<Self, prost::DecodeError> {
        Ok(Self {
            methods: Arc::new(methods::read(descriptors)?),
            calls: CallMetrics::register(Side::Client, registry),
            known: Arc::default(),
        })
    }

    fn method(&self, path: &str) -> Arc<MethodMetrics> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(method) = known.get(path) {
            return Arc::clone(method);
        }
        let method = self.methods.get(path).cloned().unwrap_or_else(|| methods::unknown(path));
        let metrics = self.calls.method(&method);
        known.insert(path.to_owned(), Arc::clone(&metrics));
        metrics
    }
}

/// Settings of channels; made once for many channels.
#[derive(Debug, Clone)]
pub struct ChannelSettings {
    tls: Option<ClientTls>,
    compression: Compression,
    metrics: Option<ChannelMetrics>,
}

impl ChannelSettings {
    /// Settings; without `tls` channels are plain text.
    ///
    /// # Errors
    /// When a certificate cannot be read.
    pub fn new(
        tls: Option<&ClientTlsSettings>,
        compression: Compression,
        metrics: Option<ChannelMetrics>,
    ) -> Result<Self, TlsError> {
        let tls = tls.map(|settings| ClientTls::new(settings, &["h2"])).transpose()?;
        Ok(Self { tls, compression, metrics })
    }
}

/// A channel to one server. It connects with the first call and again when the connection breaks; clones share it.
#[derive(Debug, Clone)]
pub struct Channel {
    inner: tonic::transport::Channel,
    settings: Arc<ChannelSettings>,
}

impl Channel {
    /// A channel to `HOST:PORT`. Nothing happens before the first call.
    ///
    /// # Errors
    /// When the address is malformed.
    pub fn lazy(address: &str, settings: &Arc<ChannelSettings>) -> Result<Self, AddressError> {
        let malformed = || AddressError(address.to_owned());
        let uri: Uri = format!("http://{address}").parse().map_err(|_| malformed())?;
        if uri.host().is_none_or(str::is_empty) || uri.port_u16().is_none() || uri.path() != "/" {
            return Err(malformed());
        }
        let mut endpoint = Endpoint::from(uri)
            .user_agent(concat!("pronoia/", env!("CARGO_PKG_VERSION")))
            .map_err(|_| malformed())?
            .http2_keep_alive_interval(KEEPALIVE)
            .keep_alive_timeout(KEEPALIVE_TIMEOUT)
            // The defaults hold back streams of series on links with a delay.
            .initial_stream_window_size(1 << 20)
            .initial_connection_window_size(8 << 20)
            // By default a batch of series comes in many small frames, each of which costs both ends a system call or two.
            .max_frame_size(FRAME_MAX);
        if settings.tls.is_some() {
            endpoint = endpoint.origin(format!("https://{address}").parse().map_err(|_| malformed())?);
        }
        let inner = endpoint.connect_with_connector_lazy(Connector { tls: settings.tls.clone() });
        Ok(Self { inner, settings: Arc::clone(settings) })
    }
}

impl Service<Request<Body>> for Channel {
    type Response = Response<Body>;
    type Error = tonic::transport::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, tonic::transport::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let path = request.uri().path().to_owned();
        let span = trace::client_span(&path);
        span.enter(|| trace::inject_grpc(request.headers_mut()));
        let method = self.settings.metrics.as_ref().map(|metrics| metrics.method(&path));
        request.headers_mut().insert(ACCEPTED, ALL);
        let mut watch = Watch { started: Instant::now(), method, span, ended: false };
        let sent = watch.method.as_ref().map(|method| method.sent.clone());
        if let Some(method) = &watch.method {
            method.started.inc();
        }
        let encoding = match self.settings.compression {
            Compression::None => None,
            Compression::Snappy => Some(Encoding::Snappy),
            Compression::Gzip => Some(Encoding::Gzip),
        };
        if let Some(encoding) = encoding {
            request.headers_mut().insert(ENCODING, encoding.header());
        }
        let request = request.map(|inner| {
            let body = Body::new(Counting { inner, counted: Counted::default(), count: Count::Sent(sent) });
            match encoding {
                Some(encoding) => Packed::wrap(body, encoding),
                None => body,
            }
        });
        let call = self.inner.call(request);
        Box::pin(async move {
            let mut response = match call.await {
                Ok(response) => response,
                Err(error) => {
                    watch.end(Code::Unavailable);
                    return Err(error);
                }
            };
            if let Some(status) = Status::from_header_map(response.headers()) {
                watch.end(status.code());
            }
            let encoding = match Encoding::take(response.headers_mut()) {
                Ok(encoding) => encoding,
                Err(status) => {
                    watch.end(status.code());
                    return Ok(status.into_http());
                }
            };
            Ok(response.map(|inner| {
                let counting = Counting { inner, counted: Counted::default(), count: Count::Received(watch) };
                let body = Body::new(counting);
                match encoding {
                    Some(encoding) => Unpacked::wrap(body, encoding, i32::MAX as usize),
                    None => body,
                }
            }))
        })
    }
}

/// Sees how a call ends; one that is dropped before was cancelled by us.
struct Watch {
    started: Instant,
    method: Option<Arc<MethodMetrics>>,
    span: Span,
    ended: bool,
}

impl Watch {
    fn end(&mut self, code: Code) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        if let Some(method) = &self.method {
            method.handled(code);
            method.seconds.observe(self.started.elapsed().as_secs_f64());
        }
        self.span.end_grpc(code);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.end(Code::Cancelled);
    }
}

enum Count {
    Sent(Option<prometheus_client::metrics::counter::Counter>),
    Received(Watch),
}

/// A body whose messages are counted.
struct Counting {
    inner: Body,
    counted: Counted,
    count: Count,
}

impl HttpBody for Counting {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        let frame = ready!(Pin::new(&mut this.inner).poll_frame(context));
        match &frame {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    let count = this.counted.pass(data, usize::MAX)?;
                    match &this.count {
                        Count::Sent(counter) => {
                            if let Some(counter) = counter {
                                counter.inc_by(count);
                            }
                        }
                        Count::Received(watch) => {
                            if let Some(method) = &watch.method {
                                method.received.inc_by(count);
                            }
                        }
                    }
                } else if let (Some(trailers), Count::Received(watch)) =
                    (frame.trailers_ref(), &mut this.count)
                {
                    watch.end(code_of(trailers));
                }
            }
            Some(Err(status)) => {
                if let Count::Received(watch) = &mut this.count {
                    watch.end(status.code());
                }
            }
            None => {}
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }
}

fn code_of(trailers: &HeaderMap) -> Code {
    Status::from_header_map(trailers).map_or(Code::Unknown, |status| status.code())
}
