//! Everything that is written is read back as the same values, by our reader and by an independent one.

use std::io::Write;
use std::process::{Command, Stdio};

use compiler::render::yaml::{config_map_yaml, indent_block, parse, to_yaml, to_yaml_documents};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::hostile;

/// Every place in which a string can stand: alone, as value, as key, in lists, in a map inside a list.
fn places(text: &str) -> Vec<Value> {
    vec![
        json!(text),
        json!({ "k": text, "after": 1 }),
        json!({ text: "v", "after": 1 }),
        json!([text, text]),
        json!([[text], [[text]]]),
        json!({ "a": [{ "b": text, "c": text }, text], text: { text: [text] } }),
    ]
}

fn read_one(yaml: &str) -> Result<Value, String> {
    match parse(yaml) {
        Ok(mut documents) if documents.len() == 1 => Ok(documents.remove(0)),
        Ok(documents) => Err(format!("{} documents", documents.len())),
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn hostile_strings_survive_in_every_place() {
    for text in hostile::strings() {
        for tree in places(&text) {
            let yaml = to_yaml(&tree);
            assert!(yaml.ends_with('\n') && !yaml.contains('\r'), "{yaml:?}");
            assert_eq!(read_one(&yaml).as_ref(), Ok(&tree), "{yaml:?}");
        }
    }
}

#[test]
fn strings_that_look_like_other_types_are_quoted() {
    for text in ["y", "on", "no", "0123", "1e3", "12:30", "2024-01-01", "~", "<<", "=", "1_000", "0x1f"] {
        let yaml = to_yaml(&json!({ "k": text }));
        assert!(yaml == format!("k: \"{text}\"\n") || yaml == format!("k: '{text}'\n"), "{yaml:?}");
    }
}

#[test]
fn keys_keep_their_order_and_long_lines_stay_whole() {
    let expr = "sum by (job) (rate(http_requests_total[5m])) / ignoring (code) ".repeat(5) + "x";
    let yaml = to_yaml(&json!({ "zeta": 1, "alpha": { "b": expr, "a": [] }, "none": {} }));
    assert_eq!(yaml, format!("zeta: 1\nalpha:\n  b: {expr}\n  a: []\nnone: {{}}\n"));
}

#[test]
fn a_text_whose_first_line_starts_with_tab_is_quoted() {
    assert_eq!(to_yaml(&json!({ "k": "\n\ta\n" })), "k: \"\\n\\ta\\n\"\n");
    assert_eq!(to_yaml(&json!({ "k": "a\n\tb\n" })), "k: |\n  a\n  \tb\n");
}

#[test]
fn documents_are_separated() {
    let documents = [json!({ "a": 1 }), json!({ "b": "---\n" })];
    let text = to_yaml_documents(&documents);
    assert_eq!(text, "a: 1\n---\nb: |\n  ---\n");
    assert_eq!(parse(&text).as_deref(), Ok(&documents[..]));
    assert_eq!(to_yaml_documents(&[]), "");
}

#[test]
fn reading_skips_empty_documents_and_knows_octal() {
    let documents = parse("---\n---\na: 0644\nb: yes\n---\n# nothing\n---\nc: true\n");
    assert_eq!(documents, Ok(vec![json!({ "a": 420, "b": "yes" }), json!({ "c": true })]));
    assert_eq!(parse(""), Ok(vec![]));
}

#[test]
fn reading_names_the_place_of_a_duplicate_key() {
    let error = parse("a: 1\nb:\n  c: 1\n  c: 2\n").unwrap_err();
    assert_eq!((error.line, error.column), (4, 3));
    assert!(error.message.contains("duplicate") && error.message.contains('c'), "{}", error.message);
    assert!(!error.message.contains("line"), "{:?}", error.message);
}

#[test]
fn reading_refuses_bombs() {
    let mut laughs = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for i in 1..9 {
        let previous = format!("*a{}", i - 1);
        laughs += &format!("a{i}: &a{i} [{}]\n", vec![previous; 10].join(", "));
    }
    assert!(parse(&laughs).is_err(), "exponential aliases");

    let large = "z".repeat(1 << 20);
    let copies = format!("a: &a {large}\nb: [{}]\n", vec!["*a"; 200].join(", "));
    assert!(parse(&copies).is_err(), "aliases to a large text");

    assert!(parse(&"[".repeat(100_000)).is_err(), "flow nesting");
    let stairs: String = (0..3_000).map(|i| format!("{}a:\n", " ".repeat(i))).collect();
    assert!(parse(&stairs).is_err(), "block nesting");
}

#[test]
fn config_maps_are_written_as_the_tree_would_be() {
    let metadata = json!({ "name": "rules", "labels": { "on": "yes" }, "annotations": {} });
    let texts = hostile::strings();
    let mut data: Vec<(String, String)> = Vec::new();
    for (i, text) in texts.iter().enumerate() {
        data.push((format!("k{i}.yaml"), text.clone()));
        data.push((if text.is_empty() { "empty".into() } else { text.clone() }, "v\n".into()));
    }
    let mut seen = std::collections::BTreeSet::new();
    data.retain(|(key, _)| seen.insert(key.clone()));
    let long = data.clone();
    data.retain(|(key, _)| key.len() < 200);
    assert!(data.len() > 300 && data.len() < long.len());
    for part in [&data[..], &data[..1], &[], &long] {
        let entries: Map<String, Value> = part.iter().map(|(k, v)| (k.clone(), json!(v))).collect();
        let tree = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": entries });
        let fast = config_map_yaml(&metadata, part);
        assert!(read_one(&fast).as_ref() == Ok(&tree), "{fast}");
        assert!(fast == to_yaml(&tree), "{fast}");
    }
}

#[test]
fn the_last_of_two_equal_keys_stands() {
    let yaml = config_map_yaml(&json!({ "name": "n" }), &[("k", "a\n"), ("k", "b\n")]);
    assert_eq!(read_one(&yaml).map(|tree| tree["data"].clone()), Ok(json!({ "k": "b\n" })));
}

#[test]
fn an_indented_block_is_a_value() {
    for text in hostile::strings() {
        let yaml = format!("a:\n    b: {}    c: 1\n", indent_block(&text, 6));
        assert_eq!(read_one(&yaml), Ok(json!({ "a": { "b": text, "c": 1 } })), "{yaml:?}");
    }
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(hostile::strings()),
        "[ \\t\\n:#a'\"\\-\\[\\]{},|>&*!%@`?~0-9._]{0,12}",
        any::<String>(),
        prop::collection::vec(
            prop::sample::select(vec!["a", " ", "\n", "\t", ":", "#", "-", "  ", "\r", "é"]),
            0..12
        )
        .prop_map(|parts| parts.concat()),
    ]
}

fn any_tree() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        4 => any_text().prop_map(Value::String),
        1 => any::<i64>().prop_map(|n| json!(n)),
        1 => any::<u64>().prop_map(|n| json!(n)),
        1 => any::<f64>().prop_filter("JSON", |f| f.is_finite()).prop_map(|f| json!(f)),
        1 => any::<bool>().prop_map(Value::Bool),
        1 => Just(Value::Null),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            prop::collection::vec((any_text(), inner), 0..6)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_tree_is_read_back_unchanged(tree in any_tree()) {
        let tree = json!({ "root": tree });
        let yaml = to_yaml(&tree);
        prop_assert_eq!(read_one(&yaml), Ok(tree), "{}", yaml);
    }

    #[test]
    fn any_text_is_a_block_or_a_scalar(texts in prop::collection::vec(any_text(), 1..5)) {
        let data: Vec<(String, String)> =
            texts.into_iter().enumerate().map(|(i, text)| (format!("f{i}"), text)).collect();
        let entries: Map<String, Value> = data.iter().map(|(k, v)| (k.clone(), json!(v))).collect();
        let metadata = json!({ "name": "n" });
        let tree = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": entries });
        prop_assert_eq!(config_map_yaml(&metadata, &data), to_yaml(&tree));
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(text in any_text()) {
        let _ = parse(&text);
    }
}

#[test]
fn python_reads_the_same_values() {
    let mut lines = String::new();
    let mut write = |yaml: String, value: &Value| {
        lines += &json!({ "yaml": yaml, "value": value }).to_string();
        lines.push('\n');
    };
    for text in hostile::strings() {
        for tree in places(&text) {
            write(to_yaml(&tree), &tree);
        }
        let data = [("f", &text)];
        let tree = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": {}, "data": { "f": text } });
        write(config_map_yaml(&json!({}), &data), &tree);
    }
    for number in [json!(0), json!(-1), json!(u64::MAX), json!(1.5), json!(1e21), json!(1e-7), json!(9090.0)]
    {
        write(to_yaml(&json!({ "n": number })), &json!({ "n": number }));
    }

    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/oracles/yaml_readback.py");
    let mut python = Command::new("python3")
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("python3 with PyYAML reads the YAML back (Debian: python3-yaml)");
    let written = python.stdin.take().expect("stdin is piped").write_all(lines.as_bytes());
    let answer = python.wait_with_output().expect("python3 ends");
    let report = String::from_utf8_lossy(&answer.stderr);
    assert!(answer.status.success(), "{report}");
    assert!(written.is_ok(), "{written:?}");
    let count = lines.lines().count();
    assert_eq!(String::from_utf8_lossy(&answer.stdout).trim(), format!("{count} documents read back"));
}
