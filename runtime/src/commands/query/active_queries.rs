//! The file `queries.active`: which queries run. What stands in it when the process starts did not end with the last one.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use api::thanos::ActiveLog;
use prom_model::Clock;
use tracing::{info, warn};

/// So many bytes each query has in the file.
const ENTRY: usize = 1000;
/// The longest that is read of a file that somebody else may have written.
const READ_MAX: u64 = 64 << 20;

/// The file, and which of its places are free.
#[derive(Debug)]
pub(super) struct ActiveQueries {
    file: File,
    free: Mutex<Vec<usize>>,
    clock: Arc<dyn Clock>,
}

impl ActiveQueries {
    /// Begins the file anew, after a line with the queries that stand in it.
    #[expect(clippy::disallowed_methods, reason = "commands are the world outside")]
    pub(super) fn open(folder: &Path, queries_max: usize, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("--query.active-query-path={}", folder.display()))?;
        let path = folder.join("queries.active");
        if let Ok(file) = File::open(&path) {
            let mut bytes = Vec::new();
            let _ = file.take(READ_MAX).read_to_end(&mut bytes);
            if let Some(queries) = unfinished(&bytes) {
                info!(msg = "These queries didn't finish in the last run:", queries);
            }
        }
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&path)
            .and_then(|file| {
                file.set_len((1 + queries_max * ENTRY) as u64)?;
                file.write_all_at(b"[", 0)?;
                Ok(file)
            })
            .with_context(|| format!("cannot write {}", path.display()))?;
        let free = (0..queries_max).rev().map(|at| 1 + at * ENTRY).collect();
        Ok(ActiveQueries { file, free: Mutex::new(free), clock })
    }

    fn write(&self, at: usize, entry: &[u8]) {
        let mut bytes = [0; ENTRY];
        if let Some(place) = bytes.get_mut(..entry.len()) {
            place.copy_from_slice(entry);
        }
        if let Err(error) = self.file.write_all_at(&bytes, at as u64) {
            warn!(msg = "cannot write queries.active", err = %error);
        }
    }
}

impl ActiveLog for ActiveQueries {
    fn begin(&self, query: &str) -> Option<usize> {
        let at = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
        self.write(at, &entry(query, self.clock.now().as_millis() / 1000));
        Some(at)
    }

    fn end(&self, place: usize) {
        self.write(place, &[]);
        self.free.lock().unwrap_or_else(PoisonError::into_inner).push(place);
    }
}

/// A query as it stands in the file, with its comma; cut where it is too long.
fn entry(query: &str, seconds: i64) -> Vec<u8> {
    let text = |query: &str| format!("{},", serde_json::json!({ "query": query, "timestamp_sec": seconds }));
    let mut shown = query;
    let mut written = text(shown);
    while written.len() > ENTRY {
        let over = (written.len() - ENTRY).div_ceil(6).max(1);
        let mut end = shown.len().saturating_sub(over);
        while !shown.is_char_boundary(end) {
            end -= 1;
        }
        shown = shown.get(..end).unwrap_or_default();
        written = text(shown);
    }
    written.into_bytes()
}

/// The queries in a file as a list; `None` where there are none.
fn unfinished(bytes: &[u8]) -> Option<String> {
    let text: Vec<u8> = bytes.iter().copied().filter(|byte| *byte != 0).collect();
    let text = String::from_utf8_lossy(&text);
    let list = text.trim_end_matches(',');
    (list.len() > 1).then(|| format!("{list}]"))
}

#[cfg(test)]
mod tests {
    use prom_model::SystemClock;

    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "reads what was written")]
    fn queries_stand_in_the_file_while_they_run() {
        let folder = tempfile::tempdir().unwrap();
        let active = ActiveQueries::open(folder.path(), 2, Arc::new(SystemClock)).unwrap();
        let read = || std::fs::read(folder.path().join("queries.active")).unwrap();
        assert_eq!(unfinished(&read()), None);
        let (first, second) = (active.begin("up").unwrap(), active.begin(&"x".repeat(5000)).unwrap());
        assert_eq!(active.begin("down"), None);
        assert_eq!(read().len(), 2001);
        let running: serde_json::Value = serde_json::from_str(&unfinished(&read()).unwrap()).unwrap();
        assert_eq!((running[0]["query"].as_str(), running.as_array().map(Vec::len)), (Some("up"), Some(2)));
        active.end(first);
        active.end(second);
        assert_eq!(unfinished(&read()), None);
    }
}
