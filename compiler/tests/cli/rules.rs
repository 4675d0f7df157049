//! `rules test`: verdicts, what a failure shows, and where rules come from.

use super::*;

const RULES: &str = "
groups:
  - name: g
    rules:
      - {record: 'job:up:sum', expr: 'sum by (job) (up)'}
      - alert: Down
        expr: job:up:sum == 0
        for: 1m
        annotations: {summary: '{{ $labels.job }} is down'}
";

const GOOD: &str = "
rule_files: ['rules/*.yml']
tests:
  - name: a job goes
    input_series: [{series: 'up{job=\"a\"}', values: 1 0x9}]
    alert_rule_test:
      - {eval_time: 1m, alertname: Down, exp_alerts: []}
      - {eval_time: 2m, alertname: Down, exp_alerts: [{exp_labels: {job: a}, exp_annotations: {summary: a is down}}]}
";

const BAD: &str = "
rule_files: ['rules/*.yml', 'none.yml']
tests:
  - name: sums
    input_series: [{series: 'up{job=\"a\"}', values: 1x9}]
    promql_expr_test:
      - {expr: job:up:sum, eval_time: 1m, exp_samples: [{labels: 'job:up:sum{job=\"b\"}', value: 1}]}
  - name: nothing
";

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    for (path, text) in [("t/rules/a.yml", RULES), ("t/good.yml", GOOD), ("t/bad.yml", BAD)] {
        sandbox.write(path, text);
    }
    sandbox
}

#[test]
fn verdicts_are_exit_codes() {
    let sandbox = sandbox();
    let ran = sandbox.run(&["rules", "test", "t/good.yml"]).ends_with(0);
    assert_eq!(ran.out, "t/good.yml\n  SUCCESS: 1 test\n");
    let ran = sandbox.run(&["rules", "test", "t/good.yml", "t/bad.yml"]).ends_with(2);
    assert_eq!(
        ran.out,
        r#"t/good.yml
  SUCCESS: 1 test
t/bad.yml
  WARNING: no file match pattern t/none.yml
  FAILED: 1 of 2 tests
    t/bad.yml:7: name: sums
      expr: "job:up:sum", time: 1m
        exp:
          {__name__="job:up:sum", job="b"} 1E+00
        got:
          {__name__="job:up:sum", job="a"} 1E+00
"#
    );
    let ran = sandbox.run(&["rules", "test", "--diff", "t/bad.yml"]).ends_with(2);
    assert!(ran.out.contains("        - {__name__=\"job:up:sum\", job=\"b\"} 1E+00\n        + {"), "{ran:?}");
    sandbox.run(&["rules", "test", "--run", "^noth", "t/bad.yml"]).ends_with(0);
    sandbox.run(&["rules", "test", "--run", "x", "--run", "sum", "t/bad.yml"]).ends_with(2);
    sandbox.run(&["rules", "test", "t/missing.yml"]).ends_with(1);
}

#[test]
fn slips_have_a_place_and_a_suggestion() {
    let sandbox = sandbox();
    sandbox.write("t/slip.yml", "test:\n  - {}\ngroup_eval_order: [a, a]\n");
    let ran = sandbox.run(&["rules", "test", "t/slip.yml"]).ends_with(1);
    assert!(
        ran.out.contains("t/slip.yml:1:1: test: there is no field `test`: did you mean `tests`?"),
        "{ran:?}"
    );
    sandbox.write(
        "t/rules/b.yml",
        "groups: [{name: x, owner: me, rules: [{record: r, expr: 'up + fill(0) up'}]}]\n",
    );
    let ran = sandbox.run(&["rules", "test", "t/good.yml"]).ends_with(1);
    assert!(ran.out.contains("t/rules/b.yml:1:20: groups[0].owner: there is no field `owner`"), "{ran:?}");
    let ran = sandbox.run(&["rules", "test", "--ignore-unknown-fields", "t/good.yml"]).ends_with(1);
    assert!(ran.out.contains("fill"), "{ran:?}");
    let flags = ["rules", "test", "--ignore-unknown-fields", "--enable-feature=promql-binop-fill-modifiers"];
    sandbox.run(&[flags.as_slice(), &["t/good.yml"]].concat()).ends_with(0);
}

#[test]
fn the_outcome_is_junit_too() {
    let sandbox = sandbox();
    sandbox
        .run(&["rules", "test", "--junit", "out.xml", "t/good.yml", "t/bad.yml", "t/missing.yml"])
        .ends_with(1);
    let xml = sandbox.read("out.xml");
    for part in [
        "<testsuite name=\"t/good.yml\" tests=\"1\" failures=\"0\" errors=\"0\" skipped=\"0\">",
        "<testcase name=\"a job goes\"/>",
        "<testsuite name=\"t/bad.yml\" tests=\"2\" failures=\"1\" errors=\"0\" skipped=\"0\">",
        "<failure message=\"expr: &quot;job:up:sum&quot;, time: 1m\">",
        "<error>t/missing.yml: no such file</error>",
    ] {
        assert!(xml.contains(part), "{part}\n{xml}");
    }
}

#[test]
fn debug_tells_all_samples() {
    let sandbox = sandbox();
    let ran = sandbox.run(&["rules", "test", "--debug", "t/good.yml"]).ends_with(0);
    for part in [
        "test a job goes",
        "{__name__=\"job:up:sum\", job=\"a\"} =>\n1 @[0]\n0 @[60000]\n",
        "{__name__=\"ALERTS\", alertname=\"Down\", alertstate=\"pending\", job=\"a\"} =>\n1 @[60000]\n",
    ] {
        assert!(ran.err.contains(part), "{part}\n{}", ran.err);
    }
}

#[test]
fn rules_of_a_topology() {
    let topology = r#"
topology demo namespace=demo {
    prometheus replicas=1
    rules Own { record "job:up:sum" { expr "sum by (job) (up)"; }; }
}
"#;
    let sandbox = Sandbox::with_topology(topology);
    let test = |files: &str| {
        format!(
            "{files}
tests:
  - input_series: [{{series: 'up{{job=\"a\"}}', values: 1x9}}]
    promql_expr_test:
      - {{expr: job:up:sum, eval_time: 1m, exp_samples: [{{labels: 'job:up:sum{{job=\"a\"}}', value: 1}}]}}
"
        )
    };
    sandbox.write("all.yml", &test(""));
    sandbox.write("own.yml", &test("rule_files: [raw/rules/Own.yml]"));
    sandbox.write("other.yml", &test("rule_files: ['raw/rules/builtin-*.yml']"));
    sandbox.run(&["rules", "test", "--topology", "topology.kdl", "all.yml", "own.yml"]).ends_with(0);
    sandbox.run(&["rules", "test", "--topology", "topology.kdl", "other.yml"]).ends_with(2);
    sandbox.run(&["rules", "test", "own.yml"]).ends_with(2);
}
