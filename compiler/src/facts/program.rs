//! The programs whose flags are known, and the releases for which they are.

use std::fmt;

use super::version::Version;

/// A program that the compiler writes a command line for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Program {
    /// The Prometheus server.
    Prometheus,
    /// One command of Thanos.
    Thanos(Component),
    /// The Alertmanager server.
    Alertmanager,
    /// kube-state-metrics.
    KubeStateMetrics,
    /// node_exporter on Linux.
    NodeExporter,
}

impl Program {
    /// Tells whether a switch `--x` can also be written `--no-x`.
    pub(super) fn negates_switches(self) -> bool {
        !matches!(self, Self::KubeStateMetrics)
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prometheus => f.write_str("prometheus"),
            Self::Thanos(component) => write!(f, "thanos {component}"),
            Self::Alertmanager => f.write_str("alertmanager"),
            Self::KubeStateMetrics => f.write_str("kube-state-metrics"),
            Self::NodeExporter => f.write_str("node_exporter"),
        }
    }
}

/// A command of Thanos.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Component {
    /// `thanos sidecar`.
    Sidecar,
    /// `thanos query`.
    Query,
    /// `thanos store`.
    Store,
    /// `thanos compact`.
    Compact,
    /// `thanos receive`.
    Receive,
    /// `thanos rule`.
    Rule,
    /// `thanos query-frontend`.
    QueryFrontend,
}

impl Component {
    /// Every component.
    pub const ALL: [Self; 7] = [
        Self::Sidecar,
        Self::Query,
        Self::Store,
        Self::Compact,
        Self::Receive,
        Self::Rule,
        Self::QueryFrontend,
    ];

    /// Returns the command's name, the first argument of `thanos`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sidecar => "sidecar",
            Self::Query => "query",
            Self::Store => "store",
            Self::Compact => "compact",
            Self::Receive => "receive",
            Self::Rule => "rule",
            Self::QueryFrontend => "query-frontend",
        }
    }
}

impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The releases that the facts cover, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VersionRange {
    /// Oldest release.
    pub min: Version,
    /// Newest release; later patches of the same minor release are covered too.
    pub max: Version,
}

impl VersionRange {
    /// Tells whether the facts cover a release.
    pub fn contains(&self, version: Version) -> bool {
        self.min <= version && version.series() <= self.max.series()
    }

    /// Returns the covered release that stands in for an uncovered one.
    pub(super) fn clamp(&self, version: Version) -> Version {
        // Only the lower end matters: no fact begins after the newest release that was read.
        version.max(self.min)
    }
}

/// Returns the releases of a program that the facts cover.
pub const fn supported_range(program: &Program) -> VersionRange {
    let (min, max) = match program {
        Program::Prometheus => (Version::new(2, 37, 0), Version::new(3, 14, 0)),
        Program::Thanos(_) => (Version::new(0, 28, 0), Version::new(0, 43, 0)),
        Program::Alertmanager => (Version::new(0, 22, 0), Version::new(0, 34, 0)),
        Program::KubeStateMetrics => (Version::new(2, 0, 0), Version::new(2, 20, 0)),
        Program::NodeExporter => (Version::new(1, 0, 0), Version::new(1, 12, 1)),
    };
    VersionRange { min, max }
}
