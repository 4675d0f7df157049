//! `pronoia down`: ends the `up` that runs on a data folder, and waits for it.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::bail;
use rustix::process::Signal;

use super::Exit;
use super::console::Console;
use super::up::{DATA_DIR, folder};

/// Prometheus may take 30 s, and whoever depends on it 10 s before.
const PATIENCE: Duration = Duration::from_secs(90);

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Folder that `up` was told
    #[arg(long, value_name = "DIR", default_value = DATA_DIR)]
    data_dir: PathBuf,
}

pub(super) fn run(console: &Console, args: &Args) -> anyhow::Result<Exit> {
    let root = folder::absolute(&args.data_dir)?;
    let shown = args.data_dir.display();
    let Some(identity) = folder::running(&root)? else {
        console.note(&format!("nothing runs on `{shown}`"));
        return Ok(Exit::Ok);
    };
    if !identity.is_alive() {
        bail!("`{shown}` is locked, but not by a `pronoia up` of this machine that can be told to stop");
    }
    console.note(&format!("stopping pid {}", identity.pid));
    identity.signal(Signal::TERM);
    let begun = Instant::now();
    while folder::running(&root)?.is_some() {
        if begun.elapsed() > PATIENCE {
            bail!("pid {} has not ended after {} s; it is still at it", identity.pid, PATIENCE.as_secs());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    console.note(&format!("all stopped after {:.1} s", begun.elapsed().as_secs_f64()));
    Ok(Exit::Ok)
}
