//! `pronoiad tools tsdb`: what `promtool tsdb` does, with its flags and its output.

mod analyze;
mod backfill;
mod bench;
mod database;
mod dump;
mod go_text;
mod list;
mod open_metrics;
mod sandbox;
mod serve;

use clap::{ArgMatches, Args, Command, FromArgMatches};

/// The folder that is looked into where none is named.
const DATABASE: &str = "data/";

/// The command line.
pub(crate) fn command() -> Command {
    let create = Command::new("create-blocks-from")
        .about("Import samples from input and produce TSDB blocks")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(subcommand::<backfill::Flags>("openmetrics"));
    let bench = Command::new("bench")
        .about("Run benchmarks")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(subcommand::<bench::Flags>("write"));
    Command::new("tsdb")
        .about("Looks into a folder of blocks, and makes blocks")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(subcommand::<analyze::Flags>("analyze"))
        .subcommand(bench)
        .subcommand(create)
        .subcommand(subcommand::<dump::Flags>("dump"))
        .subcommand(subcommand::<dump::OpenMetricsFlags>("dump-openmetrics"))
        .subcommand(subcommand::<list::Flags>("list"))
        .subcommand(subcommand::<serve::Flags>("serve"))
}

/// Runs the tool that was asked for.
pub(crate) fn run(matches: &ArgMatches) -> anyhow::Result<()> {
    match matches.subcommand() {
        Some(("analyze", flags)) => analyze::run(&analyze::Flags::from_arg_matches(flags)?),
        Some(("dump", flags)) => dump::run(&dump::Flags::from_arg_matches(flags)?),
        Some(("dump-openmetrics", flags)) => {
            dump::run_open_metrics(&dump::OpenMetricsFlags::from_arg_matches(flags)?)
        }
        Some(("list", flags)) => list::run(&list::Flags::from_arg_matches(flags)?),
        Some(("serve", flags)) => serve::run(&serve::Flags::from_arg_matches(flags)?),
        Some(("create-blocks-from", matches)) => match matches.subcommand() {
            Some(("openmetrics", flags)) => backfill::run(&backfill::Flags::from_arg_matches(flags)?),
            _ => Ok(()),
        },
        Some(("bench", matches)) => match matches.subcommand() {
            Some(("write", flags)) => bench::run(&bench::Flags::from_arg_matches(flags)?),
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}

fn subcommand<F: Args>(name: &'static str) -> Command {
    F::augment_args(Command::new(name))
}
