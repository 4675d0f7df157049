//! The command line: one file per command, and the only code that prints or touches the disk.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use console::{ColorChoice, Console};

mod check;
mod completions;
mod console;
mod diff;
mod disk;
#[cfg(target_os = "linux")]
mod down;
mod explain;
mod findings;
mod fmt;
mod golden;
mod graph;
mod init;
mod input;
mod man;
mod promql;
#[cfg(target_os = "linux")]
mod ps;
mod render;
mod rules;
mod stack;
mod tree;
#[cfg(target_os = "linux")]
mod up;
mod why;

/// How a run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exit {
    /// Nothing to complain about.
    Ok,
    /// The tool could not do its work: files, usage.
    Failure,
    /// Two things that were compared differ.
    Differences,
    /// Findings at or above the deny level.
    Findings,
}

impl Exit {
    fn code(self) -> u8 {
        match self {
            Exit::Ok => 0,
            Exit::Failure => 1,
            Exit::Differences => 2,
            Exit::Findings => 3,
        }
    }
}

/// Compiles one topology file into Prometheus, Thanos and Kubernetes configuration.
///
/// Exit codes: 0 fine, 1 the tool failed, 2 differences, 3 findings at or above the deny level.
#[derive(Debug, Parser)]
#[command(name = "pronoia", version, arg_required_else_help = true, propagate_version = true)]
#[command(after_help = "`pronoia FILE` is short for `pronoia check FILE`.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// When to colour the output; NO_COLOR is respected
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    color: ColorChoice,
    /// Say nothing that is not asked for
    #[arg(long, short, global = true)]
    quiet: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check a topology without writing anything
    Check(check::Args),
    /// Write every file of a topology
    Render(render::Args),
    /// Compare the examples with their golden trees, or accept what they render now
    Golden(golden::Args),
    /// Compare two topologies, two environments or two rendered folders by meaning
    Diff(diff::Args),
    /// Lay topologies out in the one style; comments and spellings stay
    Fmt(fmt::Args),
    /// Write a commented topology to start from
    Init(init::Args),
    /// Tell why a code exists and what to do
    Explain(explain::Args),
    /// List the codes that `explain` knows
    ListChecks(explain::ListArgs),
    /// Name the line or the default that set a field of a rendered object
    Why(why::Args),
    #[cfg(target_os = "linux")]
    /// Run a topology on this machine, as plain processes, until Ctrl-C
    Up(up::Args),
    #[cfg(target_os = "linux")]
    /// Stop what `up` runs
    Down(down::Args),
    #[cfg(target_os = "linux")]
    /// Show what `up` runs
    Ps(ps::Args),
    /// Become a program that ends with `up`
    #[cfg(target_os = "linux")]
    #[command(hide = true)]
    Supervised(up::supervised::Args),
    /// Test rules
    Rules(rules::Args),
    /// Show who talks to whom
    Graph(graph::Args),
    /// Look at queries: lay them out, list what they read, evaluate them
    #[command(subcommand)]
    Promql(promql::Command),
    /// Print a completion script
    Completions(completions::Args),
    /// Write the manual pages
    Man(man::Args),
}

/// Runs the command; the only place that decides the exit code.
pub(crate) fn main(arguments: Vec<OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(with_default_command(arguments)) {
        Ok(cli) => cli,
        Err(error) => {
            // A closed pipe is no reason to complain about a complaint.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { Exit::Failure.code() } else { Exit::Ok.code() });
        }
    };
    let console = Console::new(cli.color, cli.quiet);
    match run(&console, cli.command) {
        Ok(exit) => ExitCode::from(exit.code()),
        Err(error) => {
            console.error(&format!("{error:#}"));
            ExitCode::from(Exit::Failure.code())
        }
    }
}

fn run(console: &Console, command: Command) -> anyhow::Result<Exit> {
    match command {
        Command::Check(args) => check::run(console, &args),
        Command::Render(args) => render::run(console, &args),
        Command::Golden(args) => golden::run(console, &args),
        Command::Diff(args) => diff::run(console, &args),
        Command::Fmt(args) => fmt::run(console, &args),
        Command::Init(args) => init::run(console, &args),
        Command::Explain(args) => explain::run(console, &args),
        Command::ListChecks(args) => explain::list(console, &args),
        Command::Why(args) => why::run(console, &args),
        #[cfg(target_os = "linux")]
        Command::Up(args) => up::run(console, &args),
        #[cfg(target_os = "linux")]
        Command::Down(args) => down::run(console, &args),
        #[cfg(target_os = "linux")]
        Command::Ps(args) => ps::run(console, &args),
        #[cfg(target_os = "linux")]
        Command::Supervised(args) => up::supervised::run(&args),
        Command::Rules(args) => rules::run(console, &args),
        Command::Graph(args) => graph::run(console, &args),
        Command::Promql(command) => promql::run(console, &command),
        Command::Completions(args) => completions::run(console, &args),
        Command::Man(args) => man::run(console, &args),
    }
}

/// `pronoia FILE …` means `pronoia check FILE …`.
fn with_default_command(mut arguments: Vec<OsString>) -> Vec<OsString> {
    let mut at = 1;
    while let Some(argument) = arguments.get(at).map(|argument| argument.to_string_lossy().into_owned()) {
        if argument == "--color" {
            at += 2;
        } else if argument.starts_with('-') {
            at += 1;
        } else {
            let known = argument == "help" || Cli::command().find_subcommand(&argument).is_some();
            if !known && (argument.ends_with(".kdl") || Path::new(&argument).is_file()) {
                arguments.insert(at, "check".into());
            }
            break;
        }
    }
    arguments
}
