//! One look at the inputs: from the files to the confirmed reload, or back to the last good ones.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::task::spawn_blocking;
use tokio::time::Instant;
use tracing::{info, warn};

use super::{Next, OnceError, Reloader, Setback};
use crate::candidate::{Candidate, Hash, hex};
use crate::finding::{Finding, Reason};
use crate::outputs::{OutputError, Staged};
use crate::promtool::Tool;
use crate::snapshot;
use crate::status::{Phase, Problem, now};
use crate::target::{Presence, ReloadError};

/// How long one of two versions is offered to a process that does not come up.
const OFFER: Duration = Duration::from_secs(30);

/// Why a candidate is not written.
enum Stop {
    Rejected(Vec<Finding>),
    Output(OutputError),
}

impl Reloader {
    /// Reads, unpacks and expands the inputs, away from the threads that serve.
    async fn candidate(&self) -> Result<Candidate, Vec<Finding>> {
        let (disk, settings, environment) =
            (self.disk.clone(), self.settings.clone(), Arc::clone(&self.environment));
        let read = spawn_blocking(move || {
            let snapshot =
                snapshot::take(&*disk, &settings, std::thread::sleep).map_err(|finding| vec![finding])?;
            Candidate::of(snapshot, &settings, &environment)
        });
        let candidate = read.await.unwrap_or_else(|error| {
            Err(vec![Finding::of_file(
                Reason::Unreadable,
                "inputs",
                format!("reading was interrupted: {error}"),
            )])
        });
        let unset = match &candidate {
            Ok(candidate) => candidate.unset,
            Err(findings) => findings.iter().filter(|one| one.reason == Reason::UnsetVariable).count(),
        };
        self.metrics.expansion_errors.set(i64::try_from(unset).unwrap_or(i64::MAX));
        candidate
    }

    pub(super) async fn apply(&mut self) -> Next {
        let candidate = match self.candidate().await {
            Ok(candidate) => candidate,
            Err(findings) => return self.reject(&findings),
        };
        let hash = candidate.hash();
        let (files, bytes) = candidate.size();
        self.board.change(|status| {
            status.input_hash = Some(hex(&hash));
            (status.files, status.bytes) = (files, bytes);
        });
        if self.confirmed == Some(hash) && self.outputs.holds(&candidate) {
            if self.still_loaded().await {
                self.enter(Phase::Confirmed, Vec::new());
                return Next::Wait;
            }
            return self.reload(hash, &candidate).await;
        }
        if let Some(setback) = &self.setback
            && let Some(pause) = setback.pause(&hash, Instant::now())
        {
            let problem = setback.problem.clone();
            self.take_back();
            self.enter(Phase::Refused, vec![problem]);
            return Next::Again(pause);
        }
        let presence = self.target.presence().await;
        let ready = presence == Presence::Ready;
        if ready {
            self.silent_since = None;
            self.version = self.target.version().await;
            self.adopt().await;
            let version = self.version;
            self.board.change(|status| status.target_version = version.map(|version| version.to_string()));
        }
        if !self.outputs.holds(&candidate) || self.outputs.is_empty() {
            let staged = match self.stage(&candidate).await {
                Ok(staged) => staged,
                Err(Stop::Rejected(findings)) => return self.reject(&findings),
                Err(Stop::Output(error)) => return self.fail(&error),
            };
            if !ready && self.outputs.has_good() && !self.offer_candidate(presence) {
                self.outputs.discard(&staged);
                return self.hold(presence);
            }
            if let Err(error) = self.outputs.commit(&staged) {
                self.take_back();
                return self.fail(&error);
            }
        } else if !ready
            && self.outputs.has_good()
            && !self.outputs.live_is_good()
            && !self.offer_candidate(presence)
        {
            return self.hold(presence);
        }
        if !ready {
            return self.wait(presence);
        }
        self.reload(hash, &candidate).await
    }

