//! `pronoia`, the command: it talks, the library computes.

use std::process::ExitCode;

mod commands;

fn main() -> ExitCode {
    commands::main(std::env::args_os().collect())
}
