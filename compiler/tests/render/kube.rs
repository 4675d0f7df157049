//! Objects that Kubernetes would take come back unchanged; anything else is an error with its place.

use std::sync::LazyLock;

use compiler::render::kube::{KubeError, canonical, canonical_user};
use compiler::render::yaml::{config_map_yaml, parse, to_yaml};
use proptest::prelude::*;
use serde_json::{Value, json};

/// One object of every kind, as short as the kind allows and with the types that go wrong most easily.
static EVERY_KIND: LazyLock<Vec<Value>> =
    LazyLock::new(|| parse(include_str!("every_kind.yaml")).unwrap_or_else(|error| panic!("{error}")));

fn one(yaml: &str) -> Value {
    let mut documents = parse(yaml).unwrap_or_else(|error| panic!("{error}: {yaml}"));
    assert_eq!(documents.len(), 1);
    documents.remove(0)
}

fn refused(yaml: &str) -> KubeError {
    match canonical(one(yaml)) {
        Ok(value) => panic!("accepted as {}", to_yaml(&value)),
        Err(error) => error,
    }
}

fn deployment(pod_spec: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: d}}\nspec:\n  selector: {{matchLabels: {{a: b}}}}\n  \
         template:\n    metadata: {{labels: {{a: b}}}}\n    spec: {pod_spec}\n"
    )
}

#[test]
fn every_kind_comes_back_unchanged() {
    let mut kinds = Vec::new();
    for object in EVERY_KIND.iter().cloned() {
        let checked = canonical(object.clone()).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(checked, object);
        assert_eq!(canonical(checked.clone()).as_ref(), Ok(&checked), "a fixed point");
        assert_eq!(to_yaml(&canonical_user(object).unwrap_or_default()), to_yaml(&checked));
        let keys: Vec<&String> = checked.as_object().expect("an object").keys().collect();
        let front = if checked["kind"] == "Kustomization" { 2 } else { 3 };
        assert_eq!(keys[..front], ["apiVersion", "kind", "metadata"][..front]);
        kinds.push(checked["kind"].as_str().unwrap_or_default().to_owned());
    }
    kinds.sort();
    kinds.dedup();
    assert_eq!(kinds.len(), 27, "{kinds:?}");
}

#[test]
fn the_order_of_keys_is_always_the_same() {
    let given =
        one("kind: Service\nspec: {type: ClusterIP, ports: [{port: 1, name: a}]}\nmetadata: {name: s, \
                     labels: {z: '1', a: '2'}}\napiVersion: v1\n");
    let expected = "apiVersion: v1\nkind: Service\nmetadata:\n  labels:\n    a: \"2\"\n    z: \"1\"\n  name: s\nspec:\n  \
                    ports:\n  - name: a\n    port: 1\n  type: ClusterIP\n";
    assert_eq!(canonical(given).map(|value| to_yaml(&value)).as_deref(), Ok(expected));
}

#[test]
fn a_misspelt_field_is_named_with_its_place() {
    let error =
        refused(&deployment("{containers: [{name: a, image: b}, {name: c, imagePullPolciy: Always}]}"));
    assert_eq!(
        error.to_string(),
        "Deployment `d` at /spec/template/spec/containers/1/imagePullPolciy: unknown field `imagePullPolciy` of Container; \
         did you mean `imagePullPolicy`?"
    );
    assert_eq!((error.kind.as_str(), error.name.as_str()), ("Deployment", "d"));

    let error = refused("apiVersion: v1\nkind: Namespace\nmetadata: {name: n}\nzzzzzzzz: {a/b: 1}\n");
    assert_eq!(
        (error.pointer.as_str(), error.message.as_str()),
        ("/zzzzzzzz", "unknown field `zzzzzzzz` of Namespace")
    );
}

