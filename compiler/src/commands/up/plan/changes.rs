//! From one plan to the next: what has to happen to the processes.

use super::{Plan, Spec};

/// What happens to one process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::commands::up) enum Change {
    /// It goes.
    Stop(String),
    /// It ends and comes back.
    Restart(String, String),
    /// It is new.
    Start(String),
    /// Its reloader, or it itself, takes over new files.
    Reload(String),
}

/// Changes in the order in which they are made: what goes makes room, then everything in the order of the start.
pub(in crate::commands::up) fn changes(old: &Plan, new: &Plan) -> Vec<Change> {
    let gone = old.processes.iter().rev().filter(|spec| new.get(&spec.name).is_none());
    let mut changes: Vec<Change> = gone.map(|spec| Change::Stop(spec.name.clone())).collect();
    for spec in &new.processes {
        let name = spec.name.clone();
        match old.get(&name) {
            None => changes.push(Change::Start(name)),
            Some(before) => match difference(before, spec) {
                Some(why) => changes.push(Change::Restart(name, why)),
                None if before.watches != spec.watches => changes.push(Change::Reload(name)),
                None => {}
            },
        }
    }
    changes
}

/// Why a process that runs as `old` cannot go on as `new`.
fn difference(old: &Spec, new: &Spec) -> Option<String> {
    if old.program != new.program {
        return Some("another program".to_string());
    }
    if old.args != new.args {
        let flags = flags(&old.args, &new.args);
        return Some(match flags.is_empty() {
            true => "arguments changed".to_string(),
            false => format!("arguments changed: {}", flags.join(", ")),
        });
    }
    if old.environment != new.environment {
        return Some("variables changed".to_string());
    }
    let changed = |path: &&String| old.reads.get(*path) != new.reads.get(*path);
    let file = new.reads.keys().find(changed)?;
    Some(format!("{file} changed"))
}

/// Flags that one side has and the other has not, or with another value.
fn flags(old: &[String], new: &[String]) -> Vec<String> {
    let only = |these: &[String], those: &[String]| -> Vec<String> {
        let missing = these.iter().filter(|word| !those.contains(word));
        missing.map(|word| word.split('=').next().unwrap_or(word).to_string()).collect()
    };
    let mut flags = only(old, new);
    flags.extend(only(new, old));
    flags.sort();
    flags.dedup();
    flags
}
