//! Leases on a bucket in memory whose clock is the only one there is.

use std::sync::Arc;

use futures::TryStreamExt;
use objstore::layers::{Fault, Faulty, ReplaceOnly, Script};
use objstore::{BucketRef, Chance, Listing, Memory};
use prom_model::{Clock, ManualClock, TimestampMs};

use super::*;

const MINUTE: i64 = 60_000;

struct World {
    clock: Arc<ManualClock>,
    bucket: BucketRef,
}

fn world() -> World {
    let clock = Arc::new(ManualClock::new(TimestampMs::from_millis(1_704_067_200_000)));
    let bucket = Arc::new(Memory::new("test", Arc::clone(&clock) as Arc<dyn Clock>));
    World { clock, bucket }
}

async fn enter(bucket: &BucketRef, seed: u64) -> Result<Leases, EnterError> {
    Leases::enter(Arc::clone(bucket), LeaseConfig::new("host"), &mut Chance::from_seed(seed)).await
}

impl World {
    async fn enter(&self, seed: u64) -> Leases {
        enter(&self.bucket, seed).await.unwrap()
    }

    /// Time passes for everybody.
    async fn pass(&self, millis: i64) {
        self.clock.advance_ms(millis);
        tokio::time::advance(std::time::Duration::from_millis(millis as u64)).await;
    }

    async fn names(&self) -> Vec<String> {
        self.bucket.list("", Listing::Recursive).map_ok(|entry| entry.name).try_collect().await.unwrap()
    }
}

fn claim() -> Claim {
    Claim::range("0@7", 0, 1).unwrap()
}

async fn ours(leases: &Leases) -> Lease {
    match leases.claim(&claim()).await.unwrap() {
        Claimed::Ours(lease) => lease,
        Claimed::Taken { by } => panic!("taken by {by}"),
    }
}

async fn is_taken(leases: &Leases) -> bool {
    matches!(leases.claim(&claim()).await.unwrap(), Claimed::Taken { .. })
}

#[tokio::test(start_paused = true)]
async fn one_has_it_until_it_is_released_and_nothing_is_left() {
    let world = world();
    let (one, other) = (world.enter(1).await, world.enter(2).await);
    let mut lease = ours(&one).await;
    assert!(is_taken(&other).await);
    assert!(is_taken(&one).await, "not even the same compactor has it twice");
    // A job that touches the window among others is refused as well, and leaves nothing.
    let wide = Claim::range("0@7", -1, 2 * WINDOW_MS).unwrap();
    assert!(matches!(other.claim(&wide).await.unwrap(), Claimed::Taken { .. }));
    for _ in 0..10 {
        world.pass(4 * MINUTE).await;
        lease.confirm().await.unwrap();
        assert!(is_taken(&other).await);
    }
    assert_eq!(lease.fence().generation, 1);
    lease.release().await;
    let lease = ours(&other).await;
    assert_eq!(lease.fence().instance, other.instance());
    lease.release().await;
    assert!(!world.names().await.iter().any(|name| name.contains("leases")), "{:?}", world.names().await);
}

#[tokio::test(start_paused = true)]
async fn who_has_slept_over_it_is_told_so() {
    let world = world();
    let (one, other) = (world.enter(1).await, world.enter(2).await);
    let mut slept = ours(&one).await;
    world.pass(6 * MINUTE).await;
    assert!(is_taken(&other).await, "it is given more time than it gives itself");
    world.pass(2 * MINUTE).await;
    let mut taken = ours(&other).await;
    assert_eq!(taken.fence().generation, 2);
    assert!(slept.confirm().await.unwrap_err().is_lost());
    slept.release().await;
    taken.confirm().await.unwrap();
    taken.release().await;
    // Also when whoever had it meanwhile is done, and nothing tells that there was anybody.
    let mut slept = ours(&one).await;
    world.pass(8 * MINUTE).await;
    ours(&other).await.release().await;
    assert!(slept.confirm().await.unwrap_err().is_lost());
    assert!(!world.names().await.iter().any(|name| name.contains("leases")), "{:?}", world.names().await);
}

#[tokio::test(start_paused = true)]
async fn the_clock_of_a_machine_is_not_asked() {
    // The store's clock stands still: only the time that passes here can tell that the lease is over.
    let world = world();
    let one = world.enter(1).await;
    let mut lease = ours(&one).await;
    tokio::time::advance(std::time::Duration::from_secs(299)).await;
    lease.confirm().await.unwrap();
    // And the other way round: our time stands still, as that of a machine that was put to sleep.
    world.clock.advance_ms(6 * MINUTE);
    assert!(lease.confirm().await.unwrap_err().is_lost());
}

