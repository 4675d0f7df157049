//! Folders of rendered files: read whole, written so that no reader sees half a file, cleaned of what is stale.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, bail};
use compiler::diff::Files;
use compiler::pipeline::Artefact;
use serde_json::{Value, json};

use super::disk::read_limited;

/// The file by which a folder is known to be ours.
pub(super) const LOCK: &str = "topology.lock.json";
/// Size of one rendered file that is read back, in bytes.
const FILE_SIZE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// What may be removed from a folder that is written anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stale {
    /// Nothing: only a part of the tree is written.
    Keep,
    /// What the folder's own lock file lists.
    Listed,
    /// Everything: the folder belongs to the tool.
    All,
}

/// What writing did.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) files: usize,
    pub(super) changed: usize,
    pub(super) removed: usize,
}

/// Reads all files of a folder; links are not followed, names with a leading dot are left out.
pub(super) fn read(folder: &Path) -> anyhow::Result<Files> {
    let mut files = Files::new();
    for path in list(folder)? {
        let full = folder.join(&path);
        let bytes =
            read_limited(&full, FILE_SIZE_BYTES_MAX).with_context(|| format!("`{}`", full.display()))?;
        let text = String::from_utf8(bytes).with_context(|| format!("`{}`", full.display()))?;
        files.insert(path, text);
    }
    Ok(files)
}

/// Artefacts as a tree in memory.
pub(super) fn in_memory(artefacts: &[Artefact]) -> Files {
    artefacts.iter().map(|artefact| (artefact.path.clone(), artefact.text().into_owned())).collect()
}

/// Writes artefacts below `folder`. Files that are right already are not touched.
pub(super) fn write(
    folder: &Path,
    artefacts: &[Artefact],
    stale: Stale,
    force: bool,
) -> anyhow::Result<Written> {
    for artefact in artefacts {
        must_stay_inside(&artefact.path)?;
    }
    let fresh: BTreeSet<&str> = artefacts.iter().map(|artefact| artefact.path.as_str()).collect();
    let locks: BTreeSet<String> = fresh
        .iter()
        .filter(|path| Path::new(path).file_name().is_some_and(|name| name == LOCK))
        .map(ToString::to_string)
        .chain([LOCK.to_string()])
        .collect();
    if stale != Stale::All && !force && !is_ours(folder, &locks)? {
        bail!(
            "`{}` is not empty and holds no {LOCK}, so it was not written by pronoia\n  \
             choose another folder, or add --force to write into it",
            folder.display()
        );
    }
    let old: BTreeSet<String> = match stale {
        Stale::Keep => BTreeSet::new(),
        Stale::Listed => locks.iter().flat_map(|lock| listed(folder, lock)).collect(),
        Stale::All if folder.is_dir() => list(folder)?.into_iter().collect(),
        Stale::All => BTreeSet::new(),
    };
    fs::create_dir_all(folder).with_context(|| format!("`{}`", folder.display()))?;
    let real = folder.canonicalize().with_context(|| format!("`{}`", folder.display()))?;
    let mut written = Written { files: artefacts.len(), ..Written::default() };
    // Lock files last: while they are old, a broken run can be repeated and cleans up after itself.
    let (lock_files, others): (Vec<&Artefact>, Vec<&Artefact>) =
        artefacts.iter().partition(|artefact| locks.contains(&artefact.path));
    for artefact in others {
        written.changed += usize::from(write_one(&real, artefact)?);
    }
    for path in old.iter().filter(|path| !fresh.contains(path.as_str()) && !locks.contains(*path)) {
        written.removed += usize::from(remove(&real, path)?);
    }
    for artefact in &lock_files {
        written.changed += usize::from(write_one(&real, artefact)?);
    }
    if lock_files.is_empty() && stale == Stale::Listed {
        write_one(&real, &Artefact::new(LOCK, format!("{:#}\n", json!({ "files": fresh }))))?;
    }
    Ok(written)
}

/// Replaces a file in one step: readers see the old text or the new one.
pub(super) fn replace(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let temporary = path.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
    // A leftover of a killed run with our process id.
    let _ = fs::remove_file(&temporary);
    let result = OpenOptions::new().write(true).create_new(true).open(&temporary).and_then(|file| {
        fill(file, write)?;
        if let Ok(metadata) = fs::symlink_metadata(path)
            && metadata.is_file()
        {
            fs::set_permissions(&temporary, metadata.permissions())?;
        }
        fs::rename(&temporary, path)
    });
    if result.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    result
}

fn fill(file: File, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut out = BufWriter::new(file);
    write(&mut out)?;
    out.flush()
}

