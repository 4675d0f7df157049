//! The two streams: colour where it is wanted, silence where it is asked for, no fuss about closed pipes.

use std::io::{self, IsTerminal, Write};

use clap::ValueEnum;

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(super) enum ColorChoice {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// Where a command talks.
#[derive(Debug)]
pub(super) struct Console {
    color: ColorChoice,
    quiet: bool,
}

impl Console {
    pub(super) fn new(color: ColorChoice, quiet: bool) -> Console {
        Console { color, quiet }
    }

    /// The result of the command. A reader that has gone away is no error, a full disk is.
    pub(super) fn out(&self, text: &str) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        forgive(stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()))
    }

    /// Something for people beside the result.
    pub(super) fn err(&self, text: &str) {
        // There is no one left to tell.
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }

    /// What was done; not under `--quiet`.
    pub(super) fn note(&self, text: &str) {
        if !self.quiet {
            self.err(&format!("{text}\n"));
        }
    }

    /// Whether it was asked to be silent.
    pub(super) fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Why the command failed.
    pub(super) fn error(&self, text: &str) {
        let (on, off) = if self.color_err() { ("\u{1b}[1;31m", "\u{1b}[0m") } else { ("", "") };
        self.err(&format!("{on}error:{off} {text}\n"));
    }

    /// Whether the result is coloured.
    pub(super) fn color_out(&self) -> bool {
        self.colored(io::stdout().is_terminal())
    }

    /// Whether remarks are coloured.
    pub(super) fn color_err(&self) -> bool {
        self.colored(io::stderr().is_terminal())
    }

    /// Columns to wrap at.
    pub(super) fn width(&self) -> usize {
        let set = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
        set.unwrap_or(100).clamp(40, 200)
    }

    fn colored(&self, terminal: bool) -> bool {
        let unset = |name: &str| std::env::var_os(name).is_none_or(|value| value.is_empty());
        match self.color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => {
                terminal && unset("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
            }
        }
    }
}

fn forgive(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}