    /// Validates a candidate and writes it beside the live files.
    async fn stage(&mut self, candidate: &Candidate) -> Result<Staged, Stop> {
        let verdict = self.validator.check(candidate, &self.settings, self.version);
        if !verdict.certain.is_empty() {
            return Err(Stop::Rejected(masked(candidate, verdict.certain)));
        }
        for finding in masked(candidate, verdict.doubtful) {
            warn!(component = "reloader", msg = "the process may refuse this", finding = %finding);
        }
        let staged = self.outputs.stage(candidate).map_err(Stop::Output)?;
        if let Some(tool) = Tool::find(&self.settings.promtool, self.settings.target, self.version).await {
            let (config, rules) = self.outputs.staged_paths(&staged);
            let input = |staged: &Path| {
                let name = match (&config, &self.settings.config_file) {
                    (Some(config), Some(input)) if config == staged => input,
                    _ => return staged.display().to_string(),
                };
                name.display().to_string()
            };
            let findings = tool.check(config.as_deref(), &rules, input).await;
            if !findings.is_empty() {
                self.outputs.discard(&staged);
                return Err(Stop::Rejected(masked(candidate, findings)));
            }
        }
        Ok(staged)
    }

    /// Takes over outputs that something else has written and the process has loaded.
    async fn adopt(&self) {
        if self.outputs.has_good() || self.outputs.is_empty() {
            return;
        }
        if self.target.loaded().await.is_some_and(|loaded| loaded.successful) {
            // Where nothing is live yet there is nothing to adopt, and that is no error.
            let _ = self.outputs.confirm();
        }
    }

    async fn reload(&mut self, hash: Hash, candidate: &Candidate) -> Next {
        self.metrics.reloads.inc();
        let result = self.target.reload().await;
        let error = match result {
            Ok(()) => return self.confirm(hash).await,
            Err(error) => error,
        };
        self.metrics.reloads_failed.inc();
        self.metrics.last_reload_successful.set(0);
        let known_good = self.confirmed == Some(hash);
        match error {
            ReloadError::CannotAsk(message) => {
                self.enter(Phase::Waiting, vec![problem("cannot_ask", message)]);
                Next::Again(self.settings.retry_interval)
            }
            ReloadError::Unreachable(message) => {
                // It served a moment ago: it may not have survived this.
                let died = self.version.is_some() && self.silent_since.is_none() && !known_good;
                if !self.outputs.has_good() || self.outputs.live_is_good() {
                    self.enter(Phase::Waiting, vec![problem("unreachable", message)]);
                    return self.soon();
                }
                if died && self.outputs.holds(candidate) {
                    self.note_setback(hash, problem("unreachable", message));
                }
                self.hold(Presence::Away)
            }
            ReloadError::Refused(message) => {
                let message = candidate.masked(&message);
                let text = format!("{} refused the files: {message}", self.target.name());
                let problem = problem("refused", text);
                self.note_setback(hash, problem.clone());
                if self.outputs.has_good() && !self.outputs.live_is_good() {
                    self.take_back();
                    // What it loaded in part is undone only by loading the good files once more.
                    if let Err(error) = self.target.reload().await {
                        warn!(component = "reloader", msg = "the last good files are back, but were not reloaded", err = %error);
                    }
                }
                self.enter(Phase::Refused, vec![problem]);
                Next::Again(self.settings.watch_interval.max(self.settings.retry_interval))
            }
        }
    }

    async fn confirm(&mut self, hash: Hash) -> Next {
        if let Err(error) = self.outputs.confirm() {
            // It is loaded, and what was good before is still there; only the new copy is missing.
            return self.fail(&error);
        }
        self.confirmed = Some(hash);
        self.setback = None;
        self.silent_since = None;
        self.metrics.last_reload_successful.set(1);
        #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 fit")]
        let seconds = jiff::Timestamp::now().as_millisecond() as f64 / 1000.0;
        self.metrics.last_reload_success_timestamp.set(seconds);
        let loaded = self.loaded_hash().await;
        self.board.change(|status| {
            status.generation += 1;
            status.applied_hash = Some(hex(&hash));
            status.loaded_hash = loaded;
            status.last_confirmed = Some(now());
        });
        let status = self.board.get();
        info!(
            component = "reloader",
            msg = "reload confirmed",
            generation = status.generation,
            files = status.files,
            hash = hex(hash.get(..6).unwrap_or_default())
        );
        self.enter(Phase::Confirmed, Vec::new());
        Next::Wait
    }

    /// SHA-256 of the configuration that the process shows.
    async fn loaded_hash(&self) -> Option<String> {
        Some(hex(&Sha256::digest(self.target.configuration().await?)))
    }

