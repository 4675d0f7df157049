//! `pronoia supervised`: becomes the program that `up` wants to run, and ends with `up` however that ends.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{anyhow, bail};
use rustix::process::{Signal, getppid, set_parent_process_death_signal};

use crate::commands::Exit;

#[derive(Debug, clap::Args)]
pub(in crate::commands) struct Args {
    /// The `pronoia up` that starts this
    #[arg(long, value_name = "PID")]
    parent: i32,
    /// The program and its arguments
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

pub(in crate::commands) fn run(args: &Args) -> anyhow::Result<Exit> {
    let Some((program, rest)) = args.command.split_first() else { bail!("no program") };
    // The kernel keeps this over `exec`: even `kill -9` of the parent leaves nothing behind.
    set_parent_process_death_signal(Some(Signal::TERM))?;
    if getppid().map(|pid| pid.as_raw_nonzero().get()) != Some(args.parent) {
        bail!("pid {} is gone, so nothing is started", args.parent);
    }
    let error = Command::new(program).args(rest).exec();
    Err(anyhow!("`{}`: {error}", program.to_string_lossy()))
}
