//! Fields of Prometheus' configuration and rule files by release.

use std::sync::OnceLock;

use super::program::{Program, supported_range};
use super::status::{FlagStatus, Lifetime, Replacement, most_similar};
use super::table::{Table, optional_version, read};
use super::version::Version;

/// A line of the table.
#[derive(Debug)]
pub(super) struct FieldRow {
    pub(super) path: &'static str,
    pub(super) lifetime: Lifetime,
}

/// Returns the first release of Prometheus with a field, 2.37.0 standing for that release and all before it.
///
/// `path` is as in [`config_field_status`].
pub fn config_field_since(path: &str) -> Option<Version> {
    find(path).map(|row| row.lifetime.first)
}

/// Tells how a release of Prometheus takes a field.
///
/// `path` names the fields from the top of the file, without list positions: `scrape_configs.scrape_protocols`,
/// `scrape_configs.relabel_configs.action`, `storage.tsdb.retention.time`; one value of an enumeration is
/// `kubernetes_sd_configs.role=endpointslice`. Rule files begin with `rule_group.` or `rule.`. Blocks that many places
/// share may be named through any of them.
pub fn config_field_status(version: Version, path: &str) -> FlagStatus {
    let version = supported_range(&Program::Prometheus).clamp(version);
    match find(path) {
        Some(row) => row.lifetime.status(version),
        None => {
            let paths = table().rows.iter().filter(|row| row.lifetime.accepts(version)).map(|row| row.path);
            FlagStatus::Unknown { suggestion: most_similar(path, paths) }
        }
    }
}

fn find(path: &str) -> Option<&'static FieldRow> {
    exact(path).or_else(|| shared(path).iter().find_map(|path| exact(path)))
}

fn exact(path: &str) -> Option<&'static FieldRow> {
    let rows = &table().rows;
    let at = rows.binary_search_by(|row| row.path.cmp(path)).ok()?;
    rows.get(at)
}

/// Returns the names under which a path into a shared block may be listed.
fn shared(path: &str) -> Vec<String> {
    /// Blocks that take the fields of an HTTP client beside their own.
    const HTTP_CLIENTS: [&str; 6] = [
        "scrape_configs",
        "alerting.alertmanagers",
        "remote_write",
        "remote_read",
        "kubernetes_sd_configs",
        "http_sd_configs",
    ];
    let mut names = Vec::new();
    // A block that is listed on its own hides everything above it.
    for (start, _) in path.match_indices('.') {
        let Some((block, rest)) = path.get(start + 1..).and_then(|tail| tail.split_once('.')) else {
            continue;
        };
        if block.ends_with("relabel_configs") {
            names.push(format!("relabel_config.{rest}"));
        } else if block.ends_with("_sd_configs") {
            names.push(format!("{block}.{rest}"));
            names.push(format!("http_config.{rest}"));
        } else if block == "tls_config" {
            names.push(format!("http_config.tls_config.{rest}"));
        }
    }
    for block in HTTP_CLIENTS {
        let rest = path.strip_prefix(block).and_then(|rest| rest.strip_prefix('.'));
        names.extend(rest.map(|rest| format!("http_config.{rest}")));
    }
    // Alertmanagers are discovered by the same means as targets.
    let rest = path.strip_prefix("alerting.alertmanagers.");
    names.extend(rest.filter(|rest| rest.contains("_configs")).map(|rest| format!("scrape_configs.{rest}")));
    names
}

pub(super) fn table() -> &'static Table<FieldRow> {
    static TABLE: OnceLock<Table<FieldRow>> = OnceLock::new();
    TABLE.get_or_init(|| read(include_str!("../../data/prometheus-config-fields.tsv"), row))
}

fn row(cells: [&'static str; 5]) -> Option<FieldRow> {
    let [path, first, last, deprecated, instead] = cells;
    let lifetime = Lifetime {
        first: first.parse().ok()?,
        last: optional_version(last)?,
        deprecated: optional_version(deprecated)?,
        instead: Replacement::parse(instead),
    };
    Some(FieldRow { path, lifetime })
}
