//! The data folder: who may use it, whether it has room, and the rendered files in generations.
//!
//! ```text
//! DATA_DIR/lock            held by the `up` that runs here: pid and start time
//! DATA_DIR/state.json      what runs, for `ps`
//! DATA_DIR/config/000002/  one rendered tree; `config/current` is a link to the newest, swapped in one step
//! DATA_DIR/data/           data of the processes, and `data/loaded/` with the files that they read
//! DATA_DIR/logs/NAME.log   what they say
//! DATA_DIR/secrets/        values that the user puts there
//! ```

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use compiler::pipeline::Artefact;
use rustix::fs::{FlockOperation, StatVfsMountFlags, flock, statvfs};

use super::plan::{Folders, Spec, cluster_folder};
use super::process::Identity;

/// With less than this, nothing is started, in bytes.
const FREE_BYTES_MIN: u64 = 200 * 1024 * 1024;
/// Rendered trees that are kept.
const GENERATIONS: usize = 2;

/// A data folder that this process has locked.
#[derive(Debug)]
pub(super) struct DataFolder {
    root: PathBuf,
    /// Locked as long as it is open.
    _lock: File,
}

/// Where a data folder is, made absolute without touching the disk more than needed.
pub(in crate::commands) fn absolute(path: &Path) -> anyhow::Result<PathBuf> {
    let path = std::path::absolute(path).with_context(|| format!("`{}`", path.display()))?;
    Ok(path.canonicalize().unwrap_or(path))
}

/// The `up` that has locked a data folder.
pub(in crate::commands) fn running(root: &Path) -> anyhow::Result<Option<Identity>> {
    let path = root.join("lock");
    let mut file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(error).with_context(|| format!("`{}`", path.display())),
    };
    match flock(&file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => Ok(None),
        Err(rustix::io::Errno::WOULDBLOCK) => {
            let mut text = String::new();
            file.read_to_string(&mut text).with_context(|| format!("`{}`", path.display()))?;
            // Whoever has just taken it may not have written yet.
            Ok(Some(Identity::parse(&text).unwrap_or(Identity { pid: 0, start_time: 0 })))
        }
        Err(error) => Err(io::Error::from(error)).with_context(|| format!("`{}`", path.display())),
    }
}

/// Fails when a second `up` would come into the way of the first.
pub(super) fn must_be_idle(root: &Path, shown: &Path) -> anyhow::Result<()> {
    match running(root)? {
        None => Ok(()),
        Some(identity) => bail!(
            "`pronoia up` runs on `{}` already (pid {})\n  stop it with `{}`, or choose another --data-dir",
            shown.display(),
            identity.pid,
            super::command_for("down", shown),
        ),
    }
}

/// Fails when nothing can be written there, or not enough.
pub(super) fn must_have_room(root: &Path) -> anyhow::Result<()> {
    let mut existing = root.ancestors().filter(|path| path.symlink_metadata().is_ok());
    let existing = existing.next().unwrap_or(Path::new("/"));
    if !existing.is_dir() {
        bail!("`{}` is no folder; choose another --data-dir", existing.display());
    }
    let stat =
        statvfs(existing).map_err(io::Error::from).with_context(|| format!("`{}`", existing.display()))?;
    if stat.f_flag.contains(StatVfsMountFlags::RDONLY) {
        bail!("`{}` is on a read-only file system; choose another --data-dir", existing.display());
    }
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    if free < FREE_BYTES_MIN {
        bail!(
            "`{}` has {} MiB free, {} MiB are needed\n  make room, or choose another --data-dir",
            existing.display(),
            free / 1024 / 1024,
            FREE_BYTES_MIN / 1024 / 1024
        );
    }
    Ok(())
}

impl DataFolder {
    /// Makes the folder if need be, and locks it.
    pub(super) fn open(root: &Path, shown: &Path) -> anyhow::Result<DataFolder> {
        let context = || format!("the data folder `{}` cannot be written", shown.display());
        fs::create_dir_all(root).with_context(context)?;
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(root.join("lock"))
            .with_context(context)?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            must_be_idle(root, shown)?;
            bail!("`{}` is locked by somebody else", root.join("lock").display());
        }
        let identity = Identity::of(std::process::id()).ok_or_else(|| anyhow!("/proc is not mounted"))?;
        lock.set_len(0).and_then(|()| lock.rewind()).with_context(context)?;
        writeln!(lock, "{} {}", identity.pid, identity.start_time).with_context(context)?;
        let folder = DataFolder { root: root.to_path_buf(), _lock: lock };
        for name in ["config", "data", "logs", "secrets"] {
            fs::create_dir_all(root.join(name)).with_context(context)?;
        }
        // Nothing in here belongs into a repository.
        let ignore = root.join(".gitignore");
        if !ignore.exists() {
            fs::write(&ignore, "*\n").with_context(context)?;
        }
        Ok(folder)
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Writes a tree as a new generation, which is not current yet. What cannot be written whole is taken away again.
    pub(super) fn write(&self, artefacts: &[Artefact]) -> anyhow::Result<u64> {
        let config = self.path("config");
        let next = generations(&config)?.last().map_or(1, |newest| newest + 1);
        let building = config.join(format!(".{next:06}.tmp"));
        let written = self.fill(&building, artefacts).and_then(|()| {
            fs::rename(&building, config.join(format!("{next:06}")))?;
            sync(&config)
        });
        if written.is_err() {
            let _ = fs::remove_dir_all(&building);
        }
        written
            .with_context(|| format!("the configuration below `{}` cannot be written", config.display()))?;
        Ok(next)
    }

