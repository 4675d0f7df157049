//! `promql format` and `promql series`: queries laid out, and what they read.

use super::*;

const UGLY: &str = "sum( rate(http_requests_total{job='api',instance=~'very-long-name-of-an-instance-.*'}[5m]))by(code)/ scalar(up)";
const NEAT: &str = "  sum by (code) (
    rate(http_requests_total{instance=~\"very-long-name-of-an-instance-.*\",job=\"api\"}[5m])
  )
/
  scalar(up)
";

#[test]
fn format_prints_a_query_and_rewrites_a_file() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.run(&["promql", "format", "a+b"]).ends_with(0).out, "a + b\n");
    assert_eq!(sandbox.run_with_input(&["promql", "format", "-"], "a\n+b\n").ends_with(0).out, "a + b\n");
    sandbox.write("errors.promql", UGLY);
    let ran = sandbox.run(&["promql", "format", "errors.promql"]).ends_with(0);
    assert_eq!((ran.out.as_str(), ran.err.as_str()), ("", "errors.promql: formatted\n"));
    assert_eq!(sandbox.read("errors.promql"), NEAT);
    assert_eq!(sandbox.run(&["promql", "format", "errors.promql"]).ends_with(0).err, "");
}

#[test]
fn format_checks_without_writing() {
    let sandbox = Sandbox::new();
    sandbox.write("q.promql", "a+b");
    let ran = sandbox.run(&["promql", "format", "--check", "q.promql", "a + b"]).ends_with(2);
    assert!(ran.out.contains("\n-a+b") && ran.out.contains("\n+a + b\n"), "{ran:?}");
    assert_eq!(sandbox.read("q.promql"), "a+b");
    sandbox.run(&["promql", "format", "--check", "a + b"]).ends_with(0);
}

#[test]
fn format_shows_errors_and_keeps_comments() {
    let sandbox = Sandbox::new();
    let ran = sandbox.run(&["promql", "format", "sum(up) +\n\tup{a=1}", "a  - b"]).ends_with(3);
    assert_eq!(ran.out, "a - b\n");
    assert_eq!(
        ran.err,
        "error: query:2:7: unexpected character inside braces: '1'\n  \tup{a=1}\n  \t     ^\n"
    );
    let commented = "up # which are\n+ up";
    sandbox.write("q.promql", commented);
    let ran = sandbox.run(&["promql", "format", "q.promql"]).ends_with(3);
    assert!(ran.err.starts_with("error: q.promql:1:4: the comment would be lost;"), "{ran:?}");
    assert_eq!(sandbox.read("q.promql"), commented);
    sandbox.run(&["promql", "format", "--drop-comments", "q.promql"]).ends_with(0);
    assert_eq!(sandbox.read("q.promql"), "up + up\n");
}

#[test]
fn series_lists_what_a_query_reads() {
    let query = r#"rate(x{job="api"}[5m] offset -1h) > on () max_over_time({a=~"b|c"}[1h:1m] @ 1.5)"#;
    let ran = Sandbox::new().run(&["promql", "series", query]).ends_with(0);
    assert_eq!(
        ran.out,
        "x
  matcher  job=\"api\"
  matcher  __name__=\"x\"
  range    5m
  offset   -1h
series of any name
  matcher  a=~\"b|c\"
  within   [1h:1m] @ 1.500
"
    );
    let ran = Sandbox::new().run(&["promql", "series", "--format", "json", query]).ends_with(0);
    let listed: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!(listed[0]["range"], 300_000);
    assert_eq!(listed[0]["offset"], -3_600_000);
    assert_eq!(listed[0]["matchers"][1], serde_json::json!({"name": "__name__", "type": "=", "value": "x"}));
    assert_eq!(
        listed[1]["within"][0],
        serde_json::json!({"range": 3_600_000, "step": 60_000, "offset": null, "at": 1500})
    );
    assert_eq!((&listed[1]["line"], &listed[1]["column"]), (&1.into(), &57.into()));
    assert_eq!(Sandbox::new().run(&["promql", "series", "1"]).ends_with(0).out, "");
    Sandbox::new().run(&["promql", "series", "1 +"]).ends_with(3);
}
