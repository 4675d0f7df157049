//! An output folder, laid out as Kubernetes lays out a mounted ConfigMap.
//!
//! ```text
//! OUT/a.yml → ..data/a.yml        what the process sees
//! OUT/..data → ..gen-91c0…-0      the live generation
//! OUT/..good → ..gen-91c0…-0      the generation that was loaded last
//! OUT/..gen-91c0…-0/a.yml
//! ```
//! All files change with the one rename of `..data`. Names that go away are removed before it and new names are made after
//! it, so that no name ever points nowhere.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{OutputError, failed};
use crate::candidate::{File, hex};
use crate::disk::{Content, Disk, Kind};
use crate::snapshot::FILE_BYTES_MAX;
use sha2::{Digest, Sha256};

const LIVE: &str = "..data";
const GOOD: &str = "..good";
const GENERATION: &str = "..gen-";
const SPARE: &str = "..spare";

/// One output folder.
#[derive(Debug)]
pub(super) struct FolderOutput {
    disk: Arc<dyn Disk>,
    path: PathBuf,
}

/// A generation that is whole but not live.
#[derive(Debug)]
pub(super) struct StagedFolder {
    generation: String,
}

impl FolderOutput {
    pub(super) fn new(disk: Arc<dyn Disk>, path: PathBuf) -> Self {
        Self { disk, path }
    }

    pub(super) fn path_of(&self, staged: &StagedFolder) -> PathBuf {
        self.path.join(&staged.generation)
    }

    fn pointed(&self, link: &str) -> Option<String> {
        self.disk.link_target(&self.path.join(link)).ok()?.to_str().map(str::to_owned)
    }

    pub(super) fn has_good(&self) -> bool {
        let Some(generation) = self.pointed(GOOD) else { return false };
        matches!(self.disk.kind(&self.path.join(generation)), Ok(Some(Kind::Directory)))
    }

    pub(super) fn live_is_good(&self) -> bool {
        let live = self.pointed(LIVE);
        live.is_some()
            && live == self.pointed(GOOD)
            && live.is_some_and(|generation| {
                self.top_names(&generation).is_ok_and(|names| self.visible().is_ok_and(|seen| seen == names))
            })
    }

    pub(super) fn holds(&self, files: &[File]) -> bool {
        let Some(live) = self.pointed(LIVE) else { return false };
        let wanted: BTreeSet<String> = files.iter().map(|(name, _)| top(name).to_owned()).collect();
        self.visible().is_ok_and(|names| names == wanted) && self.is_exactly(&self.path.join(live), files)
    }

    /// Whether a generation consists of these files.
    fn is_exactly(&self, generation: &Path, files: &[File]) -> bool {
        let mut names = BTreeSet::new();
        if self.collect(generation, "", &mut names).is_err() || names.len() != files.len() {
            return false;
        }
        files.iter().all(|(name, bytes)| names.contains(name) && self.is_file(&generation.join(name), bytes))
    }

    fn is_file(&self, path: &Path, bytes: &[u8]) -> bool {
        matches!(self.disk.read(path, FILE_BYTES_MAX), Ok(Content::Whole(found)) if found == bytes)
    }

    fn collect(&self, folder: &Path, below: &str, names: &mut BTreeSet<String>) -> std::io::Result<()> {
        for entry in self.disk.list(folder)? {
            let name = entry.name.to_string_lossy();
            let relative = if below.is_empty() { name.to_string() } else { format!("{below}/{name}") };
            match entry.kind {
                Kind::Directory => self.collect(&folder.join(&entry.name), &relative, names)?,
                _ => {
                    names.insert(relative);
                }
            }
        }
        Ok(())
    }

    pub(super) fn stage(&self, files: &[File]) -> Result<StagedFolder, OutputError> {
        self.disk.create_directories(&self.path).map_err(failed("create", &self.path))?;
        for name in files.iter().map(|(name, _)| top(name)).collect::<BTreeSet<_>>() {
            let path = self.path.join(name);
            match self.disk.kind(&path).map_err(failed("look at", &path))? {
                None => {}
                Some(Kind::Link) if self.is_ours(&path) => {}
                Some(_) => return Err(OutputError::Foreign(path)),
            }
        }
        let sum = files.iter().fold(Sha256::new(), |sum, (name, bytes)| {
            let lengths = [name.len() as u64, bytes.len() as u64].map(u64::to_be_bytes).concat();
            sum.chain_update(lengths).chain_update(name).chain_update(bytes)
        });
        let sum = hex(sum.finalize().get(..8).unwrap_or_default());
        let mut number = 0_u32;
        let generation = loop {
            let generation = format!("{GENERATION}{sum}-{number}");
            let path = self.path.join(&generation);
            match self.disk.kind(&path).map_err(failed("look at", &path))? {
                None => break generation,
                // It may be live: a generation is never written to again, whatever became of it.
                Some(_) if self.is_exactly(&path, files) => return Ok(StagedFolder { generation }),
                Some(_) => number += 1,
            }
        };
        match self.write(&self.path.join(&generation), files) {
            Ok(()) => Ok(StagedFolder { generation }),
            Err(error) => {
                self.sweep();
                Err(error)
            }
        }
    }

