//! Trees against trees, as a reviewer would look at them.

use serde_json::json;

use super::*;

fn files<const N: usize>(entries: [(&str, &str); N]) -> Files {
    entries.iter().map(|(path, text)| (path.to_string(), text.to_string())).collect()
}

fn shown(before: &Files, after: &Files) -> String {
    human(&compare(before, after), false)
}

const STATEFUL_SET: &str = "\
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: prometheus, namespace: prom}
spec:
  replicas: 2
  template:
    spec:
      containers:
      - name: prometheus
        image: prom/prometheus:v2
        args: [--a=1, --retention=6h, --e=x, --e=y]
        volumeMounts:
        - {name: config, mountPath: /etc/p}
        - {name: config, mountPath: /etc/q}
      - name: sidecar
        image: thanos:v1
";

#[test]
fn order_layout_and_files_do_not_count() {
    let moved = "\
---
kind: StatefulSet
apiVersion: apps/v1
spec:
  template:
    spec:
      containers:
      - {name: sidecar, image: 'thanos:v1'}
      - image: prom/prometheus:v2
        volumeMounts:
        - {name: config, mountPath: /etc/q}
        - {name: config, mountPath: /etc/p}
        args: ['--e=x', '--a=1', '--e=y', '--retention=6h']
        name: prometheus
  replicas: 2
metadata: {namespace: prom, name: prometheus}
";
    assert_eq!(compare(&files([("a.yaml", STATEFUL_SET)]), &files([("x/b.yml", moved)])), []);
}

#[test]
fn fields_are_named_by_the_names_of_list_elements() {
    let after = STATEFUL_SET
        .replace("replicas: 2", "replicas: 3")
        .replace("thanos:v1", "thanos:v2")
        .replace("--retention=6h, --e=x", "--retention=12h, --e=z")
        .replace("/etc/q}", "/etc/q, readOnly: true}");
    let service = "apiVersion: v1\nkind: Service\nmetadata: {name: s}\n";
    assert_eq!(
        shown(
            &files([("a.yaml", STATEFUL_SET), ("old.yaml", &service.replace("name: s", "name: old"))]),
            &files([("a.yaml", &after), ("s.yaml", service)])
        ),
        "\
- Service/old
+ Service/s
~ StatefulSet/prom/prometheus
  ~ spec.replicas: 2 -> 3
  ~ spec.template.spec.containers[prometheus].args[--retention]: 6h -> 12h
  ~ spec.template.spec.containers[prometheus].args[--e]: x -> z
  + spec.template.spec.containers[prometheus].volumeMounts[/etc/q].readOnly: true
  ~ spec.template.spec.containers[sidecar].image: thanos:v1 -> thanos:v2
1 added, 1 removed, 1 changed
"
    );
}

