//! Buckets around buckets: each adds one thing and keeps the contract.

mod caching;
mod faulty;
mod hedged;
mod latency;
mod metered;
mod prefix;
mod replace_only;
mod retry;
mod timeout;

pub use caching::{CacheRule, Caching};
pub use faulty::{Call, Fault, Faulty, Operation, Script};
pub use hedged::Hedged;
pub use latency::Latency;
pub use metered::{BucketMetrics, Metered, RequestCounts};
pub use prefix::Prefix;
pub use replace_only::ReplaceOnly;
pub use retry::{Retry, RetryPolicy};
pub use timeout::{Deadlines, Timeout};
