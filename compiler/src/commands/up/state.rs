//! `state.json`: what `up` knows about its processes, for `ps` and `down`.

use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::folder::DataFolder;
use super::plan::LeftOut;
use super::process::Identity;

/// The file.
const FILE: &str = "state.json";

/// Everything that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::commands) struct State {
    pub(in crate::commands) version: u32,
    pub(in crate::commands) topology: String,
    pub(in crate::commands) supervisor: Identity,
    pub(in crate::commands) generation: u64,
    pub(in crate::commands) processes: Vec<ProcessState>,
    pub(in crate::commands) not_available: Vec<LeftOut>,
}

/// One process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::commands) struct ProcessState {
    pub(in crate::commands) name: String,
    pub(in crate::commands) component: String,
    /// Who it is, while it lives.
    pub(in crate::commands) identity: Option<Identity>,
    pub(in crate::commands) state: String,
    pub(in crate::commands) ready: bool,
    pub(in crate::commands) restarts: u32,
    pub(in crate::commands) url: String,
}

impl State {
    /// What the last `up` left; `None` when there is nothing that can be read.
    pub(in crate::commands) fn read(root: &Path) -> Option<State> {
        serde_json::from_slice(&fs::read(root.join(FILE)).ok()?).ok()
    }

    pub(super) fn write(&self, folder: &DataFolder) -> io::Result<()> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        folder.replace(FILE, &text)
    }

    /// After an end in good order there is nothing to tell.
    pub(super) fn remove(folder: &DataFolder) {
        let _ = fs::remove_file(folder.path(FILE));
    }
}
