//! What the other layers promise: memory that is right, faults that replay, metrics with Thanos' names.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt;
use objstore::layers::{
    BucketMetrics, CacheRule, Caching, Fault, Faulty, Hedged, Latency, Metered, Operation, Prefix, Script,
};
use objstore::{Bucket, BucketError, BucketRef, Chance, Entry, Filesystem, Listing, Memory, Put, read_all};
use prom_model::{Clock, ManualClock, SystemClock, TimestampMs};
use prometheus_client::registry::Registry;
use tokio::time::Instant;

fn memory() -> BucketRef {
    Arc::new(Memory::new("test", Arc::new(SystemClock)))
}

async fn put(bucket: &dyn Bucket, name: &str, text: &str) {
    bucket.put(name, Arc::new(Bytes::from(text.to_owned())), Put::Replace).await.unwrap();
}

async fn names(bucket: &dyn Bucket, folder: &str) -> Vec<String> {
    let entries: Vec<Entry> = bucket.list(folder, Listing::Recursive).try_collect().await.unwrap();
    entries.into_iter().map(|entry| entry.name).collect()
}

#[tokio::test]
async fn objects_have_the_time_of_the_clock() {
    let clock = Arc::new(ManualClock::new(TimestampMs::from_millis(5_000)));
    let bucket = Memory::new("test", clock.clone());
    put(&bucket, "a", "x").await;
    clock.advance_ms(1_000);
    put(&bucket, "b", "x").await;
    assert_eq!(bucket.attributes("a").await.unwrap().modified, TimestampMs::from_millis(5_000));
    assert_eq!(bucket.attributes("b").await.unwrap().modified, clock.now());
}

#[tokio::test]
async fn a_prefix_is_in_the_bucket_below_and_nowhere_else() {
    let inner = memory();
    let bucket = Prefix::wrap(inner.clone(), "/tenant/a/").unwrap();
    put(bucket.as_ref(), "block/meta.json", "x").await;
    put(inner.as_ref(), "tenant/ab/other", "x").await;
    assert_eq!(names(inner.as_ref(), "tenant/a").await, ["tenant/a/block/meta.json"]);
    assert_eq!(names(bucket.as_ref(), "").await, ["block/meta.json"]);
    assert!(matches!(bucket.get("../ab/other").await, Err(BucketError::InvalidName { .. })));
    for none in ["", "/", "///"] {
        assert_eq!(names(Prefix::wrap(inner.clone(), none).unwrap().as_ref(), "").await.len(), 2);
    }
    assert!(matches!(Prefix::wrap(inner, "a/../b"), Err(BucketError::InvalidName { .. })));
}

/// A bucket that remembers everything for so long, the calls that reached the one below, and the clock.
fn caching(seconds: u64, bytes_max: u64) -> (Arc<Caching>, Arc<Faulty>, Arc<ManualClock>) {
    let long = Duration::from_secs(seconds);
    let clock = Arc::new(ManualClock::new(TimestampMs::from_millis(0)));
    let faulty = Arc::new(Faulty::new(memory(), Script::Clean));
    let rule = CacheRule {
        applies: Box::new(|name| !name.starts_with("never")),
        there: long,
        missing: long / 2,
        content: long,
        content_bytes_max: 100,
        listing: long,
    };
    (Arc::new(Caching::new(faulty.clone(), vec![rule], bytes_max, clock.clone())), faulty, clock)
}

#[tokio::test]
async fn what_was_asked_is_not_asked_again_until_it_is_old() {
    let (bucket, faulty, clock) = caching(60, 1 << 20);
    put(bucket.as_ref(), "a/b", "x").await;
    let ask = async || {
        let before = faulty.calls();
        assert_eq!(read_all(bucket.as_ref(), "a/b", 10).await.unwrap(), "x");
        assert!(bucket.exists("a/b").await.unwrap());
        assert_eq!(bucket.attributes("a/b").await.unwrap().size, 1);
        assert!(!bucket.exists("a/missing").await.unwrap());
        assert_eq!(names(bucket.as_ref(), "a").await, ["a/b"]);
        faulty.calls() - before
    };
    assert_eq!(ask().await, 4);
    assert_eq!(ask().await, 0);
    // What is missing is asked earlier.
    clock.advance_ms(40_000);
    assert_eq!(ask().await, 1);
    clock.advance_ms(20_000);
    assert_eq!(ask().await, 3);
    // A clock that goes back makes nothing live longer.
    clock.advance_ms(-3_600_000);
    assert_eq!(ask().await, 4);
}

