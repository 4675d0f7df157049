//! Processes of this machine: who is who, how one is started so that it cannot outlive us, how one is told to go.

use std::fs;
use std::io::{self, PipeReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

/// A process, even when its number was given to another one later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::commands) struct Identity {
    pub(in crate::commands) pid: u32,
    /// Ticks from the start of the machine to that of the process.
    pub(in crate::commands) start_time: u64,
}

impl Identity {
    /// Who has this number now.
    pub(in crate::commands) fn of(pid: u32) -> Option<Identity> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (state, start_time) = state_and_start(&stat)?;
        // A zombie is only a number that its parent has not asked for yet.
        (!matches!(state, 'Z' | 'X')).then_some(Identity { pid, start_time })
    }

    /// `PID START`.
    pub(in crate::commands) fn parse(text: &str) -> Option<Identity> {
        let (pid, start_time) = text.trim().split_once(' ')?;
        Some(Identity { pid: pid.parse().ok()?, start_time: start_time.parse().ok()? })
    }

    /// Whether it is still there.
    pub(in crate::commands) fn is_alive(&self) -> bool {
        Identity::of(self.pid) == Some(*self)
    }

    /// Sends a signal, unless it is gone.
    pub(in crate::commands) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid.filter(|_| self.is_alive()) {
            // Gone in between is as good as told.
            let _ = kill_process(pid, signal);
        }
    }
}

/// The third and the 22nd field; the second one may hold blanks and brackets.
fn state_and_start(stat: &str) -> Option<(char, u64)> {
    let (_, behind) = stat.rsplit_once(')')?;
    let mut fields = behind.split_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((state, fields.nth(18)?.parse().ok()?))
}

/// Starts a program in a group of its own; everything that it says comes out of one pipe.
///
/// It is told to end when the calling thread ends: call this from the main thread only.
pub(super) fn start(program: &Path, args: &[String], folder: &Path) -> io::Result<(Child, PipeReader)> {
    let (reader, writer) = io::pipe()?;
    // The running file, even when a newer one has taken its name.
    let child = Command::new("/proc/self/exe")
        .arg0("pronoia")
        .args(["supervised", "--parent", &std::process::id().to_string(), "--"])
        .arg(program)
        .args(args)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer)
        .process_group(0)
        .spawn()?;
    Ok((child, reader))
}

/// How a process ended, for people.
pub(super) fn ended(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(0), _) => "ended".to_string(),
        (Some(code), _) => format!("ended with exit code {code}"),
        (None, Some(9)) => "was killed (signal 9)".to_string(),
        (None, Some(signal)) => format!("ended by signal {signal}"),
        (None, None) => "ended".to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_behind_odd_names() {
        let rest = "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18";
        assert_eq!(state_and_start(&format!("7 (a) b) S {rest} 4711 20")), Some(('S', 4711)));
        assert_eq!(state_and_start("7 (a) S 1"), None);
        assert_eq!(state_and_start(""), None);
    }

    #[test]
    fn a_number_that_was_given_away_is_somebody_else() {
        let own = Identity::of(std::process::id()).expect("this process");
        assert!(own.is_alive());
        assert!(!Identity { start_time: own.start_time + 1, ..own }.is_alive());
    }
}
