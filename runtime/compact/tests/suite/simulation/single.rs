//! Every fault at every call to the bucket, and every failure of every operation of the disk, one at a time, over one compaction
//! with downsampling, retention and deletion.
//!
//! `PRONOIA_SCHEDULES` says how many of them are tried, spread evenly; there are some thousands.

use std::sync::Arc;

use objstore::layers::{Fault, Script};
use objstore::{BucketRef, Chance, Memory};
use prom_model::Clock;
use tokio::time::Instant;

use super::compactors::{DELAY, Scene, compact_with, drain};
use super::seeds;
use super::turns::{Pace, Process, SkewedClock, Turns, give_turns, runtime};
use super::watch::Watch;

/// What goes wrong in the first life of a compactor.
#[derive(Debug, Clone, Copy)]
enum Trouble {
    None,
    Call(u64, Fault),
    /// The process dies in the middle of an operation of the disk; with a loss of power or without.
    Kill(u64),
    /// The disk is full at an operation.
    Full(u64),
}

/// How many calls and operations a life has without any trouble.
struct Extent {
    calls: u64,
    operations: u64,
    /// How many blocks are left in the end that should be gone.
    set_aside: u64,
}

async fn run(trouble: Trouble) -> (Extent, Vec<String>) {
    let start = Instant::now();
    let clock = SkewedClock::new(start);
    let inner: BucketRef = Arc::new(Memory::new("bucket", Arc::clone(&clock) as Arc<dyn Clock>));
    let watch = Watch::new(inner, Arc::clone(&clock), DELAY);
    let scene = Scene::simple();
    scene.put(&watch).await;
    let turns = Arc::new(Turns::default());
    let mut process = Process::new(0, 1, 0, start, &turns, &(Arc::clone(&watch) as BucketRef));
    match trouble {
        Trouble::None => {}
        Trouble::Call(number, fault) => process.follow(Script::once(number, fault)),
        Trouble::Kill(operation) => process.disk.kill_at(operation),
        Trouble::Full(operation) => process.disk.fail_at(operation, std::io::ErrorKind::StorageFull),
    }
    let clocks = [Arc::clone(&process.clock)];
    let life = async {
        let work = async {
            compact_with(&process, scene.retention(), &mut Chance::from_seed(7), false).await;
        };
        process.live(work).await
    };
    let pace = Pace { call_ms: 200, sleeps_one_in: u64::MAX, sleep_ms: 1 };
    let lived = give_turns(life, &turns, &mut Chance::from_seed(3), &clocks, pace).await;
    let extent = Extent { calls: process.calls(), operations: process.disk.operations(), set_aside: 0 };
    if lived.is_none() {
        process.restart().await;
    }
    process.clock.set_skew(0);
    let broken = drain(&watch, &process, scene.retention()).await;
    // A block that was set aside would stay until somebody has looked at it.
    let raw = watch.live().into_iter().filter(|meta| meta.thanos.downsample.resolution.0 == 0).count();
    let extent = Extent { set_aside: raw as u64, ..extent };
    (extent, broken)
}

#[test]
#[expect(clippy::print_stderr, reason = "the figures are what a run is for")]
fn one_trouble_of_each_kind_at_each_place() {
    let (extent, broken) = runtime().block_on(run(Trouble::None));
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    let calls = (1..=extent.calls)
        .flat_map(|number| Fault::ALL.into_iter().map(move |fault| Trouble::Call(number, fault)));
    let disk = (0..extent.operations).flat_map(|at| [Trouble::Kill(at), Trouble::Full(at)]);
    let all: Vec<Trouble> = calls.chain(disk).collect();
    let wanted = seeds(60);
    let step = (all.len() as u64 / (wanted.end - wanted.start).max(1)).max(1) as usize;
    let mut tried = 0u64;
    let mut set_aside = Vec::new();
    let mut wrong = Vec::new();
    for trouble in all.iter().skip(wanted.start as usize % step).step_by(step) {
        let (extent, broken) = runtime().block_on(run(*trouble));
        if extent.set_aside > 0 {
            set_aside.push(format!("{trouble:?}"));
        }
        if !broken.is_empty() {
            wrong.push(format!("{trouble:?}: {}", broken.join("\n")));
        }
        tried += 1;
    }
    eprintln!(
        "single troubles: {tried} of {} tried, over {} calls and {} operations of the disk; {} go wrong, after {} a block is set aside",
        all.len(),
        extent.calls,
        extent.operations,
        wrong.len(),
        set_aside.len()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(set_aside.is_empty(), "a block is believed to be damaged because of one trouble: {set_aside:?}");
}
