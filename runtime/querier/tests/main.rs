//! Stores as the storage of queries: what Thanos answered is answered.
#![expect(
    clippy::disallowed_methods,
    reason = "fixtures are looked up where PRONOIA_SHARED points; costs are measured by the thread's time"
)]

mod suite;
