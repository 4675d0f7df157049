//! The head beside the blocks: read in a copy, because reading a log mends it, and a server may be writing it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use tsdb::fs::{Fs, RealFs};
use tsdb::head::{Head, HeadOptions};

/// How much is copied at once.
const PIECE: u64 = 1 << 20;

/// What makes up a head on disk.
const PARTS: [&str; 3] = ["wal", "wbl", "chunks_head"];

/// A head and the copy in which it lives; the copy goes with it.
#[derive(Debug)]
pub(super) struct Sandbox {
    /// The head.
    pub(super) head: Arc<Head>,
    _folder: Temporary,
}

#[derive(Debug)]
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Err(error) = RealFs.remove_dir_all(&self.0) {
            tracing::warn!(folder = %self.0.display(), %error, "the copy of the head is still there");
        }
    }
}

/// The head of a database; `None` where there is no log. Samples before `min_valid_time` are in blocks.
pub(super) fn open(database: &Path, root: &Path, min_valid_time: i64) -> anyhow::Result<Option<Sandbox>> {
    if PARTS.iter().all(|part| is_empty(database, part)) {
        return Ok(None);
    }
    let folder = root.join(format!("pronoiad-sandbox-{}", std::process::id()));
    RealFs.create_dir_all(&folder).with_context(|| {
        format!("make a copy of the head in {} (--sandbox-dir-root names another place)", root.display())
    })?;
    let held = Temporary(folder.clone());
    for part in PARTS {
        if RealFs.stat(&database.join(part)).is_ok() {
            copy(&database.join(part), &folder.join(part))?;
        }
    }
    let (head, replay) =
        Head::open(Arc::new(RealFs), &folder, HeadOptions::default(), min_valid_time, &mut |_| {})
            .with_context(|| format!("the head of {}", database.display()))?;
    for damage in &replay.damage {
        tracing::warn!(%damage, "the head is damaged");
    }
    Ok(Some(Sandbox { head: Arc::new(head), _folder: held }))
}

/// Whether the head may have samples of the time of its blocks.
pub(super) fn has_late_samples(database: &Path) -> bool {
    !is_empty(database, "wbl")
}

fn is_empty(database: &Path, part: &str) -> bool {
    RealFs.list(&database.join(part)).map_or(true, |entries| entries.is_empty())
}

/// Copies a folder. What a server removes meanwhile is passed over.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    RealFs.create_dir_all(to)?;
    for entry in RealFs.list(from)? {
        let (from, to) = (from.join(&entry.name), to.join(&entry.name));
        if entry.is_dir {
            copy(&from, &to)?;
            continue;
        }
        let bytes = match RealFs.open(&from) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error).with_context(|| format!("open {}", from.display())),
        };
        let mut copied = RealFs.create(&to).with_context(|| format!("create {}", to.display()))?;
        let mut at = 0;
        while at < bytes.len() {
            let piece = bytes.read_range(at, PIECE.min(bytes.len() - at))?;
            copied.write_all(&piece).with_context(|| format!("write {}", to.display()))?;
            at += piece.len() as u64;
        }
    }
    Ok(())
}
