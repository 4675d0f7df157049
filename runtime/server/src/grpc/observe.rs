//! What happens around each call of the server: metrics, deadline, panics, encodings, trace, request log.

use std::any::Any;
use std::convert::Infallible;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use http::{HeaderMap, Request, Response};
use http_body::{Body as HttpBody, Frame};
use prometheus_client::metrics::counter::Counter;
use tokio::time::{Instant, Sleep};
use tonic::body::Body;
use tonic::service::Routes;
use tonic::{Code, Status};
use tower::{Service, ServiceExt};
use tracing::error;

use super::compression::{ENCODING, Encoding, Packed, Unpacked};
use super::frames::Counted;
use super::metrics::MethodMetrics;
use crate::request_log::GrpcCall;
use crate::trace::{self, Span};

/// The services with all that is around them.
#[derive(Clone)]
pub(super) struct Observed {
    pub(super) routes: Routes,
    pub(super) settings: Arc<Settings>,
}

/// What all calls share.
pub(super) struct Settings {
    pub(super) methods: std::collections::BTreeMap<String, Arc<MethodMetrics>>,
    /// Services that are there.
    pub(super) services: Vec<&'static str>,
    pub(super) panics: Counter,
    pub(super) request_max: usize,
    pub(super) log: crate::request_log::RequestLog,
}

impl<B> Service<Request<B>> for Observed
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (routes, settings) = (self.routes.clone(), Arc::clone(&self.settings));
        Box::pin(async move { Ok(call(routes, settings, request.map(Body::new)).await) })
    }
}

impl Settings {
    /// What Go's library says of a method that is not there.
    fn absent(&self, path: &str) -> Option<Status> {
        if self.methods.contains_key(path) {
            return None;
        }
        let Some((service, method)) = path.strip_prefix('/').and_then(|path| path.rsplit_once('/')) else {
            return Some(Status::unimplemented(format!("malformed method name: {path:?}")));
        };
        if !self.services.contains(&service) {
            return Some(Status::unimplemented(format!("unknown service {service}")));
        }
        let described = self.methods.keys().any(|known| {
            known
                .strip_prefix('/')
                .and_then(|known| known.strip_prefix(service))
                .is_some_and(|rest| rest.starts_with('/'))
        });
        described.then(|| Status::unimplemented(format!("unknown method {method} for service {service}")))
    }
}

async fn call(routes: Routes, settings: Arc<Settings>, mut request: Request<Body>) -> Response<Body> {
    if let Some(status) = settings.absent(request.uri().path()) {
        return status.into_http();
    }
    let method = settings.methods.get(request.uri().path()).map(Arc::clone);
    let deadline = timeout(request.headers()).map(|timeout| Instant::now() + timeout);
    let span = trace::server_span(request.uri().path(), request.headers(), trace::Protocol::Grpc);
    let mut watch = Watch {
        started: Instant::now(),
        method,
        log: settings.log.grpc(&request),
        span: span.clone(),
        ended: false,
    };
    if let Some(method) = &watch.method {
        method.started.inc();
    }
    let encoding = match Encoding::take(request.headers_mut()) {
        Ok(encoding) => encoding,
        Err(status) => return refused(&status, &mut watch),
    };
    let received = watch.method.as_ref().map(|method| method.received.clone());
    let max = settings.request_max;
    let request = request.map(|inner| {
        let counted = Body::new(CountedBody { inner, counted: Counted::default(), max, counter: received });
        match encoding {
            Some(encoding) => Unpacked::wrap(counted, encoding, max),
            None => counted,
        }
    });
    let answer = AssertUnwindSafe(span.scope(routes.oneshot(request))).catch_unwind();
    let answer = match deadline {
        Some(deadline) => match tokio::time::timeout_at(deadline, answer).await {
            Ok(answer) => answer,
            Err(_) => return refused(&deadline_exceeded(), &mut watch),
        },
        None => answer.await,
    };
    let mut response = match answer {
        Ok(Ok(response)) => response,
        Ok(Err(never)) => match never {},
        Err(panic) => return refused(&panicked(&settings, panic.as_ref()), &mut watch),
    };
    if let Some(code) = Status::from_header_map(response.headers()).map(|status| status.code()) {
        // No message: the headers are the trailers.
        watch.end(code);
    }
    if let Some(encoding) = encoding {
        response.headers_mut().insert(ENCODING, encoding.header());
    }
    response.map(|body| {
        let body = match encoding {
            Some(encoding) => Packed::wrap(body, encoding),
            None => body,
        };
        let deadline = deadline.map(|deadline| Box::pin(tokio::time::sleep_until(deadline)));
        Body::new(AnswerBody {
            inner: Some(body),
            counted: Counted::default(),
            deadline,
            watch,
            settings,
            span,
        })
    })
}