#[test]
fn a_wrong_type_is_named_with_its_place() {
    for (yaml, pointer, word) in [
        (
            deployment("{containers: [{name: a, env: [{name: A, value: 1}]}]}"),
            "/spec/template/spec/containers/0/env/0/value",
            "string",
        ),
        (
            deployment("{containers: [{name: a, args: [true]}]}"),
            "/spec/template/spec/containers/0/args/0",
            "boolean",
        ),
        (deployment("{containers: {name: a}}"), "/spec/template/spec/containers", "sequence"),
        (
            deployment("{containers: [{name: a, ports: [{containerPort: \"80\"}]}]}"),
            "/spec/template/spec/containers/0/ports/0/containerPort",
            "80",
        ),
        (
            deployment("{containers: [{name: a, ports: [{containerPort: 5000000000}]}]}"),
            "/spec/template/spec/containers/0/ports/0/containerPort",
            "i32",
        ),
        (deployment("[]"), "/spec/template/spec", "sequence"),
        (
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a/b: 1}\n".to_owned(),
            "/data/a~1b",
            "string",
        ),
        (
            "apiVersion: v1\nkind: Secret\nmetadata: {name: c}\ndata: {a: \"%\"}\n".to_owned(),
            "/data/a",
            "base64",
        ),
        (
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, annotations: {a: true}}\n".to_owned(),
            "/metadata/annotations/a",
            "boolean",
        ),
    ] {
        let error = refused(&yaml);
        assert_eq!(error.pointer, pointer, "{error}");
        assert!(error.message.contains(word), "{error}");
    }
}

#[test]
fn errors_do_not_quote_secrets() {
    for entries in [
        "data: {a: hunter2!}",
        "data: {a: aGVsbG9=}",
        "data: {a: 271828}",
        "stringData: {a: 271828}",
        "data: hunter2!",
    ] {
        let error =
            refused(&format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\n{entries}\n")).to_string();
        assert!(!["hunter2", "271828", "aGVs"].iter().any(|secret| error.contains(secret)), "{error}");
    }
}

#[test]
fn a_missing_required_field_is_named() {
    let error = refused("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec: {replicas: 1}\n");
    assert_eq!(
        (error.pointer.as_str(), error.message.as_str()),
        ("/spec", "the field `selector` is missing")
    );
    let binding = "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: r}\nroleRef: {apiGroup: \
                   rbac.authorization.k8s.io, name: x}\n";
    let error = refused(binding);
    assert_eq!((error.pointer.as_str(), error.message.as_str()), ("/roleRef", "the field `kind` is missing"));
    assert_eq!(refused("apiVersion: v1\nkind: ConfigMap\nmetadata: {labels: {}}\n").pointer, "/metadata");
    assert_eq!(refused("apiVersion: v1\nkind: ConfigMap\n").message, "`metadata` is missing");
    assert_eq!(refused("kind: ConfigMap\n").pointer, "/apiVersion");
    assert_eq!(refused("apiVersion: v1\nkind: 1\n").pointer, "/kind");
    assert_eq!(refused("- a\n").message, "not a mapping");
}

#[test]
fn unknown_kinds_are_refused_for_us_and_pass_for_users() {
    let error = refused("apiVersion: v1\nkind: Deployment\nmetadata: {name: d}\n");
    assert_eq!(error.message, "`Deployment` is not in `v1` but in `apps/v1`");
    let error = refused("apiVersion: apps/v1\nkind: StatefulSets\nmetadata: {name: d}\n");
    assert_eq!(error.message, "unknown kind `StatefulSets` of `apps/v1`; did you mean `StatefulSet`?");

    let custom =
        one("spec: {b: null, a: [1]}\nmetadata: {name: d}\nkind: Widget\napiVersion: example.org/v1\n");
    let expected =
        "apiVersion: example.org/v1\nkind: Widget\nmetadata:\n  name: d\nspec:\n  b: null\n  a:\n  - 1\n";
    assert_eq!(canonical_user(custom).map(|value| to_yaml(&value)).as_deref(), Ok(expected));
    let misspelt = one("apiVersion: v1\nkind: Service\nmetadata: {name: d}\nspec: {port: []}\n");
    assert_eq!(canonical_user(misspelt).map_err(|error| error.pointer), Err("/spec/port".to_owned()));
}

#[test]
fn quantities_of_users_may_be_numbers() {
    let yaml = deployment("{containers: [{name: a, resources: {limits: {cpu: 1, memory: 2Gi}}}]}");
    let place = "/spec/template/spec/containers/0/resources/limits";
    let limits = canonical_user(one(&yaml)).map(|value| value.pointer(place).cloned());
    assert_eq!(limits, Ok(Some(json!({ "cpu": "1", "memory": "2Gi" }))));
    let error = refused(&yaml);
    assert_eq!((error.pointer, error.message), (format!("{place}/cpu"), "1 would become \"1\"".to_owned()));
}

#[test]
fn what_the_api_server_sets_does_not_appear() {
    let yaml = deployment("{containers: []}").replace("{labels:", "{creationTimestamp: null, labels:");
    let written =
        canonical(one(&yaml)).map(|value| to_yaml(&value)).unwrap_or_else(|error| panic!("{error}"));
    assert!(!written.contains("creationTimestamp") && !written.contains("null"), "{written}");
    let yaml =
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: n, creationTimestamp: \"2024-01-01T00:00:00Z\"}\n";
    assert_eq!(refused(yaml).pointer, "/metadata/creationTimestamp");
}

#[test]
fn a_config_map_is_written_the_same_both_ways() {
    let texts = [("a.yaml", "groups:\n- name: x\n"), ("b", "on"), ("c", " lead\n")];
    let metadata = json!({ "labels": { "a": "b" }, "name": "rules" });
    let fast = config_map_yaml(&metadata, &texts);
    assert_eq!(canonical(one(&fast)).map(|value| to_yaml(&value)), Ok(fast));
}

#[test]
fn a_large_config_map_is_not_copied() {
    let text = "x".repeat(1 << 20);
    let address = text.as_ptr();
    let value = json!({ "kind": "ConfigMap", "apiVersion": "v1", "metadata": { "name": "n" } });
    let Value::Object(mut object) = value else { unreachable!() };
    object.insert(
        "data".to_owned(),
        Value::Object(
            [("z".to_owned(), Value::String(text)), ("a".to_owned(), json!("b"))].into_iter().collect(),
        ),
    );
    let checked = canonical(Value::Object(object)).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(checked["data"]["z"].as_str().map(str::as_ptr), Some(address));
    let keys: Vec<&String> = checked["data"].as_object().expect("a mapping").keys().collect();
    assert_eq!(keys, ["a", "z"]);
}

/// Every place of a tree: a pointer to each mapping.
fn mappings(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(entries) => {
            found.push(at.to_owned());
            for (key, entry) in entries {
                let key = key.replace('~', "~0").replace('/', "~1");
                mappings(entry, &format!("{at}/{key}"), found);
            }
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(i, item)| mappings(item, &format!("{at}/{i}"), found));
        }
        _ => {}
    }
}

