//! The layout on examples, and on anything.

use proptest::prelude::*;

use super::*;

#[track_caller]
fn check(before: &str, after: &str) {
    let formatted = format(0, before).expect("is KDL");
    assert_eq!(formatted, after);
    assert_eq!(format(0, &formatted).expect("is KDL"), formatted, "idempotent");
}

#[test]
fn spacing_and_indentation() {
    check(
        "\n\n/- kdl-version 2\ntopology   x  namespace = prom{\n  prometheus replicas=2\t{\n\n\n      every \"15s\"\n\n\n\n      scrape self   \n\n  }\n}",
        "/- kdl-version 2\ntopology x namespace=prom {\n    prometheus replicas=2 {\n        every \"15s\"\n\n        scrape self\n    }\n}\n",
    );
}

#[test]
fn one_liners_stay_one_liners() {
    check(
        "a {b;c}\nd { e { f 1;g } }\nh {}\ni { }\nj {\n}\nk; l ;m;\nn {o;}; p",
        "a { b; c; }\nd { e { f 1; g; } }\nh {}\ni {}\nj {}\nk; l; m\nn { o; }; p\n",
    );
    check("a { b; c\n}", "a {\n    b; c\n}\n");
}

#[test]
fn comments_stay_where_they_are() {
    check(
        "// top\na   1   // trailing\n   // above b\n\n/* block\n   kept */\nb { // behind\n// inside\n}\nc { /* x */ }\nd /* mid */ 1\ne { f; // g\n}\n",
        "// top\na 1 // trailing\n// above b\n\n/* block\n   kept */\nb { // behind\n    // inside\n}\nc { /* x */ }\nd /* mid */ 1\ne {\n    f // g\n}\n",
    );
}

#[test]
fn spellings_stay() {
    check(
        "a 1_000   0xFF 0o17 1.50e3 #true  #null #\"C:\\raw\"# \"esc\\n\\u{41}\" (dur)\"40d\" ( t ) 5 k = (u) \"v\"",
        "a 1_000 0xFF 0o17 1.50e3 #true #null #\"C:\\raw\"# \"esc\\n\\u{41}\" (dur)\"40d\" (t)5 k=(u)\"v\"\n",
    );
}

#[test]
fn multi_line_strings_move_as_a_whole() {
    check(
        "a {\n  expr \"\"\"\n  sum(\n    x\n\n  )\n  \"\"\" for=\"5m\"\n  raw #\"\"\"\n\t\tone\n\t\t  \"two\"\n\t\t\"\"\"#\n}\n",
        "a {\n    expr \"\"\"\n        sum(\n          x\n\n        )\n        \"\"\" for=\"5m\"\n    raw #\"\"\"\n        one\n          \"two\"\n        \"\"\"#\n}\n",
    );
}

#[test]
fn slashed_out_parts_and_continuations() {
    check(
        "/-a   1\n/-   b {\n  c\n }\nd /-1 2 /- { x }\ne 1 \\\n 2 \\ // why\n3\nf",
        "/-a 1\n/- b {\n    c\n}\nd /-1 2 /- { x; }\ne 1 \\\n    2 \\ // why\n    3\nf\n",
    );
    check("/-\n\n a 1\nb", "/- a 1\nb\n");
    check("/- // why\n a 1\nb", "/- // why\na 1\nb\n");
}

#[test]
fn windows_line_ends_and_byte_order_marks_go() {
    check("\u{feff}a\r\n\r\n\r\nb { c\r\n}\r\n", "a\n\nb {\n    c\n}\n");
}

#[test]
fn nothing_stays_nothing() {
    check("", "");
    check("\n \n", "");
    check("// only\n", "// only\n");
}

#[test]
fn broken_text_is_an_error_with_a_place() {
    for text in ["a {", "a 15s", "a \"", "a }", &"{".repeat(100_000), "/*", "a \"\"\"x\"\"\""] {
        let findings = format(3, text).expect_err("is not KDL");
        assert!(findings.iter().any(|finding| finding.span.is_some_and(|span| span.file == 3)), "{text:.20}");
    }
}

/// Pieces that make odd but often valid documents when strung together.
fn piece() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "a",
        "node",
        " ",
        "  ",
        "\t",
        "\n",
        "\n\n\n",
        "\r\n",
        ";",
        "; ",
        " {",
        "}",
        " { b; c }",
        " {\n",
        "\n}",
        "{ x }",
        "// note\n",
        " // note \n",
        "/* b */",
        "/* two\n lines */",
        " /-",
        " /- ",
        " /-\n",
        " \\\n",
        "\\ // c\n",
        " k=1",
        " k = \"v\"",
        " (t)1",
        "\n(t)n",
        " 1_000",
        " 0xFF",
        " \"s\"",
        " #\"raw\"#",
        " #true",
        " -1.50",
        "ü",
        " \"\"\"\n  x\n   y\n  \"\"\"",
        " #\"\"\"\n\tq\n\t\"\"\"#",
        " \"\"\"\n  x \\\n y\n  \"\"\"",
        " \"\"\"\n \n  \"\"\"",
        "\u{feff}",
        " \"a\\\n   b\"",
    ])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever parses is formatted, says the same afterwards, and is stable.
    #[test]
    fn anything_that_parses(pieces in prop::collection::vec(piece(), 0..24)) {
        let text = pieces.concat();
        if let Ok(before) = KdlDocument::parse_v2(&text) {
            let once = format(0, &text).map_err(|findings| TestCaseError::fail(format!("{text:?}: {findings:?}")))?;
            let after = KdlDocument::parse_v2(&once).map_err(|_| TestCaseError::fail(once.clone()))?;
            prop_assert!(same_document(&before, &after), "{:?}", once);
            let twice = format(0, &once).map_err(|findings| TestCaseError::fail(format!("{findings:?}")))?;
            prop_assert_eq!(&twice, &once, "from {:?}", text);
            prop_assert!(!once.lines().any(|line| line.ends_with(' ') && !line.contains("*/")) || once.contains("\"\"\"") || once.contains("/*"));
        }
    }

    /// No text breaks the cutting: the pieces make the text again.
    #[test]
    fn tokens_cover_the_text(text in any::<String>(), pieces in prop::collection::vec(piece(), 0..12)) {
        for text in [text, pieces.concat()] {
            let joined: String = token::tokens(&text).iter().map(|token| token.text).collect();
            prop_assert_eq!(joined, text);
        }
    }
}