#[tokio::test]
async fn writes_are_seen_at_once() {
    let (bucket, _, _) = caching(3_600, 1 << 20);
    assert!(!bucket.exists("a/b").await.unwrap());
    assert!(names(bucket.as_ref(), "").await.is_empty());
    put(bucket.as_ref(), "a/b", "one").await;
    assert!(bucket.exists("a/b").await.unwrap());
    assert_eq!(read_all(bucket.as_ref(), "a/b", 10).await.unwrap(), "one");
    assert_eq!(names(bucket.as_ref(), "").await, ["a/b"]);
    put(bucket.as_ref(), "a/b", "two!").await;
    assert_eq!(read_all(bucket.as_ref(), "a/b", 10).await.unwrap(), "two!");
    assert_eq!(bucket.attributes("a/b").await.unwrap().size, 4);
    bucket.delete("a/b").await.unwrap();
    assert!(!bucket.exists("a/b").await.unwrap());
    assert!(names(bucket.as_ref(), "a/").await.is_empty());
}

#[tokio::test]
async fn memory_is_bounded_and_the_unused_goes_first() {
    let (bucket, faulty, _) = caching(3_600, 10_000);
    for number in 0..500 {
        let name = format!("a/{number}");
        put(bucket.as_ref(), &name, "0123456789").await;
        assert_eq!(read_all(bucket.as_ref(), &name, 10).await.unwrap(), "0123456789");
        // Used all the time, so it stays.
        assert_eq!(read_all(bucket.as_ref(), "a/0", 10).await.unwrap(), "0123456789");
        assert!(bucket.bytes() <= 10_000, "{}", bucket.bytes());
    }
    let reads =
        faulty.log().iter().filter(|call| call.operation == Operation::Get && call.name == "a/0").count();
    assert_eq!(reads, 1);
    // Larger objects go through.
    put(bucket.as_ref(), "large", &"x".repeat(200)).await;
    let before = bucket.bytes();
    assert_eq!(read_all(bucket.as_ref(), "large", 1_000).await.unwrap().len(), 200);
    assert!(bucket.bytes() < before + 500);
}

#[tokio::test(start_paused = true)]
async fn many_who_ask_at_once_ask_once() {
    let faulty = Arc::new(Faulty::new(memory(), Script::Clean));
    put(faulty.as_ref(), "a", "x").await;
    let slow =
        Latency::new(faulty.clone(), Duration::from_millis(50), Duration::ZERO, 0, Chance::from_seed(1));
    let rule = CacheRule {
        applies: Box::new(|_| true),
        there: Duration::from_secs(60),
        missing: Duration::from_secs(60),
        content: Duration::from_secs(60),
        content_bytes_max: 100,
        listing: Duration::ZERO,
    };
    let bucket = Caching::new(Arc::new(slow), vec![rule], 1 << 20, Arc::new(SystemClock));
    let before = faulty.calls();
    let reads = (0..100).map(|_| read_all(&bucket, "a", 10));
    for read in futures::future::join_all(reads).await {
        assert_eq!(read.unwrap(), "x");
    }
    assert_eq!(faulty.calls() - before, 1);
}

#[tokio::test]
async fn failures_are_not_remembered() {
    let faulty = Arc::new(Faulty::new(memory(), Script::At([(2, Fault::FailBefore)].into())));
    put(faulty.as_ref(), "a", "x").await;
    let rule = CacheRule {
        applies: Box::new(|_| true),
        there: Duration::from_secs(60),
        missing: Duration::from_secs(60),
        content: Duration::from_secs(60),
        content_bytes_max: 100,
        listing: Duration::from_secs(60),
    };
    let bucket = Caching::new(faulty, vec![rule], 1 << 20, Arc::new(SystemClock));
    assert!(matches!(bucket.get("a").await, Err(BucketError::Unavailable { .. })));
    assert_eq!(read_all(&bucket, "a", 10).await.unwrap(), "x");
}

