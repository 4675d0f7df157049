//! Which files a topology was read from, and whether one of them is another one now.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use compiler::source::{ReadError, World};

use crate::commands::disk::DiskWorld;

/// By what a change of a file shows; `None` when there is none.
type Stamp = Option<(i64, i64, u64, u64)>;

/// Everything that a run of the compiler asked the disk for.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Inputs {
    files: BTreeMap<String, Stamp>,
    globs: BTreeMap<String, Vec<String>>,
}

/// The disk, and a note of every question.
#[derive(Debug, Default)]
pub(super) struct RecordingWorld {
    disk: DiskWorld,
    inputs: RefCell<Inputs>,
}

impl RecordingWorld {
    pub(super) fn into_inputs(self) -> Inputs {
        self.inputs.into_inner()
    }
}

impl World for RecordingWorld {
    fn read(&self, path: &str) -> Result<Vec<u8>, ReadError> {
        // Before it is read: whoever writes in between is seen the next time.
        let stamp = stamp(path);
        self.inputs.borrow_mut().files.entry(path.to_string()).or_insert(stamp);
        self.disk.read(path)
    }

    fn glob(&self, pattern: &str) -> Result<Vec<String>, ReadError> {
        let found = self.disk.glob(pattern);
        let paths = found.clone().unwrap_or_default();
        self.inputs.borrow_mut().globs.entry(pattern.to_string()).or_insert(paths);
        found
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.disk.variable(name)
    }

    fn today(&self) -> String {
        self.disk.today()
    }
}

impl Inputs {
    /// The same questions, asked now.
    pub(super) fn now(&self) -> Inputs {
        let disk = DiskWorld::default();
        Inputs {
            files: self.files.keys().map(|path| (path.clone(), stamp(path))).collect(),
            globs: self
                .globs
                .keys()
                .map(|pattern| (pattern.clone(), disk.glob(pattern).unwrap_or_default()))
                .collect(),
        }
    }
}

fn stamp(path: &str) -> Stamp {
    let metadata = fs::metadata(Path::new(path)).ok()?;
    Some((metadata.mtime(), metadata.mtime_nsec(), metadata.len(), metadata.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_anything_that_was_read_is_seen() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name).display().to_string();
        fs::write(path("a.kdl"), "one").expect("written");
        let world = RecordingWorld::default();
        assert_eq!(world.read(&path("a.kdl")), Ok(b"one".to_vec()));
        assert_eq!(world.read(&path("b.kdl")), Err(ReadError::NotFound));
        assert_eq!(world.glob(&path("jobs/*.kdl")), Ok(Vec::new()));
        let inputs = world.into_inputs();
        assert_eq!(inputs.now(), inputs);
        fs::write(path("a.kdl"), "three").expect("written");
        assert_ne!(inputs.now(), inputs);
        fs::write(path("a.kdl"), "one").expect("written");
        let inputs = inputs.now();
        fs::write(path("b.kdl"), "").expect("written");
        assert_ne!(inputs.now(), inputs);
        let inputs = inputs.now();
        fs::create_dir(path("jobs")).expect("a folder");
        fs::write(path("jobs/c.kdl"), "").expect("written");
        assert_ne!(inputs.now(), inputs);
    }
}
