//! Shards divide targets: Prometheus itself relabels random targets, and each ends up on one shard.

use std::fs;

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

#[test]
fn the_judge_notices_targets_that_no_shard_scrapes() {
    program::debian("promtool", "prometheus");
    let folder = tempfile::tempdir().expect("temporary folder");
    let job = |shard: u32| {
        format!(
            "scrape_configs:\n- job_name: a\n  static_configs: [{{targets: [\"a:1\"]}}]\n  relabel_configs:\n  \
             - {{source_labels: [__address__], modulus: 3, target_label: __tmp_hash, action: hashmod}}\n  \
             - {{source_labels: [__tmp_hash], regex: \"{shard}\", action: keep}}\n"
        )
    };
    let outcome = |shards: u32| {
        for shard in 0..shards {
            fs::write(folder.path().join(format!("prometheus-shard-{shard}.yml")), job(shard)).expect("file");
        }
        let mut oracle = program::oracle("shards.py");
        oracle.arg("300").arg(folder.path()).output().expect("the oracle starts")
    };
    let lost = outcome(2);
    let said = String::from_utf8_lossy(&lost.stdout).into_owned();
    assert!(!lost.status.success() && said.contains("on no shard"), "{said}");
    assert!(outcome(3).status.success(), "three of three are complete");
}
