//! Files, spans and the outside world: everything that the compiler reads comes through here.
//!
//! Compilation is a pure function of a [`World`]. The command line, the tests and the fuzzer each bring their own.

use std::collections::BTreeMap;

/// Index of a file in [`Sources`].
pub type FileId = u32;

/// A byte range in one source file, half open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The file.
    pub file: FileId,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// A span from offsets of any integer width; offsets past 4 GiB are clamped, files are far smaller.
    pub fn new(file: FileId, start: usize, end: usize) -> Span {
        let clamp = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
        Span { file, start: clamp(start), end: clamp(end.max(start)) }
    }
}

/// Why a file could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// No such file.
    #[error("no such file")]
    NotFound,
    /// The file is larger than the compiler accepts.
    #[error("the file has {found} bytes, the limit is {limit}")]
    TooLarge {
        /// Size found, bytes.
        found: u64,
        /// Size accepted, bytes.
        limit: u64,
    },
    /// Anything else the operating system says.
    #[error("{0}")]
    Io(String),
}

/// Largest topology, rule or template file that is read, in bytes.
pub const FILE_SIZE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// The only door from the compiler to disk, environment and calendar.
pub trait World {
    /// Reads a whole file. `path` is relative to the world's root, with `/` as separator.
    fn read(&self, path: &str) -> Result<Vec<u8>, ReadError>;
    /// Paths that match a glob (`*`, `**`, `?`, `[..]`, `{a,b}`), sorted by name, relative to the root.
    fn glob(&self, pattern: &str) -> Result<Vec<String>, ReadError>;
    /// One environment variable; read only for a typed `(env)"NAME"`.
    fn variable(&self, name: &str) -> Option<String>;
    /// Today as `YYYY-MM-DD`: `allow` and `ack` expire by it. Nothing rendered depends on it.
    fn today(&self) -> String;
}

/// A world in memory, for tests, the fuzzer and embedding.
#[derive(Debug, Clone, Default)]
pub struct MemoryWorld {
    /// Path to content.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Environment.
    pub variables: BTreeMap<String, String>,
    /// Today, `YYYY-MM-DD`; empty means the first day of time, so that nothing has expired.
    pub today: String,
}

impl MemoryWorld {
    /// A world of one file.
    pub fn single(path: &str, text: impl Into<Vec<u8>>) -> MemoryWorld {
        let mut world = MemoryWorld::default();
        world.files.insert(path.to_string(), text.into());
        world
    }
}

impl World for MemoryWorld {
    fn read(&self, path: &str) -> Result<Vec<u8>, ReadError> {
        let bytes = self.files.get(path).ok_or(ReadError::NotFound)?;
        if bytes.len() as u64 > FILE_SIZE_BYTES_MAX {
            return Err(ReadError::TooLarge { found: bytes.len() as u64, limit: FILE_SIZE_BYTES_MAX });
        }
        Ok(bytes.clone())
    }

    fn glob(&self, pattern: &str) -> Result<Vec<String>, ReadError> {
        let matcher = glob_matcher(pattern)?;
        Ok(self.files.keys().filter(|path| matcher.is_match(path.as_str())).cloned().collect())
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }

    fn today(&self) -> String {
        self.today.clone()
    }
}

/// Compiles a glob in which `*` stays inside one folder and `**` crosses folders.
pub fn glob_matcher(pattern: &str) -> Result<globset::GlobMatcher, ReadError> {
    globset::GlobBuilder::new(pattern)
        .literal_separator(true)
        .build()
        .map(|glob| glob.compile_matcher())
        .map_err(|error| ReadError::Io(format!("bad pattern: {}", error.kind())))
}

/// Joins `path` to the folder of `base`, resolving `.` and `..`; an absolute `path` stays as it is.
pub fn join(base: &str, path: &str) -> String {
    if path.starts_with('/') {
        return path.to_string();
    }
    let folder = base.rfind('/').map_or("", |cut| &base[..cut]);
    let absolute = folder.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            other => parts.push(other),
        }
    }
    format!("{}{}", if absolute { "/" } else { "" }, parts.join("/"))
}

/// One file that took part in the compilation.
#[derive(Debug, Clone)]
pub struct SourceFile {
    /// Path as the user would write it.
    pub path: String,
    /// The text.
    pub text: String,
    line_starts: Vec<u32>,
}

/// Every file that took part, in the order in which they were opened.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    files: Vec<SourceFile>,
}

/// A place for people: 1-based line and column (columns count characters).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Path of the file.
    pub path: String,
    /// Line from 1.
    pub line: usize,
    /// Column from 1, in characters.
    pub column: usize,
    /// Line of the end.
    pub end_line: usize,
    /// Column one past the end.
    pub end_column: usize,
}

impl Sources {
    /// Adds a file and returns its id.
    pub fn add(&mut self, path: &str, text: String) -> FileId {
        let mut line_starts = vec![0];
        line_starts
            .extend(text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at as u32 + 1));
        self.files.push(SourceFile { path: path.to_string(), text, line_starts });
        (self.files.len() - 1) as FileId
    }

    /// The file with this id, if there is one.
    pub fn get(&self, file: FileId) -> Option<&SourceFile> {
        self.files.get(file as usize)
    }

    /// All files in the order of opening.
    pub fn iter(&self) -> impl Iterator<Item = &SourceFile> {
        self.files.iter()
    }

    /// The text under a span.
    pub fn snippet(&self, span: Span) -> &str {
        self.get(span.file)
            .and_then(|file| file.text.get(span.start as usize..span.end as usize))
            .unwrap_or("")
    }

    /// Where a span is, for people.
    pub fn place(&self, span: Span) -> Option<Place> {
        let file = self.get(span.file)?;
        let (line, column) = file.line_column(span.start);
        let (end_line, end_column) = file.line_column(span.end);
        Some(Place { path: file.path.clone(), line, column, end_line, end_column })
    }
}

impl SourceFile {
    fn line_column(&self, offset: u32) -> (usize, usize) {
        let line = self.line_starts.partition_point(|start| *start <= offset).max(1);
        let start = self.line_starts[line - 1] as usize;
        let end = (offset as usize).min(self.text.len()).max(start);
        let column = self.text.get(start..end).map_or(end - start, |text| text.chars().count());
        (line, column + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn join_resolves_dots() {
        assert_eq!(join("a/b/top.kdl", "../lib/x.kdl"), "a/lib/x.kdl");
        assert_eq!(join("top.kdl", "./x.kdl"), "x.kdl");
        assert_eq!(join("/r/top.kdl", "jobs/*.kdl"), "/r/jobs/*.kdl");
        assert_eq!(join("top.kdl", "../x.kdl"), "../x.kdl");
    }

    #[test]
    fn columns_count_characters() {
        let mut sources = Sources::default();
        let file = sources.add("t.kdl", "a\nübel x\n".to_string());
        let place = sources.place(Span::new(file, 8, 9)).expect("in range");
        assert_eq!((place.line, place.column), (2, 6));
    }
}
