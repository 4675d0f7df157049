//! The querier: which stores there are, and one storage made of them.
//!
//! [`discovery`] says which endpoints are configured, [`endpoints`] which of them answer and what they are; together they are the
//! members of a [`store::ProxyStore`]. [`FanOut`] asks them for everything that is no series.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing))]

mod companions;
pub mod discovery;
pub mod endpoints;
mod fan_out;
mod source;

pub use companions::{Companion, Companions, Offer};
pub use fan_out::{FanOut, FanOutServices, FanOutSettings, Gathered};
pub use source::{QueryOptions, StoreFailure, StoreSource};
