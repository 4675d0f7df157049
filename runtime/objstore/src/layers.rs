//! Buckets around buckets: each adds one thing and keeps the contract.

mod faulty;
mod latency;
mod prefix;

pub use faulty::{Call, Fault, Faulty, Operation, Script};
pub use latency::Latency;
pub use prefix::Prefix;
