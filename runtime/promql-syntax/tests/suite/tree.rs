//! What the tree tells a caller: types, positions, selectors, needed features.

use prom_model::PromDuration;
use promql_syntax::{Descend, Expr, Feature, ValueType, comments, features, parse, selectors, visit};

#[track_caller]
fn tree(query: &str) -> Expr {
    let (expr, errors) = parse(query);
    assert!(errors.is_empty(), "{query}: {}", errors[0].located(query));
    expr.unwrap()
}

#[test]
fn operators_bind_as_documented() {
    let shape = |query: &str| shape(&tree(query));
    for (query, want) in [
        ("a + b * c", "(a + (b * c))"),
        ("a - b - c", "((a - b) - c)"),
        ("a ^ b ^ c", "(a ^ (b ^ c))"),
        ("-a ^ b", "-(a ^ b)"),
        ("-a * b", "(-a * b)"),
        ("a ^ -b * c", "((a ^ -b) * c)"),
        ("a or b and c unless d", "(a or ((b and c) unless d))"),
        ("a == b + c > d", "((a == (b + c)) > d)"),
        ("a * b atan2 c % d / e", "((((a * b) atan2 c) % d) / e)"),
        ("a </ b >/ c", "((a </ b) >/ c)"),
    ] {
        assert_eq!(shape(query), want, "{query}");
    }
}

fn shape(expr: &Expr) -> String {
    match expr {
        Expr::Binary(b) => format!("({} {} {})", shape(&b.lhs), b.op, shape(&b.rhs)),
        Expr::Unary(u) => format!("-{}", shape(&u.expr)),
        other => other.to_string(),
    }
}

#[test]
fn types() {
    for (query, want) in [
        ("1 + 2", ValueType::Scalar),
        ("(1) + a", ValueType::Vector),
        ("-a[5m:]", ValueType::Matrix),
        ("a[5m]", ValueType::Matrix),
        ("'x'", ValueType::String),
        ("scalar(a)", ValueType::Scalar),
        ("sum(a)", ValueType::Vector),
    ] {
        assert_eq!(parse(query).0.map(|expr| expr.value_type()), Some(want), "{query}");
    }
}

#[test]
fn every_node_knows_its_text() {
    let query = "sum( rate(a{b='é'}[5m] offset 1m) ) by (x)\n  / -(c @ 1)";
    let expr = tree(query);
    let mut texts = Vec::new();
    visit(&expr, &mut |expr| {
        texts.push(expr.span().text(query));
        Descend::Into
    });
    assert_eq!(
        texts,
        [
            query,
            "sum( rate(a{b='é'}[5m] offset 1m) ) by (x)",
            "rate(a{b='é'}[5m] offset 1m)",
            "a{b='é'}[5m] offset 1m",
            "-(c @ 1)",
            "(c @ 1)",
            "c @ 1"
        ]
    );
}

#[test]
fn selectors_are_listed_from_left_to_right() {
    let query = r#"rate({"a.b",x="1"}[5m * 2]) / on (x) sum_over_time(c[step()]) > bool ({y=~"z"})[1h:] "#;
    let expr = parse(query).0.unwrap();
    let listed: Vec<_> = selectors(&expr)
        .iter()
        .map(|s| {
            let range = s.range.map(|range| (range.to_string(), range.constant()));
            (s.metric_name(), s.matchers().len(), range, s.span.text(query))
        })
        .collect();
    assert_eq!(
        listed,
        [
            (
                Some("a.b"),
                2,
                Some(("5m * 2".into(), Some(PromDuration::from_mins(10)))),
                r#"{"a.b",x="1"}[5m * 2]"#
            ),
            (Some("c"), 1, Some(("step()".into(), None)), "c[step()]"),
            (None, 1, None, r#"{y=~"z"}"#),
        ]
    );
}

#[test]
fn features_name_the_flags() {
    let needs = |query: &str| {
        features(&tree(query)).iter().map(|u| (u.feature, u.span.text(query).to_owned())).collect::<Vec<_>>()
    };
    assert_eq!(needs("sum by (a) (rate(x[5m] offset -1m) / on (b) y @ start())"), []);
    assert_eq!(needs("mad_over_time(x[5m])"), [(Feature::ExperimentalFunctions, "mad_over_time".into())]);
    assert_eq!(needs("limitk(1, x)"), [(Feature::ExperimentalFunctions, "limitk(1, x)".into())]);
    assert_eq!(needs("rate(x[5m*2])"), [(Feature::DurationExpr, "5m*2".into())]);
    assert_eq!(needs("x offset (1m)"), [(Feature::DurationExpr, "(1m)".into())]);
    assert_eq!(needs("x smoothed"), [(Feature::ExtendedRangeSelectors, "x smoothed".into())]);
    assert_eq!(needs("x + fill(0) y"), [(Feature::BinopFillModifiers, "+".into())]);
    assert_eq!(Feature::DurationExpr.flag(), "promql-duration-expr");
}

#[test]
fn duration_expressions_are_evaluated_for_a_query() {
    let evaluate = |range: &str| {
        let expr = tree(&format!("rate(x[{range}])"));
        let uses = selectors(&expr);
        let (minute, hour) = (PromDuration::from_mins(1), PromDuration::from_hours(1));
        match uses[0].range.unwrap() {
            promql_syntax::DurationValue::Fixed(fixed) => Some(fixed.as_millis()),
            promql_syntax::DurationValue::Expr(expr) => {
                expr.evaluate(Some(minute), Some(hour)).map(PromDuration::as_millis)
            }
        }
    };
    assert_eq!(evaluate("1.5"), Some(1500));
    assert_eq!(evaluate("step() * 2 + 1ms"), Some(120_001));
    assert_eq!(evaluate("min_of(range(), 5m) % 7"), Some(6_000));
    assert_eq!(evaluate("max_of(1, 2) ^ 3 - 0.5"), Some(7_500));
    assert_eq!(evaluate("1 / (1 - 1)"), None);
    assert_eq!(evaluate("10 ^ 30"), None);
}

#[test]
fn comments_are_found() {
    let found = |query: &str| comments(query).iter().map(|at| at.text(query).to_owned()).collect::<Vec<_>>();
    assert_eq!(
        found("# one\na{ # two\nb='#no' }[5m # three\n] + c # four"),
        ["# one", "# two", "# three", "# four"]
    );
    assert_eq!(found("a # one\n ] # two"), ["# one"]);
    assert_eq!(found("a{b='#'}"), [] as [&str; 0]);
}
