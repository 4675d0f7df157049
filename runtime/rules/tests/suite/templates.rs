//! Templates: the text, and the error with its place.

use prom_model::TimestampMs;
use rules::{AlertTemplate, SampleValue, TemplateData};

use super::{FakeStorage, labels};

/// What a template gives for an alert of `web`, with two series called `up`.
fn expand(text: &str) -> String {
    let mut storage = FakeStorage::default();
    storage.answer("up", 100, &[("__name__=up,job=b,zone=2", 1.0), ("__name__=up,job=a,zone=3", 0.5)]);
    let (own, external) = (labels("__name__=x,job=web,instance=h.example.net:80"), labels("region=eu"));
    let data = TemplateData {
        labels: &own,
        value: &SampleValue::Float(1234.5),
        external_labels: &external,
        external_url: "https://prom.example.net/base",
        at: TimestampMs::from_millis(100_000),
    };
    AlertTemplate::new("Down", text).expand(&data, &mut storage).unwrap_or_else(|error| error.to_string())
}

fn check(cases: &[(&str, &str)]) {
    for (template, expect) in cases {
        assert_eq!(expand(template), *expect, "{template}");
    }
}

#[test]
fn what_alerts_say() {
    check(&[
        ("no template }} {", "no template }} {"),
        ("{{ $labels.job }} is {{ $value }}", "web is 1234.5"),
        ("{{ .Labels.nope }}|{{ .Value | humanize }}", "|1.234k"),
        ("{{ $externalLabels.region }} {{ $externalURL }}", "eu https://prom.example.net/base"),
        ("{{ externalURL }} {{ pathPrefix }}", "https://prom.example.net/base /base"),
        ("{{ now }} {{ toDuration 90 }}", "100 1m30s"),
        ("{{ stripPort $labels.instance }} {{ stripDomain $labels.instance }}", "h.example.net h:80"),
        ("{{ $labels }}", "map[__name__:x instance:h.example.net:80 job:web]"),
        ("a\n  {{- /* comment */ -}}\n  b", "ab"),
    ]);
}

#[test]
fn queries_and_lists() {
    check(&[
        ("{{ query \"up\" | len }} {{ query \"up\" | first | value }}", "2 1"),
        (
            "{{ range query \"up\" | sortByLabel \"job\" }}{{ .Labels.job }}={{ .Value }};{{ end }}",
            "a=0.5;b=1;",
        ),
        ("{{ range query \"none\" }}x{{ else }}nothing{{ end }}", "nothing"),
        ("{{ with query \"up\" }}{{ label \"zone\" (index . 1) }}{{ end }}", "3"),
        ("{{ range $i, $x := query \"up\" }}{{ if $i }}{{ break }}{{ end }}{{ $i }}{{ end }}", "0"),
        ("{{ range 3 }}{{ . }}{{ end }}", "012"),
        ("{{ (args 1 \"b\").arg1 }}", "b"),
    ]);
}

#[test]
fn logic_and_variables() {
    check(&[
        ("{{ if gt $value 1000.0 }}high{{ else }}low{{ end }}", "high"),
        ("{{ if eq $labels.job \"db\" }}1{{ else if eq 1 1 }}2{{ end }}", "2"),
        ("{{ and 1 \"\" }}|{{ or \"\" 2 }}|{{ not 0 }}", "|2|true"),
        ("{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ end }}{{ $x }}", "2"),
        ("{{ with $labels.nope }}{{ . }}{{ else with $labels.job }}{{ . }}{{ end }}", "web"),
        ("{{ define \"t\" }}<{{ . }}>{{ end }}{{ template \"t\" $value }}", "<1234.5>"),
        ("{{ block \"b\" 1 }}{{ . }}{{ end }}", "1"),
    ]);
}

#[test]
fn formats_are_those_of_go() {
    check(&[
        ("{{ printf \"%.2f|%8.1f|%-6d|%06d|%x\" 3.14159 2.5 42 -42 255 }}", "3.14|     2.5|42    |-00042|ff"),
        ("{{ printf \"%q %v %s %t\" \"a\" 1.5 \"b\" true }}", "\"a\" 1.5 b true"),
        ("{{ printf \"%d %s %d\" \"x\" 1 }}", "%!d(string=x) %!s(int=1) %!d(MISSING)"),
        ("{{ printf \"%d\" 1 2 \"x\" }}", "1%!(EXTRA int=2, string=x)"),
        ("{{ printf \"%[2]d %[1]d %T\" 1 2 3 }}", "2 1 int"),
        ("{{ print 1 2 \"a\" \"b\" 3 }}", "1 2ab3"),
        ("{{ 1e21 }} {{ 123456789.0 }} {{ 0x1F }} {{ 'a' }}", "1e+21 1.23456789e+08 31 97"),
        ("{{ html \"<a>\" }} {{ urlquery \"a b\" }}", "&lt;a&gt; a+b"),
        ("{{ (toTime 3600).Format \"15:04\" }} {{ (toTime 0).Month }}", "01:00 January"),
    ]);
}

#[test]
fn errors_say_where_and_why() {
    check(&[
        (
            "{{ query \"none\" | first }}",
            "error executing template __alert_Down: template: __alert_Down:1:130: executing \"__alert_Down\" at <first>: \
             error calling first: first() called on vector with no elements",
        ),
        (
            "one\n {{ toUpper 1 }}",
            "error executing template __alert_Down: template: __alert_Down:2:12: executing \"__alert_Down\" at <1>: \
             expected string; found 1",
        ),
        (
            "{{ $value.foo }}",
            "error executing template __alert_Down: template: __alert_Down:1:121: executing \"__alert_Down\" at \
             <$value.foo>: can't evaluate field foo in type float64",
        ),
        (
            "{{ query \"broken\" }}",
            "error executing template __alert_Down: template: __alert_Down:1:115: executing \"__alert_Down\" at \
             <query \"broken\">: error calling query: it broke",
        ),
        (
            "{{ eq 1 1.0 }}",
            "error executing template __alert_Down: template: __alert_Down:1:115: executing \"__alert_Down\" at \
             <eq 1 1.0>: error calling eq: incompatible types for comparison",
        ),
        ("{{ nope }}", "error parsing template __alert_Down: there is no function `nope`"),
    ]);
}
