//! What is wrong with the blocks of a bucket, as reasons with a stable code that people and programs can act on.

mod content;
mod group;
mod metadata;
#[cfg(test)]
mod tests;

use std::fmt;

use serde::Serialize;
use tsdb::BlockId;

pub use content::of_content;
pub use group::{duplicates, overlaps};
pub use metadata::of_block;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; nothing has to be done.
    Note,
    /// A rule is broken, but every sample can be read.
    Defect,
    /// Samples are lost, wrong or cannot be read, or the block cannot be used.
    Damage,
}

impl Severity {
    /// The word in output and flags.
    pub const fn as_str(self) -> &'static str {
        match self {
            Severity::Note => "note",
            Severity::Defect => "defect",
            Severity::Damage => "damage",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One thing that is wrong with one block.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// The block.
    pub block: BlockId,
    /// How bad it is.
    pub severity: Severity,
    /// What it is, as in `meta-missing`; never changes its meaning.
    pub code: &'static str,
    /// Where and how, for people.
    pub detail: String,
    /// Whether writing the block anew mends it without the loss of a sample.
    pub repairable: bool,
}

impl Finding {
    /// A finding about a block.
    pub fn new(block: BlockId, severity: Severity, code: &'static str, detail: impl Into<String>) -> Self {
        Finding { block, severity, code, detail: detail.into(), repairable: false }
    }

    /// The same, mended by writing the block anew.
    #[must_use]
    pub fn repairable(self) -> Self {
        Finding { repairable: true, ..self }
    }
}
