//! `tools promqltest`: runs scripts in the language of Prometheus' own PromQL tests.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::{ArgMatches, Args, Command, FromArgMatches};
use prom_model::SystemClock;
use promql::script;

use super::output::Output;

/// Runs scripts that load series, evaluate queries and say what must come out
#[derive(Debug, Args)]
struct Flags {
    /// Print each evaluation, not only those that fail
    #[arg(short, long)]
    verbose: bool,
    /// Scripts
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

/// The command line.
pub(super) fn command() -> Command {
    Flags::augment_args(Command::new("promqltest"))
}

/// Runs the scripts; fails if an evaluation does.
pub(super) fn run(matches: &ArgMatches) -> anyhow::Result<()> {
    let flags = Flags::from_arg_matches(matches)?;
    let mut out = Output::standard();
    let (mut passed, mut failed) = (0, 0);
    for file in &flags.files {
        let (text, good, bad) = run_file(file, flags.verbose)?;
        out.write(&text)?;
        passed += good;
        failed += bad;
    }
    if flags.files.len() > 1 {
        out.write(&format!("total: {passed} passed, {failed} failed\n"))?;
    }
    out.finish()?;
    if failed > 0 {
        bail!("{failed} of {} evaluations failed", passed + failed);
    }
    Ok(())
}

/// What is to be printed for a script, how many evaluations passed and how many failed.
fn run_file(file: &Path, verbose: bool) -> anyhow::Result<(String, usize, usize)> {
    #[expect(clippy::disallowed_methods, reason = "commands/ is where files are read")]
    let script = std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
    let shown = file.display();
    let outcomes = script::run(&script, Arc::new(SystemClock)).with_context(|| format!("reading {shown}"))?;
    let failed = outcomes.iter().filter(|outcome| outcome.failure.is_some()).count();
    let mut text = String::new();
    for outcome in &outcomes {
        // Writing to a text cannot fail.
        let _ = match &outcome.failure {
            Some(failure) => {
                writeln!(text, "{shown}:{}: FAILED {}\n    {failure}", outcome.line, outcome.query)
            }
            None if verbose => writeln!(text, "{shown}:{}: passed {}", outcome.line, outcome.query),
            None => Ok(()),
        };
    }
    let passed = outcomes.len() - failed;
    let _ = writeln!(text, "{shown}: {passed} passed, {failed} failed");
    Ok((text, passed, failed))
}
