//! All inputs, read at one point in time.
//!
//! Kubernetes swaps a ConfigMap by renaming the link `..data` inside the mounted folder. A snapshot is taken through the
//! folder that `..data` points to, and is good only if every such link points to the same place afterwards and no file
//! changed while it was read: so files of two generations never mix.

use std::io;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use crate::disk::{Content, Disk, Kind};
use crate::finding::{Finding, Reason};
use crate::settings::Settings;

/// Files beyond this size are no configuration.
pub(crate) const FILE_BYTES_MAX: u64 = 32 << 20;
/// All files of one folder together.
const FOLDER_BYTES_MAX: u64 = 256 << 20;
/// Files of one folder.
const FILES_MAX: usize = 50_000;
/// Folders inside folders.
const DEPTH_MAX: usize = 16;
/// How often reading begins anew when something changes meanwhile.
const ATTEMPTS: u32 = 8;

/// Everything that was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The configuration file.
    pub config: Option<Vec<u8>>,
    /// For each rule folder its files, by their path below it.
    pub rule_dirs: Vec<Vec<(String, Vec<u8>)>>,
    /// The same for folders with configuration.
    pub config_dirs: Vec<Vec<(String, Vec<u8>)>>,
    /// Variables from folders: name and value.
    pub variables: Vec<(String, Vec<u8>)>,
}

/// Reads all inputs; tries again for a moment while they change.
///
/// # Errors
/// Why an input cannot be read.
pub(crate) fn take(
    disk: &dyn Disk,
    settings: &Settings,
    pause: impl Fn(Duration),
) -> Result<Snapshot, Finding> {
    let mut last = None;
    for attempt in 0..ATTEMPTS {
        if attempt > 0 {
            pause(Duration::from_millis(10 << attempt.min(5)));
        }
        let reader = Reader { disk, generations: generations(disk, settings) };
        match reader.all(settings) {
            Ok(snapshot) if reader.generations == generations(disk, settings) => return Ok(snapshot),
            Ok(_) => last = Some(None),
            Err(Trouble::Retry(finding)) => last = Some(Some(finding)),
            Err(Trouble::End(finding)) => return Err(finding),
        }
    }
    Err(last.flatten().unwrap_or_else(|| {
        let what = settings.config_file.as_deref().unwrap_or(Path::new("inputs"));
        Finding::of_file(Reason::Unstable, what.display(), "the folder is swapped faster than it can be read")
    }))
}

/// Where each `..data` beside or inside an input points to.
fn generations(disk: &dyn Disk, settings: &Settings) -> Vec<Option<PathBuf>> {
    let files = settings.config_file.iter().filter_map(|file| file.parent());
    let folders = settings.rule_dirs.iter().chain(&settings.config_dirs).map(|one| one.input.as_path());
    let variables = settings.environment_dirs.iter().map(PathBuf::as_path);
    files
        .chain(folders)
        .chain(variables)
        .flat_map(|folder| [disk.link_target(&folder.join("..data")).ok(), disk.resolve(folder).ok()])
        .collect()
}

enum Trouble {
    /// It may be gone the next time.
    Retry(Finding),
    /// It will not.
    End(Finding),
}

struct Reader<'a> {
    disk: &'a dyn Disk,
    generations: Vec<Option<PathBuf>>,
}

impl Reader<'_> {
    fn all(&self, settings: &Settings) -> Result<Snapshot, Trouble> {
        let config = settings.config_file.as_deref().map(|path| self.file(path, path)).transpose()?;
        let folders = |list: &[crate::settings::Directory], deep: bool| {
            list.iter().map(|one| self.folder(&one.input, deep)).collect::<Result<Vec<_>, _>>()
        };
        let mut variables = Vec::new();
        for folder in &settings.environment_dirs {
            for (name, mut value) in self.folder(folder, false)? {
                // Editors and `echo` end a file with a line feed that is not meant.
                if value.last() == Some(&b'\n') {
                    value.pop();
                }
                variables.push((name, value));
            }
        }
        Ok(Snapshot {
            config,
            rule_dirs: folders(&settings.rule_dirs, true)?,
            config_dirs: folders(&settings.config_dirs, false)?,
            variables,
        })
    }

    /// The files of a folder by their relative path, in order; hidden generations are left out.
    fn folder(&self, root: &Path, deep: bool) -> Result<Vec<(String, Vec<u8>)>, Trouble> {
        let resolved = self.disk.resolve(root).map_err(|error| trouble(root, &error))?;
        let mut walk = Walk { reader: self, files: Vec::new(), bytes: 0, root, deep };
        walk.folder(&resolved, "", 0)?;
        walk.files.sort();
        Ok(walk.files)
    }

    fn file(&self, path: &Path, shown: &Path) -> Result<Vec<u8>, Trouble> {
        let resolved = self.disk.resolve(path).map_err(|error| trouble(shown, &error))?;
        match self.disk.read(&resolved, FILE_BYTES_MAX) {
            Ok(Content::Whole(bytes)) => Ok(bytes),
            Ok(Content::Changing) => Err(Trouble::Retry(Finding::of_file(
                Reason::Unstable,
                shown.display(),
                "the file changes while it is read; it is tried again when it is complete",
            ))),
            Ok(Content::TooLarge) => Err(Trouble::End(too_large(shown, FILE_BYTES_MAX))),
            Err(error) => Err(trouble(shown, &error)),
        }
    }
}

