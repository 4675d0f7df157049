//! `pronoia fmt`: rewrites topologies in the one layout, or says which are not in it.

use std::io::Read;
use std::path::Path;

use anyhow::{Context, anyhow};
use compiler::diff::{self, Files};
use compiler::format;
use compiler::source::{FILE_SIZE_BYTES_MAX, Sources, World};

use super::Exit;
use super::console::Console;
use super::disk::DiskWorld;
use super::findings::{Deny, FindingsArgs, FormatArg, Stream};
use super::{input, tree};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Write nothing; print what would change and fail if anything would
    #[arg(long)]
    check: bool,
    /// Topologies; `-` reads stdin and writes stdout
    #[arg(default_value = "topology.kdl", value_name = "FILE")]
    files: Vec<String>,
}

pub(super) fn run(console: &Console, args: &Args) -> anyhow::Result<Exit> {
    let world = DiskWorld::default();
    let mut exit = Exit::Ok;
    for file in &args.files {
        let bytes = if file == "-" {
            stdin()?
        } else {
            input::must_exist(&world, file)?;
            world.read(file).map_err(|error| anyhow!("`{file}`: {error}"))?
        };
        let text = String::from_utf8(bytes).with_context(|| format!("`{file}`"))?;
        let mut sources = Sources::default();
        let id = sources.add(file, text.clone());
        match format::format(id, &text) {
            Err(findings) => {
                let human = FindingsArgs { format: FormatArg::Human, deny: Deny::Error, exit_zero: false };
                human.print(console, Stream::Err, &findings, &sources)?;
                exit = Exit::Findings;
            }
            Ok(formatted) if args.check => {
                if formatted != text {
                    let side = |text: String| Files::from([(file.clone(), text)]);
                    console.out(&diff::unified(&side(text), &side(formatted)))?;
                    exit = if exit == Exit::Ok { Exit::Differences } else { exit };
                }
            }
            Ok(formatted) if file == "-" => console.out(&formatted)?,
            Ok(formatted) if formatted != text => {
                // A link stays a link: its target is rewritten.
                let path = Path::new(file).canonicalize().with_context(|| format!("`{file}`"))?;
                tree::replace(&path, |out| out.write_all(formatted.as_bytes()))
                    .with_context(|| format!("`{file}`"))?;
                console.note(&format!("{file}: formatted"));
            }
            Ok(_) => {}
        }
    }
    Ok(exit)
}

fn stdin() -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::io::stdin().lock().take(FILE_SIZE_BYTES_MAX + 1).read_to_end(&mut bytes).context("stdin")?;
    if bytes.len() as u64 > FILE_SIZE_BYTES_MAX {
        return Err(anyhow!("stdin: more than {FILE_SIZE_BYTES_MAX} bytes"));
    }
    Ok(bytes)
}
