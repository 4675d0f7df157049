//! Trying again: enough, not too often, and no write twice.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt;
use objstore::layers::{Deadlines, Fault, Faulty, Operation, Retry, RetryPolicy, Script, Timeout};
use objstore::{Bucket, BucketError, BucketRef, Chance, Entry, Listing, Memory, Put, read_all};
use prom_model::SystemClock;
use tokio::time::Instant;

fn memory() -> BucketRef {
    Arc::new(Memory::new("test", Arc::new(SystemClock)))
}

fn seeded(seed: u64, per_mille: u16, faults: &[Fault]) -> Script {
    Script::Seeded { seed, per_mille, faults: faults.to_vec() }
}

/// A bucket that tries again, and the faulty one below it.
fn over(inner: BucketRef, script: Script) -> (Retry, Arc<Faulty>) {
    let faulty = Arc::new(Faulty::new(inner, script));
    (Retry::new(faulty.clone(), RetryPolicy::default(), Chance::from_seed(3)), faulty)
}

fn body(text: &'static str) -> Arc<Bytes> {
    Arc::new(Bytes::from_static(text.as_bytes()))
}

#[tokio::test(start_paused = true)]
async fn half_of_all_requests_may_fail() {
    let (bucket, faulty) =
        over(memory(), seeded(1, 500, &[Fault::FailBefore, Fault::Throttle, Fault::AppliedThenError]));
    let mut failed = 0;
    for number in 0..2_000 {
        failed += u32::from(bucket.put(&format!("a/{number}"), body("x"), Put::Replace).await.is_err());
    }
    let amplification = faulty.calls() as f64 / 2_000.0;
    // Ten tries in a row fail once in a thousand.
    assert!(failed <= 10, "{failed} of 2,000");
    assert!(amplification <= 3.0, "{amplification}");
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_not_multiplied() {
    let (bucket, faulty) = over(memory(), seeded(1, 1000, &[Fault::FailBefore]));
    for number in 0..1_000 {
        assert!(bucket.exists(&format!("a/{number}")).await.is_err());
    }
    // Each operation, two more for each, and what was there at the start.
    assert!(faulty.calls() <= 3 * 1_000 + 10, "{}", faulty.calls());
}

#[tokio::test(start_paused = true)]
async fn what_cannot_get_better_is_not_tried_again() {
    let (bucket, faulty) = over(memory(), Script::Clean);
    assert!(matches!(bucket.get("missing").await, Err(BucketError::NotFound { .. })));
    bucket.put("a", body("x"), Put::Replace).await.unwrap();
    assert!(matches!(bucket.put("a", body("y"), Put::Create).await, Err(BucketError::AlreadyExists { .. })));
    assert!(matches!(bucket.get_range("a", 9, 1).await, Err(BucketError::OutOfRange { .. })));
    assert_eq!(faulty.calls(), 4);
}

#[tokio::test(start_paused = true)]
async fn attempts_and_total_time_end() {
    let policy = RetryPolicy { attempts: 4, ..RetryPolicy::default() };
    let faulty = Arc::new(Faulty::new(memory(), seeded(1, 1000, &[Fault::FailBefore])));
    let bucket = Retry::new(faulty.clone(), policy, Chance::from_seed(3));
    assert!(bucket.exists("a").await.is_err());
    assert_eq!(faulty.calls(), 4);

    let policy = RetryPolicy { attempts: 1000, total: Duration::from_secs(20), ..RetryPolicy::default() };
    let bucket = Retry::new(faulty, policy, Chance::from_seed(3));
    let before = Instant::now();
    assert!(bucket.exists("a").await.is_err());
    assert!(before.elapsed() <= Duration::from_secs(20), "{:?}", before.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_store_that_asks_for_patience_gets_it() {
    let (bucket, _) = over(memory(), Script::once(1, Fault::Throttle));
    let before = Instant::now();
    assert!(!bucket.exists("a").await.unwrap());
    // The fault asks for a second, which is more than the first pause.
    assert!(before.elapsed() >= Duration::from_secs(1), "{:?}", before.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_creation_of_unknown_outcome_is_looked_at() {
    // Done, and nobody said so: it is ours.
    let inner = memory();
    let (bucket, _) = over(inner.clone(), Script::once(1, Fault::AppliedThenError));
    bucket.put("lock", body("mine"), Put::Create).await.unwrap();
    assert_eq!(read_all(inner.as_ref(), "lock", 100).await.unwrap(), "mine");

    // Not done, and somebody else was faster: it is theirs.
    let inner = memory();
    let (bucket, faulty) = over(inner.clone(), Script::once(1, Fault::FailBefore));
    let (created, ()) = futures::join!(bucket.put("lock", body("mine"), Put::Create), async {
        inner.put("lock", body("theirs"), Put::Create).await.unwrap();
    });
    assert!(matches!(created, Err(BucketError::AlreadyExists { .. })), "{created:?}: {:?}", faulty.log());
    assert_eq!(read_all(inner.as_ref(), "lock", 100).await.unwrap(), "theirs");

    // It was there before anything went wrong.
    let inner = memory();
    inner.put("lock", body("mine"), Put::Replace).await.unwrap();
    let (bucket, _) = over(inner, Script::Clean);
    let created = bucket.put("lock", body("mine"), Put::Create).await;
    assert!(matches!(created, Err(BucketError::AlreadyExists { .. })), "{created:?}");
}

#[tokio::test(start_paused = true)]
async fn creations_under_all_faults_have_one_winner() {
    for seed in 0..300 {
        let inner = memory();
        let faults = [Fault::FailBefore, Fault::AppliedThenError, Fault::Throttle];
        let creators = (0..4_u64).map(|number| {
            let (bucket, _) = over(inner.clone(), seeded(seed * 10 + number, 400, &faults));
            async move { bucket.put("lock", Arc::new(Bytes::from(format!("{number}"))), Put::Create).await }
        });
        let done = futures::future::join_all(creators).await;
        let winners: Vec<usize> =
            done.iter().enumerate().filter(|(_, done)| done.is_ok()).map(|(who, _)| who).collect();
        let holder = read_all(inner.as_ref(), "lock", 100).await.unwrap();
        assert_eq!(winners.len(), 1, "seed {seed}: {done:?}");
        assert_eq!(holder, winners[0].to_string(), "seed {seed}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_deletion_that_was_done_before_is_done() {
    let inner = memory();
    inner.put("a", body("x"), Put::Replace).await.unwrap();
    let (bucket, _) = over(inner.clone(), Script::once(1, Fault::AppliedThenError));
    bucket.delete("a").await.unwrap();
    assert!(!inner.exists("a").await.unwrap());
    assert!(matches!(bucket.delete("a").await, Err(BucketError::NotFound { .. })));
}

#[tokio::test(start_paused = true)]
async fn short_reads_are_never_data() {
    let inner = memory();
    let bytes: Bytes = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
    inner.put("a", Arc::new(bytes.clone()), Put::Replace).await.unwrap();
    for seed in 0..500 {
        for fault in [Fault::ShortBody, Fault::SilentlyShort, Fault::ExtraBytes] {
            // Without retries, a body is whole or an error.
            let faulty = Faulty::new(inner.clone(), seeded(seed, 700, &[fault]));
            match read_all(&faulty, "a", 1 << 20).await {
                Ok(read) => assert!(read == bytes, "{fault}, seed {seed}"),
                Err(error) => assert!(matches!(error, BucketError::ShortRead { .. }), "{error:?}"),
            }
        }
        // With them, it is whole.
        let (bucket, _) = over(
            inner.clone(),
            seeded(seed, 300, &[Fault::ShortBody, Fault::SilentlyShort, Fault::ExtraBytes]),
        );
        match read_all(&bucket, "a", 1 << 20).await {
            Ok(read) => assert!(read == bytes, "seed {seed}"),
            Err(error) => assert!(matches!(error, BucketError::ShortRead { .. }), "{error:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_goes_on_where_it_broke_off() {
    let inner = memory();
    let bytes: Bytes = (0..3_000_000_u32).flat_map(u32::to_le_bytes).collect();
    inner.put("a", Arc::new(bytes.clone()), Put::Replace).await.unwrap();
    let (bucket, faulty) = over(inner, Script::once(1, Fault::ShortBody));
    assert!(read_all(&bucket, "a", 1 << 30).await.unwrap() == bytes);
    let operations: Vec<Operation> = faulty.log().iter().map(|call| call.operation).collect();
    assert_eq!(
        operations.iter().filter(|operation| **operation == Operation::Get).count(),
        1,
        "{operations:?}"
    );
    assert!(operations.contains(&Operation::GetRange), "{operations:?}");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_changed_meanwhile_is_not_mixed() {
    let inner = memory();
    inner.put("a", Arc::new(Bytes::from(vec![1; 1000])), Put::Replace).await.unwrap();
    let (bucket, _) = over(inner.clone(), Script::once(1, Fault::ShortBody));
    let got = bucket.get("a").await.unwrap();
    inner.put("a", Arc::new(Bytes::from(vec![2; 1001])), Put::Replace).await.unwrap();
    let read: Result<Vec<Bytes>, _> = got.body.try_collect().await;
    assert!(matches!(read, Err(BucketError::Changed { .. })), "{read:?}");
}

#[tokio::test(start_paused = true)]
async fn listings_go_on_and_have_nothing_twice() {
    let inner = memory();
    let names: Vec<String> = (0..100).map(|number| format!("a/{number:03}")).collect();
    for name in &names {
        inner.put(name, body("x"), Put::Replace).await.unwrap();
    }
    for seed in 0..300 {
        let faults = [Fault::FailBefore, Fault::AppliedThenError, Fault::ListPageTwice, Fault::Throttle];
        let faulty = Arc::new(Faulty::new(inner.clone(), seeded(seed, 500, &faults)).with_page(7));
        let bucket = Retry::new(faulty, RetryPolicy::default(), Chance::from_seed(seed));
        let listed: Vec<Entry> = bucket.list("a", Listing::Recursive).try_collect().await.unwrap();
        let listed: Vec<String> = listed.into_iter().map(|entry| entry.name).collect();
        assert_eq!(listed, names, "seed {seed}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_is_left_after_its_time() {
    let inner = memory();
    inner.put("a", Arc::new(Bytes::from(vec![7; 1 << 20])), Put::Replace).await.unwrap();
    let deadlines = Deadlines::default();
    let faulty = Arc::new(Faulty::new(inner, seeded(1, 1000, &[Fault::Hang])));
    let bucket = Timeout::new(faulty, deadlines);
    let timed_out =
        |error: Option<BucketError>| assert!(matches!(error, Some(BucketError::Timeout { .. })), "{error:?}");
    let before = Instant::now();
    timed_out(bucket.get("a").await.err());
    timed_out(bucket.exists("a").await.err());
    timed_out(bucket.delete("a").await.err());
    timed_out(bucket.put("a", body("x"), Put::Replace).await.err());
    timed_out(bucket.list("", Listing::Shallow).try_collect::<Vec<_>>().await.err());
    assert!(before.elapsed() <= 4 * deadlines.answer + deadlines.listing, "{:?}", before.elapsed());
    // A body has more time the more there is of it.
    let before = Instant::now();
    timed_out(bucket.put("a", Arc::new(Bytes::from(vec![7; 1 << 20])), Put::Replace).await.err());
    assert_eq!(before.elapsed(), deadlines.answer + Duration::from_secs(16));
}

#[tokio::test(start_paused = true)]
async fn one_hang_does_not_fail_an_operation_that_may_be_tried_again() {
    let inner = memory();
    inner.put("a", body("x"), Put::Replace).await.unwrap();
    let faulty: BucketRef = Arc::new(Faulty::new(inner, Script::once(1, Fault::Hang)));
    let timed: BucketRef = Arc::new(Timeout::new(faulty, Deadlines::default()));
    let bucket = Retry::new(timed, RetryPolicy::default(), Chance::from_seed(1));
    assert_eq!(read_all(&bucket, "a", 10).await.unwrap(), "x");
}
