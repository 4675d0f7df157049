//! How answers of several endpoints become one.

use storeapi::thanos::rule::Result as Kind;
use storeapi::thanos::{
    ActiveTarget, Alert, DroppedTarget, Exemplar, ExemplarData, HeadStatistics, Label, LabelSet, Meta,
    MetricMetadata, MetricMetadataEntry, RecordingRule, Rule, RuleGroup, RulesRequest, Statistic,
    TargetDiscovery, TsdbStatistics, TsdbStatisticsEntry,
};

use super::{exemplars, metadata, rules, statistics, targets};

fn labels(pairs: &[(&str, &str)]) -> Option<LabelSet> {
    let label = |(name, value): &(&str, &str)| Label { name: (*name).to_owned(), value: (*value).to_owned() };
    Some(LabelSet { labels: pairs.iter().map(label).collect() })
}

fn replica() -> Vec<String> {
    vec!["replica".to_owned()]
}

fn at(seconds: i64) -> Option<prost_types::Timestamp> {
    Some(prost_types::Timestamp { seconds, nanos: 0 })
}

fn alert(name: &str, its: &[(&str, &str)], state: i32, evaluated: i64) -> Rule {
    let alert = Alert {
        name: name.to_owned(),
        state,
        labels: labels(its),
        last_evaluation: at(evaluated),
        ..Alert::default()
    };
    Rule { result: Some(Kind::Alert(alert)) }
}

fn record(name: &str, its: &[(&str, &str)], evaluated: i64) -> Rule {
    let rule = RecordingRule {
        name: name.to_owned(),
        labels: labels(its),
        last_evaluation: at(evaluated),
        ..RecordingRule::default()
    };
    Rule { result: Some(Kind::Recording(rule)) }
}

fn group(file: &str, name: &str, rules: Vec<Rule>) -> RuleGroup {
    RuleGroup { file: file.to_owned(), name: name.to_owned(), rules, ..RuleGroup::default() }
}

/// Groups as text: name, and for each rule name, labels, state and second of evaluation.
fn text(groups: &[RuleGroup]) -> Vec<String> {
    let rule = |rule: &Rule| {
        let (name, set, state, evaluated) = match rule.result.as_ref().expect("a rule") {
            Kind::Alert(alert) => (&alert.name, &alert.labels, alert.state, &alert.last_evaluation),
            Kind::Recording(rule) => (&rule.name, &rule.labels, 0, &rule.last_evaluation),
        };
        let set: Vec<String> = set
            .iter()
            .flat_map(|set| &set.labels)
            .map(|label| format!("{}={}", label.name, label.value))
            .collect();
        format!("{name}{{{}}} {state} {}", set.join(","), evaluated.as_ref().map_or(0, |time| time.seconds))
    };
    groups
        .iter()
        .map(|group| {
            format!(
                "{};{}: {}",
                group.file,
                group.name,
                group.rules.iter().map(rule).collect::<Vec<_>>().join(" | ")
            )
        })
        .collect()
}

#[test]
fn groups_of_one_file_and_name_become_one_and_of_replicas_the_more_critical_rule_stays() {
    let groups = vec![
        group("f", "b", vec![record("r", &[("replica", "1")], 5), alert("z", &[("replica", "1")], 1, 9)]),
        group("f", "a", vec![]),
        group("f", "b", vec![alert("z", &[("replica", "2")], 3, 1), record("r", &[("replica", "2")], 7)]),
        group("e", "b", vec![alert("z", &[("x", "1"), ("replica", "2")], 2, 1)]),
    ];
    let merged = rules::merge(groups, &RulesRequest::default(), &replica()).expect("no selector");
    assert_eq!(text(&merged), ["e;b: z{x=1} 2 1", "f;a: ", "f;b: z{} 3 1 | r{} 0 7"]);
}

