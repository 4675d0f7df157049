//! `pronoia init`: a topology to start from.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};

use anyhow::{Context, anyhow};

use super::Exit;
use super::console::Console;

const STARTER: &str = include_str!("../../starters/starter.kdl");
const TUTORIAL: &str = include_str!("../../starters/tutorial.kdl");

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A small setup built by hand, component by component, as tutorials do it (profile `bare`)
    #[arg(long)]
    from_tutorial: bool,
    /// Where to write it; nothing is ever overwritten
    #[arg(default_value = "topology.kdl")]
    file: String,
}

pub(super) fn run(console: &Console, args: &Args) -> anyhow::Result<Exit> {
    let text = if args.from_tutorial { TUTORIAL } else { STARTER };
    let mut file = OpenOptions::new().write(true).create_new(true).open(&args.file).map_err(|error| {
        if error.kind() == ErrorKind::AlreadyExists {
            anyhow!("`{}` is there already; name another file", args.file)
        } else {
            anyhow!("`{}`: {error}", args.file)
        }
    })?;
    file.write_all(text.as_bytes()).with_context(|| format!("`{}`", args.file))?;
    console.note(&format!("{}: written; next: `pronoia check {}`", args.file, args.file));
    Ok(Exit::Ok)
}
