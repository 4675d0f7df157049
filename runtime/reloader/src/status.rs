//! What the reloader is doing, for `/api/v1/status/reloader`.

use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

use crate::finding::Finding;

/// The state that the reloader is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Nothing was read yet.
    Starting,
    /// The process runs what the inputs say.
    Confirmed,
    /// The files are in place, the process has not confirmed them yet.
    Waiting,
    /// The last good files are in place, the new ones wait until the process answers.
    Held,
    /// The inputs were not taken; the last good files are in place.
    Rejected,
    /// The process did not want them; the last good files were put back.
    Refused,
    /// An output cannot be written.
    Failed,
}

impl Phase {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Starting,
        Self::Confirmed,
        Self::Waiting,
        Self::Held,
        Self::Rejected,
        Self::Refused,
        Self::Failed,
    ];

    /// The word in JSON and in metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Confirmed => "confirmed",
            Self::Waiting => "waiting",
            Self::Held => "held",
            Self::Rejected => "rejected",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

/// What is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// The state.
    pub state: Phase,
    /// Since when, RFC 3339.
    pub since: String,
    /// Looks at the inputs that have ended since the start.
    pub looks: u64,
    /// Reloads that were confirmed since the start.
    pub generation: u64,
    /// SHA-256 of what the inputs say now, if they could be read.
    pub input_hash: Option<String>,
    /// SHA-256 of what was confirmed last.
    pub applied_hash: Option<String>,
    /// SHA-256 of the configuration that the process shows.
    pub loaded_hash: Option<String>,
    /// When a reload was last confirmed, RFC 3339.
    pub last_confirmed: Option<String>,
    /// Version of the process.
    pub target_version: Option<String>,
    /// What speaks against the inputs, or what went wrong.
    pub problems: Vec<Problem>,
    /// Files in the inputs.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// How changes are noticed: `events` or `polling`.
    pub watching: &'static str,
    /// Inputs that the process reads without us in between.
    pub read_in_place: Vec<String>,
}

/// One thing that speaks against the inputs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Its kind.
    pub reason: String,
    /// The file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Line from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// Column from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
    /// What it is and what to do.
    pub message: String,
}

impl From<&Finding> for Problem {
    fn from(finding: &Finding) -> Self {
        Self {
            reason: finding.reason.word().to_owned(),
            file: Some(finding.file.clone()),
            line: finding.place.map(|(line, _)| line),
            column: finding.place.map(|(_, column)| column),
            message: finding.message.clone(),
        }
    }
}

/// The status, shared with the HTTP server.
#[derive(Debug, Clone)]
pub struct StatusBoard {
    status: Arc<Mutex<Status>>,
}

impl StatusBoard {
    /// The status before anything was done.
    pub fn new(read_in_place: Vec<String>) -> Self {
        let status = Status {
            state: Phase::Starting,
            since: now(),
            looks: 0,
            generation: 0,
            input_hash: None,
            applied_hash: None,
            loaded_hash: None,
            last_confirmed: None,
            target_version: None,
            problems: Vec::new(),
            files: 0,
            bytes: 0,
            watching: "events",
            read_in_place,
        };
        Self { status: Arc::new(Mutex::new(status)) }
    }

    /// A copy of it.
    pub fn get(&self) -> Status {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut Status)) {
        change(&mut self.status.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Moves to a state; its problems replace the earlier ones.
    pub(crate) fn enter(&self, phase: Phase, problems: Vec<Problem>) {
        self.change(|status| {
            if status.state != phase {
                status.state = phase;
                status.since = now();
            }
            status.problems = problems;
        });
    }
}

/// The time as RFC 3339 with milliseconds.
pub(crate) fn now() -> String {
    format!("{:.3}", jiff::Timestamp::now())
}
