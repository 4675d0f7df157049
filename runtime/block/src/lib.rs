//! Blocks in a bucket: their metadata and marks, which of them are visible, upload and deletion that survive a crash anywhere.
//!
//! Nothing here answers queries, and nothing here knows which component asks.

pub use tsdb::BlockId;