#[test]
fn rules_are_chosen_by_selector_name_group_and_file() {
    let groups = || {
        vec![
            group("f", "a", vec![record("r", &[("team", "x")], 1), record("s", &[("team", "{{ $x }}")], 1)]),
            group("g", "a", vec![record("r", &[("team", "y")], 1)]),
        ]
    };
    let chosen = |request: RulesRequest| rules::merge(groups(), &request, &[]).map(|groups| text(&groups));
    let words = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let by = |matcher_string: &[&str]| {
        chosen(RulesRequest { matcher_string: words(matcher_string), ..RulesRequest::default() })
    };
    assert_eq!(by(&[r#"{team="x"}"#]).expect("valid"), ["f;a: r{team=x} 0 1"]);
    // Both have to hold; a template is no value.
    assert!(by(&[r#"{team="x"}"#, r#"{team="y"}"#]).expect("valid").is_empty());
    assert_eq!(by(&[r#"{team=""}"#]).expect("valid"), ["f;a: s{team={{ $x }}} 0 1"]);
    by(&["{team="]).expect_err("no selector");
    let request = RulesRequest { rule_name: words(&["r"]), file: words(&["g"]), ..RulesRequest::default() };
    assert_eq!(chosen(request).expect("valid"), ["g;a: r{team=y} 0 1"]);
    let request = RulesRequest { rule_group: words(&["nothing"]), ..RulesRequest::default() };
    assert!(chosen(request).expect("valid").is_empty());
}

#[test]
fn of_a_target_that_replicas_scrape_the_worse_or_later_state_stays() {
    let active = |replica: &str, health, scraped| ActiveTarget {
        scrape_url: "http://a".to_owned(),
        labels: labels(&[("replica", replica), ("job", "x")]),
        discovered_labels: labels(&[("replica", replica)]),
        health,
        last_scrape: at(scraped),
        ..ActiveTarget::default()
    };
    let dropped = |replica: &str| DroppedTarget { discovered_labels: labels(&[("replica", replica)]) };
    let list = |active, dropped| TargetDiscovery { active_targets: active, dropped_targets: dropped };
    let merged = targets::merge(
        vec![
            list(vec![active("1", 1, 5)], vec![dropped("1")]),
            list(vec![active("2", 1, 9)], vec![dropped("2")]),
        ],
        &replica(),
    );
    assert_eq!((merged.active_targets.len(), merged.dropped_targets.len()), (1, 1));
    assert_eq!(merged.active_targets[0].last_scrape, at(9));
    assert_eq!(merged.active_targets[0].labels, labels(&[("job", "x")]));
    let merged = targets::merge(
        vec![list(vec![active("1", 1, 9)], vec![]), list(vec![active("2", 0, 5)], vec![])],
        &replica(),
    );
    assert_eq!(merged.active_targets[0].health, 0);
}

#[test]
fn metadata_has_each_variant_once_and_no_more_metrics_than_wanted() {
    let meta = |help: &str| Meta { help: help.to_owned(), ..Meta::default() };
    let map = |list: &[(&str, &str)]| MetricMetadata {
        metadata: list
            .iter()
            .map(|(metric, help)| ((*metric).to_owned(), MetricMetadataEntry { metas: vec![meta(help)] }))
            .collect(),
    };
    let all = || vec![map(&[("a", "1"), ("b", "1")]), map(&[("a", "1"), ("c", "1")]), map(&[("a", "2")])];
    let text = |limit| {
        let merged = metadata::merge(all(), limit);
        merged.metadata.into_iter().map(|(metric, entry)| (metric, entry.metas.len())).collect::<Vec<_>>()
    };
    let wanted = |list: &[(&str, usize)]| {
        list.iter().map(|(metric, count)| ((*metric).to_owned(), *count)).collect::<Vec<_>>()
    };
    assert_eq!(text(-1), wanted(&[("a", 2), ("b", 1), ("c", 1)]));
    assert_eq!(text(2), wanted(&[("a", 2), ("b", 1)]));
    assert_eq!(text(0), wanted(&[]));
}

#[test]
fn exemplars_of_replicas_become_one_list_without_repetition() {
    let exemplar = |ts, value| Exemplar { ts, value, labels: labels(&[("trace", "x")]) };
    let data = |replica: &str, exemplars| ExemplarData {
        series_labels: labels(&[("replica", replica), ("job", "x")]),
        exemplars,
    };
    let merged = exemplars::merge(
        vec![
            data("1", vec![exemplar(5, 1.0), exemplar(1, 1.0)]),
            data("2", vec![exemplar(5, 1.0), exemplar(3, 2.0)]),
            data("3", vec![]),
        ],
        &replica(),
    );
    assert_eq!(merged.len(), 1);
    assert_eq!(merged[0].series_labels, labels(&[("job", "x")]));
    assert_eq!(merged[0].exemplars, [exemplar(1, 1.0), exemplar(3, 2.0), exemplar(5, 1.0)]);
}

#[test]
fn statistics_are_added_by_tenant_and_sorted_by_number() {
    let list = |pairs: &[(&str, u64)]| {
        pairs
            .iter()
            .map(|(name, value)| Statistic { name: (*name).to_owned(), value: *value })
            .collect::<Vec<_>>()
    };
    let one = |series, min_time, max_time, metrics: &[(&str, u64)]| TsdbStatistics {
        statistics: [(
            String::new(),
            TsdbStatisticsEntry {
                head_statistics: Some(HeadStatistics {
                    num_series: series,
                    min_time,
                    max_time,
                    ..Default::default()
                }),
                series_count_by_metric_name: list(metrics),
                label_value_count_by_label_name: list(metrics),
                ..TsdbStatisticsEntry::default()
            },
        )]
        .into(),
    };
    let merged = statistics::merge(vec![
        one(5, 10, 20, &[("a", 3), ("b", 2)]),
        one(7, 5, 15, &[("b", 2), ("c", 4), ("d", 4)]),
    ]);
    let entry = &merged.statistics[""];
    let head = entry.head_statistics.as_ref().expect("numbers");
    assert_eq!((head.num_series, head.min_time, head.max_time), (12, 5, 20));
    assert_eq!(entry.series_count_by_metric_name, list(&[("b", 4), ("c", 4), ("d", 4), ("a", 3)]));
    assert_eq!(entry.label_value_count_by_label_name, list(&[("c", 4), ("d", 4), ("a", 3), ("b", 2)]));
}
