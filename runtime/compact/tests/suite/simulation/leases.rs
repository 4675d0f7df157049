//! Compactors that claim, work, sleep over their leases, die and come back: nobody acts on what somebody else has by now.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use compact::lease::{Claim, Claimed, Fence, LeaseConfig, Leases, WINDOW_MS};
use futures::TryStreamExt;
use futures::future::join_all;
use objstore::{BucketRef, Chance, Listing, Memory};
use tokio::time::Instant;

use super::seeds;
use super::turns::{Pace, Process, SkewedClock, Turns, give_turns, runtime};

/// Who has what, as all of them would see it if they could.
#[derive(Debug, Default)]
struct Ledger {
    owners: BTreeMap<i64, Fence>,
    acts: u64,
    refused: u64,
    taken: u64,
}

const WINDOWS: i64 = 2;

async fn work(process: &Process, ledger: &RefCell<Ledger>, seed: u64) {
    let mut chance = process.chance(3);
    let name = format!("actor-{}", process.actor);
    let Ok(leases) = Leases::enter(process.bucket(), LeaseConfig::new(name), &mut chance).await else {
        return;
    };
    for _ in 0..3 {
        let first = chance.below(WINDOWS as u64) as i64;
        let last = first + chance.below((WINDOWS - first) as u64) as i64;
        let claim = Claim::range("0@7", first * WINDOW_MS, (last + 1) * WINDOW_MS).unwrap();
        let mut lease = match leases.claim(&claim).await {
            Ok(Claimed::Ours(lease)) => lease,
            Ok(Claimed::Taken { .. }) => {
                ledger.borrow_mut().taken += 1;
                tokio::time::sleep(chance.up_to(Duration::from_secs(120))).await;
                continue;
            }
            Err(_) => continue,
        };
        let fence = lease.fence();
        for window in first..=last {
            ledger.borrow_mut().owners.insert(window, fence.clone());
        }
        let length = chance.up_to(Duration::from_secs(600));
        if lease.during(tokio::time::sleep(length)).await.is_err() {
            ledger.borrow_mut().refused += 1;
            continue;
        }
        for _ in 0..=chance.below(3) {
            if lease.confirm().await.is_err() {
                ledger.borrow_mut().refused += 1;
                break;
            }
            let mut ledger = ledger.borrow_mut();
            for window in first..=last {
                assert_eq!(ledger.owners.get(&window), Some(&fence), "seed {seed}: acts on window {window}");
            }
            ledger.acts += 1;
        }
        lease.release().await;
    }
    drop(leases.leave().await);
}

async fn actor(mut process: Process, ledger: &RefCell<Ledger>, seed: u64) -> u64 {
    for _ in 0..3 {
        if process.live(work(&process, ledger, seed)).await.is_none() {
            process.restart().await;
        }
    }
    process.faults()
}

/// What a schedule has come to.
#[derive(Debug, Default)]
struct Figures {
    calls: u64,
    faults: u64,
    acts: u64,
    refused: u64,
    taken: u64,
}

async fn run(seed: u64, figures: &mut Figures) -> Vec<String> {
    let mut chance = Chance::from_seed(seed);
    let start = Instant::now();
    let store: BucketRef = Arc::new(Memory::new("bucket", SkewedClock::new(start)));
    let turns = Arc::new(Turns::default());
    let per_mille = chance.below(60) as u16;
    let processes: Vec<Process> = (0..2 + chance.below(3) as usize)
        .map(|actor| Process::new(actor, seed, per_mille, start, &turns, &store))
        .collect();
    let clocks: Vec<_> = processes.iter().map(|process| Arc::clone(&process.clock)).collect();
    let ledger = RefCell::default();
    let actors = join_all(processes.into_iter().map(|process| actor(process, &ledger, seed)));
    let pace = Pace { call_ms: 4_000, sleeps_one_in: 40, sleep_ms: 1_200_000 };
    let faults = give_turns(actors, &turns, &mut chance, &clocks, pace).await;

    // All are gone; a day later nothing is left of them, and everything is to be had.
    tokio::time::sleep(Duration::from_secs(25 * 3600)).await;
    let last = Leases::enter(Arc::clone(&store), LeaseConfig::new("last"), &mut chance).await.unwrap();
    last.clean().await.unwrap();
    let everything = Claim::range("0@7", 0, WINDOWS * WINDOW_MS).unwrap();
    match last.claim(&everything).await.unwrap() {
        Claimed::Ours(lease) => lease.release().await,
        Claimed::Taken { by } => panic!("seed {seed}: taken by {by} for ever"),
    }
    last.leave().await.unwrap();
    let left: Vec<_> = store.list("", Listing::Recursive).try_collect().await.unwrap();
    assert_eq!(left, [], "seed {seed}");

    let Ledger { acts, refused, taken, .. } = ledger.into_inner();
    figures.calls += turns.calls();
    figures.faults += faults.iter().sum::<u64>();
    figures.acts += acts;
    figures.refused += refused;
    figures.taken += taken;
    turns.trace()
}

#[test]
#[expect(clippy::print_stderr, reason = "the figures are what a run is for")]
fn nobody_acts_on_what_another_has() {
    let mut figures = Figures::default();
    let mut schedules = 0;
    for seed in seeds(200) {
        let trace = runtime().block_on(run(seed, &mut figures));
        if seed % 16 == 1 {
            assert_eq!(runtime().block_on(run(seed, &mut Figures::default())), trace, "seed {seed}");
        }
        schedules += 1;
    }
    eprintln!("leases: {schedules} schedules, 0 acts by a compactor that had lost its lease; {figures:?}");
    assert!(figures.refused > 0 && figures.taken > 0 && figures.acts > 0);
}
