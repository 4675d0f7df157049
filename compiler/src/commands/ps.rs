//! `pronoia ps`: what runs on a data folder.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::Exit;
use super::console::Console;
use super::up::process::Identity;
use super::up::state::{ProcessState, State};
use super::up::table::table;
use super::up::{DATA_DIR, command_for, folder};

/// Ticks in a second, as `/proc` counts them on every Linux.
const TICKS: u64 = 100;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Folder that `up` was told
    #[arg(long, value_name = "DIR", default_value = DATA_DIR)]
    data_dir: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(console: &Console, args: &Args) -> anyhow::Result<Exit> {
    let root = folder::absolute(&args.data_dir)?;
    let running = folder::running(&root)?;
    let state = running.and_then(|_| State::read(&root));
    let uptime = fs::read_to_string("/proc/uptime").ok().and_then(|text| seconds(&text));
    let rows: Vec<Row> =
        state.iter().flat_map(|state| &state.processes).map(|process| Row::new(process, uptime)).collect();
    if args.json {
        let processes: Vec<Value> = rows.iter().map(Row::json).collect();
        let left = state.as_ref().map(|state| state.not_available.clone()).unwrap_or_default();
        let value = json!({
            "running": running.is_some(),
            "pid": running.map(|identity| identity.pid),
            "topology": state.as_ref().map(|state| state.topology.clone()),
            "generation": state.as_ref().map(|state| state.generation),
            "processes": processes,
            "not_available": left,
        });
        console.out(&format!("{value:#}\n"))?;
        return Ok(Exit::Ok);
    }
    if running.is_none() {
        console.note(&format!(
            "nothing runs on `{}`; start it: {}",
            args.data_dir.display(),
            command_for("up", &args.data_dir)
        ));
        return Ok(Exit::Ok);
    }
    let head = ["NAME", "WHAT", "PID", "STATE", "RESTARTS", "UPTIME", "URL"];
    console.out(&table(&head, &rows.iter().map(Row::cells).collect::<Vec<_>>()))?;
    Ok(Exit::Ok)
}

/// One line.
struct Row<'a> {
    process: &'a ProcessState,
    /// Only while it is the very process that was started.
    alive: Option<Identity>,
    uptime_seconds: Option<u64>,
}

impl Row<'_> {
    fn new(process: &ProcessState, machine: Option<u64>) -> Row<'_> {
        let alive = process.identity.filter(Identity::is_alive);
        let age = |identity: Identity| Some(machine?.saturating_sub(identity.start_time / TICKS));
        Row { process, alive, uptime_seconds: alive.and_then(age) }
    }

    fn state(&self) -> &str {
        match (self.process.identity, self.alive) {
            (Some(_), None) => "ended",
            _ => &self.process.state,
        }
    }

    fn cells(&self) -> Vec<String> {
        let or_dash = |value: Option<String>| value.unwrap_or_else(|| "-".to_string());
        vec![
            self.process.name.clone(),
            self.process.component.clone(),
            or_dash(self.alive.map(|identity| identity.pid.to_string())),
            self.state().to_string(),
            self.process.restarts.to_string(),
            or_dash(self.uptime_seconds.map(age)),
            self.process.url.clone(),
        ]
    }

    fn json(&self) -> Value {
        json!({
            "name": self.process.name,
            "component": self.process.component,
            "pid": self.alive.map(|identity| identity.pid),
            "state": self.state(),
            "ready": self.process.ready && self.alive.is_some(),
            "restarts": self.process.restarts,
            "uptime_seconds": self.uptime_seconds,
            "url": self.process.url,
        })
    }
}

/// The first number of `/proc/uptime`, without its fraction.
fn seconds(text: &str) -> Option<u64> {
    text.split(['.', ' ']).next()?.parse().ok()
}

/// `42s`, `3m 5s`, `2h 3m`, `4d 1h`.
fn age(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match () {
        () if days > 0 => format!("{days}d {}h", hours % 24),
        () if hours > 0 => format!("{hours}h {}m", minutes % 60),
        () if minutes > 0 => format!("{minutes}m {}s", seconds % 60),
        () => format!("{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_have_two_parts_at_most() {
        let ages: Vec<String> = [7, 185, 7_400, 349_300].into_iter().map(age).collect();
        assert_eq!(ages, ["7s", "3m 5s", "2h 3m", "4d 1h"]);
        assert_eq!(seconds("15735.10 30000.12\n"), Some(15735));
    }
}
