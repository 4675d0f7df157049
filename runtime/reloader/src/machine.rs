//! The loop: look at the inputs, decide, write, reload, confirm or take back.

mod apply;
mod setback;

use std::sync::Arc;
use std::time::Duration;

use prom_config::Version;
use server::probe::Probe;
use thiserror::Error;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::candidate::Hash;
use crate::disk::Disk;
use crate::environment::Environment;
use crate::finding::Finding;
use crate::metrics::ReloaderMetrics;
use crate::outputs::Outputs;
use crate::settings::{Method, Settings};
use crate::status::{Phase, Problem, StatusBoard};
use crate::target::Target;
use crate::validate::Validator;
use crate::watch::Watch;
use setback::Setback;

/// Without events from the system, the inputs are read this often.
const POLL: Duration = Duration::from_secs(2);
/// Findings of one look that are logged; the status has all of them.
const LOGGED_MAX: usize = 10;

/// A reloader, ready to run.
#[derive(Debug)]
pub struct Reloader {
    settings: Arc<Settings>,
    environment: Arc<Environment>,
    disk: Arc<dyn Disk>,
    target: Target,
    outputs: Outputs,
    validator: Validator,
    metrics: ReloaderMetrics,
    board: StatusBoard,
    probe: Probe,
    /// What the process has confirmed.
    confirmed: Option<Hash>,
    /// What it did not want, and when to try that again.
    setback: Option<Setback>,
    /// Since when the process does not answer while something waits for it.
    silent_since: Option<Instant>,
    version: Option<Version>,
    /// Findings that were logged last: the same ones are not logged again.
    logged: Vec<Problem>,
    looked: bool,
}

/// Why a single run did not leave a configuration that Prometheus can start with.
#[derive(Debug, Error)]
pub enum OnceError {
    /// The inputs are not taken, and there is no earlier version of them.
    #[error("{}", all(.0))]
    Rejected(Vec<Finding>),
    /// An output cannot be written.
    #[error(transparent)]
    Output(#[from] crate::outputs::OutputError),
    /// The work was interrupted.
    #[error("interrupted: {0}")]
    Interrupted(#[from] tokio::task::JoinError),
}

fn all(findings: &[Finding]) -> String {
    let lines: Vec<String> = findings.iter().take(LOGGED_MAX).map(ToString::to_string).collect();
    match findings.len().saturating_sub(LOGGED_MAX) {
        0 => lines.join("\n"),
        more => format!("{}\nand {more} more", lines.join("\n")),
    }
}

/// What to do after a look at the inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// Wait for a change or for the next regular look.
    Wait,
    /// Look again after this time even if nothing changes.
    Again(Duration),
}

impl Reloader {
    /// A reloader with everything that it uses.
    pub fn new(
        settings: Settings,
        environment: Environment,
        disk: Arc<dyn Disk>,
        target: Target,
        metrics: ReloaderMetrics,
        probe: Probe,
    ) -> Self {
        let outputs = Outputs::new(&disk, &settings);
        let board = StatusBoard::new(settings.read_in_place());
        Self {
            settings: Arc::new(settings),
            environment: Arc::new(environment),
            disk,
            target,
            outputs,
            validator: Validator::default(),
            metrics,
            board,
            probe,
            confirmed: None,
            setback: None,
            silent_since: None,
            version: None,
            logged: Vec::new(),
            looked: false,
        }
    }

    /// Where the state can be read.
    pub fn board(&self) -> StatusBoard {
        self.board.clone()
    }

