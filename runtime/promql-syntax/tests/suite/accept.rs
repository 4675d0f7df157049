//! Queries that are accepted, and their canonical text.

use promql_syntax::parse;

/// Checks that the query is accepted and printed as `want`, and that this text is a fixed point.
#[track_caller]
fn prints(query: &str, want: &str) {
    let (expr, errors) = parse(query);
    assert!(errors.is_empty(), "{query}: {}", errors[0].located(query));
    let printed = expr.expect("no errors, so a tree").to_string();
    assert_eq!(printed, want, "{query}");
    let (again, errors) = parse(want);
    assert!(errors.is_empty(), "{want}: {}", errors[0].located(want));
    assert_eq!(again.unwrap().to_string(), want);
}

#[track_caller]
fn same(query: &str) {
    prints(query, query);
}

#[test]
fn numbers() {
    for (query, want) in [
        ("1", "1"),
        ("-0.50", "-0.5"),
        ("+3", "3"),
        (".5", "0.5"),
        ("5.", "5"),
        ("1e3", "1000"),
        ("1E-3", "0.001"),
        ("0x1F", "31"),
        ("0X_ff", "255"),
        ("1_000_000", "1000000"),
        ("1_0.2_5e1_0", "102500000000"),
        ("017", "15"),
        ("09", "9"),
        ("00.5", "0.5"),
        ("inf", "+Inf"),
        ("-Inf", "-Inf"),
        ("NaN", "NaN"),
        ("5m", "5m"),
        ("90s", "1m30s"),
        ("-1h", "-1h"),
        ("1y2w3d4h5m6s7ms", "382d4h5m6s7ms"),
        ("5m * 2", "5m * 2"),
    ] {
        prints(query, want);
    }
}

