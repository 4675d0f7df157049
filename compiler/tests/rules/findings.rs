//! What is said about rules, and where.

use super::{assert_found, assert_not_found, findings, render};

#[test]
fn syntax_errors_are_shown_inside_the_string() {
    let outcome = render(
        r##"topology t {
    prometheus
    rules A {
        alert X severity=info { expr "sum(up) by (job) >> 1"; summary "s"; }
        alert Y severity=info {
            expr """
                sum(up)
                  + rate(up)
                """
            summary "s"
        }
    }
}"##,
        &[],
    );
    assert_found(&outcome, "RUL001 error top.kdl:4:57: ");
    assert_found(&outcome, "RUL001 error top.kdl:8:26: ");
}

#[test]
fn files_are_judged_by_line() {
    let file = "\
groups:
  - name: a
    intervall: 1m
    rules:
      - alert: NoExpr
        for: soon
      - alert: Both
        record: both
        expr: up
      - record: job:x
        expr: |
          sum by (job) (
            rate(x))
        for: 5m
      - alert: Bad
        expr: 'up ==='
        labels: {severity: info}
        annotations: {summary: s, 'b-d': x}
  - name: a
    rules: []
extra: 1
";
    let outcome = render(r#"topology t { prometheus; rules "r/*.yml"; }"#, &[("r/x.yml", file)]);
    let errors: Vec<String> =
        findings(&outcome).into_iter().filter(|found| found.starts_with("RUL001 error")).collect();
    let expected = [
        "r/x.yml:3:5: a group has no `intervall`",
        "r/x.yml:5:16: `NoExpr` has no `expr`",
        "r/x.yml:6:14: `for` is a duration such as 5m",
        "r/x.yml:8:17: a rule is an alert or a record, not both",
        "r/x.yml:13:18: expected type range vector in call to function \"rate\", got instant vector",
        "r/x.yml:14:9: a recording rule waits for nothing: only alerts have this",
        "r/x.yml:16:21: unexpected \"=\"",
        "r/x.yml:19:11: a second group `a` in one file",
        "r/x.yml:21:1: a rule file has no `extra`",
    ];
    let places: Vec<&str> = errors.iter().map(|found| &found["RUL001 error ".len()..]).collect();
    assert_eq!(places.len(), expected.len(), "{errors:#?}");
    for (place, expected) in places.iter().zip(expected) {
        assert!(place.starts_with(expected), "{place}, expected {expected}");
    }
    let outcome =
        render(r#"topology t { prometheus; rules "x.yml"; }"#, &[("x.yml", "groups:\n- name: [\n")]);
    assert_found(&outcome, "RUL001 error x.yml:");
    let outcome = render(r#"topology t { prometheus; rules "none/*.yml"; rules "no.yaml"; }"#, &[]);
    assert_found(&outcome, "KDL009 error top.kdl:1:32: no file matches `none/*.yml`");
    assert_found(&outcome, "KDL009 error top.kdl:1:52: cannot read `no.yaml`: no such file");
}

#[test]
fn hostile_files_are_findings() {
    let deep = format!("groups: {}", "[".repeat(5000));
    let alias =
        "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\ngroups: [*b,*b,*b]\n".to_string();
    for text in
        [deep, alias, "groups: {a: 1}".into(), "- 1".into(), "groups: [3, null, [], {}]".into(), "{".into()]
    {
        let outcome = render(r#"topology t { prometheus; rules "x.yml"; }"#, &[("x.yml", &text)]);
        assert_found(&outcome, "RUL001 error x.yml:");
    }
}

#[test]
fn ranges_are_compared_with_the_intervals_of_the_topology() {
    let outcome = render(
        r#"topology t {
    prometheus {
        every "30s" evaluation="1m"
        scrape pods as=slow every="2m"
        scrape kube-state-metrics
    }
    kube-state-metrics
    rules R {
        alert Blind severity=info for="30s" { expr "increase(kube_pod_container_status_restarts_total[90s]) > 0"; summary "s"; }
        alert Short severity=info { expr "rate(x[45s]) > 1"; summary "s"; }
        alert Tight severity=info { expr "rate(x{job=\"slow\"}[5m]) > 1"; summary "s"; }
        alert Fine severity=info { expr "rate(x[5m]) > 1 and increase(y[5m]) > 0"; summary "s"; }
    }
}"#,
        &[],
    );
    assert_found(&outcome, "RUL004 warning top.kdl:9:53: `Blind` misses changes: `increase` looks back 90s");
    assert_found(&outcome, "RUL005 warning top.kdl:9:39: `Blind` waits 30s, but is evaluated every 1m");
    assert_found(&outcome, "RUL003 error top.kdl:10:43: `rate` over 45s never sees two samples");
    assert_found(&outcome, "RUL003 warning top.kdl:11:43: `rate` over 5m breaks at one lost scrape");
    let about_fine = findings(&outcome).into_iter().filter(|found| found.contains("top.kdl:12:")).count();
    assert_eq!(about_fine, 0);
}

#[test]
fn the_tutorials_alert_misses_one_restart_in_four() {
    let topology = |profile: &str| {
        format!(
            r#"topology t {profile} {{
    prometheus {{ every "15s" evaluation="1m"; }}
    rules Pods {{
        alert "Container restarted" for="0m" team=node {{
            expr "sum(increase(kube_pod_container_status_restarts_total[1m])) by (pod,namespace,container) > 0"
            summary "s"
        }}
    }}
}}"#
        )
    };
    let outcome = render(&topology(""), &[]);
    assert_found(&outcome, "RUL004 warning top.kdl:5:23: ");
    assert_found(&outcome, "RUL014 warning top.kdl:4:15: `Container restarted` is incomplete");
    assert_found(&outcome, "RUL005 info top.kdl:4:");
    let outcome = render(&topology("profile=bare"), &[]);
    assert_found(&outcome, "RUL004 info top.kdl:5:23: ");
    assert!(!outcome.artefacts.is_empty(), "{:#?}", findings(&outcome));
}

#[test]
fn what_a_rule_must_not_do() {
    let outcome = render(
        r#"topology t {
    target prometheus="2.40.0"
    prometheus { identity region=eu; }
    rules R query-offset="1m" {
        alert A severity=info region=us { expr "up"; summary "s"; }
        alert A severity=info region=us { expr "up == 0"; summary "s"; }
        alert K severity=info keep-firing-for="5m" { expr "up == 0"; summary "s"; }
        record a { expr "limitk(3, up)"; }
        record "b" { expr "vector(1)"; }
        alert W severity=none { expr "vector(1)"; summary "s"; }
    }
}"#,
        &[],
    );
    assert_found(&outcome, "IDN010 warning top.kdl:5:31: `A` sets the external label `region`");
    assert_found(&outcome, "RUL012 warning top.kdl:5:48: `A` compares nothing");
    assert_found(&outcome, "RUL006 error top.kdl:6:15: `A` is there already");
    assert_found(&outcome, "VER003 error top.kdl:4:11: Prometheus 2.40.0 does not know `query_offset`");
    assert_found(&outcome, "VER003 error top.kdl:7:15: Prometheus 2.40.0 does not know `keep_firing_for`");
    assert_found(&outcome, "RUL001 error top.kdl:8:26: this is off by default");
    let twelves = findings(&outcome).into_iter().filter(|found| found.starts_with("RUL012")).count();
    assert_eq!(twelves, 1, "`vector(1)` is meant to fire always");
    assert_not_found(&outcome, "SHD013");
}
