//! `pronoiad` as a user calls it.
#![expect(clippy::disallowed_methods, reason = "tests start the command")]

mod cli;
mod reloader;
mod tools;
