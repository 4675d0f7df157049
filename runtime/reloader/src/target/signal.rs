//! SIGHUP to a process that is found by its name, as `--reloader.method=signal` wants it.
//!
//! The processes of other containers are visible only with `shareProcessNamespace: true` on the pod.
#![expect(clippy::disallowed_methods, reason = "processes are found in /proc")]

use rustix::process::{Pid, Signal, kill_process};

/// Sends SIGHUP to the first process of this name.
pub(super) fn hang_up(name: &str) -> Result<(), String> {
    let Some(pid) = find(name)? else {
        return Err(format!(
            "failed to find process matching {name:?}; in a pod it is seen only with shareProcessNamespace: true"
        ));
    };
    kill_process(pid, Signal::HUP)
        .map_err(|error| format!("failed to send SIGHUP to pid {}: {error}", pid.as_raw_nonzero()))
}

fn find(name: &str) -> Result<Option<Pid>, String> {
    let entries = std::fs::read_dir("/proc").map_err(|error| format!("list processes: {error}"))?;
    let mut pids: Vec<i32> =
        entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    pids.sort_unstable();
    // The kernel keeps 15 bytes of a name.
    let kept = name.get(..15).unwrap_or(name);
    let found = pids.into_iter().find(|pid| {
        std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm.trim_end() == kept)
    });
    Ok(found.and_then(Pid::from_raw))
}
