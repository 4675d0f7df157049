//! Names for `--enable-feature` of the Prometheus server by release.

use std::sync::OnceLock;

use super::program::{Program, supported_range};
use super::status::{FlagStatus, Lifetime, Replacement, most_similar};
use super::table::{Table, optional_version, read};
use super::version::Version;

/// How one release of Prometheus takes a feature name.
///
/// Prometheus only logs a warning for a name that it does not know, so a wrong one goes unnoticed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FeatureStatus {
    /// It switches the feature on.
    Active,
    /// It switches the feature on, but its end is announced.
    Deprecated {
        /// First release that says so.
        since: Version,
        /// What to write in its place.
        instead: Option<Replacement>,
    },
    /// It is known and does nothing.
    NoEffect {
        /// First release in which it does nothing.
        since: Version,
        /// What took its place.
        instead: Option<Replacement>,
    },
    /// It came later.
    NotYet {
        /// First release that knows it.
        since: Version,
    },
    /// It is gone.
    Removed {
        /// Last release that knew it.
        last: Version,
        /// What took its place.
        instead: Option<Replacement>,
    },
    /// No release that was read knows it.
    Unknown {
        /// The most similar name that this release knows.
        suggestion: Option<String>,
    },
}

/// A line of the table.
#[derive(Debug)]
pub(super) struct FeatureRow {
    pub(super) name: &'static str,
    pub(super) lifetime: Lifetime,
    pub(super) no_effect: Option<Version>,
}

/// Tells how a release of Prometheus takes a name in `--enable-feature`.
pub fn prometheus_feature_status(version: Version, feature: &str) -> FeatureStatus {
    let version = supported_range(&Program::Prometheus).clamp(version);
    let rows = &table().rows;
    let at = rows.binary_search_by(|row| row.name.cmp(feature));
    let Some(row) = at.ok().and_then(|at| rows.get(at)) else {
        let names = rows.iter().filter(|row| row.lifetime.accepts(version)).map(|row| row.name);
        return FeatureStatus::Unknown { suggestion: most_similar(feature, names) };
    };
    match (row.lifetime.status(version), row.no_effect.filter(|since| *since <= version)) {
        (FlagStatus::NotYet { since }, _) => FeatureStatus::NotYet { since },
        (FlagStatus::Removed { last, instead }, _) => FeatureStatus::Removed { last, instead },
        (_, Some(since)) => FeatureStatus::NoEffect { since, instead: row.lifetime.instead },
        (FlagStatus::Deprecated { since, instead }, None) => FeatureStatus::Deprecated { since, instead },
        (FlagStatus::Known | FlagStatus::Unknown { .. }, None) => FeatureStatus::Active,
    }
}

pub(super) fn table() -> &'static Table<FeatureRow> {
    static TABLE: OnceLock<Table<FeatureRow>> = OnceLock::new();
    TABLE.get_or_init(|| read(include_str!("../../data/prometheus-features.tsv"), row))
}

fn row(cells: [&'static str; 6]) -> Option<FeatureRow> {
    let [name, first, last, deprecated, no_effect, instead] = cells;
    let lifetime = Lifetime {
        first: first.parse().ok()?,
        last: optional_version(last)?,
        deprecated: optional_version(deprecated)?,
        instead: Replacement::parse(instead),
    };
    Some(FeatureRow { name, lifetime, no_effect: optional_version(no_effect)? })
}
