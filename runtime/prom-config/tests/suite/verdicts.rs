//! What a user is told, release by release.

use prom_config::{
    FileUse, Kind, Options, RuleKind, Version, check_config, check_rules, check_scrape_configs,
};

use super::corpus::options;

fn config(text: &str, major: u16, minor: u16) -> Vec<(String, Kind, bool)> {
    let report = check_config(text.as_bytes(), &options(Version::new(major, minor, 0)));
    report.problems.into_iter().map(|problem| (problem.to_string(), problem.kind, problem.certain)).collect()
}

fn rules(text: &str, major: u16, minor: u16) -> Vec<(String, bool)> {
    let report = check_rules(text.as_bytes(), &options(Version::new(major, minor, 0)));
    report.problems.into_iter().map(|problem| (problem.to_string(), problem.certain)).collect()
}

#[test]
fn fields_of_other_releases_are_named_with_them() {
    let text = "global:\n  rule_query_offset: 1m\n";
    let found = config(text, 2, 42);
    assert_eq!(found[0].1, Kind::UnknownField);
    assert!(found[0].0.starts_with("2:3: global.rule_query_offset: "), "{found:?}");
    assert!(found[0].0.contains("2.53.0") && found[0].2, "{found:?}");
    assert!(config(text, 2, 53).is_empty());
    let text = "scrape_configs: [{job_name: a, scrape_classic_histograms: true}]";
    assert!(config(text, 2, 55).is_empty());
    assert_eq!(config(text, 3, 0).len(), 1);
}

#[test]
fn only_prometheus_knows_fields_of_releases_to_come() {
    let text = "global: {from_the_future: 1}";
    assert!(!config(text, 3, 15)[0].2);
    assert!(config(text, 3, 14)[0].2);
    let unknown = check_config(text.as_bytes(), &Options::default());
    assert!(!unknown.problems[0].certain);
}

#[test]
fn problems_say_where_and_what() {
    let cases: &[(&str, &str)] = &[
        (
            "scrape_configs:\n- job_name: a\n  scrape_interval: 5s\n  scrape_timeout: 10s\n",
            "4:19: scrape_configs[0].scrape_timeout: ",
        ),
        ("scrape_configs:\n- job_name: a\n- job_name: a\n", "3:13: scrape_configs[1].job_name: "),
        (
            "scrape_configs:\n- job_name: a\n  relabel_configs:\n  - {regex: '(', target_label: x}\n",
            "4:13: scrape_configs[0].relabel_configs[0].regex: ",
        ),
        ("remote_write:\n- url: http://a:b/\n", "2:8: remote_write[0].url: "),
        ("remote_write:\n-\n", "remote_write[0]: "),
        ("global:\n  external_labels: {a-b: c}\n", "2:21: global.external_labels.a-b: "),
        ("rule_files: [a/*/b.yml]\n", "1:14: rule_files[0]: "),
        ("global: [\n", "1:9: this is no YAML: "),
    ];
    for (text, expect) in cases {
        let found = config(text, 2, 42);
        assert!(found.len() == 1 && found[0].0.contains(expect) && found[0].2, "{text}: {found:?}");
    }
}

