//! Parts of the language that a feature flag switches on: what is said where it is off, and in which order.

use promql_syntax::{Feature, ParseOptions, parse_with, prometheus_error_text};

/// Checks that the query needs the flag, that all flags but this one are not enough, and what is said then.
#[track_caller]
fn needs(feature: Feature, query: &str, text: &str) {
    let features = [
        Feature::ExperimentalFunctions,
        Feature::DurationExpr,
        Feature::ExtendedRangeSelectors,
        Feature::BinopFillModifiers,
    ];
    let only = ParseOptions::default().with(feature);
    assert_eq!(parse_with(query, &only).1, [], "{query}");
    let others = features.into_iter().filter(|other| *other != feature);
    let without = others.fold(ParseOptions::default(), ParseOptions::with);
    for options in [without, ParseOptions::default()] {
        assert!(!options.allows(feature));
        let (expr, errors) = parse_with(query, &options);
        assert_eq!(prometheus_error_text(&errors, query).as_deref(), Some(text), "{query}");
        assert_eq!(expr, None);
    }
}

#[test]
fn a_flag_that_is_off_is_named_or_the_part_is_refused() {
    use Feature::{BinopFillModifiers, DurationExpr, ExperimentalFunctions, ExtendedRangeSelectors};
    for (feature, query, text) in [
        (ExperimentalFunctions, "1 + end()", "1:5: parse error: function \"end\" is not enabled"),
        (ExperimentalFunctions, "f + step( )", "1:5: parse error: function \"step\" is not enabled"),
        (
            ExperimentalFunctions,
            "sum(limitk by (a) (2, x))",
            "1:5: parse error: limitk() is experimental and must be enabled with --enable-feature=promql-experimental-functions",
        ),
        (
            ExtendedRangeSelectors,
            "rate(x[5m] anchored)",
            "1:6: parse error: anchored modifier is experimental and not enabled",
        ),
        (
            ExtendedRangeSelectors,
            "x smoothed",
            "1:1: parse error: smoothed modifier is experimental and not enabled",
        ),
        (
            BinopFillModifiers,
            "x +\n fill(0) y",
            "1:1: parse error: binop fill modifiers are experimental and not enabled",
        ),
        (DurationExpr, "x[1m + 5m]", "1:3: parse error: experimental duration expression is not enabled"),
        (
            DurationExpr,
            "x[-1m ^ 2 + 10]",
            "1:4: parse error: experimental duration expression is not enabled",
        ),
        (
            DurationExpr,
            "x[-step() + 10]",
            "1:4: parse error: experimental duration expression is not enabled",
        ),
        (DurationExpr, "x[(5m)]", "1:4: parse error: experimental duration expression is not enabled"),
        (
            DurationExpr,
            "x offset -step()",
            "1:10: parse error: experimental duration expression is not enabled",
        ),
        (
            DurationExpr,
            "x offset (1m * 2)",
            "1:11: parse error: experimental duration expression is not enabled",
        ),
    ] {
        needs(feature, query, text);
    }
}

#[test]
fn prometheus_shows_the_error_that_it_meets_first() {
    for (query, text) in [
        ("", "unknown position: parse error: no expression found in input"),
        (" # nothing", "1:1: parse error: no expression found in input"),
        // What is inside is judged before what is around it.
        ("f(g(1))", "1:3: parse error: unknown function with name \"g\""),
        ("f(1) ]", "1:1: parse error: unknown function with name \"f\""),
        // The next token has to be known before it is clear that the aggregation ends.
        ("sum(1, 2) ]", "1:11: parse error: unexpected right bracket ']'"),
        (
            "sum by (a) (1, 2) ]",
            "1:1: parse error: wrong number of arguments for aggregate expression provided, expected 1, got 2",
        ),
        ("f(1, *)", "1:4: parse error: trailing commas not allowed in function call args"),
        ("time(1,,2)", "1:7: parse error: trailing commas not allowed in function call args"),
        ("x[0", "1:4: parse error: unclosed left bracket"),
        ("x[0]", "1:3: parse error: duration must be greater than 0"),
    ] {
        let errors = parse_with(query, &ParseOptions::default()).1;
        assert_eq!(prometheus_error_text(&errors, query).as_deref(), Some(text), "{query}");
    }
    assert_eq!(prometheus_error_text(&[], "x"), None);
}
