//! Any text as a query: errors lie inside it; what is accepted prints, in one line and in many, as a query that
//! prints the same; never a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use promql_syntax::{
    Expr, ParseOptions, features, json, parse, parse_with, pretty, prometheus_error_text, selectors,
};
use serde_json::Value;

fn accepted(query: &str) -> Expr {
    let (expr, errors) = parse(query);
    assert!(errors.is_empty(), "{query}: {errors:?}");
    expr.expect("no errors, so a tree")
}

/// The tree without the order of matchers, which printing sorts, and without the sign of `-0s`, which it drops.
fn tree(expr: &Expr) -> Value {
    let mut tree = json::to_json(expr);
    let mut pending = vec![&mut tree];
    while let Some(value) = pending.pop() {
        match value {
            Value::String(text) if text == "-0" => "0".clone_into(text),
            Value::Array(values) => pending.extend(values),
            Value::Object(object) => {
                if let Some(Value::Array(matchers)) = object.get_mut("matchers") {
                    matchers.sort_by_key(Value::to_string);
                }
                pending.extend(object.values_mut());
            }
            _ => {}
        }
    }
    tree
}

fuzz_target!(|input: &[u8]| {
    let query = String::from_utf8_lossy(input);
    let read = |options: &ParseOptions| {
        let (expr, errors) = parse_with(&query, options);
        assert!(expr.is_some() || !errors.is_empty());
        assert_eq!(prometheus_error_text(&errors, &query).is_some(), !errors.is_empty());
        for error in &errors {
            assert!(query.get(error.span.start..error.span.end).is_some(), "{error:?}");
        }
        expr.filter(|_| errors.is_empty())
    };
    let without_flags = read(&ParseOptions::default());
    let Some(expr) = read(&ParseOptions::ALL) else { return };
    // What needs no flag is accepted without.
    assert!(without_flags.is_some() || !features(&expr).is_empty(), "{query}");
    let printed = expr.to_string();
    let again = accepted(&printed);
    assert_eq!(again.to_string(), printed, "{query}");
    assert_eq!(tree(&again), tree(&expr), "{query}");
    let laid_out = pretty(&expr);
    let again = accepted(&laid_out);
    assert_eq!(again.to_string(), printed, "{query}");
    assert_eq!(pretty(&again), laid_out, "{query}");
    assert_eq!(selectors(&again).len(), selectors(&expr).len());
    assert_eq!(features(&again).len(), features(&expr).len());
});
