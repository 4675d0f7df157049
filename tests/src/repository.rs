//! The repository as a person sees it: its files, without what a build or a render left behind.

use std::fs;
use std::path::{Path, PathBuf};

/// Folders that no commit holds.
const LEFT_OUT: [&str; 5] = [".git", ".pronoia", "node_modules", "out", "target"];

/// The root folder.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the repository has a root")
}

/// Where the build puts its results.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// Every file, `/` separated and relative to the root, sorted.
pub fn files() -> Vec<String> {
    below("")
}

/// Every file below a folder of the repository; empty when there is no such folder.
pub fn below(folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    walk(&root(), folder.trim_end_matches('/'), &mut found);
    found.sort();
    found
}

/// Every file with this ending.
pub fn with_ending(ending: &str) -> Vec<String> {
    files().into_iter().filter(|path| path.ends_with(ending)).collect()
}

/// Names of the folders directly below a folder, sorted.
pub fn folders(folder: &str) -> Vec<String> {
    let Ok(entries) = fs::read_dir(root().join(folder)) else { return Vec::new() };
    let mut names: Vec<String> = entries
        .flatten()
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| !LEFT_OUT.contains(&name.as_str()))
        .collect();
    names.sort();
    names
}

/// The text of a file; other bytes become replacement characters.
pub fn text(path: &str) -> String {
    let bytes = fs::read(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Whether the file or folder is there.
pub fn exists(path: &str) -> bool {
    root().join(path).exists()
}

fn walk(root: &Path, folder: &str, found: &mut Vec<String>) {
    let Ok(entries) = fs::read_dir(root.join(folder)) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
        // A link is a file of its own: following it would count what it points to twice, or without end.
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() {
            if !LEFT_OUT.contains(&name.as_str()) {
                walk(root, &path, found);
            }
        } else {
            found.push(path);
        }
    }
}
