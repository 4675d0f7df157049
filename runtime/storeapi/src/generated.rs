//! What the messages of `proto/` become: written by `prost`, checked for freshness by a test, never edited.

/// The packages `thanos` and `thanos.info`.
#[allow(
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    clippy::all,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    rustdoc::all
)]
pub mod thanos {
    include!("generated/thanos.inc");

    /// What an endpoint is and offers.
    pub mod info {
        include!("generated/thanos.info.inc");
    }
}

pub use thanos::info;

/// The package `hintspb`: what travels in the `hints` of a request and its answer.
#[allow(missing_docs, unreachable_pub, unused_qualifications, clippy::all, rustdoc::all)]
pub mod hints {
    include!("generated/hintspb.inc");

    /// What stands before a message's name in the URL of an `Any`.
    pub const TYPE_URL: &str = "type.googleapis.com/hintspb.";
}

/// The package `prometheus`: remote read, and the series of remote write.
#[allow(missing_docs, unreachable_pub, unused_qualifications, clippy::all, rustdoc::all)]
pub mod prometheus {
    include!("generated/prometheus.inc");
}

/// The descriptors of all services and messages (`google.protobuf.FileDescriptorSet`), for server reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!("generated/descriptors.bin");
