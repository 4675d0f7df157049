//! The wire, seen from outside.

#[path = "suite/frames.rs"]
mod frames;
#[path = "suite/freshness.rs"]
mod freshness;
#[path = "suite/recorded.rs"]
mod recorded;
