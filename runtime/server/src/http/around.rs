//! What happens around each HTTP request: its id, its span, its metrics, its line in the log.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::FutureExt;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::Instant;
use tracing::error;

use super::metrics::{self, Counting, HttpMetrics};
use crate::request_log::{HttpCall, RequestLog};
use crate::trace::{self, Span, TRACE_ID};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What all requests share.
#[derive(Debug)]
pub(super) struct Around {
    pub(super) metrics: Option<HttpMetrics>,
    pub(super) log: RequestLog,
}

/// Go's answer where nothing is.
pub(super) async fn not_found(request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let bare = response.status() == StatusCode::NOT_FOUND
        && !response.headers().contains_key(CONTENT_TYPE)
        && response.body().size_hint().exact() == Some(0);
    if !bare {
        return response;
    }
    let kind = (CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    let sniff = (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    (StatusCode::NOT_FOUND, [kind, sniff], "404 page not found\n").into_response()
}

/// The outermost layer inside the password check.
pub(super) async fn around(State(around): State<Arc<Around>>, mut request: Request, next: Next) -> Response {
    if !request.headers().contains_key(REQUEST_ID)
        && let Ok(value) = HeaderValue::try_from(new_request_id())
    {
        request.headers_mut().insert(REQUEST_ID, value);
    }
    let handler = request.extensions().get::<MatchedPath>().and_then(|path| metrics::handler(path.as_str()));
    let name = handler.unwrap_or("other");
    // Scrapes and probes are no requests that anybody wants a trace of.
    let span = match handler {
        Some(handler) => {
            let name = format!("/{handler} HTTP[server]");
            let span = trace::server_span(&name, request.headers(), trace::Protocol::Http);
            span.attribute("http.method", request.method().as_str());
            span.attribute("http.url", &request.uri().to_string());
            span
        }
        None => Span::default(),
    };
    let counting =
        handler.zip(around.metrics.as_ref()).map(|(handler, metrics)| metrics.begin(&request, handler));
    let log = around.log.http(&request, name);
    let trace_id = span.trace_id().and_then(|id| HeaderValue::try_from(id).ok());
    let mut end = End { started: Instant::now(), status: StatusCode::OK, bytes: 0, counting, log, span };
    let answer = AssertUnwindSafe(end.span.scope(next.run(request))).catch_unwind().await;
    let mut response = answer.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("panic");
        error!(msg = "recovered from panic", panic = text);
        (StatusCode::INTERNAL_SERVER_ERROR, "internal error\n").into_response()
    });
    end.status = response.status();
    if let Some(id) = trace_id {
        response.headers_mut().insert(TRACE_ID, id);
    }
    response.map(|inner| Body::new(Answer { inner, end }))
}

/// A new id: a ULID, as from Thanos.
fn new_request_id() -> String {
    const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let milliseconds = u128::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or(0) & ((1 << 48) - 1);
    let chance: [u8; 10] = trace::random();
    let number = chance.iter().fold(milliseconds, |number, byte| (number << 8) | u128::from(*byte));
    (0..26_u32)
        .rev()
        .map(|place| {
            let digit = usize::try_from((number >> (5 * place)) & 31).unwrap_or(0);
            char::from(DIGITS.get(digit).copied().unwrap_or(b'0'))
        })
        .collect()
}

/// Sees how a request ends.
struct End {
    started: Instant,
    status: StatusCode,
    bytes: u64,
    counting: Option<Counting>,
    log: Option<HttpCall>,
    span: Span,
}

impl Drop for End {
    fn drop(&mut self) {
        let took = self.started.elapsed();
        if let Some(counting) = &self.counting {
            counting.end(self.status, self.bytes, took);
        }
        if let Some(log) = self.log.take() {
            log.finished(self.status.as_u16(), took);
        }
        self.span.end_http(self.status.as_u16());
    }
}

/// An answer's body; the request ends with it.
struct Answer {
    inner: Body,
    end: End,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        let inner = Pin::new(&mut this.inner);
        let frame = ready!(this.end.span.enter(|| inner.poll_frame(context)));
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
        {
            this.end.bytes += u64::try_from(data.len()).unwrap_or(0);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_ids_are_ulids() {
        let (one, two) = (new_request_id(), new_request_id());
        assert_eq!(one.len(), 26);
        assert_ne!(one, two);
        assert!(one.as_str() <= "7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
    }
}
