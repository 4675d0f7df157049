//! Queries over blocks, and plans.

use super::*;

const SAMPLES: &str = "\
# TYPE up gauge
up{job=\"a\"} 1 1600000000
up{job=\"a\"} 2 1600000060
up{job=\"b\"} 0.5 1600000000.25
# EOF
";

/// A sandbox with a folder of blocks, `b`.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("in.om", SAMPLES);
    let made = Command::new("promtool")
        .args(["tsdb", "create-blocks-from", "openmetrics", "in.om", "b"])
        .current_dir(sandbox.folder.path())
        .output()
        .expect("promtool (Debian: prometheus)");
    assert!(made.status.success(), "{made:?}");
    sandbox
}

#[test]
fn queries_over_blocks() {
    let sandbox = sandbox();
    let ran = sandbox.run(&["promql", "run", "--block", "b", "up", "--time", "1600000060"]).ends_with(0);
    assert_eq!(ran.out, "up{job=\"a\"} => 2 @[1600000060]\nup{job=\"b\"} => 0.5 @[1600000060]\n");
    let range = ["--start", "1600000000", "--end", "2020-09-13T12:28:00Z", "--step", "1m", "-o", "json"];
    let ran =
        sandbox.run(&[&["promql", "run", "--block", "b", "sum(up)"], range.as_slice()].concat()).ends_with(0);
    let expect = r#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[1600000000,"1"],[1600000060,"2.5"]]}]}}"#;
    assert_eq!(ran.out.trim(), expect);
    let ran = sandbox.run(&["promql", "run", "--block", "b", "up[5m]"]).ends_with(0);
    assert!(
        ran.out.ends_with("up{job=\"b\"} =>\n0.5 @[1600000000.25]\n"),
        "without a time, the last: {ran:?}"
    );
    let ran = sandbox.run(&["promql", "run", "--block", "b", "count(up)", "--analyze"]).ends_with(0);
    assert!(ran.err.contains("select up"), "{ran:?}");
}

#[test]
fn what_cannot_be_run_says_why() {
    let sandbox = sandbox();
    let ran = sandbox.run(&["promql", "run", "--block", "b", "up +"]).ends_with(1);
    assert!(ran.err.contains("1:5: parse error: unexpected end of input"), "{ran:?}");
    let ran = sandbox.run(&["promql", "run", "--block", ".", "up"]).ends_with(1);
    assert!(ran.err.contains("`.` is no block and holds none"), "{ran:?}");
    let ran = sandbox.run(&["promql", "run", "--block", "b", "up", "--time", "noon"]).ends_with(1);
    assert!(ran.err.contains("neither seconds since the epoch nor RFC 3339"), "{ran:?}");
}

#[test]
fn plans_in_words() {
    let sandbox = Sandbox::new();
    let ran =
        sandbox.run(&["promql", "explain", "sum(up)", "--start", "0", "--end", "3600", "--step", "30s"]);
    let out = ran.ends_with(0).out;
    assert!(out.starts_with("sum of all; 121 steps of 30s from 0.000 to 3600.000\n  select up"), "{out}");
    let deepest = vec!["up"; 995].join(" + ");
    let out = sandbox.run(&["promql", "explain", &deepest]).ends_with(0).out;
    assert!(out.contains("shared by 995 places"), "{}", &out[..200]);
}
