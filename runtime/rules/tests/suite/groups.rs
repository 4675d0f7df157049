//! Recording rules and the order of a group.

use prom_model::TimestampMs;
use rules::{FileOptions, Group, GroupContext, read_rules};

use super::FakeStorage;

fn evaluate(text: &str, storage: &mut FakeStorage, seconds: &[i64]) -> Vec<String> {
    let groups = read_rules(text.as_bytes(), &FileOptions::default()).expect("rules that load");
    let mut group = Group::new(&groups[0], &GroupContext::default());
    let mut failures = Vec::new();
    for second in seconds {
        let failed = group.evaluate(TimestampMs::from_millis(second * 1_000), storage);
        failures.extend(failed.into_iter().map(|failure| format!("{}: {}", failure.rule, failure.error)));
    }
    failures
}

#[test]
fn series_are_named_labelled_and_marked_when_they_go() {
    let text = "
groups:
  - name: g
    query_offset: 10s
    labels: {from: rules}
    rules:
      - {record: 'job:up', expr: up, labels: {job: '', kind: '{{ x'}}
";
    let mut storage = FakeStorage::default();
    storage.answer("up", 0, &[("__name__=up,job=a", 1.0)]);
    storage.answer("up", 60, &[("__name__=up,instance=i", 2.0)]);
    assert_eq!(evaluate(text, &mut storage, &[10, 70]), Vec::<String>::new());
    assert_eq!(storage.asked, [0, 60]);
    assert_eq!(
        storage.taken(),
        [
            r#"{__name__="job:up", from="rules", instance="i", kind="{{ x"} 2 @60"#,
            r#"{__name__="job:up", from="rules", kind="{{ x"} -1 @60"#,
            r#"{__name__="job:up", from="rules", kind="{{ x"} 1 @0"#,
        ]
    );
}

#[test]
fn what_goes_wrong_is_told_and_keeps_nobody_up() {
    let text = "
groups:
  - name: g
    limit: 2
    rules:
      - {record: a, expr: up, labels: {job: x, zone: ''}}
      - {record: b, expr: three}
      - {record: c, expr: refused}
      - {record: d, expr: fine}
";
    let mut storage = FakeStorage::default();
    storage.answer("up", 0, &[("job=a", 1.0), ("job=b", 1.0)]);
    storage.answer("three", 0, &[("job=a", 1.0), ("job=b", 1.0), ("job=c", 1.0)]);
    storage.answer("refused", 0, &[("refuse=1", 1.0), ("job=b", 1.0)]);
    storage.answer("fine", 0, &[("job=a", 1.0)]);
    assert_eq!(
        evaluate(text, &mut storage, &[0]),
        [
            "a: vector contains metrics with the same labelset after applying rule labels",
            "b: exceeded limit of 2 with 3 series",
            "c: no room",
        ]
    );
    assert_eq!(storage.taken(), [r#"{__name__="c", job="b"} 1 @0"#, r#"{__name__="d", job="a"} 1 @0"#]);
}
