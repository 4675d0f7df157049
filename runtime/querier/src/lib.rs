//! The querier: which stores there are, and one storage made of them.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing))]

mod source;

pub use source::{QueryOptions, StoreFailure, StoreSource};
