//! Release numbers, compared as numbers.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// A release number; a missing patch number counts as 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// First number.
    pub major: u32,
    /// Second number.
    pub minor: u32,
    /// Third number.
    pub patch: u32,
}

impl Version {
    /// Builds a version from its three numbers.
    pub const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self { major, minor, patch }
    }

    /// Returns what is shared by all patch releases of one minor release.
    pub(super) const fn series(self) -> (u32, u32) {
        (self.major, self.minor)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// A text that is no release number.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{text}` is not a release: write it as \"MAJOR.MINOR\" or \"MAJOR.MINOR.PATCH\", digits only")]
pub struct VersionError {
    /// What was written.
    pub text: String,
}

impl FromStr for Version {
    type Err = VersionError;

    /// Reads `3.14.0`, `v0.42.4` or `1.37`.
    fn from_str(text: &str) -> Result<Self, VersionError> {
        let wrong = || VersionError { text: text.to_owned() };
        let mut numbers = text.strip_prefix('v').unwrap_or(text).split('.').map(|part| {
            // `u32::from_str` would take a leading `+`.
            if part.bytes().all(|b| b.is_ascii_digit()) { part.parse::<u32>().ok() } else { None }
        });
        let mut next = || numbers.next();
        let (Some(Some(major)), Some(Some(minor))) = (next(), next()) else { return Err(wrong()) };
        let patch = match next() {
            None => 0,
            Some(patch) => patch.ok_or_else(wrong)?,
        };
        if next().is_some() {
            return Err(wrong());
        }
        Ok(Self { major, minor, patch })
    }
}