#[test]
fn references_are_listed() {
    let text = "
global: {external_labels: {b: '${X}', a: 1}}
rule_files: [r/*.yml]
scrape_config_files: [s.yml]
remote_write: [{url: http://x, name: n, bearer_token_file: t}]
scrape_configs:
- {job_name: j, tls_config: {ca_file: ca.pem}, file_sd_configs: [{files: [f/*.json]}]}
";
    let report = check_config(text.as_bytes(), &Options::default());
    assert!(report.problems.is_empty(), "{:?}", report.problems);
    assert_eq!(report.rule_files, ["r/*.yml"]);
    assert_eq!(report.scrape_config_files, ["s.yml"]);
    assert_eq!(
        report.external_labels,
        [("b".to_owned(), "${X}".to_owned()), ("a".to_owned(), "1".to_owned())]
    );
    assert_eq!(
        (report.remote_write[0].name.as_str(), report.remote_write[0].url.as_str()),
        ("n", "http://x")
    );
    assert_eq!(report.job_names, ["j"]);
    let files: Vec<_> =
        report.files.iter().map(|file| (file.field.as_str(), file.name.as_str(), file.used_for)).collect();
    assert!(files.contains(&("scrape_configs[0].tls_config.ca_file", "ca.pem", FileUse::Tls)), "{files:?}");
    assert!(files.contains(&("remote_write[0].bearer_token_file", "t", FileUse::Credentials)), "{files:?}");
    assert!(
        files.contains(&("scrape_configs[0].file_sd_configs[0].files[0]", "f/*.json", FileUse::FileSd)),
        "{files:?}"
    );
}

#[test]
fn files_of_scrape_configurations_hold_nothing_else() {
    let good = check_scrape_configs(b"scrape_configs: [{job_name: a}, {job_name: b}]", &Options::default());
    assert!(good.problems.is_empty());
    assert_eq!(good.job_names, ["a", "b"]);
    let bad = check_scrape_configs(b"global: {}", &options(Version::new(2, 53, 0)));
    assert_eq!(bad.problems[0].kind, Kind::UnknownField);
}

#[test]
fn empty_files_load() {
    for text in ["", "# nothing\n", "---\n", "~", "{}"] {
        assert!(config(text, 3, 14).is_empty(), "{text:?}");
        assert!(rules(text, 3, 14).is_empty(), "{text:?}");
    }
}

#[test]
fn expressions_are_those_of_the_release() {
    let rule = |expr: &str| format!("groups: [{{name: a, rules: [{{record: a, expr: '{expr}'}}]}}]");
    let check = |expr: &str, old: (u16, u16), new: (u16, u16)| {
        let text = rule(expr);
        assert!(rules(&text, old.0, old.1).iter().any(|(_, certain)| *certain), "{expr} for {old:?}");
        assert!(!rules(&text, new.0, new.1).iter().any(|(_, certain)| *certain), "{expr} for {new:?}");
    };
    check("sum({\"http.requests\"})", (2, 53), (3, 0));
    check("histogram_avg(x)", (2, 50), (2, 51));
    check("x > 1h", (2, 53), (2, 54));
    check("x > 1_000", (2, 53), (2, 54));
    check("limitk(1, x)", (2, 53), (2, 54));
    check("holt_winters(x[5m], 0.5, 0.5)", (3, 0), (2, 55));
    check("double_exponential_smoothing(x[5m], 0.5, 0.5)", (2, 55), (3, 0));
    // A flag of the server decides.
    assert_eq!(rules(&rule("limitk(1, x)"), 3, 14).len(), 1);
}

#[test]
fn groups_are_read_for_their_evaluation() {
    let text = "
groups:
- name: a
  interval: 1m
  limit: 5
  rules:
  - {alert: A, expr: up == 0, for: 5m, labels: {x: y}, annotations: {s: t}}
  - record: b
    expr: sum(up)
";
    let report = check_rules(text.as_bytes(), &Options::default());
    assert!(report.problems.is_empty(), "{:?}", report.problems);
    let group = &report.groups[0];
    assert_eq!((group.name.as_str(), group.limit, group.line), ("a", 5, 3));
    assert_eq!(group.interval.map(|interval| interval.to_string()).as_deref(), Some("1m"));
    assert_eq!(group.rules[0].kind, RuleKind::Alert("A".to_owned()));
    assert_eq!(group.rules[0].hold.to_string(), "5m");
    assert_eq!(group.rules[0].annotations, [("s".to_owned(), "t".to_owned())]);
    assert_eq!((group.rules[1].expr.as_str(), group.rules[1].line), ("sum(up)", 8));
}
