//! Cycles that are cut off, or meet a bucket that fails or lies, at any of their calls.

use std::path::Path;
use std::sync::Arc;

use block::{Meta, layout};
use objstore::layers::{Fault, Faulty, Script};
use objstore::{Bucket, BucketRef, read_all};
use prom_model::Clock;
use tsdb::fs::Fs;

use super::behaviour::{blocks, compactor_on, five};
use super::made::{HOUR, Made, id, put_block};
use super::world::{clock, compactor, config, disk, memory, metas, names, put};

/// What becomes of five blocks when the call of each number fails so, and what a process after it makes of the rest.
async fn interrupted(fault: Fault) {
    interrupted_over(fault, async |bucket| five(bucket).await).await;
}

async fn interrupted_over(fault: Fault, fill: impl AsyncFn(&dyn Bucket)) {
    let clock = clock();
    let dyn_clock = || Arc::clone(&clock) as Arc<dyn Clock>;
    let calls = {
        let bucket = memory(&clock);
        fill(bucket.as_ref()).await;
        let counted = Arc::new(Faulty::new(bucket, Script::default()));
        let as_bucket: BucketRef = Arc::clone(&counted) as BucketRef;
        compactor(config("/data"), &as_bucket, disk(), dyn_clock()).run_once().await;
        counted.calls()
    };
    assert!(calls > 30, "{calls}");
    for at in 0..calls {
        let bucket = memory(&clock);
        fill(bucket.as_ref()).await;
        let faulty: BucketRef = Arc::new(Faulty::new(Arc::clone(&bucket), Script::once(at, fault)));
        let disk = disk();
        let first = compactor(config("/data"), &faulty, Arc::clone(&disk), dyn_clock());
        first.prepare().await.unwrap();
        first.run_once().await;
        let second = compactor(config("/data"), &bucket, Arc::clone(&disk), dyn_clock());
        second.prepare().await.unwrap();
        for _ in 0..2 {
            let outcome = second.run_once().await;
            assert!(outcome.is_success(), "{fault:?} at {at}: {outcome:?}");
        }
        assert_eq!(blocks(bucket.as_ref()).await, ["0-8 L2 480", "8-10 L1 120"], "{fault:?} at {at}");
        assert!(second.health().healthy, "{fault:?} at {at}: {:?}", second.health());
        for folder in ["/data/compact", "/data/downsample"] {
            let left = disk.list(Path::new(folder)).unwrap();
            assert!(
                left.iter().all(|entry| is_empty(disk.as_ref(), &Path::new(folder).join(&entry.name))),
                "{left:?}"
            );
        }
    }
}

fn is_empty(disk: &dyn Fs, folder: &Path) -> bool {
    disk.list(folder).is_ok_and(|entries| entries.is_empty())
}

#[tokio::test]
async fn a_run_that_dies_before_any_call_is_taken_up_by_the_next() {
    interrupted(Fault::CrashBefore).await;
}

#[tokio::test]
async fn a_run_that_dies_after_any_call_is_taken_up_by_the_next() {
    interrupted(Fault::CrashAfter).await;
}

#[tokio::test]
async fn a_call_that_fails_is_made_good_later() {
    interrupted(Fault::AppliedThenError).await;
}

/// Five blocks, of which one says of itself what is not true.
async fn five_with_a_lie(bucket: &dyn Bucket) {
    five(bucket).await;
    let name = layout::object(id(2), layout::META);
    let bytes = read_all(bucket, &name, 1 << 20).await.unwrap();
    let mut meta = Meta::of_block(id(2), &bytes).unwrap();
    meta.thanos.files[1].size_bytes += 1;
    put(bucket, &name, meta.to_bytes().unwrap()).await;
}

#[tokio::test]
async fn a_repair_that_is_cut_off_anywhere_is_taken_up_by_the_next() {
    for fault in [Fault::CrashBefore, Fault::CrashAfter, Fault::AppliedThenError] {
        interrupted_over(fault, async |bucket| five_with_a_lie(bucket).await).await;
    }
}

#[tokio::test]
async fn an_answer_with_a_wrong_bit_harms_no_block() {
    let clock = clock();
    // Each number of a call, as far as there are so many.
    for at in 0..90 {
        let bucket = memory(&clock);
        five(bucket.as_ref()).await;
        let faulty: BucketRef = Arc::new(Faulty::new(Arc::clone(&bucket), Script::once(at, Fault::BitFlip)));
        compactor_on(&faulty, &clock, config("/data")).run_once().await;
        clock.advance_ms(2 * HOUR);
        compactor_on(&bucket, &clock, config("/data")).run_once().await;
        // Whatever was thought of a block: all samples are there, once.
        let of_all: u64 =
            metas(bucket.as_ref()).await.values().map(|meta| meta.block.stats.num_samples).sum();
        assert_eq!(of_all, 600, "bit at {at}: {:?}", blocks(bucket.as_ref()).await);
    }
}

#[tokio::test]
async fn an_object_that_is_not_found_once_is_not_taken_for_lost() {
    let clock = clock();
    for at in 1.. {
        let bucket = memory(&clock);
        five(bucket.as_ref()).await;
        put_block(bucket.as_ref(), &Made { cluster: "us", ..Made::new(21, 0, 48) }).await;
        let script = Script::once(at, Fault::Missing);
        let faulty = Arc::new(Faulty::new(Arc::clone(&bucket), script));
        compactor_on(&(Arc::clone(&faulty) as BucketRef), &clock, config("/data")).run_once().await;
        let mut marks = names(bucket.as_ref()).await;
        marks.retain(|name| {
            name.ends_with(layout::NO_COMPACT_MARK) || name.ends_with(layout::NO_DOWNSAMPLE_MARK)
        });
        assert!(marks.is_empty(), "after call {at}: {marks:?}");
        if at > faulty.calls() {
            assert!(at > 100, "blocks are compacted and downsampled: {at}");
            return;
        }
    }
}
