//! The topology compiler: one KDL file in, every Prometheus, Thanos and Kubernetes file out.

pub mod checks;
pub mod diagnostic;
pub mod diff;
pub mod embedded;
pub mod explain;
pub mod facts;
pub mod format;
pub mod model;
pub mod pipeline;
pub mod render;
pub mod report;
pub mod rule_tests;
pub mod source;
pub mod topology;
