//! What every component has around it: log lines, metrics, probes, the HTTP server, the HTTP client.
//!
//! Components of Thanos share these surfaces byte for byte where users rely on them: log lines as go-kit prints them,
//! `/metrics` as Go's client library prints it, `/-/healthy` and `/-/ready`, the API's envelope.

pub mod duration;
pub mod envelope;
pub mod http;
pub mod http_client;
pub mod logging;
pub mod metrics;
pub mod probe;
