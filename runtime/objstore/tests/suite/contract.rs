//! The acceptance suite over every bucket and every layer.

use std::sync::Arc;
use std::time::Duration;

use objstore::acceptance::{Outcome, cases, run};
use objstore::layers::{
    BucketMetrics, CacheRule, Caching, Deadlines, Fault, Faulty, Hedged, Latency, Metered, Prefix,
    ReplaceOnly, Retry, RetryPolicy, Script, Timeout,
};
use objstore::{BucketRef, Chance, Filesystem, Memory};
use prom_model::SystemClock;
use prometheus_client::registry::Registry;
use tempfile::TempDir;

fn memory() -> BucketRef {
    Arc::new(Memory::new("test", Arc::new(SystemClock)))
}

#[track_caller]
pub(super) fn assert_kept(what: &str, outcome: Outcome) {
    let all = outcome.passed + outcome.failed.len();
    eprintln!("{what}: {}/{all} cases", outcome.passed);
    assert!(outcome.failed.is_empty(), "{what}: {:?}", outcome.failed);
    assert!(all >= 40);
}

#[tokio::test]
async fn in_memory() {
    assert_kept("memory", run(cases(), |_| async { memory() }).await);
}

#[tokio::test]
async fn on_disk() {
    let disk = TempDir::new().unwrap();
    let bucket = |case| {
        let bucket: BucketRef = Arc::new(Filesystem::new(disk.path().join(case)).unwrap());
        async { bucket }
    };
    assert_kept("filesystem", run(cases(), bucket).await);
}

#[tokio::test]
async fn below_a_prefix_in_memory() {
    let bucket = |_| async { Prefix::wrap(memory(), "/tenant/a/").unwrap() };
    assert_kept("prefix over memory", run(cases(), bucket).await);
}

#[tokio::test]
async fn below_a_prefix_on_disk() {
    let disk = TempDir::new().unwrap();
    let bucket = |case| {
        let inner: BucketRef = Arc::new(Filesystem::new(disk.path()).unwrap());
        async move { Prefix::wrap(inner, case).unwrap() }
    };
    assert_kept("prefix over filesystem", run(cases(), bucket).await);
}

#[tokio::test]
async fn faulty_without_faults() {
    let bucket = |_| async { Arc::new(Faulty::new(memory(), Script::Clean)) as BucketRef };
    assert_kept("faulty over memory", run(cases(), bucket).await);
}

#[tokio::test(start_paused = true)]
async fn late() {
    let bucket = |_| async {
        let (first_byte, jitter) = (Duration::from_millis(30), Duration::from_millis(20));
        Arc::new(Latency::new(memory(), first_byte, jitter, 50 << 20, Chance::from_seed(1))) as BucketRef
    };
    assert_kept("latency over memory", run(cases(), bucket).await);
}

#[tokio::test]
async fn tried_again() {
    let bucket = |_| async {
        Arc::new(Retry::new(memory(), RetryPolicy::default(), Chance::from_seed(1))) as BucketRef
    };
    assert_kept("retry over memory", run(cases(), bucket).await);
}

#[tokio::test(start_paused = true)]
async fn tried_again_over_faults() {
    // The contract, word for word, over a bucket of which one call in ten fails.
    let mut seed = 0;
    let bucket = |_| {
        seed += 1;
        let faults = vec![
            Fault::FailBefore,
            Fault::AppliedThenError,
            Fault::Throttle,
            Fault::Slow,
            Fault::ShortBody,
            Fault::ListPageTwice,
        ];
        let script = Script::Seeded { seed, per_mille: 100, faults };
        let faulty = Faulty::new(memory(), script).with_page(10).with_slowness(Duration::from_secs(3));
        async move {
            Arc::new(Retry::new(Arc::new(faulty), RetryPolicy::default(), Chance::from_seed(seed)))
                as BucketRef
        }
    };
    assert_kept("retry over faults over memory", run(cases(), bucket).await);
}

#[tokio::test]
async fn with_deadlines() {
    let bucket = |_| async { Arc::new(Timeout::new(memory(), Deadlines::default())) as BucketRef };
    assert_kept("timeout over memory", run(cases(), bucket).await);
}

#[tokio::test]
async fn metered() {
    let metrics = BucketMetrics::register(&mut Registry::default());
    let bucket = |_| {
        let metered = Metered::new(memory(), metrics.clone(), "test", Arc::new(SystemClock));
        async { Arc::new(metered) as BucketRef }
    };
    assert_kept("metered over memory", run(cases(), bucket).await);
}

fn remember_everything() -> Vec<CacheRule> {
    let long = Duration::from_secs(3600);
    vec![CacheRule {
        applies: Box::new(|_| true),
        there: long,
        missing: long,
        content: long,
        content_bytes_max: 1 << 20,
        listing: long,
    }]
}

#[tokio::test]
async fn remembered() {
    let bucket = |_| async {
        Arc::new(Caching::new(memory(), remember_everything(), 8 << 20, Arc::new(SystemClock))) as BucketRef
    };
    assert_kept("caching over memory", run(cases(), bucket).await);
}

#[tokio::test]
async fn remembered_with_room_for_little() {
    let bucket = |_| async {
        Arc::new(Caching::new(memory(), remember_everything(), 2_000, Arc::new(SystemClock))) as BucketRef
    };
    assert_kept("small caching over memory", run(cases(), bucket).await);
}

#[tokio::test(start_paused = true)]
async fn asked_again_where_answers_are_late() {
    let mut seed = 0;
    let bucket = |_| {
        seed += 1;
        let script = Script::Seeded { seed, per_mille: 100, faults: vec![Fault::Slow] };
        let late: BucketRef = Arc::new(Faulty::new(memory(), script));
        async { Arc::new(Hedged::new(late, 3, 0.9)) as BucketRef }
    };
    assert_kept("hedged over memory", run(cases(), bucket).await);
}

#[tokio::test]
async fn without_conditions() {
    let bucket = |_| async { Arc::new(ReplaceOnly(memory())) as BucketRef };
    assert_kept("replace-only over memory", run(cases(), bucket).await);
}

#[tokio::test]
async fn all_layers_at_once() {
    let metrics = BucketMetrics::register(&mut Registry::default());
    let bucket = |_| {
        let timed: BucketRef = Arc::new(Timeout::new(memory(), Deadlines::default()));
        let tried: BucketRef = Arc::new(Retry::new(timed, RetryPolicy::default(), Chance::from_seed(1)));
        let below = Prefix::wrap(tried, "a/b").unwrap();
        let metered: BucketRef = Arc::new(Metered::new(below, metrics.clone(), "x", Arc::new(SystemClock)));
        async {
            Arc::new(Caching::new(metered, remember_everything(), 1 << 20, Arc::new(SystemClock)))
                as BucketRef
        }
    };
    assert_kept("all layers over memory", run(cases(), bucket).await);
}
