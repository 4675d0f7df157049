//! Every fault at every operation of an upload and of a removal: the block is invisible or whole meanwhile, and afterwards
//! everything comes to the same end as without the fault.

use std::sync::Arc;
use std::time::Duration;

use block::shipper::{Shipper, ShipperConfig, ShipperMetrics};
use block::{
    BlockId, DeletionDecision, DeletionError, DeletionMark, HashFunc, PartialUploads, Source, StoreTime,
    decide_deletion, layout, write_mark,
};
use objstore::layers::{Fault, Faulty, Script};
use objstore::{Bucket, BucketRef};
use prom_model::{Clock, Labels, ManualClock, PromDuration};
use tsdb::fs::Fs;
use tsdb::fs::sim::SimFs;

use super::watch::Watch;
use super::world::{
    DATA, HOUR, clock, files_on_disk, id, is_whole, memory, meta, names, put, put_block, write_block,
};

const DELAY: PromDuration = PromDuration::from_hours(48);

fn labels() -> Labels {
    Labels::from([("cluster", "eu")])
}

fn shipper(bucket: BucketRef, disk: &SimFs, clock: &Arc<ManualClock>, hash_func: HashFunc) -> Shipper {
    let fs: Arc<dyn Fs> = Arc::new(disk.clone());
    let config = ShipperConfig { hash_func, ..ShipperConfig::new(DATA, Source::Sidecar) };
    Shipper::new(bucket, fs, Arc::clone(clock) as Arc<dyn Clock>, config, ShipperMetrics::default())
}

/// Ends what a call that never answers would hold up.
async fn bounded<T>(work: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(Duration::from_secs(300), work).await.ok()
}

#[tokio::test(start_paused = true)]
#[expect(clippy::print_stderr, reason = "the figures are what a run is for")]
async fn an_upload_survives_every_fault_at_every_operation() {
    let (mut runs, mut operations) = (0, 0);
    for hash_func in [HashFunc::None, HashFunc::Sha256] {
        let blocks = [id(1), id(2)];
        let prepare = || {
            let (clock, disk) = (clock(), SimFs::new());
            for (block, hours) in blocks.into_iter().zip([0, 2]) {
                write_block(&disk, &meta(block, hours));
            }
            let inner = memory(&clock);
            let watch = Watch::new(Arc::clone(&inner), Arc::clone(&clock), DELAY);
            (clock, disk, inner, watch)
        };
        let (clock, disk, inner, watch) = prepare();
        let faulty = Arc::new(Faulty::new(watch, Script::Clean));
        shipper(faulty.clone(), &disk, &clock, hash_func).sync(&labels()).await.unwrap();
        let expected = names(inner.as_ref()).await;
        operations += faulty.calls();
        for call in faulty.log() {
            for fault in Fault::ALL.into_iter().filter(|fault| fault.can_hit(call.operation)) {
                runs += 1;
                let context = format!("{hash_func:?}, {fault:?} at {call:?}");
                let (clock, disk, inner, watch) = prepare();
                let bucket =
                    Arc::new(Faulty::new(Arc::clone(&watch) as BucketRef, Script::once(call.number, fault)));
                let round = shipper(bucket.clone(), &disk, &clock, hash_func);
                drop(bounded(round.sync(&labels())).await);
                for block in blocks {
                    let visible = inner.exists(&layout::object(block, layout::META)).await.unwrap();
                    assert!(!visible || is_whole(inner.as_ref(), &disk, block).await, "{context}");
                }
                // The node loses its power, and comes back.
                disk.crash(runs);
                for _ in 0..2 {
                    clock.advance_ms(30_000);
                    let again = shipper(Arc::clone(&watch) as BucketRef, &disk, &clock, hash_func);
                    let shipped = again.sync(&labels()).await.unwrap();
                    assert!(shipped.failed.is_empty(), "{context}: {:?}", shipped.failed);
                }
                for block in blocks {
                    assert!(is_whole(inner.as_ref(), &disk, block).await, "{context}");
                }
                assert_eq!(names(inner.as_ref()).await, expected, "{context}");
                assert_eq!(watch.broken(), Vec::<String>::new(), "{context}");
                assert!(
                    disk.list("/data/thanos".as_ref()).unwrap_or_default().is_empty(),
                    "{context}: links are left"
                );
            }
        }
    }
    eprintln!("faults in uploads: {runs} runs over {operations} operations, 0 lost, 0 incomplete");
}

