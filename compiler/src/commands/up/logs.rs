//! What the processes say: into files, onto the terminal, and the last lines kept for when something goes wrong.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, PipeReader, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::Context;

/// Lines that are kept in memory.
const LAST_LINES: usize = 20;
/// Longest line; the rest of it is the next line, in bytes.
const LINE_BYTES_MAX: u64 = 16 * 1024;
/// A file of this size becomes `NAME.log.1`, in bytes.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Colours that can be told apart on light and dark ground.
const COLORS: [u8; 6] = [36, 32, 33, 35, 34, 31];

/// Where the lines go.
#[derive(Debug, Clone)]
pub(super) struct Streams {
    /// Whether they go to the terminal.
    pub(super) shown: bool,
    pub(super) color: bool,
    /// Folders for files.
    pub(super) folders: Vec<PathBuf>,
}

/// The log of one process, over all its lives.
#[derive(Debug, Clone)]
pub(super) struct Log {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug)]
struct Inner {
    prefix: Option<String>,
    files: Vec<LogFile>,
    last: VecDeque<String>,
}

#[derive(Debug)]
struct LogFile {
    path: PathBuf,
    file: File,
    size: u64,
}

impl Log {
    /// Opens the files of a process; those of the last run become `NAME.log.1`.
    pub(super) fn open(streams: &Streams, name: &str, width: usize, index: usize) -> anyhow::Result<Log> {
        let files = streams.folders.iter().map(|folder| {
            let path = folder.join(format!("{name}.log"));
            LogFile::open(path.clone()).with_context(|| format!("`{}`", path.display()))
        });
        let files = files.collect::<anyhow::Result<Vec<LogFile>>>()?;
        let (on, off) = match streams.color {
            true => (format!("\u{1b}[{}m", COLORS[index % COLORS.len()]), "\u{1b}[0m"),
            false => (String::new(), ""),
        };
        let prefix = streams.shown.then(|| format!("{on}{name:width$} |{off} "));
        Ok(Log { inner: Arc::new(Mutex::new(Inner { prefix, files, last: VecDeque::new() })) })
    }

    /// Takes over everything that comes out of a pipe.
    pub(super) fn follow(&self, pipe: PipeReader) {
        let log = self.clone();
        thread::spawn(move || {
            let mut reader = BufReader::new(pipe);
            let mut line = Vec::new();
            while matches!(reader.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line), Ok(1..)) {
                log.line(String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']));
                line.clear();
            }
        });
    }

    /// The last lines.
    pub(super) fn last(&self) -> Vec<String> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.last.iter().cloned().collect()
    }

    fn line(&self, text: &str) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        for file in &mut inner.files {
            file.write(text);
        }
        if inner.last.len() == LAST_LINES {
            inner.last.pop_front();
        }
        inner.last.push_back(text.to_string());
        if let Some(prefix) = &inner.prefix {
            // A terminal that has gone away is no reason to stop.
            let _ = std::io::stdout().lock().write_all(format!("{prefix}{}\n", printable(text)).as_bytes());
        }
    }
}

impl LogFile {
    fn open(path: PathBuf) -> std::io::Result<LogFile> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        rotate(&path);
        let file = OpenOptions::new().create(true).append(true).open(&path)?;
        Ok(LogFile { path, file, size: 0 })
    }

    fn write(&mut self, text: &str) {
        if self.size > FILE_BYTES_MAX {
            rotate(&self.path);
            match OpenOptions::new().create(true).append(true).open(&self.path) {
                Ok(file) => self.file = file,
                Err(_) => return,
            }
            self.size = 0;
        }
        // A full disk costs the log, not the process.
        if self.file.write_all(format!("{text}\n").as_bytes()).is_ok() {
            self.size += text.len() as u64 + 1;
        }
    }
}

fn rotate(path: &Path) {
    let mut old = path.as_os_str().to_owned();
    old.push(".1");
    // Not there the first time.
    let _ = fs::rename(path, old);
}

/// A line that cannot move the cursor or colour what follows.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_go_into_files_and_the_last_ones_are_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let streams = Streams { shown: false, color: false, folders: vec![folder.path().to_path_buf()] };
        for run in ["first", "second"] {
            let log = Log::open(&streams, "one/a", 8, 0).expect("opened");
            for number in 0..30 {
                log.line(&format!("{run} {number}"));
            }
            assert_eq!(log.last().len(), LAST_LINES);
            assert_eq!(log.last().last(), Some(&format!("{run} 29")));
        }
        let read = |name: &str| fs::read_to_string(folder.path().join(name)).expect("a file");
        assert!(read("one/a.log").starts_with("second 0\n"));
        assert!(read("one/a.log.1").starts_with("first 0\n"));
    }

    #[test]
    fn control_characters_are_not_passed_on() {
        assert_eq!(printable("a\u{1b}[2Jb\tc"), "a\u{fffd}[2Jb\tc");
    }
}
