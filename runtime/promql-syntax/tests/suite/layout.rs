//! Queries over several lines, and trees as JSON.

use promql_syntax::json::to_json;
use promql_syntax::{Expr, parse, pretty};
use serde_json::json;

#[track_caller]
fn tree(query: &str) -> Expr {
    let (expr, errors) = parse(query);
    assert_eq!(errors, [], "{query}");
    expr.unwrap()
}

/// Checks the layout, and that it is that of the query which it lays out.
#[track_caller]
fn lays_out(query: &str, want: &str) {
    assert_eq!(pretty(&tree(query)), want);
    assert_eq!(pretty(&tree(want)), want);
}

#[test]
fn what_fits_stays_on_one_line() {
    lays_out("sum( rate(x[ 5m ]))by(a)", "sum by (a) (rate(x[5m]))");
    let wide = format!("{} + 1", "a".repeat(96));
    lays_out(&wide, &wide);
    let name = "a".repeat(200);
    lays_out(&format!("{name}{{x='1'}}[5m] @ 1"), &format!("{name}{{x=\"1\"}}[5m] @ 1.000"));
}

#[test]
fn long_queries_are_split_where_they_have_parts() {
    let [long, longer] = [49, 61].map(|len| "x".repeat(len));
    lays_out(
        &format!("{long} * on (a) group_left (b) {long}"),
        &format!("  {long}\n* on (a) group_left (b)\n  {long}"),
    );
    lays_out(&format!("-({long} >bool {longer})"), &format!("-(\n    {long}\n  > bool\n    {longer}\n)"));
    lays_out(
        &format!("quantile without (a) (0.5, label_replace({long}, 'a', 'b', '{longer}', 'c'))"),
        &format!(
            "quantile without (a) (\n  0.5,\n  label_replace(\n    {long},\n    \"a\",\n    \"b\",\n    \"{longer}\",\n    \"c\"\n  )\n)"
        ),
    );
    lays_out(
        &format!("max_over_time(rate(x[5m])[1h:] offset 1m) + sum({long} + {long})"),
        &format!(
            "  max_over_time(rate(x[5m])[1h:] offset 1m)\n+\n  sum(\n      {long}\n    +\n      {long}\n  )"
        ),
    );
    // Prometheus does not indent a subquery that fits.
    lays_out(
        &format!("max_over_time(rate({longer}[5m])[1h:1m] @ end()) + {long}"),
        &format!("  max_over_time(\nrate({longer}[5m])[1h:1m] @ end()\n  )\n+\n  {long}"),
    );
    lays_out(
        &format!("max_over_time((a)[1h:]) + rate(({longer} + {long})[1h:])"),
        &format!(
            "  max_over_time((a)[1h:])\n+\n  rate(\n    (\n        {longer}\n      +\n        {long}\n    )[1h:]\n  )"
        ),
    );
}

#[test]
fn trees_as_json() {
    let selector = |name: &str| {
        json!({
            "anchored": false, "matchers": [{ "name": "__name__", "type": "=", "value": name }], "name": name,
            "offset": 0, "offsetExpr": null, "smoothed": false, "startOrEnd": null, "timestamp": null,
            "type": "vectorSelector",
        })
    };
    assert_eq!(
        to_json(&tree("-a + ignoring (l) fill_left (1) 2 ^ (b)")).to_string(),
        json!({
            "bool": false,
            "lhs": { "expr": selector("a"), "op": "-", "type": "unaryExpr" },
            "matching": {
                "card": "one-to-one", "fillValues": { "lhs": 1.0, "rhs": null }, "include": [], "labels": ["l"],
                "on": false,
            },
            "op": "+",
            "rhs": {
                "bool": false,
                "lhs": { "type": "numberLiteral", "val": "2" },
                "matching": null,
                "op": "^",
                "rhs": { "expr": selector("b"), "type": "parenExpr" },
                "type": "binaryExpr",
            },
            "type": "binaryExpr",
        })
        .to_string()
    );
    let ranges = to_json(&tree(r#"avg_over_time(x{y!~"z"}[(5m) + step()] smoothed @ 1.5 offset -1m)"#));
    let matrix = &ranges["args"][0];
    assert_eq!(matrix["matchers"][0], json!({ "name": "y", "type": "!~", "value": "z" }));
    assert_eq!(
        [&matrix["range"], &matrix["offset"], &matrix["timestamp"], &matrix["smoothed"]],
        [&json!(0), &json!(-60_000), &json!(1500), &json!(true)]
    );
    assert_eq!(
        matrix["rangeExpr"],
        json!({
            "lhs": {
                "lhs": null, "op": "+", "rhs": { "duration": true, "type": "numberLiteral", "val": "300" },
                "type": "durationExpr", "wrapped": true,
            },
            "op": "+",
            "rhs": { "lhs": null, "op": "step", "rhs": null, "type": "durationExpr", "wrapped": false },
            "type": "durationExpr",
            "wrapped": false,
        })
    );
    assert_eq!(
        ranges["func"],
        json!({ "argTypes": ["matrix"], "name": "avg_over_time", "returnType": "vector", "variadic": 0 })
    );
}
