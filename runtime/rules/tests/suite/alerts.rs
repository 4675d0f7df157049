//! The life of an alert.

use prom_model::TimestampMs;
use rules::{FileOptions, Group, GroupContext, read_rules};

use super::{FakeStorage, labels};

fn group(text: &str, context: &GroupContext) -> Group {
    let groups = read_rules(text.as_bytes(), &FileOptions::default()).expect("rules that load");
    Group::new(&groups[0], context)
}

fn evaluate(group: &mut Group, storage: &mut FakeStorage, second: i64) -> Vec<String> {
    let failures = group.evaluate(TimestampMs::from_millis(second * 1_000), storage);
    failures.into_iter().map(|failure| format!("{}: {}", failure.rule, failure.error)).collect()
}

fn states(group: &Group) -> Vec<String> {
    let alerts = group.alerting_rules().flat_map(|rule| rule.alerts());
    alerts.map(|alert| format!("{} {} {}", alert.labels, alert.state.as_str(), alert.value)).collect()
}

const HOLD: &str = "
groups:
  - name: g
    rules:
      - alert: Down
        expr: up
        for: 60s
        keep_firing_for: 30s
        labels: {severity: page, what: '{{ $labels.job }}!'}
        annotations: {summary: '{{ $value }}', empty: ''}
";

#[test]
fn it_waits_fires_goes_on_and_resolves() {
    let mut group = group(HOLD, &GroupContext::default());
    let mut storage = FakeStorage::default();
    for (second, value) in [(0, 1.0), (60, 2.0)] {
        storage.answer("up", second, &[("__name__=up,job=a", value)]);
    }
    let key = r#"{alertname="Down", job="a", severity="page", what="a!"}"#;
    assert_eq!(evaluate(&mut group, &mut storage, 0), Vec::<String>::new());
    assert_eq!(states(&group), [format!("{key} pending 1")]);
    let series = |name: &str, state: &str| {
        format!(r#"{{__name__="{name}", alertname="Down"{state}, job="a", severity="page", what="a!"}}"#)
    };
    assert_eq!(
        storage.taken(),
        [
            format!("{} 1 @0", series("ALERTS", ", alertstate=\"pending\"")),
            format!("{} 0 @0", series("ALERTS_FOR_STATE", "")),
        ]
    );
    evaluate(&mut group, &mut storage, 60);
    assert_eq!(states(&group), [format!("{key} firing 2")]);
    assert_eq!(group.alerting_rules().next().unwrap().alerts().next().unwrap().annotations["summary"], "2");
    // The series of the state before gets a stale marker.
    assert_eq!(
        storage.taken(),
        [
            format!("{} 1 @60", series("ALERTS", ", alertstate=\"firing\"")),
            format!("{} -1 @60", series("ALERTS", ", alertstate=\"pending\"")),
            format!("{} 0 @60", series("ALERTS_FOR_STATE", "")),
        ]
    );
    evaluate(&mut group, &mut storage, 80);
    assert_eq!(states(&group), [format!("{key} firing 2")], "it goes on for 30 seconds");
    evaluate(&mut group, &mut storage, 110);
    assert_eq!(states(&group), Vec::<String>::new());
    assert_eq!(storage.taken().len(), 4, "its two series once more, then their markers");
}

#[test]
fn a_pending_alert_that_is_gone_begins_anew() {
    let mut group = group(HOLD, &GroupContext::default());
    let mut storage = FakeStorage::default();
    storage.answer("up", 0, &[("job=a", 1.0)]);
    storage.answer("up", 60, &[("job=a", 1.0)]);
    evaluate(&mut group, &mut storage, 0);
    evaluate(&mut group, &mut storage, 30);
    assert_eq!(states(&group), Vec::<String>::new());
    evaluate(&mut group, &mut storage, 60);
    assert!(states(&group)[0].contains(" pending "), "{:?}", states(&group));
}

#[test]
fn labels_of_group_and_rule_and_templates() {
    let text = "
groups:
  - name: g
    labels: {team: infra, severity: low}
    rules:
      - alert: Down
        expr: up
        labels: {severity: high, gone: '{{ \"\" }}', where: '{{ $externalLabels.region }}', bad: '{{ $value | toUpper }}'}
";
    let context = GroupContext { external_labels: labels("region=eu"), ..GroupContext::default() };
    let mut group = group(text, &context);
    let mut storage = FakeStorage::default();
    storage.answer("up", 0, &[("job=a,gone=1", 1.0)]);
    evaluate(&mut group, &mut storage, 0);
    let alert = group.alerting_rules().next().unwrap().alerts().next().unwrap().clone();
    let label = |name| alert.labels.value(name).to_owned();
    assert_eq!(
        [label("team"), label("severity"), label("gone"), label("where")],
        ["infra", "high", "", "eu"]
    );
    assert!(
        label("bad").starts_with("<error expanding template: error executing template __alert_Down: "),
        "{}",
        label("bad")
    );
}

#[test]
fn alerts_that_cannot_be_told_apart_are_an_error() {
    let text = "
groups:
  - name: g
    limit: 1
    rules:
      - {alert: Same, expr: up, labels: {job: x}}
      - {alert: Many, expr: up}
      - {alert: Broken, expr: broken}
      - {alert: Fine, expr: one}
";
    let mut group = group(text, &GroupContext::default());
    let mut storage = FakeStorage::default();
    storage.answer("up", 0, &[("job=a", 1.0), ("job=b", 1.0)]);
    storage.answer("one", 0, &[("job=a", 1.0)]);
    assert_eq!(
        evaluate(&mut group, &mut storage, 0),
        [
            "Same: vector contains metrics with the same labelset after applying alert labels",
            "Many: exceeded limit of 1 with 2 alerts",
            "Broken: it broke",
        ]
    );
    assert_eq!(states(&group), [r#"{alertname="Fine", job="a"} firing 1"#]);
}
