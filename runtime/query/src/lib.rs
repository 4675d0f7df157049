//! Where queries find their series: storage behind the engine's [`promql::SeriesSource`], and what the HTTP API wants to know of
//! it beside samples.
//!
//! [`Catalog`] answers which series and labels there are. [`Blocks`] implements both over blocks and a head on disk.
//!
//! For storage that is spread over many stores, [`Merger`] makes one series of the chunks that its replicas have, raw or
//! downsampled ([`Wanted`]); [`resolution`] says how coarse they may be.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing))]

mod aggregates;
mod blocks;
mod catalog;
mod chain;
mod dedup;
mod histograms;
pub mod resolution;

pub use aggregates::{Aggregate, Content, Encoded, Piece, Wanted};
pub use blocks::Blocks;
pub use catalog::{Catalog, Found, Scope};
pub use dedup::{Deduplication, Merger, Merging, PieceError};
