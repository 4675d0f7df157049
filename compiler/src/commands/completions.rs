//! `pronoia completions`: scripts for shells.

use clap::CommandFactory;
use clap_complete::Shell;

use super::console::Console;
use super::{Cli, Exit};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The shell
    shell: Shell,
}

pub(super) fn run(console: &Console, args: &Args) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "pronoia", &mut script);
    console.out(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Ok)
}
