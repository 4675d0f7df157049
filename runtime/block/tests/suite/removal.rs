//! When a block is removed, and when it is not.

use std::sync::Arc;

use block::{
    DeletionDecision, DeletionError, DeletionMark, MarkError, Marked, PartialUploads, StoreTime,
    StoreTimeError, decide_deletion, layout, read_mark, remove_mark, write_mark,
};
use objstore::Chance;
use objstore::layers::{Faulty, Operation, Script};
use prom_model::{Clock, ManualClock, PromDuration};

use super::world::{HOUR, clock, id, memory, meta, names, put, put_block};

const DELAY: PromDuration = PromDuration::from_hours(48);

#[tokio::test]
async fn a_marked_block_goes_after_the_delay_meta_first_and_mark_last() {
    let clock = clock();
    let bucket = memory(&clock);
    let bucket = bucket.as_ref();
    put_block(bucket, &meta(id(1), 0)).await;
    let decide = async || {
        let now = StoreTime::ask(bucket, clock.as_ref()).await.unwrap();
        decide_deletion(bucket, id(1), now, DELAY).await
    };
    assert_eq!(decide().await.unwrap(), DeletionDecision::NotMarked);
    let mark = DeletionMark::new(id(1), clock.now(), "test");
    assert_eq!(write_mark(bucket, &mark).await.unwrap(), Marked::Written);
    let again = DeletionMark::new(id(1), clock.now(), "another");
    assert_eq!(write_mark(bucket, &again).await.unwrap(), Marked::AlreadyThere);
    assert_eq!(read_mark::<DeletionMark>(bucket, id(1)).await.unwrap().unwrap().mark, mark);
    clock.advance_ms(48 * HOUR - 1_000);
    let DeletionDecision::NotYet { left } = decide().await.unwrap() else { panic!() };
    assert_eq!(left, PromDuration::from_secs(1));
    clock.advance_ms(1_000);
    let DeletionDecision::Delete(plan) = decide().await.unwrap() else { panic!() };
    let told = plan.to_string();
    let expected = ["meta.json", "chunks/000001", "index", "deletion-mark.json"];
    let expected: Vec<String> =
        expected.iter().map(|file| format!("delete {}", layout::object(id(1), file))).collect();
    assert_eq!(told.lines().collect::<Vec<_>>(), expected);
    assert_eq!(plan.run(bucket).await.unwrap(), 4);
    assert_eq!(names(bucket).await, [layout::CLOCK_PROBE]);
    // Again, it finds nothing to do.
    assert!(matches!(plan.run(bucket).await, Err(DeletionError::MarkGone(_))));
}

#[tokio::test]
async fn a_mark_that_was_taken_away_or_is_of_another_block_deletes_nothing() {
    let clock = clock();
    let bucket = memory(&clock);
    let bucket = bucket.as_ref();
    put_block(bucket, &meta(id(1), 0)).await;
    write_mark(bucket, &DeletionMark::new(id(1), clock.now(), "")).await.unwrap();
    clock.advance_ms(72 * HOUR);
    let now = StoreTime::assume(clock.as_ref());
    let DeletionDecision::Delete(plan) = decide_deletion(bucket, id(1), now, DELAY).await.unwrap() else {
        panic!()
    };
    remove_mark::<DeletionMark>(bucket, id(1)).await.unwrap();
    assert!(matches!(plan.run(bucket).await, Err(DeletionError::MarkGone(_))));
    let other = DeletionMark::new(id(2), clock.now(), "");
    let other = block::Mark::to_bytes(&other).unwrap();
    put(bucket, &layout::object(id(1), layout::DELETION_MARK), other).await;
    clock.advance_ms(72 * HOUR);
    let now = StoreTime::assume(clock.as_ref());
    let refused = decide_deletion(bucket, id(1), now, DELAY).await;
    assert!(matches!(refused, Err(DeletionError::Mark(MarkError::WrongBlock { .. }))), "{refused:?}");
    for garbage in ["", "{", "\0"] {
        put(bucket, &layout::object(id(1), layout::DELETION_MARK), garbage).await;
        assert_eq!(decide_deletion(bucket, id(1), now, DELAY).await.unwrap(), DeletionDecision::NotMarked);
    }
    assert_eq!(names(bucket).await.len(), 4);
    // Half a mark may be written over.
    assert_eq!(
        write_mark(bucket, &DeletionMark::new(id(1), clock.now(), "")).await.unwrap(),
        Marked::Written
    );
}

#[tokio::test]
async fn a_clock_that_is_far_off_deletes_nothing() {
    let store_clock = clock();
    let bucket = memory(&store_clock);
    for hours in [1, -1, 72, -72] {
        let ours = ManualClock::new(store_clock.now());
        ours.advance_ms(hours * HOUR);
        let asked = StoreTime::ask(bucket.as_ref(), &ours).await;
        assert!(matches!(asked, Err(StoreTimeError::Skew { .. })), "{hours}: {asked:?}");
    }
    let ours = ManualClock::new(store_clock.now());
    ours.advance_ms(60_000);
    assert!(StoreTime::ask(bucket.as_ref(), &ours).await.is_ok());
    // A mark whose writer's clock was days ahead or behind counts from the later of both times.
    put_block(bucket.as_ref(), &meta(id(1), 0)).await;
    let mut early = DeletionMark::new(id(1), store_clock.now(), "");
    early.deletion_time -= 1_000_000;
    write_mark(bucket.as_ref(), &early).await.unwrap();
    let now = StoreTime::ask(bucket.as_ref(), store_clock.as_ref()).await.unwrap();
    let decision = decide_deletion(bucket.as_ref(), id(1), now, DELAY).await.unwrap();
    assert_eq!(decision, DeletionDecision::NotYet { left: DELAY });
}

