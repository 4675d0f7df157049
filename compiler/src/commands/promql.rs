//! `pronoia promql`: tools for queries.

mod answer;
mod explain;
mod format;
mod query;
mod run;
mod series;
mod when;

use super::Exit;
use super::console::Console;
use super::stack;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Lay queries out as Prometheus does, over several lines where one would be too long
    Format(format::Args),
    /// Tell the plan of a query in words
    Explain(explain::Args),
    /// List the series that a query reads: conditions, ranges, offsets
    Series(series::Args),
    /// Evaluate a query over blocks on disk
    Run(run::Args),
}

pub(super) fn run(console: &Console, command: &Command) -> anyhow::Result<Exit> {
    match command {
        Command::Format(args) => format::run(console, args),
        Command::Explain(args) => stack::for_queries(|| explain::run(console, args)),
        Command::Series(args) => series::run(console, args),
        Command::Run(args) => stack::for_queries(|| run::run(console, args)),
    }
}