/// Removes what is to be removed, as a compactor does in each of its cycles.
async fn clean(
    bucket: &dyn Bucket,
    clock: &ManualClock,
    blocks: &[BlockId],
    partial: &PartialUploads,
) -> Result<(), DeletionError> {
    let Ok(now) = StoreTime::ask(bucket, clock).await else { return Ok(()) };
    for block in blocks {
        if let DeletionDecision::Delete(plan) = decide_deletion(bucket, *block, now, DELAY).await? {
            plan.run(bucket).await?;
        }
        if let Some(plan) = partial.decide(bucket, *block, now).await? {
            plan.run(bucket).await?;
        }
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
#[expect(clippy::print_stderr, reason = "the figures are what a run is for")]
async fn a_removal_survives_every_fault_at_every_operation() {
    let (marked, abandoned, kept) = (id(1), id(2), id(3));
    let blocks = [marked, abandoned, kept];
    let prepare = async || {
        let clock = clock();
        let inner = memory(&clock);
        put_block(inner.as_ref(), &meta(marked, 0)).await;
        put_block(inner.as_ref(), &meta(kept, 2)).await;
        write_mark(inner.as_ref(), &DeletionMark::new(marked, clock.now(), "test")).await.unwrap();
        put(inner.as_ref(), &layout::object(abandoned, "chunks/000001"), "chunks").await;
        put(inner.as_ref(), &layout::object(abandoned, "index"), "index").await;
        clock.advance_ms(49 * HOUR);
        let watch = Watch::new(Arc::clone(&inner), Arc::clone(&clock), DELAY);
        (clock, inner, watch)
    };
    let (clock, inner, watch) = prepare().await;
    let faulty = Arc::new(Faulty::new(watch, Script::Clean));
    clean(faulty.as_ref(), &clock, &blocks, &PartialUploads::new(PromDuration::ZERO)).await.unwrap();
    let expected = names(inner.as_ref()).await;
    assert_eq!(expected.iter().filter(|name| name.starts_with(&kept.to_string())).count(), 3);
    assert_eq!(expected.len(), 4, "{expected:?}");
    let mut runs = 0;
    for call in faulty.log() {
        for fault in Fault::ALL.into_iter().filter(|fault| fault.can_hit(call.operation)) {
            runs += 1;
            let context = format!("{fault:?} at {call:?}");
            let (clock, inner, watch) = prepare().await;
            let bucket = Faulty::new(Arc::clone(&watch) as BucketRef, Script::once(call.number, fault));
            drop(bounded(clean(&bucket, &clock, &blocks, &PartialUploads::new(PromDuration::ZERO))).await);
            // What a fault has left over is removed later, as what it looks like: a marked block, or an abandoned upload.
            for _ in 0..3 {
                clock.advance_ms(49 * HOUR);
                let partial = PartialUploads::new(PromDuration::ZERO);
                clean(watch.as_ref(), &clock, &blocks, &partial).await.unwrap();
            }
            assert_eq!(names(inner.as_ref()).await, expected, "{context}");
            assert_eq!(watch.broken(), Vec::<String>::new(), "{context}");
        }
    }
    eprintln!("faults in removals: {runs} runs over {} operations, 0 orphans, 0 wrong", faulty.calls());
}

#[tokio::test]
#[expect(clippy::print_stderr, reason = "the figures are what a run is for")]
async fn an_upload_survives_the_death_of_the_node_at_every_operation_of_its_disk() {
    let block = id(1);
    let prepare = || {
        let (clock, disk) = (clock(), SimFs::new());
        write_block(&disk, &meta(block, 0));
        let bucket = memory(&clock);
        (clock, disk, bucket)
    };
    let (clock, disk, bucket) = prepare();
    let start = disk.operations();
    shipper(bucket, &disk, &clock, HashFunc::None).sync(&labels()).await.unwrap();
    let end = disk.operations();
    let mut runs = 0;
    for operation in start..end {
        for (power, full) in [(true, false), (false, false), (false, true)] {
            runs += 1;
            let (clock, disk, bucket) = prepare();
            match full {
                true => disk.fail_at(operation, std::io::ErrorKind::StorageFull),
                false => disk.kill_at(operation),
            }
            drop(shipper(Arc::clone(&bucket), &disk, &clock, HashFunc::None).sync(&labels()).await);
            if power {
                disk.crash(operation)
            } else {
                disk.restart()
            }
            let visible = bucket.exists(&layout::object(block, layout::META)).await.unwrap();
            assert!(!visible || is_whole(bucket.as_ref(), &disk, block).await, "operation {operation}");
            let again = shipper(Arc::clone(&bucket), &disk, &clock, HashFunc::None);
            let shipped = again.sync(&labels()).await.unwrap();
            assert!(shipped.failed.is_empty(), "operation {operation}: {:?}", shipped.failed);
            assert!(is_whole(bucket.as_ref(), &disk, block).await, "operation {operation}");
            assert_eq!(names(bucket.as_ref()).await.len(), files_on_disk(&disk, block).len() + 1);
        }
    }
    eprintln!("deaths at operations of the disk: {runs} runs, 0 lost, 0 incomplete");
}
