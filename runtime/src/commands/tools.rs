//! `pronoiad tools`: one-off jobs on buckets and databases.

pub(in crate::commands) mod bucket;
mod output;
mod progress;
mod promqltest;
mod tsdb;

use clap::{ArgMatches, Args, Command, FromArgMatches};

use crate::flags::LogFlags;
use crate::flags::negation::with_negations;

/// The command line. The flags of logging may stand anywhere behind `tools`.
pub(crate) fn command() -> Command {
    let command = LogFlags::augment_args(Command::new("tools"))
        .mut_args(|argument| argument.global(true))
        .about("Looks at buckets, databases and their blocks, and repairs them")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(bucket::command())
        .subcommand(promqltest::command())
        .subcommand(tsdb::command());
    with_negations(command)
}

/// Runs the tool that was asked for.
pub(crate) fn run(matches: &ArgMatches) -> anyhow::Result<()> {
    LogFlags::from_arg_matches(matches)?.start();
    let result = match matches.subcommand() {
        Some(("bucket", arguments)) => bucket::run(arguments),
        Some(("promqltest", arguments)) => promqltest::run(arguments),
        Some(("tsdb", arguments)) => tsdb::run(arguments),
        _ => Ok(()),
    };
    match result {
        // Whoever reads the list has seen enough of it.
        Err(error) if error.is::<output::Closed>() => Ok(()),
        other => other,
    }
}