    /// Watches and reloads until `stop` is cancelled.
    pub async fn run(mut self, stop: CancellationToken) {
        if !self.settings.watches_something() {
            info!(component = "reloader", msg = "nothing to be watched");
            self.probe.set_ready(true);
            stop.cancelled().await;
            return;
        }
        self.announce();
        let mut watch = Watch::new(self.metrics.clone());
        if !watch.has_events() {
            self.board.change(|status| status.watching = "polling");
        }
        loop {
            // Watching begins before reading: what changes in between is seen.
            watch.cover(&*self.disk, &self.settings);
            let next = self.look().await;
            watch.cover(&*self.disk, &self.settings);
            let regular = match self.settings.watch_interval {
                interval if interval.is_zero() || !watch.has_events() => POLL,
                interval => interval,
            };
            let pause = match next {
                Next::Again(pause) => pause.min(regular),
                Next::Wait => regular,
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = watch.changed() => {}
                () = sleep_until(Instant::now() + pause) => {
                    // A folder may have been removed and made again without a word.
                    if next == Next::Wait {
                        watch.forget();
                    }
                }
            }
        }
    }

    fn announce(&self) {
        let how = match self.settings.method {
            Method::Http => "reloading via HTTP",
            Method::Signal { .. } => "reloading via process signal",
        };
        info!(component = "reloader", msg = how);
        for path in self.board.get().read_in_place {
            warn!(
                component = "reloader",
                msg = "this input has no output: the process reads it as it is, and a bad one cannot be kept from its next start",
                input = path
            );
        }
    }

    /// One look at the inputs, with everything that follows from it.
    async fn look(&mut self) -> Next {
        let begun = Instant::now();
        if self.looked {
            self.metrics.applies.inc();
        }
        let before = self.confirmed;
        let next = self.apply().await;
        let phase = self.board.get().state;
        if self.looked && matches!(phase, Phase::Rejected | Phase::Failed | Phase::Refused) {
            self.metrics.applies_failed.inc();
        }
        if self.confirmed != before {
            self.metrics.observe_apply(begun.elapsed());
        }
        self.looked = true;
        self.board.change(|status| status.looks += 1);
        next
    }

    /// Moves to a state, tells its problems once, and everything else that depends on it.
    fn enter(&mut self, phase: Phase, problems: Vec<Problem>) {
        if problems != self.logged {
            for problem in problems.iter().take(LOGGED_MAX) {
                self.tell(phase, problem);
            }
            if problems.len() > LOGGED_MAX {
                error!(component = "reloader", msg = "and more", count = problems.len() - LOGGED_MAX);
            }
            self.logged.clone_from(&problems);
        }
        let bad = matches!(phase, Phase::Rejected | Phase::Refused | Phase::Failed);
        if bad {
            self.metrics.last_reload_successful.set(0);
        }
        self.metrics.set_phase(phase);
        self.board.enter(phase, problems);
        // Once ready, always ready: a bad edit must not take a healthy Prometheus out of service. A first look that
        // found an earlier good version is as good as a confirmed one.
        if phase == Phase::Confirmed || (bad && self.outputs.live_is_good()) {
            self.probe.set_ready(true);
        }
    }

    fn tell(&self, phase: Phase, problem: &Problem) {
        let (message, state, reason) = (&problem.message, phase.word(), &problem.reason);
        let place = problem.line.map(|line| format!(":{line}:{}", problem.column.unwrap_or(1)));
        let file = problem.file.as_ref().map(|file| format!("{file}{}", place.unwrap_or_default()));
        match (phase, file) {
            // A process that starts is nothing to be alarmed about.
            (Phase::Waiting | Phase::Held, _) => warn!(component = "reloader", msg = message, state, reason),
            (_, Some(file)) => error!(component = "reloader", msg = message, state, reason, file),
            (_, None) => error!(component = "reloader", msg = message, state, reason),
        }
    }

    /// Expands, validates and writes the inputs once, without any process to ask: for init containers.
    ///
    /// Inputs that are not taken leave the version that was good before, if there is one.
    ///
    /// # Errors
    /// When the process would have nothing good to start with.
    pub async fn once(mut self) -> Result<(), OnceError> {
        let problem = match self.write_once().await {
            Ok(()) => return Ok(()),
            Err(problem) => problem,
        };
        if !self.outputs.has_good() {
            return Err(problem);
        }
        self.outputs.restore()?;
        error!(
            component = "reloader",
            msg = "the inputs are not taken; the process starts with what it loaded last",
            err = %problem
        );
        Ok(())
    }
}
