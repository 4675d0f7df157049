//! Where queries find their series: storage behind the engine's [`promql::SeriesSource`], and what the HTTP API wants to know of
//! it beside samples.
//!
//! [`Catalog`] answers which series and labels there are. [`Blocks`] implements both over blocks and a head on disk.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing))]

mod blocks;
mod catalog;

pub use blocks::Blocks;
pub use catalog::{Catalog, Found, Scope};
