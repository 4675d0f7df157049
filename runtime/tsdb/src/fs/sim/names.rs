//! The names of the simulated disk: which are there, and which would be after a loss of power.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::fs::Entry;

use super::file::SimFile;
use super::{Chance, parent};

#[derive(Debug, Clone)]
enum Node {
    Folder,
    File(SimFile),
}

/// A change of names, in a folder or between two.
#[derive(Debug, Clone)]
enum Change {
    Put(PathBuf, Node),
    Remove(PathBuf),
    Rename(PathBuf, PathBuf),
}

impl Change {
    fn touches(&self, folder: &Path) -> bool {
        match self {
            Change::Put(path, _) | Change::Remove(path) => parent(path) == folder,
            Change::Rename(from, to) => parent(from) == folder || parent(to) == folder,
        }
    }

    fn apply(&self, tree: &mut BTreeMap<PathBuf, Node>) {
        match self {
            Change::Put(path, node) => {
                tree.insert(path.clone(), node.clone());
            }
            Change::Remove(path) => tree.retain(|name, _| !name.starts_with(path)),
            Change::Rename(from, to) => {
                let moved: Vec<PathBuf> =
                    tree.keys().filter(|name| name.starts_with(from)).cloned().collect();
                if !moved.is_empty() {
                    tree.retain(|name, _| !name.starts_with(to));
                }
                for name in moved {
                    if let (Some(node), Ok(rest)) = (tree.remove(&name), name.strip_prefix(from)) {
                        let target = if rest.as_os_str().is_empty() { to.clone() } else { to.join(rest) };
                        tree.insert(target, node);
                    }
                }
            }
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Names {
    now: BTreeMap<PathBuf, Node>,
    durable: BTreeMap<PathBuf, Node>,
    pending: Vec<Change>,
}

impl Names {
    fn change(&mut self, change: Change) {
        change.apply(&mut self.now);
        self.pending.push(change);
    }

    fn is_folder(&self, path: &Path) -> bool {
        path.as_os_str().is_empty()
            || path == Path::new("/")
            || matches!(self.now.get(path), Some(Node::Folder))
    }

    pub(super) fn file(&self, path: &Path) -> io::Result<SimFile> {
        match self.now.get(path) {
            Some(Node::File(file)) => Ok(file.clone()),
            Some(Node::Folder) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    pub(super) fn create(&mut self, path: &Path) -> io::Result<SimFile> {
        if !self.is_folder(&parent(path)) {
            return Err(io::ErrorKind::NotFound.into());
        }
        match self.file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let file = SimFile::default();
                self.change(Change::Put(path.to_owned(), Node::File(file.clone())));
                Ok(file)
            }
            found => found,
        }
    }

    pub(super) fn list(&self, folder: &Path) -> io::Result<Vec<Entry>> {
        if !self.is_folder(folder) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let children = self.now.keys().filter(|path| path.parent() == Some(folder));
        children.map(|path| self.stat(path)).collect()
    }

    pub(super) fn stat(&self, path: &Path) -> io::Result<Entry> {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        match self.now.get(path) {
            Some(Node::File(file)) => Ok(Entry { name, is_dir: false, size: file.len() }),
            _ if self.is_folder(path) => Ok(Entry { name, is_dir: true, size: 0 }),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    pub(super) fn create_dir_all(&mut self, folder: &Path) -> io::Result<()> {
        let mut missing: Vec<PathBuf> =
            folder.ancestors().filter(|path| !self.is_folder(path)).map(Path::to_owned).collect();
        while let Some(path) = missing.pop() {
            if self.now.contains_key(&path) {
                return Err(io::ErrorKind::NotADirectory.into());
            }
            self.change(Change::Put(path, Node::Folder));
        }
        Ok(())
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        self.stat(from)?;
        if !self.is_folder(&parent(to)) {
            return Err(io::ErrorKind::NotFound.into());
        }
        if self.now.keys().any(|path| path.parent() == Some(to)) {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        self.change(Change::Rename(from.to_owned(), to.to_owned()));
        Ok(())
    }

    pub(super) fn hard_link(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let file = self.file(from)?;
        if self.now.contains_key(to) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.change(Change::Put(to.to_owned(), Node::File(file)));
        Ok(())
    }

    pub(super) fn remove_file(&mut self, path: &Path) -> io::Result<()> {
        self.file(path)?;
        self.change(Change::Remove(path.to_owned()));
        Ok(())
    }

    pub(super) fn remove_dir_all(&mut self, folder: &Path) -> io::Result<()> {
        if !matches!(self.now.get(folder), Some(Node::Folder)) {
            return Err(io::ErrorKind::NotFound.into());
        }
        // One by one and from below, as the system does it: a crash leaves any part.
        let inside = self.now.keys().rev().filter(|path| path.starts_with(folder));
        for path in inside.cloned().collect::<Vec<PathBuf>>() {
            self.change(Change::Remove(path));
        }
        Ok(())
    }

    pub(super) fn sync(&mut self, folder: &Path) -> io::Result<()> {
        if !self.is_folder(folder) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let (durable, pending) =
            std::mem::take(&mut self.pending).into_iter().partition(|change| change.touches(folder));
        self.pending = pending;
        let durable: Vec<Change> = durable;
        for change in durable {
            change.apply(&mut self.durable);
        }
        Ok(())
    }

    /// The bytes of all files, each counted once.
    pub(super) fn size(&self) -> u64 {
        let mut counted: Vec<&SimFile> = Vec::new();
        let mut size = 0;
        for node in self.now.values() {
            if let Node::File(file) = node
                && !counted.iter().any(|other| other.is(file))
            {
                counted.push(file);
                size += file.len();
            }
        }
        size
    }

    /// Keeps the durable names, and of the changes since a beginning or any part; then files lose what was not synced.
    pub(super) fn crash(&mut self, chance: &mut Chance) {
        let pending = std::mem::take(&mut self.pending);
        let any_part = chance.coin();
        let beginning = chance.below(pending.len() as u64 + 1);
        for (at, change) in pending.iter().enumerate() {
            if if any_part { chance.coin() } else { (at as u64) < beginning } {
                change.apply(&mut self.durable);
            }
        }
        // What lies in a folder that is not there is lost with it.
        let tree = self.durable.clone();
        let reachable = |path: &Path| {
            let mut above = path.ancestors().skip(1).filter(|path| !path.as_os_str().is_empty());
            above.all(|folder| folder == Path::new("/") || matches!(tree.get(folder), Some(Node::Folder)))
        };
        self.durable.retain(|path, _| reachable(path));
        let mut done: Vec<SimFile> = Vec::new();
        for node in self.durable.values() {
            if let Node::File(file) = node
                && !done.iter().any(|other| other.is(file))
            {
                file.crash(chance);
                done.push(file.clone());
            }
        }
        self.now = self.durable.clone();
    }
}
