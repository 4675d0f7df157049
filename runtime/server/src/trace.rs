//! Traces: who asked for a request, across processes, and how long its parts took.
//!
//! The context of a request comes in and goes out as W3C `traceparent`. Spans that are sampled are exported by OTLP; what is
//! not sampled costs a few bytes of context and nothing else.

mod context;
mod export;
mod otlp;
mod sampler;
mod settings;
mod span;

use std::sync::OnceLock;

pub use context::Caller;
pub(crate) use context::{TRACE_ID, inject, inject_grpc, random};
pub use export::Tracing;
pub use settings::TracingError;
pub(crate) use span::{Protocol, Span, client_span, server_span};
use tracing::info;

/// Who decides on samples and takes finished spans.
trait Recorder: Send + Sync {
    /// Whether a trace is sampled; `parent` is the decision of whoever asks.
    fn samples(&self, trace_id: u128, parent: Option<bool>) -> bool;
    /// Takes a finished span.
    fn record(&self, span: span::Finished);
}

static RECORDER: OnceLock<Box<dyn Recorder>> = OnceLock::new();

/// The process' recorder, once tracing was set up.
fn recorder() -> Option<&'static dyn Recorder> {
    RECORDER.get().map(AsRef::as_ref)
}

/// Sets up tracing for the process as `--tracing.config` says; an empty text leaves it off. Runs inside a runtime.
///
/// `component` is the name of the service where the YAML names none.
///
/// # Errors
/// When the YAML is wrong or traces cannot go where it says.
pub fn start(yaml: &str, component: &str) -> Result<Tracing, TracingError> {
    let Some(settings) = settings::Settings::from_yaml(yaml, component)? else {
        return Ok(Tracing::default());
    };
    info!(msg = "loading tracing configuration");
    let (exporter, tracing) = export::start(settings)?;
    // One process has one recorder: a second call in tests keeps the first.
    let _ = RECORDER.set(Box::new(exporter));
    Ok(tracing)
}