    /// Whether the process still has what it confirmed: somebody else may have made it load something.
    async fn still_loaded(&mut self) -> bool {
        let Some(known) = self.board.get().loaded_hash else { return true };
        match self.loaded_hash().await {
            Some(now) if now != known => {
                warn!(
                    component = "reloader",
                    msg = "the process has another configuration than it confirmed; reloading it"
                );
                false
            }
            _ => true,
        }
    }

    fn note_setback(&mut self, hash: Hash, problem: Problem) {
        self.setback = Some(Setback::note(self.setback.take(), hash, problem, Instant::now()));
    }

    /// Puts the last good files back, if others are live.
    fn take_back(&mut self) {
        if !self.outputs.has_good() || self.outputs.live_is_good() {
            return;
        }
        match self.outputs.restore() {
            Ok(()) => {
                self.metrics.restores.inc();
                warn!(component = "reloader", msg = "the last good files are back in place");
            }
            Err(error) => {
                tracing::error!(component = "reloader", msg = "the last good files cannot be put back", err = %error);
            }
        }
    }

    fn reject(&mut self, findings: &[Finding]) -> Next {
        for finding in findings {
            self.metrics.reject(finding.reason);
        }
        self.take_back();
        self.enter(Phase::Rejected, findings.iter().map(Problem::from).collect());
        let passing =
            |one: &Finding| matches!(one.reason, Reason::Unreadable | Reason::Unstable | Reason::Tool);
        match findings.iter().any(passing) {
            true => Next::Again(self.settings.retry_interval),
            false => Next::Wait,
        }
    }

    fn fail(&mut self, error: &OutputError) -> Next {
        self.enter(Phase::Failed, vec![problem("output", error.to_string())]);
        Next::Again(self.settings.retry_interval)
    }

    /// The process does not serve: the last good files are there for its start.
    fn hold(&mut self, presence: Presence) -> Next {
        if presence == Presence::Away {
            self.silent_since.get_or_insert_with(Instant::now);
        }
        self.take_back();
        let text = format!(
            "{}; the last good files are in place for its start, the new ones follow",
            self.absence(presence)
        );
        self.enter(Phase::Held, vec![problem("unreachable", text)]);
        self.soon()
    }

    /// The files are in place, and there is nobody to ask yet.
    fn wait(&mut self, presence: Presence) -> Next {
        let text = format!("{}; the files are in place for its start", self.absence(presence));
        self.enter(Phase::Waiting, vec![problem("unreachable", text)]);
        self.soon()
    }

    fn absence(&self, presence: Presence) -> String {
        let how = if presence == Presence::Starting { "is not ready yet" } else { "does not answer" };
        format!("{} {how}", self.target.name())
    }

    fn soon(&self) -> Next {
        Next::Again(self.settings.retry_interval.min(Duration::from_secs(1)))
    }

    /// Whether it is the new version's turn to be offered to a process that does not come up.
    ///
    /// The old one may be what keeps it down: a new release that does not know a field, a file that is gone. So both are
    /// offered in turn, and the one that loads wins. A process that is up and reads its data needs patience alone.
    fn offer_candidate(&mut self, presence: Presence) -> bool {
        if presence == Presence::Starting {
            self.silent_since = None;
            return false;
        }
        let since = *self.silent_since.get_or_insert_with(Instant::now);
        (since.elapsed().as_secs() / OFFER.as_secs()) % 2 == 1
    }

    /// The part of [`Reloader::once`] that may fail.
    pub(super) async fn write_once(&mut self) -> Result<(), OnceError> {
        let candidate = self.candidate().await.map_err(OnceError::Rejected)?;
        if self.outputs.holds(&candidate) && self.outputs.live_is_good() {
            return Ok(());
        }
        let staged = self.stage(&candidate).await.map_err(|stop| match stop {
            Stop::Rejected(findings) => OnceError::Rejected(findings),
            Stop::Output(error) => OnceError::Output(error),
        })?;
        self.outputs.commit(&staged)?;
        let (files, bytes) = candidate.size();
        info!(component = "reloader", msg = "configuration written", files, bytes);
        Ok(())
    }
}

fn masked(candidate: &Candidate, mut findings: Vec<Finding>) -> Vec<Finding> {
    for finding in &mut findings {
        finding.message = candidate.masked(&finding.message);
    }
    findings
}

fn problem(reason: &str, message: String) -> Problem {
    Problem { reason: reason.to_owned(), file: None, line: None, column: None, message }
}
