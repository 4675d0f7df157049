//! What travels with a request: the identity of its trace and its request id.

use std::future::Future;
use std::sync::{Arc, OnceLock};

use http::{HeaderMap, HeaderName, HeaderValue};
use rustls::crypto::SecureRandom;

/// The header of W3C's trace context.
const TRACEPARENT: &str = "traceparent";
/// Asks for a sample, whatever the sampler says.
pub(crate) const FORCE: &str = "x-thanos-force-tracing";
/// Tells the client of an HTTP request its trace.
pub(crate) const TRACE_ID: HeaderName = HeaderName::from_static("x-thanos-trace-id");
/// The request id in gRPC metadata.
const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");

/// The identity of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SpanContext {
    pub(crate) trace_id: u128,
    pub(crate) span_id: u64,
    pub(crate) sampled: bool,
}

/// What is known of the request that the current task works for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Current {
    pub(crate) span: Option<SpanContext>,
    pub(crate) request_id: Option<Arc<str>>,
}

tokio::task_local! {
    pub(crate) static CURRENT: Current;
}

/// What is known in this task.
pub(crate) fn current() -> Current {
    CURRENT.try_with(Clone::clone).unwrap_or_default()
}

/// The request that a task works for, to be taken to other tasks and threads. Clones are cheap.
#[derive(Debug, Clone, Default)]
pub struct Caller(Current);

impl Caller {
    /// That of the current task; nobody outside of requests.
    pub fn here() -> Self {
        Self(current())
    }

    /// Runs a future, such as one that is spawned, as part of the request.
    pub fn scope<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        CURRENT.scope(self.0.clone(), future)
    }
}

/// Adds the trace that the current task works for to the headers of an HTTP request to somebody else.
pub(crate) fn inject(headers: &mut HeaderMap) {
    if let Some(span) = current().span
        && let Ok(value) = HeaderValue::try_from(span.to_string())
    {
        headers.insert(HeaderName::from_static(TRACEPARENT), value);
    }
}

/// As [`inject`] for a gRPC call, with the request's id.
pub(crate) fn inject_grpc(headers: &mut HeaderMap) {
    inject(headers);
    let current = current();
    if let Some(value) = current.request_id.and_then(|id| HeaderValue::try_from(&*id).ok()) {
        headers.insert(REQUEST_ID, value);
    }
}

impl std::fmt::Display for SpanContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace_id, self.span_id, u8::from(self.sampled))
    }
}

impl SpanContext {
    /// Reads `traceparent`; what is malformed is as good as absent.
    pub(crate) fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let text = headers.get(TRACEPARENT)?.to_str().ok()?;
        let mut parts = text.trim().split('-');
        let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let hex = |text: &str, length| {
            text.len() == length && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        };
        if !hex(version, 2) || version == "ff" || !hex(trace, 32) || !hex(span, 16) || !hex(flags, 2) {
            return None;
        }
        let trace_id = u128::from_str_radix(trace, 16).ok().filter(|id| *id != 0)?;
        let span_id = u64::from_str_radix(span, 16).ok().filter(|id| *id != 0)?;
        let sampled = u8::from_str_radix(flags, 16).ok()? & 1 == 1;
        Some(Self { trace_id, span_id, sampled })
    }
}

/// The request id in the headers of a gRPC call.
pub(crate) fn request_id(headers: &HeaderMap) -> Option<Arc<str>> {
    headers.get(REQUEST_ID).and_then(|value| value.to_str().ok()).map(Into::into)
}

/// Random bytes; zeros if the system has none.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    static SOURCE: OnceLock<&'static dyn SecureRandom> = OnceLock::new();
    let source = SOURCE.get_or_init(|| rustls::crypto::ring::default_provider().secure_random);
    let mut bytes = [0; N];
    let _ = source.fill(&mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_context_of_w3c_is_read_and_written() {
        let read = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(TRACEPARENT, HeaderValue::from_static(text));
            SpanContext::from_headers(&headers)
        };
        let text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let context = read(text).unwrap();
        assert!(context.sampled);
        assert_eq!(context.to_string(), text);
        assert!(!read("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00").unwrap().sampled);
        // A later version may have more parts.
        assert!(read("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more").is_some());
        for text in [
            "",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