#[test]
fn configuration_inside_of_config_maps_is_compared_by_meaning() {
    let map = |interval: &str, expr: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c, namespace: n}}\ndata:\n  prometheus.yaml.tmpl: |\n    \
             # {interval}\n    scrape_configs:\n    - job_name: kubelet\n      scrape_interval: {interval}\n      relabel_configs:\n      \
             - {{action: keep, regex: a}}\n      - {{action: labelmap, regex: b}}\n  rules.yaml: |\n    groups:\n    - name: g\n      rules:\n      \
             - alert: A\n        expr: |\n          one\n          {expr}\n      - record: r\n        expr: x\n"
        )
    };
    let before = files([("c.yaml", &map("15s", "two"))]);
    assert_eq!(compare(&before, &files([("c.yaml", &map("15s", "two").replace("# 15s", "# other"))])), []);
    let after = map("30s", "three").replace("- {action: keep, regex: a}\n      ", "");
    assert_eq!(
        shown(&before, &files([("c.yaml", &after)])),
        "\
~ ConfigMap/n/c
  - data[\"prometheus.yaml.tmpl\"].scrape_configs[kubelet].relabel_configs[0]: {\"action\":\"keep\",\"regex\":\"a\"}
  ~ data[\"prometheus.yaml.tmpl\"].scrape_configs[kubelet].scrape_interval: 15s -> 30s
  ~ data[\"rules.yaml\"].groups[g].rules[A].expr:
        one
      - two
      + three
0 added, 0 removed, 1 changed
"
    );
}

#[test]
fn secrets_are_covered() {
    let secret = |value: &str| {
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\ndata: {{k: {value}}}\nstringData:\n  thanos.yaml: |\n    type: S3\n    \
             config:\n      bucket: b\n      secret_key: {value}\n---\napiVersion: v1\nkind: Pod\nmetadata: {{name: p}}\nspec:\n  containers:\n  \
             - name: c\n    args: [--x.password={value}]\n    env:\n    - {{name: MINIO_SECRET_KEY, value: {value}}}\n    - {{name: {value}_PASSWORD, value: {value}}}\n"
        )
    };
    let changes =
        compare(&files([("s.yaml", &secret("aaHUNTERaa"))]), &files([("s.yaml", &secret("bbHUNTERbb"))]));
    let fields: Vec<&str> = changes.iter().map(|change| change.field.as_str()).collect();
    assert!(fields.contains(&"stringData[\"thanos.yaml\"].config.secret_key"), "{fields:?}");
    assert!(fields.contains(&"spec.containers[c].env[MINIO_SECRET_KEY].value"), "{fields:?}");
    for change in &changes {
        for value in [&change.before, &change.after].into_iter().flatten() {
            let text = value.to_string().replace("HUNTERaa_PASSWORD", "").replace("HUNTERbb_PASSWORD", "");
            assert!(!text.contains("HUNTER"), "{change:?}");
        }
    }
    assert!(human(&changes, false).contains("<redacted> -> <redacted>"));
}

#[test]
fn clusters_with_objects_of_the_same_name_are_told_apart() {
    let object = |replicas: u32| {
        format!("apiVersion: v1\nkind: A\nmetadata: {{name: x}}\nspec: {{replicas: {replicas}}}\n")
    };
    let before = files([("eu/a.yaml", &object(1)), ("us/a.yaml", &object(1))]);
    let after = files([("eu/a.yaml", &object(1)), ("us/a.yaml", &object(3))]);
    assert_eq!(
        shown(&before, &after),
        "~ us: A/x\n  ~ spec.replicas: 1 -> 3\n0 added, 0 removed, 1 changed\n"
    );
}

#[test]
fn other_files_are_compared_as_json_or_text() {
    let before = files([("r.json", "{\"a\": 1, \"b\": 2}"), ("r.md", "one\ntwo\n"), ("bad.yaml", "a: [\n")]);
    let after = files([("r.json", "{\"b\":2,\n\"a\":1}"), ("r.md", "one\nthree\n"), ("bad.yaml", "a: {\n")]);
    let changes = compare(&before, &after);
    assert_eq!(changes.iter().map(|change| change.object.as_str()).collect::<Vec<_>>(), ["bad.yaml", "r.md"]);
    let text = human(&changes, false);
    assert!(text.contains("      - two\n      + three\n"), "{text}");
}

#[test]
fn json_has_one_change_per_line() {
    let before = files([("a.json", "{\"x\": {\"a.b\": 1}}")]);
    let after = files([("a.json", "{\"x\": {\"a.b\": [1]}}")]);
    let line: Value = serde_json::from_str(&json(&compare(&before, &after))).expect("one line");
    assert_eq!(
        line,
        json!({"change": "changed", "object": "a.json", "field": "x[\"a.b\"]", "before": 1, "after": [1]})
    );
    assert_eq!(json(&[]), "");
    assert_eq!(human(&[], false), "no differences\n");
}

#[test]
fn unified_shows_files_that_came_went_and_changed() {
    let golden = files([("a", "1\n2\n"), ("gone", "x\n"), ("same", "s\n")]);
    let fresh = files([("a", "1\n3\n"), ("new", "y\n"), ("same", "s\n")]);
    assert_eq!(
        unified(&golden, &fresh),
        "--- a/a\n+++ b/a\n@@ -1,2 +1,2 @@\n 1\n-2\n+3\n\
         --- a/gone\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n\
         --- /dev/null\n+++ b/new\n@@ -0,0 +1 @@\n+y\n"
    );
    assert_eq!(unified(&golden, &golden), "");
}