#[tokio::test]
async fn a_partial_upload_goes_when_nothing_has_changed_between_two_looks() {
    let clock = clock();
    let bucket = memory(&clock);
    let bucket = bucket.as_ref();
    let chunk = layout::object(id(1), "chunks/000001");
    put(bucket, &chunk, "a").await;
    let partial = PartialUploads::new(PromDuration::from_hours(1));
    let decide = async |block| {
        let now = StoreTime::assume(clock.as_ref());
        partial.decide(bucket, block, now).await.unwrap()
    };
    assert!(decide(id(1)).await.is_none(), "too young");
    clock.advance_ms(49 * HOUR);
    assert!(decide(id(1)).await.is_none(), "the first look");
    clock.advance_ms(HOUR / 2);
    assert!(decide(id(1)).await.is_none(), "looks too near");
    put(bucket, &chunk, "ab").await;
    clock.advance_ms(HOUR);
    assert!(decide(id(1)).await.is_none(), "written a moment ago");
    clock.advance_ms(49 * HOUR);
    assert!(decide(id(1)).await.is_none(), "the first look again");
    clock.advance_ms(2 * HOUR);
    let plan = decide(id(1)).await.expect("nothing has changed");
    // Somebody finishes the upload after the decision.
    put(bucket, &layout::object(id(1), layout::META), meta(id(1), 0).to_bytes().unwrap()).await;
    assert!(matches!(plan.run(bucket).await, Err(DeletionError::Uploading(_))));
    bucket.delete(&layout::object(id(1), layout::META)).await.unwrap();
    assert_eq!(plan.run(bucket).await.unwrap(), 1);
    assert!(names(bucket).await.is_empty());

    // One that is marked is none of these, and one with a damaged meta.json neither.
    put(bucket, &layout::object(id(2), "index"), "a").await;
    write_mark(bucket, &DeletionMark::new(id(2), clock.now(), "")).await.unwrap();
    put(bucket, &layout::object(id(3), layout::META), "{").await;
    clock.advance_ms(72 * HOUR);
    let at_once = PartialUploads::new(PromDuration::ZERO);
    for block in [id(2), id(3), id(4)] {
        assert!(at_once.decide(bucket, block, StoreTime::assume(clock.as_ref())).await.unwrap().is_none());
    }
}

/// What a plan says, and what is done: the same names in the same order, whatever lies in the folder.
#[tokio::test]
async fn what_is_told_is_what_is_done() {
    let mut chance = Chance::from_seed(5);
    let files =
        ["meta.json", "index", "chunks/000001", "chunks/000002", "no-compact-mark.json", "tombstones", "x/y"];
    for _ in 0..1_000 {
        let clock = clock();
        let bucket = memory(&clock);
        for file in files {
            if chance.below(3) == 0 {
                continue;
            }
            let bytes = match file {
                "meta.json" if chance.below(4) > 0 => meta(id(1), 0).to_bytes().unwrap(),
                _ => b"x".to_vec(),
            };
            put(bucket.as_ref(), &layout::object(id(1), file), bytes).await;
        }
        let marked = chance.below(2) == 0;
        if marked {
            write_mark(bucket.as_ref(), &DeletionMark::new(id(1), clock.now(), "")).await.unwrap();
        }
        clock.advance_ms(49 * HOUR);
        let now = StoreTime::assume(clock.as_ref());
        let before = names(bucket.as_ref()).await;
        let plan = match decide_deletion(bucket.as_ref(), id(1), now, DELAY).await.unwrap() {
            DeletionDecision::Delete(plan) => Some(plan),
            _ => PartialUploads::new(PromDuration::ZERO).decide(bucket.as_ref(), id(1), now).await.unwrap(),
        };
        assert_eq!(names(bucket.as_ref()).await, before, "deciding changes nothing");
        let is_partial = !before.is_empty() && !before.contains(&layout::object(id(1), "meta.json"));
        assert_eq!(plan.is_some(), marked || is_partial, "{before:?}");
        let Some(plan) = plan else { continue };
        let faulty = Faulty::new(Arc::clone(&bucket), Script::Clean);
        plan.run(&faulty).await.unwrap();
        let calls = faulty.log().into_iter().filter(|call| call.operation == Operation::Delete);
        let done: Vec<String> = calls.map(|call| call.name).filter(|name| before.contains(name)).collect();
        let mut once = done.clone();
        once.dedup();
        assert_eq!(once, plan.objects);
        assert!(names(bucket.as_ref()).await.is_empty());
    }
}
