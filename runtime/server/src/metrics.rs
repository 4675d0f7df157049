//! Metrics: a registry that is filled while the component starts, and its text on `/metrics`.
//!
//! Names and types are those of the originals, so that dashboards and alerts keep working; see `runtime/PARITY.md`.

pub mod process;
mod text;

use std::sync::Arc;

use prometheus_client::encoding::prometheus_protobuf;
use prometheus_client::registry::Registry;

/// The media type of the text format 0.0.4.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores";
/// The media type of OpenMetrics.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores";
/// The media type of delimited protobuf messages.
const PROTOBUF: &str =
    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";

/// A finished registry; clones share it.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
}

/// An exposition: media type and body.
pub type Exposition = (&'static str, Vec<u8>);

impl Metrics {
    /// Takes a registry in which everything is registered.
    pub fn new(registry: Registry) -> Self {
        Self { registry: Arc::new(registry) }
    }

    /// The metrics in the best format that an `Accept` header names; without one, text 0.0.4.
    ///
    /// # Errors
    /// When a metric cannot be encoded.
    pub fn exposition(&self, accept: &str) -> Result<Exposition, std::fmt::Error> {
        if accept.contains("application/vnd.google.protobuf") {
            let bytes = prometheus_protobuf::encode_to_vec(&self.registry).map_err(|_| std::fmt::Error)?;
            return Ok((PROTOBUF, bytes));
        }
        let families = prometheus_protobuf::encode(&self.registry)?;
        if accept.contains("application/openmetrics-text") {
            return Ok((OPEN_METRICS, text::open_metrics(families)?.into_bytes()));
        }
        Ok((TEXT, text::plain(families)?.into_bytes()))
    }
}
