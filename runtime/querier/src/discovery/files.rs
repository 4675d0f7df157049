//! `--store.sd-files`: files with groups of targets, in JSON or YAML, read again when they change.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::Deserialize;

/// One group of a file.
#[derive(Debug, Deserialize)]
struct Group {
    #[serde(default)]
    targets: Vec<String>,
    /// They mean nothing here.
    #[serde(default, rename = "labels")]
    _labels: BTreeMap<String, String>,
}

/// Why a file is not used.
#[derive(Debug, thiserror::Error)]
enum FileError {
    #[error("read")]
    Read(#[from] std::io::Error),
    #[error("parse: {0}")]
    Parse(#[source] Box<serde_saphyr::Error>),
    #[error("the name ends neither in .json, .yml nor .yaml")]
    Kind,
}

/// Files that patterns name, and the addresses in them.
#[derive(Debug, Default)]
pub(super) struct Files {
    patterns: Vec<String>,
    read: Mutex<BTreeMap<PathBuf, File>>,
}

/// A file as it was read last.
#[derive(Debug, Default)]
struct File {
    stamp: Option<Stamp>,
    targets: Vec<String>,
}

/// Another one means other content.
type Stamp = (std::time::SystemTime, u64);

impl Files {
    /// Looks at the files that these patterns name (`*` and `?` in the last part).
    pub(super) fn new(patterns: Vec<String>) -> Self {
        Files { patterns, read: Mutex::default() }
    }

    /// Reads what has changed. A file that cannot be read or understood counts as it was before; one that is gone has no targets.
    pub(super) fn refresh(&self) {
        let paths: BTreeSet<PathBuf> = self.patterns.iter().flat_map(|pattern| matching(pattern)).collect();
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        read.retain(|path, _| paths.contains(path));
        for path in paths {
            let stamp = stamp(&path);
            let known = read.entry(path.clone()).or_default();
            if known.stamp.is_some() && known.stamp == stamp {
                continue;
            }
            known.stamp = stamp;
            match targets(&path) {
                Ok(targets) => known.targets = targets,
                Err(error) => {
                    tracing::error!(path = %path.display(), err = %error, "file of endpoints is not used");
                }
            }
        }
    }

    /// All addresses, each once.
    pub(super) fn addresses(&self) -> BTreeSet<String> {
        let read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        read.values().flat_map(|file| file.targets.iter().cloned()).collect()
    }
}

#[expect(clippy::disallowed_methods, reason = "the files that the flag names are watched here")]
fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

#[expect(clippy::disallowed_methods, reason = "the files that the flag names are read here")]
fn targets(path: &Path) -> Result<Vec<String>, FileError> {
    if !matches!(path.extension().and_then(|end| end.to_str()), Some("json" | "yml" | "yaml")) {
        return Err(FileError::Kind);
    }
    let text = std::fs::read_to_string(path)?;
    // JSON is YAML.
    let groups: Vec<Group> =
        serde_saphyr::from_str(&text).map_err(|error| FileError::Parse(Box::new(error)))?;
    Ok(groups.into_iter().flat_map(|group| group.targets).collect())
}

/// The files that a pattern names.
#[expect(clippy::disallowed_methods, reason = "the folder that the flag names is listed here")]
fn matching(pattern: &str) -> Vec<PathBuf> {
    let path = Path::new(pattern);
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if !name.contains(['*', '?']) {
        return if stamp(path).is_some() { vec![path.to_owned()] } else { Vec::new() };
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            let its = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            is_like(name.as_bytes(), its.as_bytes())
        })
        .collect()
}

/// Whether a name is as a pattern with `*` and `?` says.
fn is_like(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern.split_first(), name.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => {
            is_like(rest, name) || name.split_first().is_some_and(|(_, later)| is_like(pattern, later))
        }
        (Some((b'?', rest)), Some((_, later))) => is_like(rest, later),
        (Some((one, rest)), Some((two, later))) => one == two && is_like(rest, later),
        _ => false,
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the tests write the files that are watched")]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_when_they_change_and_bad_content_changes_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("a.json"), r#"[{"targets": ["a:1", "b:1"], "labels": {"x": "y"}}]"#)
            .expect("written");
        std::fs::write(path("b.yaml"), "- targets: [c:1]\n").expect("written");
        std::fs::write(path("c.txt"), "- targets: [d:1]\n").expect("written");
        let files = Files::new(vec![folder.path().join("*").to_string_lossy().into_owned()]);
        let addresses = || files.addresses().into_iter().collect::<Vec<_>>();
        files.refresh();
        assert_eq!(addresses(), ["a:1", "b:1", "c:1"]);
        std::fs::write(path("b.yaml"), "- targets: [c:1, e:1]\n").expect("written");
        std::fs::write(path("a.json"), "[{").expect("written");
        files.refresh();
        assert_eq!(addresses(), ["a:1", "b:1", "c:1", "e:1"]);
        std::fs::remove_file(path("a.json")).expect("removed");
        files.refresh();
        assert_eq!(addresses(), ["c:1", "e:1"]);
    }

    #[test]
    fn patterns_match_whole_names() {
        assert!(is_like(b"*.yml", b"a.yml") && is_like(b"a?c*", b"abc") && is_like(b"*", b""));
        assert!(!is_like(b"*.yml", b"a.yaml") && !is_like(b"a?c", b"ac"));
    }
}
