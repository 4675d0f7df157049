//! What a release says to a name: the answers, and how they follow from the years of life of that name.

use std::fmt;

use super::version::Version;

/// How one release takes a flag or a configuration field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FlagStatus {
    /// It is accepted.
    Known,
    /// It is accepted, but its end is announced.
    Deprecated {
        /// First release that says so.
        since: Version,
        /// What to write in its place.
        instead: Option<Replacement>,
    },
    /// It came later: this release refuses it.
    NotYet {
        /// First release that accepts it.
        since: Version,
    },
    /// It is gone: this release refuses it.
    Removed {
        /// Last release that accepted it.
        last: Version,
        /// What to write in its place.
        instead: Option<Replacement>,
    },
    /// No release that was read has it.
    Unknown {
        /// The most similar name that this release accepts.
        suggestion: Option<String>,
    },
}

/// What took the place of a flag, a feature or a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replacement {
    /// The behaviour needs no switch any more.
    AlwaysOn,
    /// A flag, dashes included.
    Flag(&'static str),
    /// A field of the configuration file.
    Field(&'static str),
}

impl Replacement {
    /// Reads the last column of a table.
    pub(super) fn parse(cell: &'static str) -> Option<Self> {
        match cell {
            "" => None,
            "default" => Some(Self::AlwaysOn),
            flag if flag.starts_with("--") => Some(Self::Flag(flag)),
            field => Some(Self::Field(field)),
        }
    }
}

impl fmt::Display for Replacement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlwaysOn => f.write_str("nothing, it is always on"),
            Self::Flag(flag) => f.write_str(flag),
            Self::Field(field) => write!(f, "the configuration field `{field}`"),
        }
    }
}

/// From when to when a name was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lifetime {
    pub(super) first: Version,
    pub(super) last: Option<Version>,
    pub(super) deprecated: Option<Version>,
    pub(super) instead: Option<Replacement>,
}

impl Lifetime {
    /// Returns the last release with this name, if `version` is later.
    pub(super) fn gone(&self, version: Version) -> Option<Version> {
        // Names end with minor releases only, so a patch release that was not read yet still has them.
        self.last.filter(|last| version.series() > last.series())
    }

    /// Answers for one release.
    pub(super) fn status(&self, version: Version) -> FlagStatus {
        if version < self.first {
            return FlagStatus::NotYet { since: self.first };
        }
        if let Some(last) = self.gone(version) {
            return FlagStatus::Removed { last, instead: self.instead };
        }
        match self.deprecated.filter(|since| *since <= version) {
            Some(since) => FlagStatus::Deprecated { since, instead: self.instead },
            None => FlagStatus::Known,
        }
    }

    /// Tells whether a release accepts the name.
    pub(super) fn accepts(&self, version: Version) -> bool {
        version >= self.first && self.gone(version).is_none()
    }
}

/// Finds the name most like `wanted`; the first of equals, so give them in a fixed order.
pub(super) fn most_similar<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Option<String> {
    // Below this, a proposal is more often puzzling than right.
    const LEAST: f64 = 0.7;
    // Comparing takes time by the product of the lengths, and no name comes near this one.
    const LONGEST: usize = 128;
    if wanted.len() > LONGEST {
        return None;
    }
    let mut best: Option<(f64, &str)> = None;
    for name in names {
        let likeness = strsim::normalized_damerau_levenshtein(wanted, name);
        if likeness >= LEAST && best.is_none_or(|(most, _)| likeness > most) {
            best = Some((likeness, name));
        }
    }
    best.map(|(_, name)| name.to_owned())
}
