//! Traces: who asked for a request, across processes, and how long its parts took.
//!
//! A request's [`Span`] context comes in and goes out as W3C `traceparent`. Spans that are sampled are exported by OTLP; what is
//! not sampled costs a few bytes of context and nothing else.

mod context;
mod span;

use std::sync::OnceLock;

pub(crate) use context::{TRACE_ID, random};
pub use context::{carried, inject};
pub(crate) use span::{Protocol, Span, client_span, server_span};

/// Who decides on samples and takes finished spans.
pub(crate) trait Recorder: Send + Sync {
    /// Whether a trace without a deciding parent is sampled.
    fn samples(&self, trace_id: u128, parent: Option<bool>) -> bool;
    /// Takes a finished span.
    fn record(&self, span: span::Finished);
}

static RECORDER: OnceLock<Box<dyn Recorder>> = OnceLock::new();

/// The process' recorder, once tracing was set up.
fn recorder() -> Option<&'static dyn Recorder> {
    RECORDER.get().map(AsRef::as_ref)
}
