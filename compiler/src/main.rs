//! `pronoia`, the command: it talks, the library computes.
#![expect(
    clippy::disallowed_methods,
    reason = "the commands are the world outside: disk, clock, environment"
)]

use std::process::ExitCode;

mod commands;

fn main() -> ExitCode {
    commands::main(std::env::args_os().collect())
}
