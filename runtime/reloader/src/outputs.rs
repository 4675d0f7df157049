//! The files that the process reads: written aside, switched in one step, confirmed, or taken back.
//!
//! For each output there is what is *live*, which the process reads, and what is *good*, which it has loaded at least
//! once. [`Outputs::commit`] makes a candidate live, [`Outputs::confirm`] makes what is live good, [`Outputs::restore`]
//! makes what is good live again. A crash between any two steps leaves files that are whole: each is either the old one or
//! the new one.

mod folder;
mod single;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

use crate::candidate::Candidate;
use crate::disk::Disk;
use crate::settings::Settings;

use folder::{FolderOutput, StagedFolder};
use single::FileOutput;

/// Why an output cannot be written. Nothing that was good is lost.
#[derive(Debug, Error)]
pub enum OutputError {
    /// The system refused.
    #[error("cannot {doing} {path}: {cause}{hint}", hint = hint(.cause))]
    Disk {
        /// What was tried.
        doing: &'static str,
        /// Where.
        path: PathBuf,
        /// Why not.
        cause: io::Error,
    },
    /// A file that is not ours has the name of one of the rule files.
    #[error("{0} was not written by the reloader; move it away, or give the output a folder of its own")]
    Foreign(PathBuf),
}

fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "; make room there, what was loaded last stays in place"
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            "; the output needs a volume that can be written, as an emptyDir"
        }
        io::ErrorKind::PermissionDenied => "; give the reloader's user the right to write there",
        _ => "",
    }
}

/// Turns an error of the system into one that says what was done.
pub(crate) fn failed<'a>(doing: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> OutputError + 'a {
    move |cause| OutputError::Disk { doing, path: path.to_owned(), cause }
}

/// All outputs of a reloader.
#[derive(Debug)]
pub struct Outputs {
    config: Option<FileOutput>,
    /// Each with the place of its files in a candidate.
    folders: Vec<(Place, FolderOutput)>,
}

/// Which list of a candidate an output takes.
#[derive(Debug, Clone, Copy)]
enum Place {
    Rules(usize),
    Config(usize),
}

/// A candidate that lies beside the live files, whole and on the medium.
#[derive(Debug)]
pub struct Staged {
    config: bool,
    folders: Vec<StagedFolder>,
}

impl Outputs {
    /// The outputs that the settings name.
    pub fn new(disk: &Arc<dyn Disk>, settings: &Settings) -> Self {
        let config = settings
            .config_file
            .as_ref()
            .and(settings.config_output.as_ref())
            .map(|path| FileOutput::new(disk.clone(), path.clone()));
        let rules = settings.rule_dirs.iter().enumerate().map(|(index, one)| (Place::Rules(index), one));
        let configs = settings.config_dirs.iter().enumerate().map(|(index, one)| (Place::Config(index), one));
        let folders = rules
            .chain(configs)
            .filter_map(|(place, one)| Some((place, FolderOutput::new(disk.clone(), one.output.clone()?))))
            .collect();
        Self { config, folders }
    }

    /// Whether there is no output at all, so that the process reads the inputs themselves.
    pub fn is_empty(&self) -> bool {
        self.config.is_none() && self.folders.is_empty()
    }

    /// Whether each output has something that was loaded before.
    pub fn has_good(&self) -> bool {
        !self.is_empty()
            && self.config.as_ref().is_none_or(FileOutput::has_good)
            && self.folders.iter().all(|(_, folder)| folder.has_good())
    }

    /// Whether what is live was loaded before.
    pub fn live_is_good(&self) -> bool {
        self.has_good()
            && self.config.as_ref().is_none_or(FileOutput::live_is_good)
            && self.folders.iter().all(|(_, folder)| folder.live_is_good())
    }

    /// Whether exactly this candidate is live.
    pub fn holds(&self, candidate: &Candidate) -> bool {
        let config = match (&self.config, &candidate.config) {
            (Some(output), Some(bytes)) => output.holds(bytes),
            _ => true,
        };
        config && self.folders.iter().all(|(place, folder)| folder.holds(files(candidate, *place)))
    }

    /// Writes a candidate beside the live files.
    ///
    /// # Errors
    /// When it cannot be written; the live files are untouched.
    pub fn stage(&self, candidate: &Candidate) -> Result<Staged, OutputError> {
        let mut config = false;
        if let (Some(output), Some(bytes)) = (&self.config, &candidate.config) {
            output.stage(bytes)?;
            config = true;
        }
        let folders = self
            .folders
            .iter()
            .map(|(place, folder)| folder.stage(files(candidate, *place)))
            .collect::<Result<_, _>>()?;
        Ok(Staged { config, folders })
    }

    /// Where staged files lie, for tools that look at them: the configuration, then each folder of rules.
    pub(crate) fn staged_paths(&self, staged: &Staged) -> (Option<PathBuf>, Vec<PathBuf>) {
        let config = self.config.as_ref().filter(|_| staged.config).map(FileOutput::staged_path);
        let rules = self
            .folders
            .iter()
            .zip(&staged.folders)
            .filter(|((place, _), _)| matches!(place, Place::Rules(_)))
            .map(|((_, folder), staged)| folder.path_of(staged))
            .collect();
        (config, rules)
    }

    /// Makes staged files live.
    ///
    /// # Errors
    /// When a step fails; each output is then the old or the new one, and [`Outputs::restore`] helps.
    pub fn commit(&self, staged: &Staged) -> Result<(), OutputError> {
        for ((_, folder), staged) in self.folders.iter().zip(&staged.folders) {
            folder.commit(staged)?;
        }
        match &self.config {
            Some(output) if staged.config => output.commit(),
            _ => Ok(()),
        }
    }

    /// Throws staged files away.
    pub fn discard(&self, staged: &Staged) {
        if let Some(output) = self.config.as_ref().filter(|_| staged.config) {
            output.discard();
        }
        for (_, folder) in &self.folders {
            folder.sweep();
        }
    }

    /// Remembers that what is live was loaded.
    ///
    /// # Errors
    /// When the copy cannot be written; what was good before stays.
    pub fn confirm(&self) -> Result<(), OutputError> {
        for (_, folder) in &self.folders {
            folder.confirm()?;
        }
        self.config.as_ref().map_or(Ok(()), FileOutput::confirm)
    }

    /// Makes what was loaded last live again; without such a thing, does nothing.
    ///
    /// # Errors
    /// When a step fails.
    pub fn restore(&self) -> Result<(), OutputError> {
        for (_, folder) in &self.folders {
            folder.restore()?;
        }
        self.config.as_ref().map_or(Ok(()), FileOutput::restore)
    }
}

fn files(candidate: &Candidate, place: Place) -> &[(String, Vec<u8>)] {
    let list = match place {
        Place::Rules(index) => candidate.rule_dirs.get(index),
        Place::Config(index) => candidate.config_dirs.get(index),
    };
    list.map_or(&[], Vec::as_slice)
}
