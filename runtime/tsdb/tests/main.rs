//! The formats as others meet them: blocks of Prometheus and Thanos read, blocks of ours read by Prometheus.
#![expect(
    clippy::disallowed_methods,
    reason = "fixtures are looked up where PRONOIA_SHARED points; promtool is started"
)]

mod suite;
