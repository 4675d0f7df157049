//! Queries that are refused: the words, which are Prometheus' own, and the place.

use promql_syntax::parse;

/// Checks the messages, and what the first one points at.
#[track_caller]
fn refused(query: &str, at: &str, messages: &[&str]) {
    let (_, errors) = parse(query);
    let got: Vec<&str> = errors.iter().map(|error| error.message.as_str()).collect();
    assert_eq!(got, messages, "{query}");
    assert_eq!(errors[0].span.text(query), at, "{query} at {:?}", errors[0].span);
}

#[test]
fn incomplete_and_misplaced() {
    for (query, at, message) in [
        ("", "", "no expression found in input"),
        ("a +", "", "unexpected end of input"),
        ("a b", "b", "unexpected identifier \"b\""),
        ("a b:c", "b:c", "unexpected metric identifier \"b:c\""),
        ("1 2m", "2m", "unexpected duration \"2m\""),
        ("a 'a long text'", "'a long text'", "unexpected string \"'a long te\"..."),
        ("* a", "*", "unexpected <op:*>"),
        ("a = b", "=", "unexpected \"=\""),
        ("a =~ b", "=", "unexpected character after '=': '~'"),
        ("a ! b", "! ", "unexpected character after '!': ' '"),
        ("a on b", "on", "unexpected <on>"),
        ("(a", "", "unclosed left parenthesis"),
        ("a)", "", "unexpected right parenthesis ')'"),
        ("a]", "]", "unexpected right bracket ']'"),
        ("a & b", "&", "unexpected character: '&'"),
        ("é", "é", "unexpected character: 'é'"),
        ("a offset nan", "nan", "duration out of range"),
    ] {
        refused(query, at, &[message]);
    }
    assert_eq!(parse("a\n  + ]").1[0].located("a\n  + ]"), "2:5: parse error: unexpected right bracket ']'");
}

