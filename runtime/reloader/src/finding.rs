//! Why an input was not taken: what, where, what to do.

use std::fmt;

/// The kind of an obstacle; its word is a label of the metric of rejected inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The input is missing or cannot be read.
    Unreadable,
    /// It changed each time it was read.
    Unstable,
    /// It is larger than any sane configuration, packed or unpacked.
    TooLarge,
    /// It says that it is gzip, and is not.
    Gzip,
    /// It names a variable that is not set.
    UnsetVariable,
    /// It has no content.
    Empty,
    /// It is not UTF-8 or not YAML.
    Syntax,
    /// A field that Prometheus does not know.
    UnknownField,
    /// A value that Prometheus does not accept.
    Value,
    /// A PromQL expression that does not parse.
    Expression,
    /// promtool or amtool does not accept it.
    Tool,
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Unreadable,
        Self::Unstable,
        Self::TooLarge,
        Self::Gzip,
        Self::UnsetVariable,
        Self::Empty,
        Self::Syntax,
        Self::UnknownField,
        Self::Value,
        Self::Expression,
        Self::Tool,
    ];

    /// The word for metrics and JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::Unstable => "unstable",
            Self::TooLarge => "too_large",
            Self::Gzip => "gzip",
            Self::UnsetVariable => "unset_variable",
            Self::Empty => "empty",
            Self::Syntax => "syntax",
            Self::UnknownField => "unknown_field",
            Self::Value => "value",
            Self::Expression => "expression",
            Self::Tool => "tool",
        }
    }
}

/// One obstacle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Its kind.
    pub reason: Reason,
    /// The input file or folder.
    pub file: String,
    /// Line and column from 1, where known.
    pub place: Option<(u32, u32)>,
    /// What is wrong and what to do.
    pub message: String,
}

impl Finding {
    /// An obstacle that concerns a file as a whole.
    pub fn of_file(reason: Reason, file: impl fmt::Display, message: impl Into<String>) -> Self {
        Self { reason, file: file.to_string(), place: None, message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if let Some((line, column)) = self.place {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", self.message)
    }
}