    fn fill(&self, building: &Path, artefacts: &[Artefact]) -> io::Result<()> {
        let _ = fs::remove_dir_all(building);
        for artefact in artefacts {
            let path = building.join(&artefact.path);
            let parent = path.parent().unwrap_or(building);
            fs::create_dir_all(parent)?;
            let mut file = File::create(&path)?;
            artefact.write_to(&mut file)?;
            file.sync_all()?;
            if path.ends_with("processes.json") {
                let cluster = parent.strip_prefix(building).unwrap_or(Path::new(""));
                link(&self.root.join("secrets").join(cluster), &parent.join("secrets"))?;
            }
        }
        Ok(())
    }

    /// Makes a generation the current one, and forgets those before the last.
    pub(super) fn switch_to(&self, generation: u64) -> anyhow::Result<()> {
        let config = self.path("config");
        let context = || format!("`{}`", config.display());
        let temporary = config.join(".current.tmp");
        let _ = fs::remove_file(&temporary);
        std::os::unix::fs::symlink(format!("{generation:06}"), &temporary).with_context(context)?;
        fs::rename(&temporary, config.join("current")).and_then(|()| sync(&config)).with_context(context)?;
        let all = generations(&config)?;
        for old in all.iter().rev().skip(GENERATIONS) {
            // It is only in the way; the next generation takes it along.
            let _ = fs::remove_dir_all(config.join(format!("{old:06}")));
        }
        Ok(())
    }

    /// Folders that a process expects to find.
    pub(super) fn make_room_for(&self, spec: &Spec, folders: &Folders) -> io::Result<()> {
        fs::create_dir_all(&spec.data_dir)?;
        fs::create_dir_all(spec.working_dir.join("bucket"))?;
        if !spec.init.is_empty() {
            let cluster = cluster_folder(&folders.data, &spec.name);
            let name = spec.name.rsplit('/').next().unwrap_or(&spec.name);
            let loaded = cluster.join("loaded").join(name);
            for folder in ["prometheus", "rules"] {
                fs::create_dir_all(loaded.join(folder))?;
            }
            link(&cluster_folder(&folders.secrets, &spec.name), &loaded.join("secrets"))?;
        }
        Ok(())
    }

    /// Replaces a file in one step.
    pub(super) fn replace(&self, name: &str, text: &str) -> io::Result<()> {
        crate::commands::tree::replace(&self.path(name), |out| out.write_all(text.as_bytes()))
    }
}

/// A link that says what it should, whatever was there.
fn link(target: &Path, path: &Path) -> io::Result<()> {
    if fs::read_link(path).is_ok_and(|found| found == target) {
        return Ok(());
    }
    let _ = fs::remove_file(path);
    std::os::unix::fs::symlink(target, path)
}

/// Numbers of the generations, oldest first.
fn generations(config: &Path) -> anyhow::Result<Vec<u64>> {
    let entries = fs::read_dir(config).with_context(|| format!("`{}`", config.display()))?;
    let mut numbers: Vec<u64> =
        entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generations_are_swapped_and_two_are_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let data = DataFolder::open(&folder.path().join("d"), Path::new("d")).expect("locked");
        for text in ["one", "two", "three"] {
            let files = [Artefact::new("a/processes.json", text)];
            let generation = data.write(&files).expect("written");
            data.switch_to(generation).expect("current");
            let current = fs::read_to_string(data.path("config/current/a/processes.json"));
            assert_eq!(current.expect("a file"), text);
        }
        assert_eq!(generations(&data.path("config")).expect("listed"), [2, 3]);
        assert_eq!(
            fs::read_link(data.path("config/3").with_file_name("current")).expect("a link"),
            Path::new("000003")
        );
    }

    #[test]
    fn what_cannot_be_written_whole_leaves_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let data = DataFolder::open(&folder.path().join("d"), Path::new("d")).expect("locked");
        let files = [Artefact::new("a", "file"), Artefact::new("a/b", "below a file")];
        assert!(data.write(&files).is_err());
        assert_eq!(fs::read_dir(data.path("config")).expect("a folder").count(), 0);
    }

    #[test]
    fn a_folder_has_one_user() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().join("d");
        assert_eq!(running(&root).expect("nobody"), None);
        let data = DataFolder::open(&root, Path::new("d")).expect("locked");
        assert_eq!(running(&root).expect("somebody").map(|by| by.pid), Some(std::process::id()));
        let error = must_be_idle(&root, Path::new("d")).unwrap_err().to_string();
        assert!(error.contains("pronoia down --data-dir d"), "{error}");
        drop(data);
        assert_eq!(running(&root).expect("nobody"), None);
    }
}
