//! Templates: one hole is one value, whatever it holds, and every value knows its line.

use std::collections::{BTreeMap, BTreeSet};

use compiler::render::kube::canonical;
use compiler::render::template::{Engine, Hole, Rendered, TemplateError, lint, templates::SHIPPED};
use compiler::render::yaml;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::hostile;

/// An engine that knows one more template, under the name of a part.
fn engine(text: &str) -> Engine {
    engine_with(&[("_t", text)])
}

fn engine_with(texts: &[(&str, &str)]) -> Engine {
    let overrides = texts.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    Engine::new(overrides).unwrap_or_else(|errors| panic!("{errors:?}"))
}

fn render(text: &str, context: Value) -> Result<Rendered, TemplateError> {
    engine(text).render("_t", &context)
}

fn objects(text: &str, context: Value) -> Vec<Value> {
    render(text, context).unwrap_or_else(|error| panic!("{error}")).objects
}

fn failure(text: &str, context: Value) -> TemplateError {
    match render(text, context) {
        Ok(rendered) => panic!("rendered {rendered:?}"),
        Err(error) => error,
    }
}

#[test]
fn shipped_templates_are_all_files_of_the_folder_and_clean() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../templates");
    let files: BTreeSet<String> = std::fs::read_dir(folder)
        .expect("the templates folder is there")
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.ends_with(".yaml.j2"))
        .collect();
    let shipped: BTreeSet<String> = SHIPPED.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(shipped, files);
    assert!(SHIPPED.iter().map(|(name, _)| name).is_sorted());
    for (name, text) in SHIPPED {
        assert_eq!(lint(name, text), []);
        assert!(text.ends_with('\n'), "{name} ends with a line break");
    }
}

