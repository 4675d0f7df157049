//! Shards divide targets: Prometheus itself relabels random targets, and each ends up on one shard.

use serde_json::Value;
use tests::{program, repository};

/// Targets for each job.
const TARGETS: u64 = 2_500;
/// Of them, how many have to be wanted by the job, so that the test means something.
const TARGETS_MIN: u64 = 2_000;

/// Runs the oracle over one golden tree and returns its summary.
fn divide(tree: &str) -> Value {
    program::debian("promtool", "prometheus");
    let raw = repository::root().join("golden").join(tree).join("raw");
    let mut oracle = program::oracle("shards.py");
    oracle.arg(TARGETS.to_string()).arg(raw);
    let said = program::succeed(&mut oracle);
    let last = said.lines().last().unwrap_or_default();
    serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}: {said}"))
}

fn assert_divided(summary: &Value) {
    let divided = summary["divided"].as_object().expect("the oracle lists divided jobs");
    let most = divided.values().filter_map(Value::as_u64).max().unwrap_or_default();
    assert!(most >= TARGETS_MIN, "too few targets were wanted by any job: {summary}");
}

#[test]
fn four_shards_of_a_slot_table_scrape_every_target_once() {
    let summary = divide("sharded-4x2");
    assert_divided(&summary);
    assert_eq!(summary["every"], serde_json::json!(["prometheus"]), "only the servers scrape themselves");
}

#[test]
fn shards_by_hashmod_scrape_every_target_once() {
    assert_divided(&divide("hashmod"));
}
