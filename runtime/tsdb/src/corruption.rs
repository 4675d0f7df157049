//! What is wrong with stored bytes, and where exactly.

use std::fmt;
use std::sync::Arc;

/// Which part of a file an offset belongs to; the names are those of the format documents in `docs/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Section {
    /// Magic number, version and flags at the start of a file.
    Header,
    /// The table of contents at the end of an index.
    Toc,
    /// The symbol table of an index.
    Symbols,
    /// The series of an index.
    Series,
    /// A label index of an index of format 1.
    LabelIndex,
    /// The label index offset table of an index of format 1.
    LabelIndexTable,
    /// A list of postings.
    Postings,
    /// The postings offset table.
    PostingsTable,
    /// A chunk: length, encoding, data, checksum.
    Chunk,
    /// The tombstones after the header.
    Tombstones,
    /// A page or a record of the write-ahead log.
    Record,
    /// A file of JSON.
    Json,
}

impl Section {
    /// The section's name in messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Section::Header => "header",
            Section::Toc => "table of contents",
            Section::Symbols => "symbol table",
            Section::Series => "series",
            Section::LabelIndex => "label index",
            Section::LabelIndexTable => "label index offset table",
            Section::Postings => "postings",
            Section::PostingsTable => "postings offset table",
            Section::Chunk => "chunk",
            Section::Tombstones => "tombstones",
            Section::Record => "record",
            Section::Json => "JSON",
        }
    }
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The file does not begin as its format does.
    #[error("magic number {found:#010x} instead of {expected:#010x}")]
    Magic {
        /// What the format begins with.
        expected: u32,
        /// What the file begins with.
        found: u32,
    },
    /// A version that nobody has defined.
    #[error("unknown version {0}")]
    Version(u64),
    /// An encoding that nobody has defined.
    #[error("unknown encoding {0}")]
    Encoding(u64),
    /// The bytes are not those over which the checksum was made.
    #[error("checksum {found:#010x} instead of {expected:#010x}")]
    Checksum {
        /// The checksum in the file.
        expected: u32,
        /// The checksum of the bytes in the file.
        found: u32,
    },
    /// The bytes end before the value does.
    #[error("ends {missing} bytes too early")]
    Short {
        /// How many bytes more were to be read.
        missing: u64,
    },
    /// Bytes are left where none should be.
    #[error("{0} bytes too many")]
    Trailing(u64),
    /// A variable-length integer that is longer than 64 bits.
    #[error("a varint longer than 64 bits")]
    Varint,
    /// A value outside the range that it can have here.
    #[error("{what} is {value}, at most {max} is possible")]
    OutOfRange {
        /// What the value is.
        what: &'static str,
        /// The value.
        value: u64,
        /// The largest that is possible.
        max: u64,
    },
    /// Text that is not UTF-8.
    #[error("{0} is not UTF-8")]
    Utf8(&'static str),
    /// Things are not in the order that the format asks for.
    #[error("{0} out of order")]
    Order(&'static str),
    /// Two parts of the block contradict each other, or a rule of the format is broken.
    #[error("{0}")]
    Rule(&'static str),
    /// A file of JSON that does not say what it should.
    #[error("not the JSON that is expected: {0}")]
    Json(Arc<str>),
    /// The file is not there.
    #[error("missing")]
    Missing,
    /// The operating system could not read it.
    #[error("unreadable: {0}")]
    Io(Arc<str>),
}

/// Damage in a stored file: what, in which file, which section, at which byte.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {section} at byte {offset}: {fault}")]
pub struct Corruption {
    /// The file, relative to the block or to the log, as in `chunks/000001`.
    pub file: Arc<str>,
    /// The section in which the damage lies.
    pub section: Section,
    /// Bytes from the start of the file.
    pub offset: u64,
    /// What is wrong.
    pub fault: Fault,
}

impl error_kind::Kind for Corruption {
    fn kind(&self) -> error_kind::ErrorKind {
        match self.fault {
            Fault::Missing => error_kind::ErrorKind::NotFound,
            Fault::Io(_) => error_kind::ErrorKind::Unavailable,
            _ => error_kind::ErrorKind::Corrupt,
        }
    }
}
