//! The node kinds of the language, one file per subject.

pub mod alerting;
pub mod bucket;
pub mod escape;
pub mod kubernetes;
pub mod prometheus;
pub mod scrape;
pub mod thanos;
pub mod whole;
