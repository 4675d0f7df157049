//! `pronoia man`: manual pages, one per command.

use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use clap::CommandFactory;

use super::console::Console;
use super::{Cli, Exit};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Write one page per command into this folder; without it the main page goes to stdout
    folder: Option<PathBuf>,
}

pub(super) fn run(console: &Console, args: &Args) -> anyhow::Result<Exit> {
    let Some(folder) = &args.folder else {
        let mut page = Vec::new();
        clap_mangen::Man::new(Cli::command()).render(&mut page)?;
        console.out(&String::from_utf8_lossy(&page))?;
        return Ok(Exit::Ok);
    };
    fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(Cli::command(), folder))
        .with_context(|| format!("`{}`", folder.display()))?;
    Ok(Exit::Ok)
}
