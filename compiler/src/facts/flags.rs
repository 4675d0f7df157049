//! Flags of every program by release.

use std::sync::OnceLock;

use super::program::{Program, supported_range};
use super::status::{FlagStatus, Lifetime, Replacement, most_similar};
use super::table::{Table, optional_version, read};
use super::version::Version;

/// What is known of a flag beside the releases that have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlagFacts {
    /// The flag, dashes included.
    pub name: &'static str,
    /// First release that accepts it more than once.
    pub repeatable_since: Option<Version>,
    /// It takes no value.
    pub switch: bool,
    /// It is not in the `--help` text.
    pub hidden: bool,
    /// Prometheus refuses it in agent mode.
    pub server_only: bool,
    /// Prometheus refuses it outside agent mode.
    pub agent_only: bool,
}

/// A line of a table of flags.
#[derive(Debug)]
pub(super) struct FlagRow {
    /// Thanos command, empty for the other programs.
    pub(super) component: &'static str,
    pub(super) facts: FlagFacts,
    pub(super) lifetime: Lifetime,
}

/// Tells how a release of a program takes a flag.
///
/// The flag may carry a value (`--log.level=info`) and, where the program allows it, a negation (`--no-web.cors`).
pub fn flag_status(program: &Program, version: Version, flag: &str) -> FlagStatus {
    let version = supported_range(program).clamp(version);
    let name = flag.split_once('=').map_or(flag, |(name, _)| name);
    match find(program, name) {
        Some(row) => row.lifetime.status(version),
        None => {
            let names = flags(program, version).map(|facts| facts.name);
            FlagStatus::Unknown { suggestion: most_similar(name, names) }
        }
    }
}

/// Returns the facts of a flag that some release has.
pub fn flag_facts(program: &Program, flag: &str) -> Option<&'static FlagFacts> {
    let name = flag.split_once('=').map_or(flag, |(name, _)| name);
    find(program, name).map(|row| &row.facts)
}

/// Lists the flags that a release of a program accepts, by name.
pub fn flags(program: &Program, version: Version) -> impl Iterator<Item = &'static FlagFacts> {
    let version = supported_range(program).clamp(version);
    rows(program).iter().filter(move |row| row.lifetime.accepts(version)).map(|row| &row.facts)
}

fn find(program: &Program, name: &str) -> Option<&'static FlagRow> {
    let rows = rows(program);
    let exact = |name: &str| {
        let at = rows.binary_search_by(|row| row.facts.name.cmp(name)).ok()?;
        rows.get(at)
    };
    exact(name).or_else(|| {
        let positive = name.strip_prefix("--no-").filter(|_| program.negates_switches())?;
        exact(&format!("--{positive}")).filter(|row| row.facts.switch)
    })
}

/// Returns the lines of one program, sorted by flag.
fn rows(program: &Program) -> &'static [FlagRow] {
    let rows = &table(program).rows;
    let Program::Thanos(component) = program else { return rows };
    let component = component.as_str();
    let from = rows.partition_point(|row| row.component < component);
    let to = rows.partition_point(|row| row.component <= component);
    rows.get(from..to).unwrap_or_default()
}

/// Returns the table that a program's flags are in.
pub(super) fn table(program: &Program) -> &'static Table<FlagRow> {
    static PROMETHEUS: OnceLock<Table<FlagRow>> = OnceLock::new();
    static THANOS: OnceLock<Table<FlagRow>> = OnceLock::new();
    static ALERTMANAGER: OnceLock<Table<FlagRow>> = OnceLock::new();
    static KUBE_STATE_METRICS: OnceLock<Table<FlagRow>> = OnceLock::new();
    static NODE_EXPORTER: OnceLock<Table<FlagRow>> = OnceLock::new();
    match program {
        Program::Prometheus => {
            PROMETHEUS.get_or_init(|| read(include_str!("../../data/prometheus-flags.tsv"), plain))
        }
        Program::Thanos(_) => THANOS.get_or_init(|| {
            read(include_str!("../../data/thanos-flags.tsv"), |[component, cells @ ..]: [&'static str; 7]| {
                let known = super::Component::ALL.iter().any(|known| known.as_str() == component);
                if known { row(component, cells) } else { None }
            })
        }),
        Program::Alertmanager => {
            ALERTMANAGER.get_or_init(|| read(include_str!("../../data/alertmanager-flags.tsv"), plain))
        }
        Program::KubeStateMetrics => {
            let text = include_str!("../../data/kube-state-metrics-flags.tsv");
            KUBE_STATE_METRICS.get_or_init(|| read(text, plain))
        }
        Program::NodeExporter => {
            NODE_EXPORTER.get_or_init(|| read(include_str!("../../data/node-exporter-flags.tsv"), plain))
        }
    }
}

fn plain(cells: [&'static str; 6]) -> Option<FlagRow> {
    row("", cells)
}

fn row(component: &'static str, cells: [&'static str; 6]) -> Option<FlagRow> {
    let [name, first, last, deprecated, traits, instead] = cells;
    if !name.starts_with("--") {
        return None;
    }
    let lifetime = Lifetime {
        first: first.parse().ok()?,
        last: optional_version(last)?,
        deprecated: optional_version(deprecated)?,
        instead: Replacement::parse(instead),
    };
    let mut facts = FlagFacts {
        name,
        repeatable_since: None,
        switch: false,
        hidden: false,
        server_only: false,
        agent_only: false,
    };
    for word in traits.split(',').filter(|word| !word.is_empty()) {
        match word.split_once('@').unwrap_or((word, "")) {
            ("repeatable", "") => facts.repeatable_since = Some(lifetime.first),
            ("repeatable", since) => facts.repeatable_since = Some(since.parse().ok()?),
            ("switch", "") => facts.switch = true,
            ("hidden", "") => facts.hidden = true,
            ("server-only", "") => facts.server_only = true,
            ("agent-only", "") => facts.agent_only = true,
            _ => return None,
        }
    }
    Some(FlagRow { component, facts, lifetime })
}
