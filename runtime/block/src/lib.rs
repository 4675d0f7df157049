//! Blocks in a bucket: their metadata and marks, which of them are visible, upload and deletion that survive a crash anywhere.
//!
//! Nothing here answers queries, and nothing here knows which component asks. What lies where in a bucket and in which order it
//! is written and removed is told in `docs/bucket.md`.
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

mod blocking;
mod deletion;
mod download;
mod fetcher;
pub mod filter;
pub mod findings;
mod go_duration;
mod go_time;
mod group_key;
pub mod index_header;
pub mod layout;
mod local;
mod marker;
mod meta;
mod object;
pub mod rebuild;
mod replicate;
mod retention;
pub mod shipper;
mod store_time;
pub mod survey;
mod upload;

pub use deletion::{
    DeletionDecision, DeletionError, DeletionPlan, PARTIAL_AGE, PartialUploads, decide_deletion,
};
pub use download::{Download, DownloadError};
pub use fetcher::{
    BlockError, BlockState, Discovery, DiscoveryError, FetchError, Fetcher, FetcherConfig, FetcherMetrics,
    Listed, Partial, View,
};
pub use go_duration::go_duration;
pub use go_time::{GoTime, GoTimeError};
pub use group_key::{group_key, labels_hash};
pub use marker::{
    DeletionMark, FoundMark, Mark, MarkError, Marked, NoCompactMark, NoCompactReason, NoDownsampleMark,
    NoDownsampleReason, read_mark, remove_mark, write_mark,
};
pub use meta::{
    Deletion, Downsample, FileEntry, FileHash, HashFunc, IndexStats, Interval, Meta, MetaError, Resolution,
    Rewrite, Source, Thanos,
};
pub use replicate::{ReplicateError, Replicated, replicate};
pub use retention::{Expired, Retention};
pub use store_time::{StoreTime, StoreTimeError};
pub use tsdb::BlockId;
pub use upload::{Upload, UploadError, Uploaded, read_local_meta};
