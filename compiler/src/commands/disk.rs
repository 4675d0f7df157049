//! The world as it is on disk: files below the working folder, the environment, the calendar.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use compiler::source::{FILE_SIZE_BYTES_MAX, ReadError, World, glob_matcher};

/// Folder entries that one glob may visit; more means that it was aimed at the wrong folder.
const GLOB_ENTRIES_MAX: usize = 200_000;
/// Deepest folder that a glob enters.
const GLOB_DEPTH_MAX: usize = 64;

/// Reads relative to the working folder.
#[derive(Debug, Default)]
pub(super) struct DiskWorld {
    root: PathBuf,
}

impl World for DiskWorld {
    fn read(&self, path: &str) -> Result<Vec<u8>, ReadError> {
        read_limited(&self.root.join(path), FILE_SIZE_BYTES_MAX)
    }

    fn glob(&self, pattern: &str) -> Result<Vec<String>, ReadError> {
        let matcher = glob_matcher(pattern)?;
        let parts: Vec<&str> = pattern.split('/').collect();
        let fixed = parts.iter().take_while(|part| !part.contains(['*', '?', '[', '{'])).count();
        if fixed == parts.len() {
            // No wildcard: the file itself, if it is one.
            return Ok(if self.root.join(pattern).is_file() {
                vec![pattern.to_string()]
            } else {
                Vec::new()
            });
        }
        let mut base = parts[..fixed].join("/");
        if fixed > 0 {
            base.push('/');
        }
        let crosses = pattern.contains("**") || pattern.contains('{');
        let depth = if crosses { GLOB_DEPTH_MAX } else { parts.len() - fixed };
        let mut walk = Walk { root: &self.root, found: Vec::new(), entries: 0, parents: BTreeSet::new() };
        walk.folder(&base, depth)?;
        let mut found: Vec<String> = walk.found.into_iter().filter(|path| matcher.is_match(path)).collect();
        found.sort();
        Ok(found)
    }

    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn today(&self) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        date(now / 86_400)
    }
}

struct Walk<'a> {
    root: &'a Path,
    found: Vec<String>,
    entries: usize,
    /// Real paths of the folders above: a link that leads back into them is a loop.
    parents: BTreeSet<PathBuf>,
}

impl Walk<'_> {
    /// `prefix` is empty or ends with `/`.
    fn folder(&mut self, prefix: &str, depth: usize) -> Result<(), ReadError> {
        let folder = if prefix.is_empty() { self.root.join(".") } else { self.root.join(prefix) };
        let Ok(real) = folder.canonicalize() else { return Ok(()) };
        if !self.parents.insert(real.clone()) {
            return Ok(());
        }
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => return Ok(()),
            Err(error) => return Err(ReadError::Io(format!("{}: {error}", folder.display()))),
        };
        for entry in entries.flatten() {
            self.entries += 1;
            if self.entries > GLOB_ENTRIES_MAX {
                return Err(ReadError::Io(format!("the pattern visits more than {GLOB_ENTRIES_MAX} files")));
            }
            let Ok(name) = entry.file_name().into_string() else { continue };
            let path = format!("{prefix}{name}");
            let Ok(metadata) = fs::metadata(self.root.join(&path)) else { continue };
            if metadata.is_file() {
                self.found.push(path);
            } else if metadata.is_dir() && depth > 1 {
                self.folder(&format!("{path}/"), depth - 1)?;
            }
        }
        self.parents.remove(&real);
        Ok(())
    }
}

/// Reads a regular file of at most `limit` bytes. A pipe or a device is refused before it can block.
pub(super) fn read_limited(path: &Path, limit: u64) -> Result<Vec<u8>, ReadError> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => ReadError::NotFound,
        _ => ReadError::Io(error.to_string()),
    };
    let metadata = fs::metadata(path).map_err(failed)?;
    if metadata.is_dir() {
        return Err(ReadError::Io("is a folder".to_string()));
    }
    if !metadata.is_file() {
        return Err(ReadError::Io("is not a regular file".to_string()));
    }
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(limit + 1).read_to_end(&mut bytes)).map_err(failed)?;
    if bytes.len() as u64 > limit {
        return Err(ReadError::TooLarge { found: metadata.len().max(bytes.len() as u64), limit });
    }
    Ok(bytes)
}

/// The Gregorian date of a day counted from 1970-01-01.
fn date(days: u64) -> String {
    // Years are counted from March, so that the leap day is the last of its year.
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        for (days, text) in
            [(0, "1970-01-01"), (59, "1970-03-01"), (11_016, "2000-02-29"), (20_788, "2026-12-01")]
        {
            assert_eq!(date(days), text);
        }
    }

    #[test]
    fn globs_are_sorted_and_survive_link_loops() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let root = folder.path();
        fs::create_dir_all(root.join("jobs/deep")).expect("folder");
        for path in ["jobs/b.kdl", "jobs/a.kdl", "jobs/deep/c.kdl", "jobs/x.txt"] {
            fs::write(root.join(path), "").expect("file");
        }
        #[cfg(unix)]
        std::os::unix::fs::symlink("..", root.join("jobs/deep/up")).expect("link");
        let world = DiskWorld { root: root.to_path_buf() };
        assert_eq!(world.glob("jobs/*.kdl"), Ok(vec!["jobs/a.kdl".to_string(), "jobs/b.kdl".to_string()]));
        assert_eq!(
            world.glob("**/c.kdl").map(|found| found.first().cloned()),
            Ok(Some("jobs/deep/c.kdl".into()))
        );
        assert_eq!(world.glob("none/*.kdl"), Ok(Vec::new()));
        assert_eq!(world.glob("jobs/a.kdl"), Ok(vec!["jobs/a.kdl".to_string()]));
        assert!(matches!(world.read("jobs"), Err(ReadError::Io(_))));
        assert_eq!(world.read("no"), Err(ReadError::NotFound));
    }

    #[test]
    fn large_files_are_refused() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("large");
        fs::write(&path, vec![b' '; 11]).expect("file");
        assert_eq!(read_limited(&path, 10), Err(ReadError::TooLarge { found: 11, limit: 10 }));
        assert_eq!(read_limited(&path, 11).map(|bytes| bytes.len()), Ok(11));
    }
}