struct Walk<'a> {
    reader: &'a Reader<'a>,
    files: Vec<(String, Vec<u8>)>,
    bytes: u64,
    root: &'a Path,
    deep: bool,
}

impl Walk<'_> {
    fn folder(&mut self, folder: &Path, below: &str, depth: usize) -> Result<(), Trouble> {
        if depth > DEPTH_MAX {
            let text =
                format!("folders nest deeper than {DEPTH_MAX}: does a link point to a folder above it?");
            return Err(Trouble::End(Finding::of_file(Reason::Unreadable, self.root.display(), text)));
        }
        let disk = self.reader.disk;
        for entry in disk.list(folder).map_err(|error| trouble(folder, &error))? {
            let path = folder.join(&entry.name);
            let Some(name) = entry.name.to_str() else {
                let text = "the file name is not UTF-8; rename the file";
                return Err(Trouble::End(Finding::of_file(Reason::Unreadable, path.display(), text)));
            };
            // `..data` and the generations that Kubernetes keeps beside it.
            if name.starts_with("..") {
                continue;
            }
            let relative = if below.is_empty() { name.to_owned() } else { format!("{below}/{name}") };
            let shown = self.root.join(&relative);
            let real = disk.resolve(&path).map_err(|error| trouble(&shown, &error))?;
            match disk.kind(&real).map_err(|error| trouble(&shown, &error))? {
                Some(Kind::Directory) if self.deep => self.folder(&real, &relative, depth + 1)?,
                Some(Kind::File) => {
                    let bytes = self.reader.file(&real, &shown)?;
                    self.bytes += bytes.len() as u64;
                    if self.bytes > FOLDER_BYTES_MAX || self.files.len() == FILES_MAX {
                        return Err(Trouble::End(too_large(self.root, FOLDER_BYTES_MAX)));
                    }
                    self.files.push((relative, bytes));
                }
                Some(_) => {}
                None => return Err(trouble(&shown, &io::ErrorKind::NotFound.into())),
            }
        }
        Ok(())
    }
}

/// What is missing may be there in a moment: that is how a swap looks from inside.
fn trouble(path: &Path, error: &io::Error) -> Trouble {
    let finding = Finding::of_file(Reason::Unreadable, path.display(), format!("cannot be read: {error}"));
    match error.kind() {
        io::ErrorKind::NotFound => Trouble::Retry(finding),
        _ => Trouble::End(finding),
    }
}

fn too_large(path: &Path, limit: u64) -> Finding {
    let text = format!("larger than {} MiB or {FILES_MAX} files, which no configuration is", limit >> 20);
    Finding::of_file(Reason::TooLarge, path.display(), text)
}

/// Whether a path given by a file name stays inside the folder that it is joined to.
pub(crate) fn stays_inside(relative: &str) -> bool {
    Path::new(relative).components().all(|part| matches!(part, Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::disk::RealDisk;
    use crate::settings::{Directory, Method, Promtool, TargetKind};

    fn settings(root: &Path) -> Settings {
        Settings {
            config_file: Some(root.join("prometheus.yml")),
            config_output: None,
            rule_dirs: vec![Directory { input: root.join("rules"), output: None }],
            config_dirs: Vec::new(),
            environment_dirs: vec![root.join("secret")],
            watch_interval: Duration::from_secs(180),
            retry_interval: Duration::from_secs(5),
            method: Method::Http,
            target: TargetKind::Prometheus,
            tolerate_unset_variables: false,
            promtool: Promtool::Off,
        }
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test lays out a folder")]
    fn links_are_followed_generations_hidden_and_nested_files_found() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for path in ["rules/..2026_1/sub", "secret"] {
            std::fs::create_dir_all(root.join(path)).unwrap();
        }
        std::fs::write(root.join("prometheus.yml"), "global: {}\n").unwrap();
        std::fs::write(root.join("rules/..2026_1/a.yml"), "a").unwrap();
        std::fs::write(root.join("rules/..2026_1/sub/b.yml"), "b").unwrap();
        std::fs::write(root.join("secret/TOKEN"), "s3cret\n").unwrap();
        symlink("..2026_1", root.join("rules/..data")).unwrap();
        symlink("..data/a.yml", root.join("rules/a.yml")).unwrap();
        symlink("..data/sub", root.join("rules/sub")).unwrap();
        let snapshot = take(&RealDisk, &settings(root), |_| {}).unwrap();
        assert_eq!(snapshot.config.as_deref(), Some(b"global: {}\n".as_slice()));
        let rules = vec![("a.yml".to_owned(), b"a".to_vec()), ("sub/b.yml".to_owned(), b"b".to_vec())];
        assert_eq!(snapshot.rule_dirs, [rules]);
        assert_eq!(snapshot.variables, [("TOKEN".to_owned(), b"s3cret".to_vec())]);

        // A link to itself, and a link that points nowhere, end with an error that names them.
        symlink("nowhere.yml", root.join("rules/c.yml")).unwrap();
        let error = take(&RealDisk, &settings(root), |_| {}).unwrap_err();
        assert_eq!(error.reason, Reason::Unreadable);
        assert!(error.file.ends_with("rules/c.yml"), "{error}");
        std::fs::remove_file(root.join("rules/c.yml")).unwrap();
        symlink("..", root.join("rules/..2026_1/loop")).unwrap();
        symlink("..data/loop", root.join("rules/loop")).unwrap();
        let error = take(&RealDisk, &settings(root), |_| {}).unwrap_err();
        assert!(error.message.contains("deeper"), "{error}");
    }
}
