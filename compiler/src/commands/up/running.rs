//! One process of the plan over all its lives: prepared, started, ready, ended, started again, stopped.

use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use super::backoff::Backoff;
use super::logs::Log;
use super::plan::Spec;
use super::process::{self, Identity};
use super::state::ProcessState;

/// Where a process is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// It waits for others.
    Waiting,
    /// The reloader looks at its files before its first start.
    Preparing,
    /// It runs and does not answer yet.
    Starting,
    Ready,
    /// It answered once, and does not now.
    NotReady,
    /// It has ended by itself and is started again at this time.
    Ended(Instant),
    /// It was told to end; at this time it is killed.
    Stopping(Instant),
    Stopped,
}

/// What happened to a process.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// The files are there; it can be started.
    Prepared,
    /// It ended by itself, for this reason; the next start is in a while.
    Ended(String, Duration),
    /// It did as it was told.
    Stopped,
    /// It could not be stopped in time and was killed.
    Killed,
}

/// A process.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) spec: Spec,
    pub(super) log: Log,
    pub(super) phase: Phase,
    pub(super) restarts: u32,
    child: Option<Child>,
    identity: Option<Identity>,
    begun: Instant,
    backoff: Backoff,
    prepared: bool,
    killed: bool,
}

impl Running {
    pub(super) fn new(spec: Spec, log: Log, now: Instant) -> Running {
        Running {
            prepared: spec.init.is_empty(),
            spec,
            log,
            phase: Phase::Waiting,
            restarts: 0,
            child: None,
            identity: None,
            begun: now,
            backoff: Backoff::default(),
            killed: false,
        }
    }

    /// Starts it, or what prepares its first start.
    pub(super) fn start(&mut self, pronoiad: &Path, now: Instant) -> std::io::Result<()> {
        let (program, args) = match self.prepared {
            true => (self.spec.program.as_path(), &self.spec.args),
            false => (pronoiad, &self.spec.init),
        };
        let (child, pipe) = process::start(program, args, &self.spec.working_dir)?;
        self.log.follow(pipe);
        self.identity = Identity::of(child.id());
        self.child = Some(child);
        self.begun = now;
        self.killed = false;
        self.phase = if self.prepared { Phase::Starting } else { Phase::Preparing };
        Ok(())
    }

    /// A start that did not happen at all counts as an end.
    pub(super) fn start_failed(&mut self, now: Instant) -> Duration {
        let wait = self.backoff.ended(now, Duration::ZERO);
        self.phase = Phase::Ended(now + wait);
        wait
    }

    /// Looks whether it has ended, and whether its time is up.
    pub(super) fn look(&mut self, now: Instant) -> Option<Event> {
        let status = match self.child.as_mut()?.try_wait() {
            Ok(Some(status)) => status,
            // Still there; an error here means that somebody else has asked, which nobody does.
            Ok(None) | Err(_) => {
                return match self.phase {
                    Phase::Stopping(until) if now >= until && !self.killed => {
                        self.kill();
                        Some(Event::Killed)
                    }
                    _ => None,
                };
            }
        };
        self.child = None;
        self.identity = None;
        match self.phase {
            Phase::Stopping(_) => {
                self.phase = Phase::Stopped;
                Some(Event::Stopped)
            }
            Phase::Preparing if status.success() => {
                self.prepared = true;
                self.phase = Phase::Waiting;
                Some(Event::Prepared)
            }
            phase => {
                let wait = self.backoff.ended(now, now.duration_since(self.begun));
                self.phase = Phase::Ended(now + wait);
                let what =
                    if phase == Phase::Preparing { "its configuration was refused: pronoiad " } else { "" };
                Some(Event::Ended(format!("{what}{}", process::ended(status)), wait))
            }
        }
    }

    /// Tells it to end.
    pub(super) fn stop(&mut self, now: Instant) {
        if matches!(self.phase, Phase::Stopping(_)) {
            return;
        }
        let Some(child) = &self.child else {
            self.phase = Phase::Stopped;
            return;
        };
        // Prometheus writes its head down; the others have nothing that is not on disk.
        let grace = match self.spec.component.as_str() {
            "prometheus" | "receive" | "rule" => Duration::from_secs(30),
            _ => Duration::from_secs(10),
        };
        if let Some(identity) = Identity::of(child.id()) {
            identity.signal(Signal::TERM);
        }
        self.phase = Phase::Stopping(now + grace);
    }

    /// Kills it and everything that it started.
    pub(super) fn kill(&mut self) {
        let pid =
            self.child.as_ref().and_then(|child| i32::try_from(child.id()).ok()).and_then(Pid::from_raw);
        if let Some(pid) = pid {
            // Its group carries its number; a group that is gone needs nothing.
            let _ = kill_process_group(pid, Signal::KILL);
        }
        // Its end is what was asked for, told to stop before or not.
        self.phase = Phase::Stopping(self.begun);
        self.killed = true;
    }

    /// Makes it a process that was never started, in the place of one that has stopped.
    pub(super) fn begin_again(&mut self) {
        self.phase = Phase::Waiting;
        self.backoff = Backoff::default();
    }

    pub(super) fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    pub(super) fn is_there(&self) -> bool {
        self.child.is_some()
    }

    pub(super) fn is_failing(&self) -> bool {
        self.backoff.is_failing() && !matches!(self.phase, Phase::Ready)
    }

    /// The phase in a word.
    pub(super) fn word(&self) -> &'static str {
        match self.phase {
            _ if self.is_failing() => "failing",
            Phase::Waiting => "waiting",
            Phase::Preparing => "preparing",
            Phase::Starting => "starting",
            Phase::Ready => "ready",
            Phase::NotReady => "not ready",
            Phase::Ended(_) => "ended",
            Phase::Stopping(_) => "stopping",
            Phase::Stopped => "stopped",
        }
    }

    pub(super) fn state(&self) -> ProcessState {
        ProcessState {
            name: self.spec.name.clone(),
            component: self.spec.component.clone(),
            identity: self.identity,
            state: self.word().to_string(),
            ready: self.phase == Phase::Ready,
            restarts: self.restarts,
            url: self.spec.url().to_string(),
        }
    }
}
