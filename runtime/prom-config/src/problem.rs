//! What is wrong with a file, where, and how sure that is.

use std::fmt;

/// Problems beyond this number are left out: nobody reads them, and memory stays bounded.
pub(crate) const PROBLEMS_MAX: usize = 100;

/// The kind of a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The bytes are no text that YAML can hold.
    Encoding,
    /// The text is no YAML, or more than the limits allow.
    Syntax,
    /// Prometheus has no such field, or has it twice.
    UnknownField,
    /// A list where a text belongs, and the like.
    Type,
    /// The type is right, the value is not.
    Value,
    /// A PromQL expression or a template that does not parse.
    Expression,
}

/// One thing because of which Prometheus would not load the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The place in the structure: `scrape_configs[2].relabel_configs[0].regex`; empty for the whole file.
    pub path: String,
    /// The line, from 1.
    pub line: u32,
    /// The character within the line, from 1.
    pub column: u32,
    /// What kind of problem it is.
    pub kind: Kind,
    /// What is wrong and what to do about it.
    pub message: String,
    /// Whether every Prometheus this was checked for refuses the file. If not, only Prometheus itself can tell.
    pub certain: bool,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.line, self.column)?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}