#[tokio::test(start_paused = true)]
async fn distance_takes_time() {
    let inner = memory();
    put(inner.as_ref(), "a", &"x".repeat(1_000)).await;
    let (first_byte, jitter) = (Duration::from_millis(30), Duration::from_millis(10));
    let bucket = Latency::new(inner, first_byte, jitter, 10_000, Chance::from_seed(1));
    let before = Instant::now();
    bucket.exists("a").await.unwrap();
    let took = before.elapsed();
    assert!((first_byte..=first_byte + jitter + Duration::from_millis(2)).contains(&took), "{took:?}");
    let before = Instant::now();
    read_all(&bucket, "a", 1_000).await.unwrap();
    assert!(before.elapsed() >= first_byte + Duration::from_millis(100), "{:?}", before.elapsed());
}

#[tokio::test(start_paused = true)]
async fn faults_of_a_seed_replay() {
    let all: Vec<Fault> = Fault::ALL.into_iter().filter(|fault| *fault != Fault::Hang).collect();
    let run = async |seed| {
        let script = Script::Seeded { seed, per_mille: 300, faults: all.clone() };
        let bucket =
            Faulty::new(Arc::new(Memory::new("t", Arc::new(ManualClock::default()))), script).with_page(3);
        let mut answers = Vec::new();
        for number in 0..20 {
            let name = format!("a/{}", number % 7);
            let body = Arc::new(Bytes::from(format!("{number}")));
            answers.push(format!("{:?}", bucket.put(&name, body, Put::Create).await));
            answers.push(format!("{:?}", read_all(&bucket, &name, 100).await));
            answers.push(format!("{:?}", bucket.get_range(&name, 0, 1).await));
            answers.push(format!("{:?}", bucket.exists(&name).await));
            answers.push(format!("{:?}", bucket.list("a", Listing::Shallow).try_collect::<Vec<_>>().await));
            answers.push(format!("{:?}", bucket.delete(&name).await));
        }
        let log: Vec<String> = bucket.log().iter().map(ToString::to_string).collect();
        (answers, log)
    };
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..200 {
        let (first, second) = (run(seed).await, run(seed).await);
        assert_eq!(first, second, "seed {seed}");
        seen.extend(first.1.iter().filter_map(|line| line.rsplit(' ').next().map(str::to_owned)));
    }
    for fault in &all {
        assert!(seen.contains(fault.as_str()), "{fault} never happened");
    }
}

#[tokio::test]
async fn a_crash_ends_everything_before_or_after_its_effect() {
    for (fault, there) in [(Fault::CrashBefore, false), (Fault::CrashAfter, true)] {
        let inner = memory();
        let bucket = Faulty::new(inner.clone(), Script::once(2, fault));
        put(&bucket, "first", "x").await;
        assert!(bucket.put("second", Arc::new(Bytes::new()), Put::Replace).await.is_err());
        assert!(bucket.has_crashed());
        assert!(bucket.exists("first").await.is_err());
        assert!(bucket.put("third", Arc::new(Bytes::new()), Put::Replace).await.is_err());
        assert_eq!(inner.exists("second").await.unwrap(), there, "{fault}");
        assert!(!inner.exists("third").await.unwrap());
    }
}

#[tokio::test]
async fn listings_fail_as_listings_do() {
    let inner = memory();
    for number in 0..9 {
        put(inner.as_ref(), &format!("a/{number}"), "x").await;
    }
    let listed = async |fault, page| {
        let bucket = Faulty::new(inner.clone(), Script::once(1, fault)).with_page(page);
        bucket.list("a", Listing::Shallow).try_collect::<Vec<Entry>>().await
    };
    assert_eq!(listed(Fault::ListPageLost, 3).await.unwrap().len(), 6);
    assert_eq!(listed(Fault::ListPageTwice, 3).await.unwrap().len(), 12);
    assert!(listed(Fault::AppliedThenError, 3).await.is_err());
    let bucket = Faulty::new(inner, Script::once(3, Fault::StaleList));
    put(&bucket, "a/new", "x").await;
    bucket.delete("a/0").await.unwrap();
    // The deletion is not known yet, and perhaps not the write either.
    assert!(names(&bucket, "a").await.contains(&"a/0".to_owned()));
    assert_eq!(names(&bucket, "a").await.len(), 9);
}