#[test]
fn literals() {
    refused("1__0", "1__", &["bad number or duration syntax: \"1__\""]);
    refused("0xg", "0x", &["bad number or duration syntax: \"0x\""]);
    refused("1.2.3", "1.2.", &["bad number or duration syntax: \"1.2.\""]);
    refused("1e", "1e", &["bad number or duration syntax: \"1e\""]);
    refused(
        "1e400",
        "1e400",
        &["error parsing number: strconv.ParseFloat: parsing \"1e400\": value out of range"],
    );
    refused("(1e)", "1e", &["error parsing number: strconv.ParseFloat: parsing \"1e\": invalid syntax"]);
    refused("a[1m1h]", "1m1h", &["not a valid duration string: \"1m1h\""]);
    refused("a[5hs]", "5hs", &["unknown unit \"hs\" in duration \"5hs\""]);
    refused("\"abc", "\"abc", &["unterminated quoted string"]);
    refused("\"a\nb\"", "\"a\n", &["unterminated quoted string"]);
    refused("`abc", "`abc", &["unterminated raw string"]);
    refused(r#""\q""#, r#""\q"#, &["unknown escape sequence U+0071 'q'"]);
    refused(r#""\xz""#, r#""\x"#, &["illegal character U+007A 'z' in escape sequence"]);
    refused(r#""\ud800""#, r#""\ud800"#, &["escape sequence is an invalid Unicode code point"]);
    refused(r#""\400""#, r#""\400"#, &["escape sequence is an invalid Unicode code point"]);
}

#[test]
fn selectors() {
    refused("{}", "{}", &["vector selector must contain at least one non-empty matcher"]);
    refused(r#"{a=~".*"}"#, r#"{a=~".*"}"#, &["vector selector must contain at least one non-empty matcher"]);
    refused("a{b}", "}", &["unexpected \"}\" in label matching, expected label matching operator"]);
    refused("a{b=}", "}", &["unexpected \"}\" in label matching, expected string"]);
    refused("a{b=c}", "c", &["unexpected identifier \"c\" in label matching, expected string"]);
    refused("a{,}", ",", &["unexpected \",\" in label matching, expected identifier or \"}\""]);
    refused(
        "a{b='1' c='2'}",
        "c",
        &["unexpected identifier \"c\" in label matching, expected \",\" or \"}\""],
    );
    refused("a{b='1'", "", &["unexpected end of input inside braces"]);
    refused("a{b>'1'}", ">", &["unexpected character inside braces: '>'"]);
    refused("a{b=~'('}", "b=~'('", &["error parsing regexp: missing closing ): `(`"]);
    refused("a{__name__='b'}", "a{__name__='b'}", &["metric name must not be set twice: \"a\" or \"b\""]);
    refused(r#"a{b="\xff"}"#, r#""\xff""#, &["label names and values are text in UTF-8"]);
}

#[test]
fn several_errors_in_one_pass() {
    refused(
        "foo(a{b}, sum(c{d=}), 1 +)",
        "}",
        &[
            "unexpected \"}\" in label matching, expected label matching operator",
            "unexpected \"}\" in label matching, expected string",
            "unexpected \")\"",
            "unknown function with name \"foo\"",
        ],
    );
    refused("a{b=1x, c=~'['}", "1", &["unexpected character inside braces: '1'"]);
    refused(
        "a{b=c, d, e=~'['}",
        "c",
        &[
            "unexpected identifier \"c\" in label matching, expected string",
            "unexpected \",\" in label matching, expected label matching operator",
            "error parsing regexp: missing closing ]: `[`",
        ],
    );
    refused(
        "rate(x) + sum(1) + floor('a', 2)",
        "x",
        &[
            "expected type range vector in call to function \"rate\", got instant vector",
            "expected type instant vector in aggregation expression, got scalar",
            "expected 1 argument(s) in call to \"floor\", got 2",
            "expected type instant vector in call to function \"floor\", got string",
        ],
    );
}

#[test]
fn ranges_and_modifiers() {
    let selector_only = |word: &str| {
        format!(
            "{word} modifier must be preceded by an instant vector selector or range vector selector or a subquery"
        )
    };
    refused("sum(a)[5m]", "[5m]", &["ranges only allowed for vector selectors"]);
    refused("a offset 1m[5m]", "[5m]", &["no offset modifiers allowed before range"]);
    refused("a @ 1[5m]", "[5m]", &["no @ modifiers allowed before range"]);
    refused("a[0]", "0", &["duration must be greater than 0"]);
    refused("a[-5m:1m]", "-5m", &["duration must be greater than 0"]);
    refused(
        "a[]",
        "]",
        &["unexpected \"]\" in subquery or range selector, expected number, duration, step(), or range()"],
    );
    refused("a[5m", "", &["unclosed left bracket"]);
    refused("a[", "", &["unexpected end of input in duration expression"]);
    refused("a[b]", "b", &["unexpected character in duration expression: 'b'"]);
    refused("a[5m b]", "b", &["unexpected character: 'b', expected ':'"]);
    refused("a[5m 5m]", "5m", &["unexpected duration \"5m\" in subquery or range, expected \":\" or \"]\""]);
    refused("a[5m:1m:1m]", ":", &["unexpected colon ':'"]);
    refused("a[5m/0]", "/", &["division by zero"]);
    refused("a[5m%0]", "%", &["modulo by zero"]);
    refused("a[999y]", "999y", &["duration out of range"]);
    refused("a offset 1m offset 2m", "a offset 1m", &["offset may not be set multiple times"]);
    refused("a @ 1 @ 2", "a @ 1", &["@ <timestamp> may not be set multiple times"]);
    refused(
        "a offset b",
        "b",
        &["unexpected identifier \"b\" in offset, expected number, duration, step(), or range()"],
    );
    refused("a @ b", "b", &["unexpected identifier \"b\" in @, expected timestamp"]);
    refused("a @ inf", "a", &["timestamp out of bounds for @ modifier: +Inf"]);
    refused("1 offset 5m", "1", &[&selector_only("offset")]);
    refused("(a) @ 5", "(a)", &[&selector_only("@")]);
    refused(
        "a anchored smoothed",
        "a anchored",
        &["anchored and smoothed modifiers cannot be used together"],
    );
    refused("a[5m:1m] smoothed", "a[5m:1m]", &["smoothed modifier is not supported for subqueries"]);
    refused("1 anchored", "1", &["anchored modifier not implemented"]);
    refused("a[5m][1h:]", "a[5m][1h:]", &["subquery is only allowed on instant vector, got matrix instead"]);
}

#[test]
fn aggregations() {
    refused("sum()", "sum()", &["no arguments for aggregate expression provided"]);
    let count = |want: u8, got: u8| {
        format!("wrong number of arguments for aggregate expression provided, expected {want}, got {got}")
    };
    refused("sum(a, b)", "sum(a, b)", &[&count(1, 2)]);
    refused("topk(a) by (b)", "topk(a) by (b)", &[&count(2, 1)]);
    refused("sum by a (b)", "a", &["unexpected identifier \"a\" in grouping opts, expected \"(\""]);
    refused("sum by (1) (b)", "1", &["unexpected number \"1\" in grouping opts, expected label"]);
    refused(
        "sum by (a b) (c)",
        "b",
        &["unexpected identifier \"b\" in grouping opts, expected \",\" or \")\""],
    );
    refused("sum by ('') (c)", "''", &["invalid label name for grouping: \"\""]);
    refused("sum by (a) b", "b", &["unexpected identifier \"b\" in aggregation"]);
    refused("sum a by (b)", "a", &["unexpected identifier \"a\""]);
    refused("sum(a b)", "b", &["unexpected identifier \"b\" in aggregation"]);
    refused("sum by (a) (b) by (c)", "by", &["unexpected <by>"]);
    refused("topk('a', b)", "'a'", &["expected type scalar in aggregation parameter, got string"]);
    refused("count_values(1, b)", "1", &["expected type string in aggregation parameter, got scalar"]);
}

#[test]
fn operators() {
    refused("1 > 2", ">", &["comparisons between scalars must use BOOL modifier"]);
    refused("a + bool b", "+ bool", &["bool modifier can only be used on comparison operators"]);
    refused("1 and a", "1 and a", &["set operator \"and\" not allowed in binary scalar expression"]);
    refused("a + on(x) 1", "a + on(x) 1", &["vector matching only allowed between instant vectors"]);
    refused(
        "a + fill(0) 1",
        "a + fill(0) 1",
        &["filling in missing series only allowed between instant vectors"],
    );
    refused("a or fill(0) b", "a or fill(0) b", &["filling in missing series not allowed for set operators"]);
    refused(
        "a and on(x) group_left b",
        "a and on(x) group_left b",
        &["no grouping allowed for \"and\" operation", "set operations must always be many-to-many"],
    );
    refused(
        "a * on(x) group_left(x) b",
        "* on(x) group_left(x)",
        &["label \"x\" must not occur in ON and GROUP clause at once"],
    );
    refused("a + b[5m]", "b[5m]", &["binary expression must contain only scalar and instant vector types"]);
    refused(
        "-'a'",
        "-'a'",
        &["unary expression only allowed on expressions of type scalar or instant vector, got \"string\""],
    );
    refused("a + group_left b", "group_left", &["unexpected <group_left>"]);
}

#[test]
fn functions() {
    refused("nope(a)", "nope", &["unknown function with name \"nope\""]);
    refused("Rate(a[5m])", "Rate", &["unknown function with name \"Rate\""]);
    refused("floor(a,)", ",", &["trailing commas not allowed in function call args"]);
    refused("time(1)", "time(1)", &["expected 0 argument(s) in call to \"time\", got 1"]);
    refused("round()", "round()", &["expected at least 1 argument(s) in call to \"round\", got 0"]);
    refused(
        "round(a, 1, 2)",
        "round(a, 1, 2)",
        &["expected at most 2 argument(s) in call to \"round\", got 3"],
    );
    refused("info(a, b)", "b", &["expected label selectors only, got vector selector instead"]);
    refused("info(a, sum(b))", "sum(b)", &["expected label selectors only"]);
}
