//! Spans of requests: begun here, recorded when they end if the trace is sampled.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use http::HeaderMap;
use jiff::Timestamp;
use tonic::Code;

use super::context::{self, CURRENT, Current, FORCE, SpanContext, random};
use super::recorder;

/// Which way a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http,
    Grpc,
}

/// Whether a span serves a request or waits for one; the numbers are those of OTLP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Server = 2,
    Client = 3,
}

/// A span that ended.
#[derive(Debug, Clone)]
pub(crate) struct Finished {
    pub(crate) context: SpanContext,
    pub(crate) parent: Option<u64>,
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) start: Timestamp,
    pub(crate) end: Timestamp,
    pub(crate) attributes: Vec<(&'static str, String)>,
    /// What failed.
    pub(crate) error: Option<String>,
}

/// The span of a request, or the mere context of one that is not recorded. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Span {
    current: Current,
    open: Option<Arc<Mutex<Option<Finished>>>>,
}

/// Begins the span of a request that came in.
pub(crate) fn server_span(name: &str, headers: &HeaderMap, protocol: Protocol) -> Span {
    let remote = SpanContext::from_headers(headers);
    let request_id = match protocol {
        Protocol::Grpc => context::request_id(headers),
        Protocol::Http => headers.get("x-request-id").and_then(|value| value.to_str().ok()).map(Into::into),
    };
    let forced = headers.get(FORCE).is_some_and(|value| !value.is_empty());
    let span = begin(name, Kind::Server, remote, request_id, forced);
    if let Some(id) = &span.current.request_id {
        span.attribute("request_id", id);
    }
    span
}

/// Begins the span of a call to somebody else, as part of what the current task works for.
pub(crate) fn client_span(name: &str) -> Span {
    let Current { span, request_id } = context::current();
    match span {
        // Nobody asked: calls that a component makes on its own are no traces.
        None => Span { current: Current { span, request_id }, open: None },
        Some(_) => begin(name, Kind::Client, span, request_id, false),
    }
}

fn begin(
    name: &str,
    kind: Kind,
    parent: Option<SpanContext>,
    request_id: Option<Arc<str>>,
    forced: bool,
) -> Span {
    let Some(recorder) = recorder() else {
        return Span { current: Current { span: parent, request_id }, open: None };
    };
    let trace_id = parent.map_or_else(|| u128::from_be_bytes(random()), |parent| parent.trace_id);
    let sampled = match kind {
        Kind::Server => forced || recorder.samples(trace_id, parent.map(|parent| parent.sampled)),
        Kind::Client => parent.is_some_and(|parent| parent.sampled),
    };
    let span_id = match (sampled, parent) {
        // Nothing will be recorded under a new id: the parent stays the parent.
        (false, Some(parent)) => parent.span_id,
        _ => u64::from_be_bytes(random()),
    };
    let context = SpanContext { trace_id, span_id, sampled };
    let open = sampled.then(|| {
        let start = Timestamp::now();
        Arc::new(Mutex::new(Some(Finished {
            context,
            parent: parent.map(|parent| parent.span_id),
            name: name.to_owned(),
            kind,
            start,
            end: start,
            attributes: Vec::new(),
            error: None,
        })))
    });
    Span { current: Current { span: Some(context), request_id }, open }
}

impl Span {
    /// Runs a future as part of the request.
    pub(crate) fn scope<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        CURRENT.scope(self.current.clone(), future)
    }

    /// Runs a function as part of the request.
    pub(crate) fn enter<R>(&self, function: impl FnOnce() -> R) -> R {
        CURRENT.sync_scope(self.current.clone(), function)
    }

    /// The trace, in hexadecimal, if it is recorded.
    pub(crate) fn trace_id(&self) -> Option<String> {
        self.open.as_ref()?;
        Some(format!("{:032x}", self.current.span?.trace_id))
    }

    /// Notes a fact.
    pub(crate) fn attribute(&self, key: &'static str, value: &str) {
        self.change(|span| span.attributes.push((key, value.to_owned())));
    }

    /// Ends the span of a gRPC call.
    pub(crate) fn end_grpc(&self, code: Code) {
        self.change(|span| {
            span.attributes.push(("rpc.system", "grpc".to_owned()));
            span.attributes.push(("rpc.grpc.status_code", i32::from(code).to_string()));
            if code != Code::Ok {
                span.error = Some(code.description().to_owned());
            }
        });
        self.end();
    }

    /// Ends the span of an HTTP request.
    pub(crate) fn end_http(&self, status: u16) {
        self.change(|span| {
            span.attributes.push(("http.status_code", status.to_string()));
            if status >= 500 {
                span.error = Some(format!("status {status}"));
            }
        });
        self.end();
    }

    fn change(&self, change: impl FnOnce(&mut Finished)) {
        if let Some(open) = &self.open
            && let Some(span) = open.lock().unwrap_or_else(PoisonError::into_inner).as_mut()
        {
            change(span);
        }
    }

    fn end(&self) {
        let Some(open) = &self.open else { return };
        let span = open.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let (Some(mut span), Some(recorder)) = (span, recorder()) {
            span.end = Timestamp::now();
            recorder.record(span);
        }
    }
}
