//! `pronoia promql`: tools for queries.

mod answer;
mod explain;
mod run;
mod when;

use super::Exit;
use super::console::Console;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Tell the plan of a query in words
    Explain(explain::Args),
    /// Evaluate a query over blocks on disk
    Run(run::Args),
}

pub(super) fn run(console: &Console, command: &Command) -> anyhow::Result<Exit> {
    match command {
        Command::Explain(args) => explain::run(console, args),
        Command::Run(args) => run::run(console, args),
    }
}
