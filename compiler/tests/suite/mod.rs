//! Topologies and what the compiler says about them, word for word.

mod annotated;
mod hostile;
mod mutation;
mod pages;
mod reference;

use std::path::PathBuf;
use std::{env, fs};

/// Whether expectations are to be rewritten instead of compared: the review is then a `git diff`.
fn updating() -> bool {
    env::var_os("PRONOIA_UPDATE_SUITE").is_some()
}

fn folder(below: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(below)
}

/// Files of a folder with this ending, sorted by name, as (path, text).
fn files(below: &str, ending: &str) -> Vec<(PathBuf, String)> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder(below))
        .expect("the folder is there")
        .map(|entry| entry.expect("it can be listed").path())
        .filter(|path| path.to_string_lossy().ends_with(ending))
        .collect();
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).expect("text in UTF-8");
            (path, text)
        })
        .collect()
}

/// Compares a file with what it ought to hold, or writes it.
fn compare(path: &PathBuf, is: &str, ought: &str) -> Result<(), String> {
    if is == ought {
        return Ok(());
    }
    if updating() {
        fs::write(path, ought).expect("the file can be written");
        return Ok(());
    }
    let diff = similar::TextDiff::from_lines(is, ought);
    Err(format!(
        "{}: `-` is in the file, `+` is what the compiler says\n{}",
        path.file_name().unwrap_or_default().to_string_lossy(),
        diff.unified_diff().context_radius(4)
    ))
}