#[tokio::test(start_paused = true)]
async fn work_goes_on_while_the_lease_is_renewed_and_stops_when_it_is_lost() {
    let world = world();
    let one = world.enter(1).await;
    let mut lease = ours(&one).await;
    let clock = Arc::clone(&world.clock);
    let work = async move {
        for _ in 0..100 {
            tokio::time::sleep(std::time::Duration::from_secs(60)).await;
            clock.advance_ms(MINUTE);
        }
        7
    };
    assert_eq!(lease.during(work).await.unwrap(), 7);
    world.clock.advance_ms(10 * MINUTE);
    let forever = std::future::pending::<()>();
    assert!(lease.during(forever).await.unwrap_err().is_lost());
}

#[tokio::test(start_paused = true)]
async fn a_store_that_did_it_and_said_it_failed() {
    let world = world();
    // Heartbeat twice, with a look after each, listing, heartbeat with a look, the look for generation 1, its creation.
    for number in 1..20 {
        for fault in [Fault::AppliedThenError, Fault::FailBefore, Fault::Conflict, Fault::Missing] {
            let faulty: BucketRef =
                Arc::new(Faulty::new(Arc::clone(&world.bucket), Script::once(number, fault)));
            let Ok(leases) = enter(&faulty, number).await else { continue };
            let claimed = leases.claim(&claim()).await;
            if let Ok(Claimed::Ours(mut lease)) = claimed {
                drop(lease.confirm().await);
                lease.release().await;
            }
            // Whatever was left, it is free once it has run out.
            world.pass(8 * MINUTE).await;
            ours(&world.enter(99).await).await.release().await;
        }
    }
    world.pass(25 * 60 * MINUTE).await;
    let last = world.enter(100).await;
    last.clean().await.unwrap();
    last.leave().await.unwrap();
    assert_eq!(world.names().await, Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn what_the_dead_have_left_is_removed_after_a_day() {
    let world = world();
    let one = world.enter(1).await;
    std::mem::forget(ours(&one).await);
    world.pass(8 * MINUTE).await;
    std::mem::forget(ours(&one).await);
    // A hole, as two that stumble at once may leave it.
    world.bucket.delete("compactor/leases/0@7/0/000001.json").await.unwrap();
    let other = world.enter(2).await;
    assert_eq!(other.clean().await.unwrap(), 0);
    world.pass(25 * 60 * MINUTE).await;
    assert_eq!(other.clean().await.unwrap(), 2);
    assert_eq!(world.names().await, [format!("compactor/instances/{}.json", other.instance())]);
}

#[tokio::test(start_paused = true)]
async fn without_creation_under_a_condition_there_is_one_compactor() {
    let world = world();
    let weak: BucketRef = Arc::new(ReplaceOnly(Arc::clone(&world.bucket)));
    let one = enter(&weak, 1).await.unwrap();
    assert!(one.must_be_alone());
    world.pass(1).await;
    let refused = enter(&weak, 2).await.unwrap_err().to_string();
    assert!(refused.contains(one.instance()) && refused.contains("If-None-Match"), "{refused}");
    // One that could use leases must not begin beside it either.
    assert!(enter(&world.bucket, 3).await.is_err());
    let mut lease = ours(&one).await;
    world.pass(4 * MINUTE).await;
    lease.confirm().await.unwrap();
    one.beat().await.unwrap();
    // It is silent for so long that it counts as gone.
    world.pass(8 * MINUTE).await;
    let other = enter(&weak, 4).await.unwrap();
    world.pass(1).await;
    assert!(lease.confirm().await.unwrap_err().is_lost());
    assert!(matches!(one.beat().await, Err(EnterError::NotAlone { .. })));
    other.beat().await.unwrap();
    other.leave().await.unwrap();
    one.beat().await.unwrap();
    assert!(one.others().await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn of_two_that_begin_at_once_none_works_beside_the_other() {
    let world = world();
    let weak: BucketRef = Arc::new(ReplaceOnly(Arc::clone(&world.bucket)));
    let both = futures::join!(enter(&weak, 1), enter(&weak, 2));
    let working = [both.0.is_ok(), both.1.is_ok()].into_iter().filter(|works| *works).count();
    assert!(working <= 1);
    if let (Ok(one), Ok(_)) = both {
        panic!("{} works beside another", one.instance());
    }
}
