//! `pronoiad` as a user calls it.
#![expect(clippy::disallowed_methods, reason = "tests start the command")]

mod cli;
mod compactor;
mod differential;
mod querier;
mod reloader;
mod sidecar;
mod tools;
