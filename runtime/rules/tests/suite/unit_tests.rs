//! Unit tests of rules as a file gives them.

use rules::unit_test::{TestSetup, run_test};
use rules::{FileOptions, read_rules, read_unit_tests};

const RULES: &str = "
groups:
  - name: second
    rules:
      - {record: 'doubled', expr: 'plain * 2'}
  - name: first
    rules:
      - {record: 'plain', expr: 'sum(input)'}
      - alert: High
        expr: doubled > 10
        for: 1m
        annotations: {summary: '{{ $value }} at {{ query \"plain\" | first | value }}'}
";

/// What the failures of each test of a file say.
fn failures(text: &str) -> Vec<Vec<String>> {
    let file = read_unit_tests(text.as_bytes()).expect("a file that loads");
    let setup = TestSetup {
        groups: read_rules(RULES.as_bytes(), &FileOptions::default()).expect("rules that load"),
        evaluation_interval: file.evaluation_interval,
        group_eval_order: file.group_eval_order.clone(),
        fuzzy_compare: file.fuzzy_compare,
        ..TestSetup::default()
    };
    let shown = |failure: &rules::unit_test::TestFailure| match failure.sides() {
        Some((expected, got)) => format!("{failure}: {} not {}", got.join(" "), expected.join(" ")),
        None => failure.to_string(),
    };
    file.tests.iter().map(|test| run_test(test, &setup).failures.iter().map(shown).collect()).collect()
}

#[test]
fn groups_follow_the_order_and_alerts_are_those_of_the_last_evaluation() {
    let text = "
group_eval_order: [first, second]
tests:
  - input_series:
      - {series: 'input{job=\"a\"}', values: '1+1x20'}
      - {series: 'input{job=\"b\"}', values: '1 _ 3 stale'}
    promql_expr_test:
      - {expr: plain, eval_time: 0, exp_samples: [{labels: plain, value: 2}]}
      - {expr: doubled, eval_time: 2m, exp_samples: [{labels: doubled, value: 12}]}
      - {expr: time(), eval_time: 90s, exp_samples: [{value: 90}]}
    alert_rule_test:
      - {eval_time: 8m59s, alertname: High, exp_alerts: [{exp_annotations: {summary: 16 at 9}}]}
      - {eval_time: 2m, alertname: High, exp_alerts: []}
";
    assert_eq!(failures(text), [Vec::<String>::new()]);
}

#[test]
fn failures_show_both_sides() {
    let text = "
tests:
  - input_series: [{series: input, values: '5+5x9'}]
    start_timestamp: 2024-01-01T00:00:00Z
    promql_expr_test:
      - {expr: plain, eval_time: 1m, exp_samples: [{labels: 'plain{a=\"b\"}', value: 1.5}]}
      - {expr: 'input[1m]', eval_time: 1m}
      - {expr: timestamp(input), eval_time: 1m, exp_samples: [{value: 1704067260}]}
    alert_rule_test:
      - {eval_time: 3m, alertname: High, exp_alerts: [{exp_labels: {job: x}, exp_annotations: {summary: 1}}]}
  - input_series: [{series: 'input{', values: 1}]
  - input_series: [{series: 'plain', values: 1}, {series: input, values: 2}]
  - {start_timestamp: yesterday}
  - alert_rule_test: [{eval_time: 1m}]
";
    let found = failures(text);
    assert_eq!(
        found[0],
        [
            r#"alertname: High, time: 3m: Labels:{alertname="High"} Annotations:{summary="30 at 20"} not Labels:{alertname="High", job="x"} Annotations:{summary="1"}"#,
            r#"expr: "plain", time: 1m: {__name__="plain"} 1E+01 not {__name__="plain", a="b"} 1.5E+00"#,
            r#"expr: "input[1m]", time: 1m, err: rule result is not a vector or scalar"#,
        ]
    );
    assert!(found[1][0].starts_with("input series \"input{\": "), "{:?}", found[1]);
    assert!(
        found[2][0].contains("rule: plain, time: 0s, err: duplicate sample for timestamp"),
        "{:?}",
        found[2]
    );
    assert_eq!(found[3], ["cannot parse \"yesterday\" to a valid timestamp"]);
    assert!(found[4][0].contains("misses required attribute alertname at eval_time 1m"), "{:?}", found[4]);
}

#[test]
fn floats_may_differ_by_one_bit_where_the_file_says_so() {
    let text = "
tests:
  - input_series: [{series: x, values: 2.9999999999999996}]
    promql_expr_test: [{expr: x, eval_time: 0, exp_samples: [{labels: x, value: 3}]}]
";
    assert_eq!(failures(text)[0].len(), 1);
    assert_eq!(failures(&format!("fuzzy_compare: true{text}")), [Vec::<String>::new()]);
}

#[test]
fn histograms_are_written_as_in_scripts() {
    let text = "
tests:
  - input_series: [{series: h, values: '{{count:2 sum:3 buckets:[2]}}+{{sum:1.3 count:1 buckets:[1]}}x2'}]
    promql_expr_test:
      - {expr: h, eval_time: 0, exp_samples: [{labels: h, histogram: '{{count:2 sum:3 buckets:[2]}}'}]}
      - expr: h
        eval_time: 2m
        exp_samples: [{labels: h, histogram: '{{count:4 sum:5.6 counter_reset_hint:not_reset buckets:[4]}}'}]
";
    assert_eq!(failures(text), [Vec::<String>::new()]);
}

#[test]
fn templates_read_as_in_promtool() {
    let file = read_unit_tests(include_bytes!("../data/templates.test.yaml")).expect("a file that loads");
    let rules = include_bytes!("../data/templates.rules.yaml");
    let setup = TestSetup {
        groups: read_rules(rules, &FileOptions::default()).expect("rules that load"),
        ..TestSetup::default()
    };
    let expected = file.tests[0].alert_rule_test[0].exp_alerts[0].annotations.len();
    assert!(expected > 150, "{expected} templates");
    let outcome = run_test(&file.tests[0], &setup);
    let sides: Vec<_> = outcome.failures.iter().map(|failure| failure.sides()).collect();
    assert!(outcome.failures.is_empty(), "{sides:#?}");
}