#[tokio::test]
async fn metrics_have_the_names_and_labels_of_thanos() {
    let mut registry = Registry::default();
    let metrics = BucketMetrics::register(&mut registry);
    let clock = Arc::new(ManualClock::new(TimestampMs::from_millis(1_700_000_000_500)));
    let disk = tempfile::TempDir::new().unwrap();
    let inner = Arc::new(Filesystem::new(disk.path()).unwrap());
    let faulty = Arc::new(Faulty::new(inner, Script::once(8, Fault::FailBefore)));
    let bucket = Metered::new(faulty, metrics.clone(), "metrics", clock);
    put(&bucket, "a", "0123456789").await;
    read_all(&bucket, "a", 100).await.unwrap();
    bucket.get_range("a", 0, 4).await.unwrap();
    bucket.exists("a").await.unwrap();
    bucket.attributes("a").await.unwrap();
    names(&bucket, "").await;
    assert!(bucket.get("missing").await.is_err());
    assert!(bucket.delete("a").await.is_err());
    metrics.requests_of("metrics");
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    for line in [
        "thanos_objstore_bucket_operations_total{bucket=\"metrics\",operation=\"iter\"} 1",
        "thanos_objstore_bucket_operations_total{bucket=\"metrics\",operation=\"get\"} 2",
        "thanos_objstore_bucket_operations_total{bucket=\"metrics\",operation=\"get_range\"} 1",
        "thanos_objstore_bucket_operations_total{bucket=\"metrics\",operation=\"exists\"} 1",
        "thanos_objstore_bucket_operations_total{bucket=\"metrics\",operation=\"upload\"} 1",
        "thanos_objstore_bucket_operations_total{bucket=\"metrics\",operation=\"delete\"} 1",
        "thanos_objstore_bucket_operations_total{bucket=\"metrics\",operation=\"attributes\"} 1",
        "thanos_objstore_bucket_operation_failures_total{bucket=\"metrics\",operation=\"delete\"} 1",
        // Not to find an object is no failure.
        "thanos_objstore_bucket_operation_failures_total{bucket=\"metrics\",operation=\"get\"} 0",
        "thanos_objstore_bucket_operation_fetched_bytes_total{bucket=\"metrics\",operation=\"get\"} 10",
        "thanos_objstore_bucket_operation_fetched_bytes_total{bucket=\"metrics\",operation=\"get_range\"} 4",
        "thanos_objstore_bucket_operation_transferred_bytes_sum{bucket=\"metrics\",operation=\"upload\"} 10.0",
        "thanos_objstore_bucket_operation_transferred_bytes_bucket{le=\"32768.0\",bucket=\"metrics\",operation=\"get\"} 1",
        "thanos_objstore_bucket_operation_duration_seconds_count{bucket=\"metrics\",operation=\"exists\"} 1",
        "thanos_objstore_bucket_last_successful_upload_time{bucket=\"metrics\"} 1700000000.5",
        "pronoia_objstore_requests_total{bucket=\"metrics\",class=\"A\"} 0",
        "pronoia_objstore_requests_total{bucket=\"metrics\",class=\"B\"} 0",
        "pronoia_objstore_requests_total{bucket=\"metrics\",class=\"free\"} 0",
    ] {
        assert!(text.lines().any(|found| found == line), "no line {line}\n{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_answer_is_asked_for_again() {
    let inner = memory();
    put(inner.as_ref(), "a", "x").await;
    // One answer in fifty takes half a minute, the others 30 to 40 ms.
    let script = Script::Seeded { seed: 5, per_mille: 20, faults: vec![Fault::Slow] };
    let faulty = Arc::new(Faulty::new(inner, script));
    let (first_byte, jitter) = (Duration::from_millis(30), Duration::from_millis(10));
    let near = Arc::new(Latency::new(faulty.clone(), first_byte, jitter, 0, Chance::from_seed(2)));
    let bucket = Hedged::new(near, 3, 0.95);
    for _ in 0..30 {
        bucket.attributes("a").await.unwrap();
    }
    let before = faulty.calls();
    let mut longest = Duration::ZERO;
    for _ in 0..1_000 {
        let began = Instant::now();
        bucket.attributes("a").await.unwrap();
        longest = longest.max(began.elapsed());
    }
    assert!(longest < Duration::from_millis(250), "{longest:?}");
    let asked = faulty.calls() - before;
    assert!((1_000..1_300).contains(&asked), "{asked} for 1,000");
}
