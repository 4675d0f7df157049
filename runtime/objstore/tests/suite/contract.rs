//! The acceptance suite over every bucket and every layer.

use std::sync::Arc;

use objstore::acceptance::{Outcome, cases, run};
use objstore::layers::{Faulty, Latency, Prefix, Script};
use objstore::{BucketRef, Chance, Filesystem, Memory};
use prom_model::SystemClock;
use tempfile::TempDir;

fn memory() -> BucketRef {
    Arc::new(Memory::new("test", Arc::new(SystemClock)))
}

#[track_caller]
fn assert_kept(what: &str, outcome: Outcome) {
    let all = cases().count();
    eprintln!("{what}: {}/{all} cases", outcome.passed);
    assert!(outcome.failed.is_empty(), "{what}: {:?}", outcome.failed);
    assert!(all >= 40 && outcome.passed == all);
}

#[tokio::test]
async fn in_memory() {
    assert_kept("memory", run(|_| async { memory() }).await);
}

#[tokio::test]
async fn on_disk() {
    let disk = TempDir::new().unwrap();
    let bucket = |case| {
        let bucket: BucketRef = Arc::new(Filesystem::new(disk.path().join(case)).unwrap());
        async { bucket }
    };
    assert_kept("filesystem", run(bucket).await);
}

#[tokio::test]
async fn below_a_prefix_in_memory() {
    let bucket = |_| async { Prefix::wrap(memory(), "/tenant/a/").unwrap() };
    assert_kept("prefix over memory", run(bucket).await);
}

#[tokio::test]
async fn below_a_prefix_on_disk() {
    let disk = TempDir::new().unwrap();
    let bucket = |case| {
        let inner: BucketRef = Arc::new(Filesystem::new(disk.path()).unwrap());
        async move { Prefix::wrap(inner, case).unwrap() }
    };
    assert_kept("prefix over filesystem", run(bucket).await);
}

#[tokio::test]
async fn faulty_without_faults() {
    let bucket = |_| async { Arc::new(Faulty::new(memory(), Script::Clean)) as BucketRef };
    assert_kept("faulty over memory", run(bucket).await);
}

#[tokio::test(start_paused = true)]
async fn late() {
    let bucket = |_| async {
        let (first_byte, jitter) =
            (std::time::Duration::from_millis(30), std::time::Duration::from_millis(20));
        Arc::new(Latency::new(memory(), first_byte, jitter, 50 << 20, Chance::from_seed(1))) as BucketRef
    };
    assert_kept("latency over memory", run(bucket).await);
}
