//! The fields that are known here are those of Prometheus' releases.

use std::collections::BTreeMap;
use std::path::Path;

use prom_config::{Version, known_fields};

/// The path of a field in the table as one here: some are given once for many places.
fn places(field: &str) -> Vec<String> {
    let http = [
        "scrape_configs",
        "remote_write",
        "remote_read",
        "alerting.alertmanagers",
        "scrape_configs.http_sd_configs",
    ];
    let relabel = [
        "scrape_configs.relabel_configs",
        "scrape_configs.metric_relabel_configs",
        "alerting.alert_relabel_configs",
        "alerting.alertmanagers.relabel_configs",
        "remote_write.write_relabel_configs",
    ];
    if let Some(rest) = field.strip_prefix("http_config.") {
        return http.iter().map(|place| format!("{place}.{rest}")).collect();
    }
    if let Some(rest) = field.strip_prefix("relabel_config.") {
        return relabel.iter().map(|place| format!("{place}.{rest}")).collect();
    }
    if let Some(rest) = field.strip_prefix("rule_group.") {
        return vec![format!("groups.{rest}")];
    }
    if let Some(rest) = field.strip_prefix("rule_file.") {
        return vec![rest.to_owned()];
    }
    if let Some(rest) = field.strip_prefix("rule.") {
        return vec![format!("groups.rules.{rest}")];
    }
    let first = field.split('.').next().unwrap_or(field);
    if first.ends_with("_sd_configs") || first == "static_configs" {
        return vec![format!("scrape_configs.{field}"), format!("alerting.alertmanagers.{field}")];
    }
    vec![field.to_owned()]
}

#[test]
fn the_table_of_fields_is_known_with_its_releases() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../compiler/data/prometheus-config-fields.tsv");
    let table = std::fs::read_to_string(path).unwrap();
    let known: BTreeMap<String, (Version, Option<Version>)> =
        known_fields().into_iter().map(|(path, since, until)| (path, (since, until))).collect();
    let (mut problems, mut compared) = (Vec::new(), 0);
    for line in table.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let mut cells = line.split('\t');
        let field = cells.next().unwrap();
        let since: Version = cells.next().unwrap().parse().unwrap();
        let until: Option<Version> =
            cells.next().filter(|cell| !cell.is_empty()).map(|cell| cell.parse().unwrap());
        for place in places(field) {
            compared += 1;
            match known.get(&place) {
                None if !field.contains('=') => problems.push(format!("{place} is not known")),
                Some(own) if own.0 != since || own.1.map(minor) != until.map(minor) => {
                    problems.push(format!("{place}: ours {own:?}, the table {since} to {until:?}"));
                }
                _ => {}
            }
        }
    }
    assert!(compared > 300, "the table is read");
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

fn minor(version: Version) -> (u16, u16) {
    (version.major, version.minor)
}
