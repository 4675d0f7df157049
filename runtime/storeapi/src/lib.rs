//! The StoreAPI and its companions on the wire: messages and services, each with the names and numbers of the originals.
//!
//! The messages stand in `proto/`; what is generated from them is committed below `src/generated/`, and a test generates it
//! again. The answer of `Series` is the hot path and written by hand: a [`SeriesFrame`] keeps labels as the bytes they came in
//! ([`LabelBytes`]) and chunks as slices of the frame.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing))]

mod chunk;
mod chunked_read;
mod codec;
mod exact;
mod frame;
mod generated;
mod label_bytes;
mod matchers;
mod shard;

pub use chunk::{AggrChunk, Aggregate, Chunk, Parts};
pub use chunked_read::chunked_read;
pub use codec::WireError;
pub use exact::{ExactCodec, ExactEncoder};
pub use frame::{Series, SeriesFrame};
pub use generated::{DESCRIPTORS, hints, info, prometheus, thanos};
pub use label_bytes::{LabelBytes, LabelWriter, Pairs};
pub use matchers::{MatcherError, from_wire, to_wire};
pub use shard::Shard;

/// Nothing is refused for its size: the largest message that gRPC allows, as Thanos sets it.
pub const MESSAGE_MAX: usize = i32::MAX as usize;
