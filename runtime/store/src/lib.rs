//! Series out of buckets, Prometheus servers and other stores, behind one trait.
//!
//! A [`Store`] answers the three calls of the StoreAPI. Inside the process series travel in batches; [`StoreService`] makes of any
//! store a gRPC service that splits or joins them as the request asks.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing))]

pub mod acceptance;

mod about;
pub mod bucket;
mod grpc;
mod limited;
pub mod prometheus;
mod proxy;
mod remote;
mod store;

pub use about::{About, Extent};
pub use grpc::{StoreService, TENANT_KEY, partial_response_disabled, tenant};
pub use limited::{LimitedStore, SeriesLimits};
pub use proxy::{
    Access, Conduct, Member, Members, ProxyMetrics, ProxySettings, ProxyStore, TsdbSelector, go_text,
    may_match,
};
pub use remote::{Channel, RemoteStore};
pub(crate) use store::BATCH_CHUNKS;
pub use store::{BATCH, Context, Frames, Store};
