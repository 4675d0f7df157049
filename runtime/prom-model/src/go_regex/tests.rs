//! What Go accepts, refuses and matches.

use proptest::prelude::*;

use super::{Dot, GoRegex, GoRegexErrorKind as Kind};

fn compile(pattern: &str) -> GoRegex {
    GoRegex::new(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"))
}

#[test]
fn matches_the_whole_text_only() {
    for (pattern, hits, misses) in [
        ("a", &["a"][..], &["ba", "ab", ""][..]),
        ("a|bc", &["a", "bc"], &["abc", "ac"]),
        ("", &[""], &["a"]),
        (".*", &["", "a\nb", "é"], &[]),
        (".+", &["a", "\n"], &[""]),
        ("^a$", &["a"], &["a\n"]),
        ("(?-s)a.b", &["axb"], &["a\nb"]),
        ("(?i)straße|k", &["STRAßE", "K", "\u{212a}"], &["STRASSE"]),
        ("(?i:A)b", &["ab", "Ab"], &["aB"]),
        ("a(?i)b|c", &["aB", "C"], &["A"]),
        ("x*?y", &["xxy", "y"], &["x"]),
        ("(?U)a+", &["aaa"], &[""]),
    ] {
        let regex = compile(pattern);
        for hit in hits {
            assert!(regex.is_match(hit), "{pattern} should match {hit:?}");
        }
        for miss in misses {
            assert!(!regex.is_match(miss), "{pattern} should not match {miss:?}");
        }
    }
    let old = GoRegex::with_dot("a.b", Dot::AnyButNewline).unwrap();
    assert!(old.is_match("a b") && !old.is_match("a\nb"));
}

#[test]
fn classes_are_gos() {
    for (pattern, hits, misses) in [
        (r"\d", &["5"][..], &["٣", "x"][..]),
        (r"\w+", &["a_9"], &["é", "-"]),
        (r"\s", &[" ", "\t", "\n"], &["\u{b}", "\u{a0}"]),
        (r"\D\W\S", &["éé\u{b}"], &["1-a"]),
        (r"[\d\-x]+", &["1-x"], &["y"]),
        ("[]a]+", &["]a"], &["b"]),
        ("[^]a]", &["b", "\n"], &["]", "a"]),
        ("[a&&b]+", &["a&b"], &["c"]),
        ("[+--]+", &["+,-"], &["a"]),
        (r"\p{Zl}", &["\u{2028}"], &[" "]),
        ("[[a]]", &["[]", "a]"], &["b]", "[a]"]),
        ("[[:alpha:]_]+", &["aZ_"], &["1", "é"]),
        ("[[:^digit:]]", &["x", "é"], &["1"]),
        (r"\pL\p{Greek}\PN", &["éαx"], &["1αx", "éa1"]),
        (r"\p{^L}", &["1"], &["a"]),
        (r"[\pL\d]+", &["é9"], &["-"]),
        (r"(?i)[a-c]\w", &["Bſ"], &["d-"]),
        (r"\bfoo\b.*", &["foo bar"], &["foobar"]),
    ] {
        let regex = compile(pattern);
        for hit in hits {
            assert!(regex.is_match(hit), "{pattern} should match {hit:?}");
        }
        for miss in misses {
            assert!(!regex.is_match(miss), "{pattern} should not match {miss:?}");
        }
    }
}

#[test]
fn accepts_what_only_go_accepts() {
    for (pattern, text) in [
        (r"\Qa.b\E+", "a.bb"),
        (r"\Q\E", ""),
        ("a{,3}", "a{,3}"),
        ("x{", "x{"),
        ("x{01}", "x{01}"),
        ("x{1", "x{1"),
        ("{", "{"),
        (r"\101\x41\x{1F600}\07", "AA\u{1F600}\x07"),
        (r"\_\-\/\%", "_-/%"),
        ("(?P<n>a)(?P<n>b)", "ab"),
        ("(?<n>a)", "a"),
        ("(?)a", "a"),
        ("a*", "aa"),
        ("a(?i)*", "aa"),
        ("^*a", "a"),
    ] {
        assert!(compile(pattern).is_match(text), "{pattern} should match {text:?}");
    }
}

#[test]
fn refuses_what_go_refuses() {
    for (pattern, kind, fragment, position) in [
        ("(?x)a", Kind::InvalidPerlOp, "(?x", 0),
        ("a(?=b)", Kind::InvalidPerlOp, "(?=", 1),
        ("(?<=b)", Kind::InvalidNamedCapture, "(?<=b)", 0),
        ("(?i-)", Kind::InvalidPerlOp, "(?i-)", 0),
        ("(?P<>a)", Kind::InvalidNamedCapture, "(?P<>", 0),
        ("(?P<a", Kind::InvalidNamedCapture, "(?P<a", 0),
        ("a**", Kind::InvalidRepeatOp, "**", 1),
        ("a++", Kind::InvalidRepeatOp, "++", 1),
        ("a???", Kind::InvalidRepeatOp, "???", 1),
        ("*a", Kind::MissingRepeatArgument, "*", 0),
        ("(+)", Kind::MissingRepeatArgument, "+", 1),
        ("a|*", Kind::MissingRepeatArgument, "*", 2),
        ("a{1001}", Kind::InvalidRepeatSize, "{1001}", 1),
        ("a{2,1}", Kind::InvalidRepeatSize, "{2,1}", 1),
        ("(a{100}){11}", Kind::InvalidRepeatSize, "{11}", 8),
        ("a{99999999999}", Kind::InvalidRepeatSize, "{99999999999}", 1),
        (r"\u00e9", Kind::InvalidEscape, r"\u", 0),
        (r"x\Z", Kind::InvalidEscape, r"\Z", 1),
        (r"\C", Kind::InvalidEscape, r"\C", 0),
        (r"\1", Kind::InvalidEscape, r"\1", 0),
        (r"\8", Kind::InvalidEscape, r"\8", 0),
        (r"\xZZ", Kind::InvalidEscape, r"\xZZ", 0),
        (r"\x{4G}", Kind::InvalidEscape, r"\x{4G", 0),
        (r"\pl", Kind::InvalidCharRange, r"\pl", 0),
        (r"\é", Kind::InvalidEscape, r"\é", 0),
        (r"[a-\d]", Kind::InvalidEscape, r"\d", 3),
        ("[z-a]", Kind::InvalidCharRange, "z-a", 1),
        ("[[:foo:]]", Kind::InvalidCharRange, "[:foo:]", 1),
        (r"\p{Foo}", Kind::InvalidCharRange, r"\p{Foo}", 0),
        (r"\p{Alphabetic}", Kind::InvalidCharRange, r"\p{Alphabetic}", 0),
        ("[a", Kind::MissingBracket, "[a", 0),
        ("[]", Kind::MissingBracket, "[]", 0),
        ("(a", Kind::MissingParen, "(a", 0),
        ("a)", Kind::UnexpectedParen, "a)", 1),
        ("a)(b", Kind::UnexpectedParen, "a)(b", 1),
        ("ab(c", Kind::MissingParen, "ab(c", 2),
        ("a\\", Kind::TrailingBackslash, "", 1),
        (r"\Qa", Kind::UnterminatedQuote, r"\Qa", 0),
    ] {
        let error = GoRegex::new(pattern).expect_err(pattern);
        assert_eq!(
            (error.kind, error.fragment.as_str(), error.position),
            (kind, fragment, position),
            "{pattern}"
        );
    }
}

#[test]
fn errors_read_like_gos() {
    let text = |pattern: &str| GoRegex::new(pattern).expect_err(pattern).to_string();
    assert_eq!(text("*"), "error parsing regexp: missing argument to repetition operator: `*`");
    assert_eq!(text("x(a"), "error parsing regexp: missing closing ): `x(a`");
    assert_eq!(text("a\\"), "error parsing regexp: trailing backslash at end of expression: ``");
}

#[test]
fn hostile_patterns_end_in_an_error() {
    assert_eq!(GoRegex::new(&"(".repeat(60_000)).unwrap_err().kind, Kind::NestingDepth);
    assert_eq!(GoRegex::new(&"a".repeat(70_000)).unwrap_err().kind, Kind::TooLarge);
    assert_eq!(GoRegex::new(&r"\pL{1000}".repeat(100)).unwrap_err().kind, Kind::TooLarge);
    let deep = format!("{}a{}", "(".repeat(150), ")".repeat(150));
    assert!(compile(&deep).is_match("a"));
}

#[test]
fn a_choice_of_texts_is_offered_as_a_list() {
    let list = |pattern: &str| compile(pattern).literals().map(|texts| texts.join(","));
    assert_eq!(list("b|a|(?:c[12])"), Some("a,b,c1,c2".into()));
    assert_eq!(list("(api|web)-eu"), Some("api-eu,web-eu".into()));
    assert_eq!(list("a|"), Some(",a".into()));
    assert_eq!(list("(?i)ab"), Some("AB,Ab,aB,ab".into()));
    assert_eq!(list("a.*"), None);
    assert_eq!(list("^a"), None);
    let many: Vec<String> = (0..500).map(|n| format!("pod-{n}")).collect();
    let regex = compile(&many.join("|"));
    assert_eq!(regex.literals().map(<[String]>::len), Some(500));
    assert!(regex.is_match("pod-499") && !regex.is_match("pod-500"));
}

#[test]
fn expands_like_go() {
    for (pattern, text, template, want) in [
        ("(.*)", "x", "$1", "x"),
        ("(.*)", "x", "${1}y", "xy"),
        ("(.*)", "x", "$1y", ""),
        ("(.*)", "x", "$0-$2-$$1", "x--$1"),
        ("(?P<a>.)(.)", "xy", "${a}$2$a", "xyx"),
        ("(?P<a>x)|(?P<a>y)", "y", "$a", "y"),
        ("(.*)", "x", "${1", "${1"),
        ("(.*)", "x", "$ $- ${} $", "$ $- ${} $"),
        ("(.*)", "x", "$01", ""),
        ("(a)?(b)", "b", "[$1]", "[]"),
        ("(.*)", "", "pre$1", "pre"),
        ("(.*)", "x", "$1é", ""),
    ] {
        assert_eq!(compile(pattern).expand(text, template).as_deref(), Some(want), "{pattern} {template}");
    }
    assert_eq!(compile("a").expand("b", "x"), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_pattern_panics(pattern in r"[a-cA\\\[\](){}|*+?^$.,:\-0-9pPdQEx<>&]{0,16}", text in "[a-c0-9]{0,6}") {
        if let Ok(regex) = GoRegex::new(&pattern) {
            let matched = regex.is_match(&text);
            prop_assert_eq!(matched, regex.expand(&text, "$1$x").is_some());
            if let Some(literals) = regex.literals() {
                prop_assert_eq!(matched, literals.contains(&text));
            }
        }
    }

    #[test]
    fn quoted_text_matches_itself(text in "[^\\\\]{0,20}") {
        let regex = compile(&format!(r"\Q{text}\E"));
        prop_assert!(regex.is_match(&text));
    }
}
