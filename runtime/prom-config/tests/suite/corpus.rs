//! Files to check: those that the compiler renders, and our own under `tests/data`.

use std::fs;
use std::path::{Path, PathBuf};

use prom_config::{Options, Version};

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    Config,
    Rules,
}

/// A file with the release it is for.
#[derive(Debug, Clone)]
pub(crate) struct File {
    pub(crate) path: PathBuf,
    pub(crate) content: Content,
    pub(crate) version: Version,
    pub(crate) text: String,
}

/// The release that Debian packages, and against which verdicts are compared.
pub(crate) const DEBIAN: Version = Version::new(2, 42, 0);

/// The options for a release.
pub(crate) fn options(version: Version) -> Options {
    Options { version: Some(version), ..Options::default() }
}

/// The outcome of a check.
pub(crate) struct Outcome {
    /// What is wrong, as lines; empty if Prometheus would load the text.
    pub(crate) problems: Vec<String>,
    /// Whether at least one of the problems is certain.
    pub(crate) certain: bool,
}

/// Checks a text.
pub(crate) fn check(content: Content, text: &[u8], options: &Options) -> Outcome {
    let problems = match content {
        Content::Config => prom_config::check_config(text, options).problems,
        Content::Rules => prom_config::check_rules(text, options).problems,
    };
    let certain = problems.iter().any(|problem| problem.certain);
    Outcome { problems: problems.iter().map(ToString::to_string).collect(), certain }
}

/// What is wrong with a text, as lines; empty if Prometheus would load it.
pub(crate) fn problems(content: Content, text: &[u8], options: &Options) -> Vec<String> {
    check(content, text, options).problems
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every Prometheus configuration and rule file under `golden/`.
pub(crate) fn golden() -> Vec<File> {
    let mut files = Vec::new();
    let mut open = vec![root().join("golden")];
    while let Some(folder) = open.pop() {
        let mut entries: Vec<PathBuf> =
            fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        for path in entries {
            if path.is_dir() {
                open.push(path);
                continue;
            }
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let of_rules = folder.ends_with("rules") || folder.ends_with("ruler-rules");
            let content = match () {
                () if name.starts_with("prometheus") && name.ends_with(".yml") => Content::Config,
                () if of_rules && name.ends_with(".yml") => Content::Rules,
                () => continue,
            };
            let text = fs::read_to_string(&path).unwrap();
            let version = release_of(&path);
            files.push(File { path, content, version, text });
        }
    }
    files
}

/// The release whose image the manifests next to a raw file name; the newest where there are none.
fn release_of(path: &Path) -> Version {
    for folder in path.ancestors().take_while(|folder| !folder.ends_with("golden")) {
        let Ok(entries) = fs::read_dir(folder.join("30-prometheus")) else { continue };
        for entry in entries {
            let text = fs::read_to_string(entry.unwrap().path()).unwrap();
            let Some((_, rest)) = text.split_once("prometheus:v") else { continue };
            let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
            return rest[..end].parse().unwrap();
        }
    }
    Version::new(3, 14, 0)
}

/// Our own files: configurations, and rule files, whose names begin with `rules`.
pub(crate) fn own() -> Vec<File> {
    let mut paths: Vec<PathBuf> = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    let file = |path: PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let content = if name.starts_with("rules") { Content::Rules } else { Content::Config };
        let version = if name.contains("3x") { Version::new(3, 14, 0) } else { DEBIAN };
        let text = fs::read_to_string(&path).unwrap();
        File { path, content, version, text }
    };
    paths.into_iter().map(file).collect()
}
