//! Input made to hurt: it ends in an error or a tree, never in an abort.

use promql_syntax::{features, parse, selectors};
use proptest::prelude::*;

fn message(query: &str) -> String {
    parse(query).1.first().map(|error| error.message.clone()).unwrap_or_default()
}

#[test]
fn deep_nesting_is_refused() {
    let too_deep = "expression nests too deeply";
    for opening in ["(", "-", "sum(", "rate(", "-(", "a + (", "2^"] {
        assert_eq!(message(&opening.repeat(1_000_000)), too_deep, "{opening}");
    }
    for opening in ["(", "-", "min_of(", "1 + (", "2^"] {
        assert_eq!(message(&format!("a[{}", opening.repeat(1_000_000))), too_deep, "{opening}");
        assert_eq!(message(&format!("a offset ({}", opening.repeat(1_000_000))), too_deep, "{opening}");
    }
    assert_eq!(message(&format!("a{}", "[5m:]".repeat(100_000))), too_deep);
    assert_eq!(message(&vec!["a"; 100_000].join(" or ")), too_deep);
    assert_eq!(message(&format!("a[{}]", vec!["1"; 100_000].join("+"))), too_deep);
}

#[test]
fn what_is_allowed_fits_a_small_stack() {
    let allowed = [
        format!("{}a{}", "(".repeat(120), ")".repeat(120)),
        format!("{}a{}", "sum(".repeat(120), ")".repeat(120)),
        vec!["a"; 900].join(" or "),
        format!("rate(a[{}])", vec!["1"; 900].join(" + ")),
    ];
    let check = move || {
        for query in &allowed {
            let (expr, errors) = parse(query);
            assert!(errors.is_empty(), "{:?}", errors[0]);
            let expr = expr.unwrap();
            assert_eq!(expr.to_string(), *query);
            assert!(!selectors(&expr).is_empty() && expr.clone() == expr);
            features(&expr);
        }
    };
    std::thread::Builder::new().stack_size(2 << 20).spawn(check).unwrap().join().unwrap();
}

#[test]
fn the_number_of_errors_is_bounded() {
    let (_, errors) = parse(&format!("a{{{}}}", "b,".repeat(10_000)));
    assert_eq!(errors.len(), 16);
}

/// Pieces of the language, to be put together at random.
const PIECES: &[&str] = &[
    "a",
    "b:c",
    "1",
    "5m",
    "0x1f",
    "'s'",
    "`r`",
    "(",
    ")",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "@",
    "=",
    "=~",
    "!~",
    "!=",
    "+",
    "-",
    "*",
    "/",
    "%",
    "^",
    "==",
    "<",
    "</",
    ">/",
    "and",
    "or",
    "unless",
    "atan2",
    "bool",
    "on",
    "ignoring",
    "group_left",
    "fill",
    "fill_left",
    "by",
    "without",
    "offset",
    "anchored",
    "smoothed",
    "start",
    "end",
    "step",
    "range",
    "max_of",
    "sum",
    "topk",
    "count_values",
    "rate",
    "time",
    "info",
    "label_replace",
    "inf",
    "#",
    "\n",
    "é",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn any_pieces_end_in_a_tree_or_an_error(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..14)) {
        let query = pieces.join(" ");
        let (expr, errors) = parse(&query);
        prop_assert!(expr.is_some() || !errors.is_empty());
        for error in &errors {
            prop_assert!(query.get(error.span.start..error.span.end).is_some(), "{:?}", error);
        }
        if let Some(expr) = expr.filter(|_| errors.is_empty()) {
            let printed = expr.to_string();
            let (again, errors) = parse(&printed);
            prop_assert!(errors.is_empty(), "{} printed as {}: {:?}", query, printed, errors);
            prop_assert_eq!(again.map(|again| again.to_string()), Some(printed));
        }
    }

    #[test]
    fn any_text_ends_in_a_tree_or_an_error(query in "\\PC{0,40}") {
        let (expr, errors) = parse(&query);
        prop_assert!(expr.is_some() || !errors.is_empty());
    }

    #[test]
    fn any_text_survives_as_a_string(text in "\\PC{0,20}") {
        // Prometheus does not read the replacement character, only an escape for it.
        let query = prom_model::quote(&text).replace('\u{fffd}', "\\ufffd");
        let (expr, errors) = parse(&query);
        prop_assert!(errors.is_empty());
        prop_assert_eq!(expr.map(|expr| expr.to_string()), Some(query));
    }
}