#[test]
fn strings() {
    prints("'it'", r#""it""#);
    prints(r#"'a"b'"#, r#""a\"b""#);
    prints(r"'\''", r#""'""#);
    prints(r"`raw\n`", r#""raw\\n""#);
    prints("`two\nlines`", r#""two\nlines""#);
    prints(r#""\a\b\f\n\r\t\v\\\"\101\x41\u00e9\U0001f600""#, "\"\\a\\b\\f\\n\\r\\t\\v\\\\\\\"AAé😀\"");
    // Bytes that are no text are kept, for the function that refuses them.
    prints(
        r#"label_replace(a, "\xff", "", "b", "\303\251\xc5")"#,
        r#"label_replace(a, "\xff", "", "b", "é\xc5")"#,
    );
}

#[test]
fn selectors() {
    same("up");
    same(":rule:with_colons");
    prints("up{}", "up");
    prints("up{job='api',}", r#"up{job="api"}"#);
    prints(r#"{b!="2", a=~"1|2", c!~"x", d=""}"#, r#"{a=~"1|2",b!="2",c!~"x",d=""}"#);
    prints(r#"{"my.metric", "my.label"='v'}"#, r#"{"my.label"="v",__name__="my.metric"}"#);
    prints(r#"{__name__="up"}"#, r#"{__name__="up"}"#);
    prints("# comment\nup # more\n{ # inside\n job = 'a' }", r#"up{job="a"}"#);
    // Keywords are names where no operator can stand, and inside braces.
    for name in
        ["sum", "by", "without", "offset", "and", "or", "unless", "start", "end", "step", "fill", "max_of"]
    {
        same(name);
        same(&format!("{name}{{{name}=\"x\"}} + {name}"));
    }
    same(r#"up{bool="1",inf="2",on="3"}"#);
    prints("SUM", "SUM");
    prints("fill + fill_left", "fill + fill_left");
}

#[test]
fn ranges_and_modifiers() {
    same("rate(x[5m])");
    prints("rate(x [ 300 ])", "rate(x[5m])");
    same("x offset 5m");
    same("x offset -5m");
    // Two signs make operators part of the offset.
    prints("x offset -+8 % 5", "x offset +-8 % 5");
    prints("x offset -8 % 5", "x offset -8s % 5");
    prints("x offset -+8 ^ 5", "x offset +-8 ^ 5");
    same("x offset (8) % 5");
    // A sign before a parenthesis ends the offset there.
    prints("x offset +(8)", "x offset (8)");
    prints("x offset+(5)++(5)", "x offset +(5) + +(5)");
    prints("2 ^ -x offset +(5) @ 7 * y", "2 ^ -x @ 7.000 offset +(5) * y");
    prints("x offset +(5) > y", "x offset (5) > y");
    prints("x offset 0", "x");
    prints("x @ 1.5 offset 1h", "x @ 1.500 offset 1h");
    prints("x offset 1h @ -60", "x @ -60.000 offset 1h");
    same("x @ start()");
    same("max_over_time(x[1h] @ end() offset 1d)");
    same("sum(x)[1h:]");
    same("rate(x[1m])[30m:1m] @ start() offset 5m");
    prints("x[1h30m:90]", "x[1h30m:1m30s]");
    same("rate(x[5m] anchored)");
    same("rate(x[5m] smoothed @ 10.000 offset 1m)");
    same("x anchored offset 1m");
    prints("-x offset 5m", "-x offset 5m");
}

#[test]
fn duration_expressions() {
    same("rate(x[5m * 2])");
    same("rate(x[step() + 1m])");
    same("rate(x[(range() / 2) ^ 2 % 7])");
    same("x[max_of(step(), 5m):min_of(1m, 2 * 3)] offset -step()");
    prints("rate(x[STEP()])", "rate(x[step()])");
    prints("rate(x[+5m])", "rate(x[5m])");
    prints("rate(x[-(-5m)])", "rate(x[-(-5m)])");
    same("x offset (5m)");
    same("x offset -(5m + 1h)");
    // Without parentheses the offset ends before the operator.
    prints("x offset -2 ^ 2", "x offset -2s ^ 2");
    prints("x offset step() * 2", "x offset step() * 2");
    same("x offset max_of(1m, 2m)");
}

#[test]
fn aggregations() {
    same("sum(x)");
    prints("sum(x) by (a, b)", "sum by (a, b) (x)");
    prints("SUM BY (a,) (x)", "sum by (a) (x)");
    prints("sum by () (x)", "sum(x)");
    prints("sum without () (x)", "sum without () (x)");
    same(r#"topk by ("my.label", on, bool) (5, x)"#);
    same(r#"count_values("version", x)"#);
    same("quantile(0.9, x)");
    same("limitk(2, x) / limit_ratio(-0.5, x)");
    same("sum(sum by (a) (x))");
}

#[test]
fn operators() {
    same("a + b * c ^ d");
    same("a atan2 b % c");
    prints("a AND b OR c UNLESS d", "a and b or c unless d");
    prints("a==bool b", "a == bool b");
    same("a </ 5 >/ 1");
    same("1 < bool 2");
    same("a * on (x, y) group_left (z) b");
    prints("a * ignoring(x) group_right b", "a * ignoring (x) group_right () b");
    same("a - on () b");
    prints("a + ignoring() b", "a + b");
    prints("a + on() 1", "a + 1");
}

#[test]
fn fill_modifiers() {
    same("a + fill (0) b");
    prints(
        "a + on(x) group_left fill_left(-1) fill_right(2.5) b",
        "a + on (x) group_left () fill_left (-1) fill_right (2.5) b",
    );
    prints("a + fill_right(1) fill_left(1) b", "a + fill (1) b");
    same("a + fill_right (NaN) b");
}

#[test]
fn functions() {
    same("time() + pi()");
    same("round(x) + round(x, 5)");
    same(r#"label_join(x, "a", ",") + label_join(x, "a", ",", "b", "c", "d")"#);
    same("hour() == hour(x)");
    same("histogram_quantile(0.9, sum by (le) (rate(x_bucket[5m])))");
    same("histogram_fraction(0, 0.2, x) + histogram_avg(x)");
    same(r#"histogram_quantiles(x, "q", 0.5, 0.9, 0.99)"#);
    same("info(x)");
    same(r#"info(x, {job=~".*"})"#);
    same("start() + end() + step() + range() + max_of(1, min_of(2, 3))");
    same("double_exponential_smoothing(x[5m], 0.5, 0.1)");
}