/// Writes one artefact; `false` when it is there already, byte for byte.
fn write_one(root: &Path, artefact: &Artefact) -> anyhow::Result<bool> {
    let path = root.join(&artefact.path);
    let context = || format!("`{}`", path.display());
    let parent = path.parent().unwrap_or(root);
    must_not_leave(root, parent)?;
    fs::create_dir_all(parent).with_context(context)?;
    match fs::symlink_metadata(&path) {
        Ok(metadata) if metadata.is_dir() => bail!("`{}` is a folder, a file goes there", path.display()),
        Ok(metadata) if metadata.is_file() => {
            let length: usize = artefact.pieces.iter().map(|piece| piece.len()).sum();
            if metadata.len() == length as u64
                && fs::read(&path).is_ok_and(|bytes| bytes == artefact.text().as_bytes())
            {
                return Ok(false);
            }
        }
        _ => {}
    }
    replace(&path, |out| artefact.write_to(out)).with_context(context)?;
    Ok(true)
}

/// Refuses a parent folder that a link inside of the tree moves out of it.
fn must_not_leave(root: &Path, parent: &Path) -> anyhow::Result<()> {
    let existing = parent.ancestors().find(|folder| fs::symlink_metadata(folder).is_ok());
    let real =
        existing.map(Path::canonicalize).transpose().with_context(|| format!("`{}`", parent.display()))?;
    match real {
        Some(real) if !real.starts_with(root) => {
            bail!("`{}` is a link that leads out of `{}`; remove the link", parent.display(), root.display())
        }
        _ => Ok(()),
    }
}

fn must_stay_inside(path: &str) -> anyhow::Result<()> {
    let inside =
        !path.is_empty() && Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
    if inside { Ok(()) } else { bail!("`{path}` is no path inside of the output folder") }
}

/// Whether the folder may be written: absent, empty, or marked by a lock file at its top or one level below.
fn is_ours(folder: &Path, locks: &BTreeSet<String>) -> anyhow::Result<bool> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(error).with_context(|| format!("`{}`", folder.display())),
    };
    let mut empty = true;
    for entry in entries {
        empty = false;
        let path = entry.with_context(|| format!("`{}`", folder.display()))?.path();
        if path.is_dir() && path.join(LOCK).is_file() {
            return Ok(true);
        }
    }
    Ok(empty || locks.iter().any(|lock| folder.join(lock).is_file()))
}

/// The files that a lock file lists, relative to the output folder.
fn listed(folder: &Path, lock: &str) -> Vec<String> {
    let Ok(bytes) = read_limited(&folder.join(lock), FILE_SIZE_BYTES_MAX) else { return Vec::new() };
    let Ok(content) = serde_json::from_slice::<Value>(&bytes) else { return Vec::new() };
    let prefix = lock.strip_suffix(LOCK).unwrap_or("");
    let names: Vec<&str> = match content.get("files") {
        Some(Value::Array(files)) => {
            files.iter().filter_map(|file| file.as_str().or_else(|| file.get("path")?.as_str())).collect()
        }
        Some(Value::Object(files)) => files.keys().map(String::as_str).collect(),
        _ => Vec::new(),
    };
    names
        .into_iter()
        .map(|name| format!("{prefix}{name}"))
        .filter(|path| must_stay_inside(path).is_ok())
        .collect()
}

/// Removes one stale file and the folders that it leaves empty.
fn remove(root: &Path, path: &str) -> anyhow::Result<bool> {
    let full = root.join(path);
    let parent = full.parent().unwrap_or(root);
    must_not_leave(root, parent)?;
    if !fs::symlink_metadata(&full).is_ok_and(|metadata| metadata.is_file()) {
        return Ok(false);
    }
    fs::remove_file(&full).with_context(|| format!("`{}`", full.display()))?;
    for folder in parent.ancestors().take_while(|folder| *folder != root) {
        if fs::remove_dir(folder).is_err() {
            break;
        }
    }
    Ok(true)
}

/// Regular files below a folder, sorted, with `/` between the parts.
fn list(folder: &Path) -> anyhow::Result<Vec<String>> {
    let mut found = Vec::new();
    let mut open: Vec<(PathBuf, String)> = vec![(folder.to_path_buf(), String::new())];
    while let Some((path, prefix)) = open.pop() {
        for entry in fs::read_dir(&path).with_context(|| format!("`{}`", path.display()))? {
            let entry = entry.with_context(|| format!("`{}`", path.display()))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with('.') {
                continue;
            }
            let kind = entry.file_type().with_context(|| format!("`{}`", entry.path().display()))?;
            if kind.is_dir() {
                open.push((entry.path(), format!("{prefix}{name}/")));
            } else if kind.is_file() {
                found.push(format!("{prefix}{name}"));
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests;
