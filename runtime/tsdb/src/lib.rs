//! Prometheus' storage formats, read, written and judged: blocks, index, chunks, tombstones, write-ahead log, head.
//!
//! Synchronous, without a network, and without trust: every length, offset and count that stands in a file is checked before
//! it is used, every checksum is verified before the bytes under it are, and what is wrong comes back as a [`Corruption`] that
//! names file, section and offset. The byte layouts are drawn in `docs/`.
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        reason = "a test that panics has failed, which is what it is for"
    )
)]

pub mod block;
pub mod block_id;
pub mod chunk;
pub mod corruption;
pub mod encoding;
pub mod fs;
pub mod head;
pub mod index;
pub mod stored;
pub mod wal;

pub use block_id::BlockId;
pub use corruption::{Corruption, Fault, Section};
