//! gRPC around a component: the server with what every Thanos server has, and the channel to others.
//!
//! Server: TLS, health, reflection, panics answered as `Internal`, metrics `grpc_server_*`, deadlines, snappy and gzip in both
//! directions. Channel: TLS, keepalive, optional snappy, metrics `grpc_client_*`. Both carry the trace.

mod channel;
mod compression;
mod connector;
mod frames;
mod health;
mod methods;
mod metrics;
mod observe;
mod server;
mod snappy;

pub use channel::{AddressError, Channel, ChannelMetrics, ChannelSettings, Compression};
pub use server::{GrpcError, GrpcServer, GrpcSettings, ListeningGrpcServer};

/// The largest message that is taken from a client unless a setting says otherwise, in bytes.
pub const REQUEST_MAX: usize = 64 << 20;
