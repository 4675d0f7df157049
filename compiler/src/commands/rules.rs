//! `pronoia rules`: what there is to do with rules.

mod test;

use clap::Subcommand;

use super::Exit;
use super::console::Console;
use super::stack;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run unit tests of rules, in the file format of `promtool test rules`
    Test(test::Args),
}

pub(super) fn run(console: &Console, args: &Args) -> anyhow::Result<Exit> {
    match &args.command {
        Command::Test(args) => stack::for_queries(|| test::run(console, args)),
    }
}
