//! Findings on the console: in which format, and whether they fail the run.

use clap::ValueEnum;
use compiler::diagnostic::{Diagnostic, Severity};
use compiler::report;
use compiler::source::Sources;

use super::Exit;
use super::console::Console;
use super::input::Run;

/// How findings are written and judged.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct FindingsArgs {
    /// How findings are written
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: FormatArg,
    /// Fail at this severity and above
    #[arg(long, value_enum, default_value_t, value_name = "SEVERITY", ignore_case = true)]
    pub(super) deny: Deny,
    /// Exit with 0 whatever was found
    #[arg(long)]
    pub(super) exit_zero: bool,
}

/// Format of findings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum FormatArg {
    /// Snippets of the topology with labels
    #[default]
    Human,
    /// One line each, as compilers write them
    Short,
    /// One JSON object per line
    Json,
    /// SARIF 2.1.0
    Sarif,
    /// Annotations of GitHub Actions
    Github,
    /// Checkstyle XML
    Checkstyle,
    /// JUnit XML
    Junit,
    /// A Markdown table
    Md,
}

/// Lowest severity that fails the run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Deny {
    /// Remarks, warnings and errors
    #[value(alias = "i")]
    Info,
    /// Warnings and errors
    #[value(alias = "warning", alias = "warnings", alias = "w")]
    Warn,
    /// Errors only
    #[default]
    #[value(alias = "errors", alias = "e")]
    Error,
}

impl Deny {
    fn severity(self) -> Severity {
        match self {
            Deny::Info => Severity::Info,
            Deny::Warn => Severity::Warning,
            Deny::Error => Severity::Error,
        }
    }
}

/// Where findings go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stream {
    /// They are the result.
    Out,
    /// The result is something else.
    Err,
}

impl FindingsArgs {
    /// Whether these findings fail the run.
    pub(super) fn denied(&self, diagnostics: &[Diagnostic]) -> bool {
        diagnostics.iter().any(|diagnostic| diagnostic.severity >= self.deny.severity())
    }

    /// The exit code that these findings ask for.
    pub(super) fn exit(&self, diagnostics: &[Diagnostic]) -> Exit {
        if self.denied(diagnostics) && !self.exit_zero { Exit::Findings } else { Exit::Ok }
    }

    /// Writes findings.
    pub(super) fn print(
        &self,
        console: &Console,
        stream: Stream,
        diagnostics: &[Diagnostic],
        sources: &Sources,
    ) -> anyhow::Result<()> {
        let format = match self.format {
            FormatArg::Human => report::Format::Human,
            FormatArg::Short => report::Format::Short,
            FormatArg::Json => report::Format::Json,
            FormatArg::Sarif => report::Format::Sarif,
            FormatArg::Github => report::Format::Github,
            FormatArg::Checkstyle => report::Format::Checkstyle,
            FormatArg::Junit => report::Format::Junit,
            FormatArg::Md => report::Format::Markdown,
        };
        let color = if stream == Stream::Out { console.color_out() } else { console.color_err() };
        let options = report::Options { color, width: console.width(), deny: self.deny.severity() };
        let text = report::render(format, &options, diagnostics, sources);
        match stream {
            Stream::Out => console.out(&text)?,
            Stream::Err => console.err(&text),
        }
        Ok(())
    }
}

/// The findings of all environments over one set of sources; the runs keep everything else.
pub(super) fn merged(runs: &mut [Run]) -> (Sources, Vec<Diagnostic>) {
    report::merge(
        runs.iter_mut()
            .map(|run| (run.outcome.sources.clone(), std::mem::take(&mut run.outcome.diagnostics))),
    )
}

/// For commands that need a result and nothing else: findings that prevent one go to stderr.
pub(super) fn stop_on_errors(console: &Console, runs: &mut [Run]) -> anyhow::Result<Option<Exit>> {
    let (sources, diagnostics) = merged(runs);
    let errors: Vec<Diagnostic> =
        diagnostics.into_iter().filter(|diagnostic| diagnostic.severity == Severity::Error).collect();
    if errors.is_empty() {
        return Ok(None);
    }
    let human = FindingsArgs { format: FormatArg::Human, deny: Deny::Error, exit_zero: false };
    human.print(console, Stream::Err, &errors, &sources)?;
    Ok(Some(Exit::Findings))
}
