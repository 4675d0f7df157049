//! `pronoia check`: findings, and nothing else.

use compiler::pipeline;

use super::Exit;
use super::console::Console;
use super::findings::{FindingsArgs, FormatArg, Stream, merged};
use super::input::Input;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    findings: FindingsArgs,
}

pub(super) fn run(console: &Console, args: &Args) -> anyhow::Result<Exit> {
    let mut runs = args.input.run(pipeline::check)?;
    let (sources, diagnostics) = merged(&mut runs);
    args.findings.print(console, Stream::Out, &diagnostics, &sources)?;
    if diagnostics.is_empty() && args.findings.format == FormatArg::Human {
        console.note(&format!("{}: no findings", args.input.file));
    }
    Ok(args.findings.exit(&diagnostics))
}