    fn write(&self, generation: &Path, files: &[File]) -> Result<(), OutputError> {
        self.disk.create_directories(generation).map_err(failed("create", generation))?;
        let mut folders = BTreeSet::from([generation.to_owned()]);
        let live = self.pointed(LIVE).map(|name| self.path.join(name));
        for (name, bytes) in files {
            let path = generation.join(name);
            if let Some(folder) = path.parent().filter(|folder| !folders.contains(*folder)) {
                self.disk.create_directories(folder).map_err(failed("create", folder))?;
                folders.insert(folder.to_owned());
            }
            // Unchanged files get a second name: with thousands of rule files, one change writes one file.
            let old = live.as_ref().map(|live| live.join(name)).filter(|old| self.is_file(old, bytes));
            if old.is_some_and(|old| self.disk.hard_link(&old, &path).is_ok()) {
                continue;
            }
            self.disk.write(&path, bytes).map_err(failed("write", &path))?;
        }
        for folder in folders.iter().rev() {
            self.disk.sync_directory(folder).map_err(failed("sync", folder))?;
        }
        self.disk.sync_directory(&self.path).map_err(failed("sync", &self.path))
    }

    pub(super) fn commit(&self, staged: &StagedFolder) -> Result<(), OutputError> {
        self.switch(&staged.generation)
    }

    /// Makes a generation live, no name ever pointing nowhere.
    fn switch(&self, generation: &str) -> Result<(), OutputError> {
        let wanted = self.top_names(generation)?;
        let visible = self.visible()?;
        for gone in visible.difference(&wanted) {
            let path = self.path.join(gone);
            self.disk.remove_file(&path).map_err(failed("remove", &path))?;
        }
        self.point(LIVE, generation)?;
        for new in wanted.difference(&visible) {
            let path = self.path.join(new);
            let target = Path::new(LIVE).join(new);
            self.disk.symlink(&target, &path).map_err(failed("create", &path))?;
        }
        self.disk.sync_directory(&self.path).map_err(failed("sync", &self.path))
    }

    pub(super) fn confirm(&self) -> Result<(), OutputError> {
        if let Some(live) = self.pointed(LIVE).filter(|_| !self.live_is_good()) {
            self.point(GOOD, &live)?;
            self.disk.sync_directory(&self.path).map_err(failed("sync", &self.path))?;
        }
        self.sweep();
        Ok(())
    }

    pub(super) fn restore(&self) -> Result<(), OutputError> {
        match self.pointed(GOOD) {
            Some(good) if self.has_good() && !self.live_is_good() => self.switch(&good),
            _ => Ok(()),
        }
    }

    /// Removes generations that are neither live nor good, as far as that is possible.
    pub(super) fn sweep(&self) {
        let keep = [self.pointed(LIVE), self.pointed(GOOD)];
        for entry in self.disk.list(&self.path).unwrap_or_default() {
            let name = entry.name.to_string_lossy().into_owned();
            if name.starts_with(GENERATION) && !keep.contains(&Some(name)) {
                let _ = self.disk.remove_tree(&self.path.join(&entry.name));
            }
        }
    }

    fn point(&self, link: &str, generation: &str) -> Result<(), OutputError> {
        let spare = self.path.join(SPARE);
        // Left behind by a crash.
        let _ = self.disk.remove_file(&spare);
        self.disk.symlink(Path::new(generation), &spare).map_err(failed("create", &spare))?;
        let link = self.path.join(link);
        self.disk.rename(&spare, &link).map_err(failed("replace", &link))
    }

    fn is_ours(&self, link: &Path) -> bool {
        self.disk.link_target(link).is_ok_and(|target| target.starts_with(LIVE))
    }

    /// The names that the process sees and that are ours.
    fn visible(&self) -> Result<BTreeSet<String>, OutputError> {
        let entries = self.disk.list(&self.path).map_err(failed("read", &self.path))?;
        let ours = entries
            .into_iter()
            .filter(|entry| entry.kind == Kind::Link && self.is_ours(&self.path.join(&entry.name)));
        Ok(ours.map(|entry| text(&entry.name)).collect())
    }

    fn top_names(&self, generation: &str) -> Result<BTreeSet<String>, OutputError> {
        let path = self.path.join(generation);
        let entries = self.disk.list(&path).map_err(failed("read", &path))?;
        Ok(entries.into_iter().map(|entry| text(&entry.name)).collect())
    }
}

fn text(name: &OsStr) -> String {
    name.to_string_lossy().into_owned()
}

/// The first part of a relative path.
fn top(name: &str) -> &str {
    name.split('/').next().unwrap_or(name)
}
