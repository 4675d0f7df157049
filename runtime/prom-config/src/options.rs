//! What the caller knows about the Prometheus that will load the file.

use crate::Version;

/// For whom a file is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// The release that will load the file. Without it, what any known release accepts is accepted.
    pub version: Option<Version>,
    /// What a field means that Prometheus does not have.
    pub unknown_fields: UnknownFields,
}

/// What to do with a field that Prometheus does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UnknownFields {
    /// It is a problem, as Prometheus has it.
    #[default]
    Deny,
    /// It is left out.
    Allow,
}

impl Options {
    /// Whether the release is known and not older than `version`.
    pub(crate) fn at_least(&self, version: Version) -> bool {
        self.version.is_some_and(|own| own >= version)
    }

    /// Whether the release is known and older than `version`.
    pub(crate) fn before(&self, version: Version) -> bool {
        self.version.is_some_and(|own| own < version)
    }

    /// Whether everything that the release accepts is known here.
    pub(crate) fn is_known(&self) -> bool {
        self.version.is_some_and(|own| own <= Version::NEWEST)
    }
}
