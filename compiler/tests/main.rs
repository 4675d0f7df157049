//! What a user of the compiler can see, tested from outside.
#![expect(clippy::disallowed_methods, reason = "tests start the command and look at the disk")]

mod cli;
mod injection;
mod local;
mod platform;
mod render;
mod rules;
mod suite;
mod thanos;
mod tutorial;
mod ways_out;