#[test]
fn a_shipped_template_renders() {
    let engine = Engine::new(BTreeMap::new()).expect("the shipped templates compile");
    let port = json!({ "name": "http", "port": 9090, "target": "http", "protocol": "TCP" });
    let mut context = json!({
        "name": "prometheus", "namespace": "monitoring", "labels": { "on": "yes" }, "annotations": null,
        "headless": false, "type": "ClusterIP", "selector": {}, "ports": [port],
    });
    let service = engine.render("service.yaml.j2", &context).map(|rendered| rendered.objects);
    let ports = json!([{ "name": "http", "port": 9090, "targetPort": "http", "protocol": "TCP" }]);
    let metadata = json!({ "name": "prometheus", "namespace": "monitoring", "labels": { "on": "yes" } });
    let spec = json!({ "type": "ClusterIP", "selector": {}, "ports": ports });
    let expected = json!({ "apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec });
    assert_eq!(service, Ok(vec![expected.clone()]));
    assert_eq!(canonical(expected.clone()), Ok(expected));

    context["headless"] = json!(true);
    context["publish_not_ready"] = json!(true);
    let service =
        engine.render("service.yaml.j2", &context).map(|rendered| rendered.objects[0]["spec"].clone());
    let spec = json!({ "type": "ClusterIP", "clusterIP": "None", "publishNotReadyAddresses": true, "selector": {}, "ports": ports });
    assert_eq!(service, Ok(spec));
}

#[test]
fn a_hole_takes_every_type() {
    for value in [
        json!("s"),
        json!(1),
        json!(-1.5),
        json!(true),
        json!([1, [2]]),
        json!({ "a": { "b": [] } }),
        json!({}),
    ] {
        let text = "a: << v >>\nb:\n  << v >>\nc: [<< v >>, 1]\nd: {x: << v >>}\ne:\n  - << v >> # why\n  - k: << v >>\n";
        let expected = json!({ "a": value, "b": value, "c": [value, 1], "d": { "x": value }, "e": [value, { "k": value }] });
        assert_eq!(objects(text, json!({ "v": value })), [expected]);
    }
    assert_eq!(
        objects("<< v >>\n---\n<< v >>\n", json!({ "v": { "a": 1 } })),
        [json!({ "a": 1 }), json!({ "a": 1 })]
    );
}

#[test]
fn nulls_leave_no_trace_and_empties_stay() {
    let text = "a: << n >>\nb:\n  - << n >>\n  - null\n  - << x >>\nc:\nd: {}\ne: []\nf: << o >>\ng: << x if n else none >>\n\
                h: << x if n >>\n---\n<< n >>\n---\n";
    let context = json!({ "n": null, "x": "x", "o": { "n": null, "l": [null], "m": { "n": null } } });
    assert_eq!(
        objects(text, context),
        [json!({ "b": [null, "x"], "d": {}, "e": [], "f": { "l": [null], "m": {} } })]
    );
}

#[test]
fn braces_of_prometheus_pass_through() {
    let text = "expr: '{{ $labels.job }} {% x %} {# y #}'\nv: << v >>\n";
    let value = json!("{{ $value }} << v >>");
    assert_eq!(
        objects(text, json!({ "v": value })),
        [json!({ "expr": "{{ $labels.job }} {% x %} {# y #}", "v": value })]
    );
}

#[test]
fn every_value_knows_its_line() {
    let text = "kind: A\nname: << name >>\n---\n<% for p in ports %>\n<% endfor %>\nports:\n<% for p in ports %>\n  \
                - \"a/b~\": << p.n ~ \"-x\" >>\n    drop: << none >>\n<% endfor %>\n  - << none >>\n  - << last >>\n";
    let context = json!({ "name": "n", "ports": [{ "n": "p" }, { "n": "q" }], "last": [1] });
    let rendered = render(text, context).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(rendered.objects[1], json!({ "ports": [{ "a/b~": "p-x" }, { "a/b~": "q-x" }, [1]] }));
    let hole = |document, pointer: &str, expr: &str, line| Hole {
        document,
        pointer: pointer.to_owned(),
        expr: expr.to_owned(),
        template: "_t".to_owned(),
        line,
    };
    assert_eq!(
        rendered.holes,
        [
            hole(0, "/name", "name", 2),
            hole(1, "/ports/0/a~1b~0", "p.n ~ \"-x\"", 8),
            hole(1, "/ports/1/a~1b~0", "p.n ~ \"-x\"", 8),
            hole(1, "/ports/2", "last", 12),
        ]
    );
    for hole in &rendered.holes {
        assert!(rendered.objects[hole.document].pointer(&hole.pointer).is_some(), "{hole:?}");
    }
}

#[test]
fn included_parts_name_themselves() {
    let engine =
        engine_with(&[("_part", "\nx: << v >>\n"), ("_t", "a: 1\n<% include \"_part\" %>\nb: << v >>\n")]);
    let rendered = engine.render("_t", &json!({ "v": "s" })).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(rendered.objects, [json!({ "a": 1, "x": "s", "b": "s" })]);
    let origins: Vec<_> = rendered.holes.iter().map(|hole| (hole.template.as_str(), hole.line)).collect();
    assert_eq!(origins, [("_part", 2), ("_t", 3)]);
}

#[test]
fn an_override_takes_the_place_of_a_shipped_template() {
    let engine = engine_with(&[("namespace.yaml.j2", "kind: Mine\nname: << name >>\n")]);
    let rendered =
        engine.render("namespace.yaml.j2", &json!({ "name": "n" })).map(|rendered| rendered.objects);
    assert_eq!(rendered, Ok(vec![json!({ "kind": "Mine", "name": "n" })]));

    let overrides = BTreeMap::from([("namespaces.yaml.j2".to_owned(), String::new())]);
    let errors = Engine::new(overrides).expect_err("an unused name");
    assert!(errors[0].message.contains("did you mean `namespace.yaml.j2`"), "{}", errors[0]);

    let overrides = BTreeMap::from([("namespace.yaml.j2".to_owned(), "a: \"<< x >>\"\n".to_owned())]);
    let errors = Engine::new(overrides).expect_err("overrides are linted");
    assert!(errors[0].message.contains("quotes"), "{}", errors[0]);
}

#[test]
fn what_is_missing_is_named_with_its_line() {
    let error = failure("a: 1\nb: << metadata.nmae >>\n", json!({ "metadata": { "name": 1 } }));
    assert_eq!((error.template.as_str(), error.line), ("_t", 2));
    assert_eq!(error.span, Some(11..24));
    assert!(error.message.contains("undefined"), "{error}");

    let error = failure("a: << [metadata.nmae] >>\n", json!({ "metadata": {} }));
    assert_eq!(error.line, 1, "{error}");
    let error = failure("\na: << {\"k\": [metadata.nmae]} >>\n", json!({ "metadata": {} }));
    assert_eq!(error.line, 2, "{error}");

    let engine = Engine::new(BTreeMap::new()).expect("the shipped templates compile");
    let error = engine.render("nothing.yaml.j2", &json!({})).expect_err("unknown");
    assert_eq!(error.to_string(), "nothing.yaml.j2:0: there is no template of this name");
}

#[test]
fn broken_yaml_is_traced_to_the_template() {
    let text = "a: << v >>\n<% if true %>\nb: 1\nb: << v >>\n<% endif %>\n";
    let error = failure(text, json!({ "v": "x\ny: z\n\n" }));
    assert_eq!(error.line, 4, "{error}");
    assert_eq!(error.span.clone().map(|span| &text[span.start..span.start + 2]), Some("b:"));
    assert!(error.message.contains("duplicate"), "{error}");
}

#[test]
fn what_the_lint_cannot_see_fails_when_rendered() {
    for text in ["a: b\n  << v >>\n", "a: << v|safe >>\n", "<% macro m() %>a: 1<% endmacro %>a: << m() >>\n"]
    {
        assert_eq!(lint("_t", text), [], "{text}");
        let error = failure(text, json!({ "v": "x: y" }));
        assert!(error.line > 0, "{error}");
    }
}

fn problems(text: &str) -> Vec<String> {
    lint("t", text).iter().map(|error| format!("{}: {}", error.line, error.message)).collect()
}

#[test]
fn the_lint_refuses_holes_that_are_no_whole_value() {
    for (text, line, word) in [
        ("a: \"<< x >>\"\n", 1, "quotes"),
        ("a: 'it''s << x >>'\n", 1, "quotes"),
        ("a: \"\\\"\n  << x >>\"\n", 2, "quotes"),
        ("<< x >>: 1\n", 1, "key"),
        ("a:\n  - << x >> : 1\n", 2, "key"),
        ("a: {<< x >>: 1}\n", 1, "key"),
        ("a: 1 # << x >>\n", 1, "comment"),
        ("# << x >>\n", 1, "comment"),
        ("a: foo<< x >>\n", 1, "touches"),
        ("a: foo << x >>\n", 1, "touches"),
        ("a: << x >>foo\n", 1, "touches"),
        ("a: << x >> foo\n", 1, "touches"),
        ("a: << x >><< y >>\n", 1, "touches"),
        ("a:<< x >>\n", 1, "touches"),
        ("- a: [b << x >>]\n", 1, "touches"),
        ("a: \"b\" << x >>\n", 1, "touches"),
        ("a: |\n  b\n  << x >>\n", 3, "block"),
        ("- k:\n    a: >-\n\n     << x >>\n", 4, "block"),
        ("- |\n  << x >>\n", 2, "block"),
        ("a: << x | nope >>\n", 1, "unknown filter `nope`"),
        ("a: 1\n<% for y in x | sort | nope(1) %>\n<% endfor %>\n", 2, "unknown filter `nope`"),
        ("<% if x is not nope %>\n<% endif %>\n", 1, "unknown test `nope`"),
        ("a: << x\n", 1, "syntax"),
        ("<% if x %>\n", 1, "syntax"),
        ("a: \u{e000}0\u{e001}\n", 1, "reserved"),
        ("<% if a %>\nb: 1\n<% else %>\nb: \"<< x >>\"\n<% endif %>\n", 4, "quotes"),
    ] {
        let found = problems(text);
        let hit =
            found.iter().any(|problem| problem.starts_with(&format!("{line}: ")) && problem.contains(word));
        assert!(hit, "{text:?}: {found:?}");
    }
}

#[test]
fn the_lint_accepts_whole_values() {
    for text in [
        "a: << x >>\n",
        "a: << x >>   # why\n",
        "a:   << x >>",
        "- << x >>\n- - << x >>\n-   b: << x >>\n",
        "a: [<< x >>, << y >> , {b: << z >>}]\n",
        "a: [\n  << x >>,\n  << y >>\n]\n",
        "\"a\": << x >>\n'b c': << x >>\n",
        "a:\n  << x >>\n",
        "<< x >>\n---\n<< y >>\n",
        "a: b#c\nd: << x >>\n",
        "a: it's\nd: << x >>\n",
        "a: b:c\nd: << x >>\n",
        "a: http://b\nd: << x >>\n",
        "a: |\n  text \"\n\n  'more\nb: << x >>\n",
        "- a: |\n    text \"\n  b: << x >>\n",
        "- |\n  text \"\n- << x >>\n",
        "- a: >-\n    # text\n- << x >>\n",
        "a: <% if c %><< x >><% else %><< y >><% endif %>\n",
        "<% if c %>\na: << x >>\n<% elif d %>\na: << y >>\n<% endif %>\nb: << z >>\n",
        "a: << \"# '\" ~ x >>\n",
        "a: << x | default(\"| nope\") | upper >>\nb: << x is not none and y is string >>\n",
        "a: &anchor << x >>\n",
        "<# a: \"<< x >>\" #>\na: << y >>\n",
        "a: \"{{ $labels.job }}\"\n",
        "a: '<% if x %>b<% endif %>'\n",
        "a: \"\\\\\"\nb: << x >>\n",
        "a: \"<% raw %><< x >><% endraw %>\"\n",
    ] {
        assert_eq!(problems(text), Vec::<String>::new(), "{text:?}");
    }
}

const SAMPLE: &str = "apiVersion: v1\nkind: << kind >>\nmetadata: {name: << name >>, labels: << labels >>}\nspec:\n  args:\n    \
                      - << arg >>\n    - \"--flag\"\n<% for e in env %>\n    - name: << e.name >>\n      value: << e.value >>\n<% endfor %>\n\
                      ---\n<< whole >>\n";

#[test]
fn numbers_keep_their_value() {
    for number in
        [json!(0), json!(u64::MAX), json!(i64::MIN), json!(9090.0), json!(1e21), json!(0.1), json!(5e-324)]
    {
        assert_eq!(objects("a: << n >>\n", json!({ "n": number })), [json!({ "a": number })]);
    }
}

#[test]
fn no_string_changes_the_structure() {
    let engine = engine(SAMPLE);
    for text in hostile::strings() {
        check_structure(&engine, &text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_random_string_changes_the_structure(text in any::<String>()) {
        check_structure(&engine(SAMPLE), &text);
    }

    #[test]
    fn any_template_is_linted_without_a_panic(text in "[ \\n#:a'\"\\-\\[\\]{},|>&!?<%é\u{e000}]{0,40}") {
        let _ = lint("t", &text);
    }

    #[test]
    fn a_template_of_pieces_that_lints_clean_puts_every_hole_in_its_place(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "<< x >>", "a", "b: ", "- ", "\n", "\n  ", "\n    ", " ", "\"", "'", "# ", "[", "]", ", ", "{", "}", "|", ": ",
        ]), 0..14),
    ) {
        let text: String = pieces.concat();
        if lint("_t", &text).is_empty() && let Err(error) = render(&text, json!({ "x": "a: b" })) {
            let allowed = error.message.contains("not YAML") || error.message.contains("longer text");
            prop_assert!(allowed, "{:?}: {}", text, error);
        }
    }
}

fn check_structure(engine: &Engine, text: &str) {
    let context = json!({
        "kind": text, "name": text, "labels": { text: text }, "arg": text,
        "env": [{ "name": text, "value": text }, { "name": "b", "value": [text] }], "whole": { text: [text] },
    });
    let rendered = engine.render("_t", &context).unwrap_or_else(|error| panic!("{text:?}: {error}"));
    let args = json!([text, "--flag", { "name": text, "value": text }, { "name": "b", "value": [text] }]);
    let metadata = json!({ "name": text, "labels": { text: text } });
    let first = json!({ "apiVersion": "v1", "kind": text, "metadata": metadata, "spec": { "args": args } });
    assert_eq!(rendered.objects, [first, json!({ text: [text] })]);
    assert_eq!(rendered.holes.len(), 9);
    let written = yaml::to_yaml_documents(&rendered.objects);
    assert!(yaml::parse(&written).as_ref() == Ok(&rendered.objects), "{written}");
}
