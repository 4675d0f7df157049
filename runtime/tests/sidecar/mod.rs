//! `pronoiad sidecar` beside a real Prometheus.

mod beside;
mod http;
mod kills;
mod pair;