#[test]
fn a_foreign_field_is_found_wherever_it_stands() {
    let mut tried = 0;
    for object in EVERY_KIND.iter() {
        let custom = ["cert-manager.io", "gateway.", "external-secrets", "kustomize"];
        if custom.iter().any(|group| object["apiVersion"].as_str().unwrap_or_default().starts_with(group)) {
            continue;
        }
        let mut places = Vec::new();
        mappings(object, "", &mut places);
        for place in places {
            let mut broken = object.clone();
            let entries = broken.pointer_mut(&place).and_then(Value::as_object_mut).expect("a mapping");
            entries.insert("zzForeign".to_owned(), json!({ "a": 1 }));
            let error = canonical(broken).expect_err(&place);
            // Mappings of names to texts or quantities take any key; there it is the value that is wrong.
            assert_eq!(error.pointer, format!("{place}/zzForeign"), "{error}");
            tried += 1;
        }
    }
    assert!(tried > 150, "{tried}");
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(|n| json!(n)),
        any::<f64>().prop_map(|n| json!(n)),
        "[a-z0-9]{0,3}".prop_map(Value::String)
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        let keys = prop::sample::select(vec!["name", "spec", "metadata", "kind", "data", "ports", "a"]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::Array),
            prop::collection::vec((keys, inner), 0..3)
                .prop_map(|entries| entries.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever replaces a value somewhere: either an error, or the object is the same but for nulls and order.
    #[test]
    fn nothing_changes_silently(index in any::<prop::sample::Index>(), place in any::<prop::sample::Index>(), value in any_value()) {
        let mut object = index.get(&EVERY_KIND).clone();
        let mut places = Vec::new();
        mappings(&object, "", &mut places);
        let entries = object.pointer_mut(places[place.index(places.len())].as_str()).and_then(Value::as_object_mut).expect("a mapping");
        let key = entries.keys().next().cloned().unwrap_or_default();
        entries.insert(key, value);
        if let Ok(checked) = canonical(object.clone()) {
            prop_assert_eq!(without_nulls(checked), without_nulls(object));
        }
    }
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(entries) => entries
            .into_iter()
            .filter(|(_, entry)| !entry.is_null())
            .map(|(key, entry)| (key, without_nulls(entry)))
            .collect(),
        Value::Array(items) => items.into_iter().map(without_nulls).collect(),
        scalar => scalar,
    }
}