fn refused(status: &Status, watch: &mut Watch) -> Response<Body> {
    watch.end(status.code());
    status.clone().into_http()
}

fn deadline_exceeded() -> Status {
    Status::deadline_exceeded("context deadline exceeded")
}

/// Counts and logs a panic; the client hears its text, as from Thanos.
fn panicked(settings: &Settings, panic: &(dyn Any + Send)) -> Status {
    settings.panics.inc();
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("panic");
    error!(msg = "recovered from panic", panic = text);
    Status::internal(text)
}

/// Reads `grpc-timeout`: up to eight digits and a unit.
fn timeout(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if number.len() > 8 || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: u64 = number.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(number * 3600)),
        "M" => Some(Duration::from_secs(number * 60)),
        "S" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_millis(number)),
        "u" => Some(Duration::from_micros(number)),
        "n" => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

/// Sees how a call ends; a call that nobody ends was cancelled by its client.
struct Watch {
    started: Instant,
    method: Option<Arc<MethodMetrics>>,
    log: Option<GrpcCall>,
    span: Span,
    ended: bool,
}

impl Watch {
    fn end(&mut self, code: Code) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let took = self.started.elapsed();
        if let Some(method) = &self.method {
            method.handled(code);
            method.seconds.observe(took.as_secs_f64());
        }
        if let Some(log) = self.log.take() {
            log.finished(code, took);
        }
        self.span.end_grpc(code);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.end(Code::Cancelled);
    }
}

/// A request's body, its messages counted.
struct CountedBody {
    inner: Body,
    counted: Counted,
    max: usize,
    counter: Option<Counter>,
}

impl HttpBody for CountedBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = std::task::ready!(Pin::new(&mut self.inner).poll_frame(context));
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
        {
            let max = self.max;
            match (self.counted.pass(data, max), &self.counter) {
                (Ok(count), Some(counter)) => drop(counter.inc_by(count)),
                (Ok(_), None) => {}
                (Err(status), _) => return Poll::Ready(Some(Err(status))),
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }
}

/// An answer's body: messages counted, a panic or the deadline ends it with its status.
struct AnswerBody {
    /// Nothing after the end.
    inner: Option<Body>,
    counted: Counted,
    deadline: Option<Pin<Box<Sleep>>>,
    watch: Watch,
    settings: Arc<Settings>,
    span: Span,
}

impl AnswerBody {
    fn end(&mut self, status: &Status) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        self.inner = None;
        self.watch.end(status.code());
        let mut trailers = HeaderMap::new();
        Poll::Ready(Some(match status.add_header(&mut trailers) {
            Ok(()) => Ok(Frame::trailers(trailers)),
            Err(status) => Err(status),
        }))
    }
}

impl HttpBody for AnswerBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        let Some(inner) = &mut this.inner else {
            return Poll::Ready(None);
        };
        let polled =
            this.span.enter(|| catch_unwind(AssertUnwindSafe(|| Pin::new(inner).poll_frame(context))));
        let polled = match polled {
            Ok(polled) => polled,
            Err(panic) => {
                let status = panicked(&this.settings, panic.as_ref());
                return this.end(&status);
            }
        };
        let Poll::Ready(frame) = polled else {
            let late =
                this.deadline.as_mut().is_some_and(|deadline| deadline.as_mut().poll(context).is_ready());
            return if late { this.end(&deadline_exceeded()) } else { Poll::Pending };
        };
        match &frame {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    if let (Ok(count), Some(method)) =
                        (this.counted.pass(data, usize::MAX), &this.watch.method)
                    {
                        method.sent.inc_by(count);
                    }
                } else if let Some(trailers) = frame.trailers_ref() {
                    let code =
                        Status::from_header_map(trailers).map_or(Code::Unknown, |status| status.code());
                    this.watch.end(code);
                }
            }
            Some(Err(status)) => this.watch.end(status.code()),
            None => this.inner = None,
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(HttpBody::is_end_stream)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_read() {
        let of = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("grpc-timeout", http::HeaderValue::from_static(text));
            timeout(&headers)
        };
        assert_eq!(of("4997276u"), Some(Duration::from_micros(4_997_276)));
        assert_eq!(of("5S"), Some(Duration::from_secs(5)));
        assert_eq!(of("99999999H"), Some(Duration::from_secs(99_999_999 * 3600)));
        for text in ["", "S", "5", "5x", "123456789S", "-1S"] {
            assert_eq!(of(text), None, "{text}");
        }
    }
}
