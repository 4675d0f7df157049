//! Prometheus' HTTP API v1, over any storage that the engine can read: parameters in, JSON out.
//!
//! [`routes`] gives the endpoints; they read their parameters by Prometheus' rules (`form`, `time`), evaluate on threads of
//! their own ([`Evaluator`]), and write the answer while it is sent (`json/`), so that its text never lies in memory as a whole.
//! Which error becomes which status stands in `error`.
//!
//! [`thanos`] is the same API with Thanos' parameters, texts and headers, over many stores.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing))]

mod cors;
mod error;
mod evaluate;
mod form;
mod gate;
mod json;
pub mod thanos;
mod time;
mod v1;

pub use cors::CorsOrigin;
pub use evaluate::{Evaluator, Limits};
pub use gate::Gate;
pub use v1::{Api, Identity, routes};
