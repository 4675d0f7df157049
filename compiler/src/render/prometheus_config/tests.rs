//! The text of every shard says what the tree says, and shards share it.

use std::collections::BTreeSet;
use std::sync::Arc;

use prom_model::PromDuration;
use serde_json::{Value, json};

use super::*;
use crate::model::scrape::config::Limits;
use crate::model::scrape::{Job, Sharding};
use crate::source::Span;
use crate::topology::nodes::prometheus::Strategy;
use crate::topology::nodes::scrape::Preset;

fn job(name: &str, sharding: Sharding, rules: Vec<Rule>) -> Job {
    Job {
        name: name.into(),
        preset: Preset::Static,
        span: Span::new(0, 0, 0),
        config: ScrapeConfig {
            job_name: name.into(),
            static_configs: vec![StaticConfig { targets: vec!["a:1".into()], ..StaticConfig::default() }],
            relabel_configs: rules,
            limits: Limits { sample_limit: Some(7), ..Limits::default() },
            ..ScrapeConfig::default()
        },
        sharding,
        interval: PromDuration::from_secs(30),
        timeout: PromDuration::from_secs(10),
        series: None,
        permissions: Vec::new(),
        secrets: Vec::new(),
        component: None,
    }
}

fn jobs() -> Vec<Job> {
    let rules = || vec![Rule::copy("a", "b"), Rule::set("c", "on"), Rule::keep(&["x"], "no|0123")];
    let mut last = job("text: on", Sharding::by_address(), rules());
    last.config.limits = Limits::default();
    last.config.extra.insert("note".into(), json!("first\n\n  third: |\n"));
    vec![
        job("plain", Sharding::by_address(), Vec::new()),
        job("middle", Sharding::by(&["b"], 1), rules()),
        job("whole", Sharding::Whole, rules()),
        job("one", Sharding::One(1), rules()),
        job("end", Sharding::by(&["b"], 99), rules()),
        last,
    ]
}

fn config(shard: u32) -> PrometheusConfig {
    let labels = [("cluster", "on"), ("shard", &shard.to_string()), ("replica", "$(POD_NAME)")];
    PrometheusConfig {
        global: GlobalConfig {
            scrape_interval: Some(PromDuration::from_secs(30)),
            external_labels: labels.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect(),
            ..GlobalConfig::default()
        },
        rule_files: vec!["/etc/prometheus/rules/*.yaml".into()],
        alerting: Some(Alerting {
            alertmanagers: vec![AlertmanagerConfig::in_cluster("m", "am", "http")],
            ..Alerting::dropping(["replica"])
        }),
        storage: Some(Storage::out_of_order(PromDuration::from_mins(30))),
        ..PrometheusConfig::default()
    }
}

fn joined(pieces: &[Arc<str>]) -> String {
    pieces.iter().map(AsRef::as_ref).collect()
}

fn parse(text: &str) -> Value {
    yaml::parse(text).unwrap_or_else(|error| panic!("{error}\n{text}")).remove(0)
}

#[test]
fn text_and_tree_agree_on_every_shard() {
    for (count, strategy) in [(1, Strategy::Slots), (3, Strategy::Slots), (4, Strategy::Hashmod)] {
        let plan = ShardPlan::new(count, strategy, 64, &[]);
        let texts = JobTexts::new(&jobs(), &plan, 0);
        for shard in 0..count {
            let config = config(shard);
            let text = joined(&texts.config(&config, shard));
            let tree = config.tree(&jobs(), &plan, shard);
            assert_eq!(text, yaml::to_yaml(&tree));
            assert_eq!(parse(&text), tree);
        }
    }
}

#[test]
fn order_is_that_of_the_documentation() {
    let tree = config(0).tree(&jobs(), &ShardPlan::single(), 0);
    let keys: Vec<&str> = tree.as_object().expect("a mapping").keys().map(String::as_str).collect();
    assert_eq!(keys, ["global", "rule_files", "scrape_configs", "alerting", "storage"]);
}

#[test]
fn inside_a_config_map_nothing_changes() {
    let plan = ShardPlan::new(3, Strategy::Slots, 64, &[]);
    let metadata = json!({ "name": "prometheus", "namespace": "m" });
    for shard in 0..3 {
        let inner = JobTexts::new(&jobs(), &plan, 4).config(&config(shard), shard);
        let text = joined(&config_map(&metadata, "prometheus.yaml", inner));
        let expected = joined(&config_text(&config(shard), &jobs(), &plan, shard));
        assert_eq!(text, yaml::config_map_yaml(&metadata, &[("prometheus.yaml", &expected)]));
    }
}

#[test]
fn nothing_gives_an_empty_mapping() {
    let text = joined(&config_text(&PrometheusConfig::default(), &[], &ShardPlan::single(), 0));
    assert_eq!(text, "{}\n");
}

#[test]
fn shards_share_their_text() {
    let plan = ShardPlan::new(64, Strategy::Slots, 256, &[]);
    let rules = || vec![Rule::copy("a", "b")];
    let jobs: Vec<Job> =
        (0..200).map(|n| job(&format!("job-{n}"), Sharding::by_address(), rules())).collect();
    let texts = JobTexts::new(&jobs, &plan, 4);
    let files: Vec<_> = (0..64).map(|shard| texts.config(&config(shard), shard)).collect();
    let distinct: BTreeSet<*const u8> = files.iter().flatten().map(|piece| piece.as_ptr()).collect();
    // One text between two `keep` rules, and for each shard its head, its tail and its rule.
    assert!(distinct.len() <= 200 + 1 + 3 * 64, "{} texts", distinct.len());
    assert!(files.iter().all(|file| file.len() == 2 * 200 + 3));
}

#[test]
fn alertmanagers_need_their_permissions() {
    let rules = config(0).permissions("m");
    assert!(rules.iter().any(|rule| rule.resources == ["endpointslices"]), "{rules:?}");
    let fixed = Alerting {
        alertmanagers: vec![AlertmanagerConfig::by_srv("_http._tcp.am"), AlertmanagerConfig::fixed(vec![])],
        ..Alerting::dropping([])
    };
    assert_eq!(PrometheusConfig { alerting: Some(fixed), ..config(0) }.permissions("m"), []);
}
