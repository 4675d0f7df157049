//! What every component has around it: log lines, metrics, probes, traces, the servers of HTTP and gRPC, and their clients.
//!
//! Components of Thanos share these surfaces byte for byte where users rely on them: log lines as go-kit prints them,
//! `/metrics` as Go's client library prints it, `/-/healthy` and `/-/ready`, the API's envelope.

mod base64;
mod connections;
pub mod duration;
pub mod envelope;
pub mod grpc;
pub mod http;
pub mod http_client;
pub mod listen;
pub mod logging;
pub mod metrics;
pub mod probe;
pub mod request_log;
pub mod run;
pub mod tls;
pub mod trace;
pub mod yaml;

pub use connections::Peer;
