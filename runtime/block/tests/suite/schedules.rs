//! Many actors on one bucket in an order that a seed decides, with faults, crashes and clocks that jump: never a visible block
//! that is not whole, never one that is lost, never one that is removed too early, and nothing left over in the end.
//!
//! `PRONOIA_SCHEDULES` says how many seeds are tried, `PRONOIA_SEED` with which one to begin.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use block::filter::{ConsistencyDelay, Duplicates, Filter, IgnoreDeletionMarks};
use block::shipper::{Shipper, ShipperConfig, ShipperMetrics};
use block::{
    BlockId, DeletionDecision, DeletionMark, Fetcher, FetcherConfig, FetcherMetrics, HashFunc,
    PartialUploads, Source, StoreTime, decide_deletion, layout, write_mark,
};
use bytes::Bytes;
use futures::FutureExt;
use futures::stream::{BoxStream, StreamExt};
use objstore::layers::{Fault, Faulty, Script};
use objstore::{Attributes, Body, Bucket, BucketError, BucketRef, Chance, Entry, Get, Listing, Put, Written};
use prom_model::{Clock, Labels, ManualClock, PromDuration, TimestampMs};
use prometheus_client::registry::Registry;
use tokio::sync::{Notify, oneshot};
use tsdb::fs::Fs;
use tsdb::fs::sim::SimFs;

use super::watch::Watch;
use super::world::{DATA, HOUR, START, id, is_whole, memory, meta, names, put, put_block, write_block};

const DELAY: PromDuration = PromDuration::from_hours(48);
const FAULTS: [Fault; 12] = [
    Fault::FailBefore,
    Fault::AppliedThenError,
    Fault::Throttle,
    Fault::CrashBefore,
    Fault::CrashAfter,
    Fault::ShortBody,
    Fault::SilentlyShort,
    Fault::ExtraBytes,
    Fault::StaleList,
    Fault::ListPageLost,
    Fault::ListPageTwice,
    Fault::Conflict,
];

/// Who waits for its turn, and what was done in which order.
#[derive(Debug, Default)]
struct Turns {
    waiting: Mutex<BTreeMap<usize, oneshot::Sender<()>>>,
    arrived: Notify,
    trace: Mutex<Vec<String>>,
}

impl Turns {
    fn wait(&self, actor: usize, go: oneshot::Sender<()>) {
        self.waiting.lock().unwrap().insert(actor, go);
        self.arrived.notify_one();
    }
}

/// Lets its owner's calls through one by one, when it is their turn.
#[derive(Debug)]
struct Gate {
    actor: usize,
    turns: Arc<Turns>,
    inner: BucketRef,
}

impl Gate {
    async fn turn(&self, what: &str, name: &str) {
        let (go, wait) = oneshot::channel();
        self.turns.wait(self.actor, go);
        wait.await.expect("the one who gives turns lives longer");
        self.turns.trace.lock().unwrap().push(format!("{} {what} {name}", self.actor));
    }
}

#[async_trait]
impl Bucket for Gate {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn creates_atomically(&self) -> bool {
        self.inner.creates_atomically()
    }

    fn list<'a>(&'a self, folder: &str, listing: Listing) -> BoxStream<'a, Result<Entry, BucketError>> {
        let folder = folder.to_owned();
        let entries = async move {
            self.turn("list", &folder).await;
            let entries: Vec<_> = self.inner.list(&folder, listing).collect().await;
            futures::stream::iter(entries)
        };
        Box::pin(entries.flatten_stream())
    }

    async fn get(&self, name: &str) -> Result<Get, BucketError> {
        self.turn("get", name).await;
        self.inner.get(name).await
    }

    async fn get_range(&self, name: &str, offset: u64, length: u64) -> Result<Bytes, BucketError> {
        self.turn("get_range", name).await;
        self.inner.get_range(name, offset, length).await
    }

    async fn exists(&self, name: &str) -> Result<bool, BucketError> {
        self.turn("exists", name).await;
        self.inner.exists(name).await
    }

    async fn attributes(&self, name: &str) -> Result<Attributes, BucketError> {
        self.turn("attributes", name).await;
        self.inner.attributes(name).await
    }

    async fn put(&self, name: &str, body: Arc<dyn Body>, put: Put) -> Result<Written, BucketError> {
        self.turn("put", name).await;
        self.inner.put(name, body, put).await
    }

    async fn delete(&self, name: &str) -> Result<(), BucketError> {
        self.turn("delete", name).await;
        self.inner.delete(name).await
    }
}

/// A process: its own clock, its own way to the bucket, which fails and dies by the seed.
struct Process {
    actor: usize,
    seed: u64,
    per_mille: u16,
    lives: u64,
    clock: Arc<ManualClock>,
    bucket: Arc<Faulty>,
    turns: Arc<Turns>,
    store: BucketRef,
}

impl Process {
    fn new(
        actor: usize,
        seed: u64,
        per_mille: u16,
        now: TimestampMs,
        turns: &Arc<Turns>,
        store: BucketRef,
    ) -> Self {
        let clock = Arc::new(ManualClock::new(now));
        let bucket = Arc::new(Faulty::new(Arc::clone(&store), Script::Clean));
        let mut process =
            Process { actor, seed, per_mille, lives: 0, clock, bucket, turns: Arc::clone(turns), store };
        process.restart();
        process
    }

    fn restart(&mut self) {
        self.lives += 1;
        let gate = Gate { actor: self.actor, turns: Arc::clone(&self.turns), inner: Arc::clone(&self.store) };
        let seed = self.seed.wrapping_mul(31).wrapping_add(self.actor as u64 * 1_000 + self.lives);
        let script = Script::Seeded { seed, per_mille: self.per_mille, faults: FAULTS.to_vec() };
        self.bucket = Arc::new(Faulty::new(Arc::new(gate), script).with_page(4));
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock) as Arc<dyn Clock>
    }

    fn bucket(&self) -> BucketRef {
        Arc::clone(&self.bucket) as BucketRef
    }
}

/// A node with a sidecar.
async fn ship(mut process: Process, disk: SimFs, cluster: &str, hash_func: HashFunc, rounds: usize) {
    let labels = Labels::from([("cluster", cluster)]);
    for round in 0..rounds {
        let fs: Arc<dyn Fs> = Arc::new(disk.clone());
        let config =
            ShipperConfig { hash_func, upload_compacted: true, ..ShipperConfig::new(DATA, Source::Sidecar) };
        let shipper = Shipper::new(process.bucket(), fs, process.clock(), config, ShipperMetrics::default());
        drop(shipper.sync(&labels).await);
        if process.bucket.has_crashed() {
            process.restart();
            if process.seed.is_multiple_of(2) {
                disk.crash(process.seed + round as u64)
            } else {
                disk.restart()
            }
        }
    }
}

fn fetcher(process: &Process) -> Fetcher {
    let filters: Vec<Box<dyn Filter>> = vec![
        Box::new(ConsistencyDelay(PromDuration::ZERO)),
        Box::new(IgnoreDeletionMarks(PromDuration::from_hours(24))),
        Box::new(Duplicates),
    ];
    let metrics = FetcherMetrics::register(&mut Registry::default());
    let config = FetcherConfig { concurrency: 1, ..FetcherConfig::default() };
    Fetcher::new(process.bucket(), process.clock(), config, filters, metrics)
}

/// One cycle of a compactor that has nothing to compact.
async fn clean(process: &Process, partial: &PartialUploads) {
    let bucket = process.bucket();
    let Ok(now) = StoreTime::ask(bucket.as_ref(), process.clock.as_ref()).await else { return };
    let Ok(view) = fetcher(process).fetch().await else { return };
    for block in view.deletion_marks.keys() {
        if let Ok(DeletionDecision::Delete(plan)) = decide_deletion(bucket.as_ref(), *block, now, DELAY).await
        {
            drop(plan.run(bucket.as_ref()).await);
        }
    }
    for block in view.partial.keys() {
        if let Ok(Some(plan)) = partial.decide(bucket.as_ref(), *block, now).await {
            drop(plan.run(bucket.as_ref()).await);
        }
    }
}

async fn compactor(mut process: Process, rounds: usize) {
    let mut partial = PartialUploads::new(PromDuration::from_mins(1));
    for _ in 0..rounds {
        clean(&process, &partial).await;
        if process.bucket.has_crashed() {
            process.restart();
            partial = PartialUploads::new(PromDuration::from_mins(1));
        }
    }
}

/// A store gateway, and an operator who marks a block.
async fn reader(mut process: Process, to_mark: BlockId, rounds: usize) {
    for round in 0..rounds {
        drop(fetcher(&process).fetch().await);
        if round == 1 {
            let mark = DeletionMark::new(to_mark, process.clock.now(), "by hand");
            drop(write_mark(process.bucket().as_ref(), &mark).await);
        }
        if process.bucket.has_crashed() {
            process.restart();
        }
    }
}

/// Runs one schedule; gives its trace.
async fn run(seed: u64) -> Vec<String> {
    let mut chance = Chance::from_seed(seed);
    let store_clock = Arc::new(ManualClock::new(TimestampMs::from_millis(START)));
    let inner = memory(&store_clock);
    let (old, young, kept, abandoned, by_hand) = (id(1), id(2), id(3), id(4), id(5));
    for (block, hours) in [(old, 0), (young, 2), (kept, 4), (by_hand, 6)] {
        put_block(inner.as_ref(), &meta(block, hours)).await;
    }
    put(inner.as_ref(), &layout::object(abandoned, "chunks/000001"), "chunks").await;
    write_mark(inner.as_ref(), &DeletionMark::new(old, store_clock.now(), "")).await.unwrap();
    store_clock.advance_ms(49 * HOUR);
    write_mark(inner.as_ref(), &DeletionMark::new(young, store_clock.now(), "")).await.unwrap();

    let watch = Watch::new(Arc::clone(&inner), Arc::clone(&store_clock), DELAY);
    let turns = Arc::new(Turns::default());
    let per_mille = chance.below(80) as u16;
    let now = store_clock.now();
    let process = |actor| Process::new(actor, seed, per_mille, now, &turns, Arc::clone(&watch) as BucketRef);
    let processes: Vec<Process> = (0..4).map(process).collect();
    let clocks: Vec<Arc<ManualClock>> = processes.iter().map(|process| Arc::clone(&process.clock)).collect();
    let disks = [SimFs::new(), SimFs::new()];
    let local = [vec![id(10), id(11)], vec![id(20)]];
    for (disk, blocks) in disks.iter().zip(&local) {
        for (at, block) in blocks.iter().enumerate() {
            write_block(disk, &meta(*block, 8 + 2 * at as i64));
        }
    }
    let hash_func = if chance.below(4) == 0 { HashFunc::Sha256 } else { HashFunc::None };
    let mut processes = processes.into_iter();
    let mut next = || processes.next().unwrap();
    let actors = async {
        let one = ship(next(), disks[0].clone(), "eu", hash_func, 4);
        let two = ship(next(), disks[1].clone(), "us", hash_func, 3);
        let three = compactor(next(), 4);
        let four = reader(next(), by_hand, 3);
        let done = |actor: usize| turns.wait(actor, oneshot::channel().0);
        futures::join!(
            one.map(|()| done(0)),
            two.map(|()| done(1)),
            three.map(|()| done(2)),
            four.map(|()| done(3))
        );
    };
    give_turns(actors, &turns, &mut chance, &store_clock, &clocks).await;
    assert_eq!(watch.broken(), Vec::<String>::new(), "seed {seed}");

    // The faults end; so much time passes that marks of clocks that were days ahead are old as well.
    store_clock.advance_ms(1_000 * HOUR);
    let calm =
        || Process::new(9, seed, 0, store_clock.now(), &Arc::default(), Arc::clone(&watch) as BucketRef);
    let free = |mut process: Process| {
        process.bucket = Arc::new(Faulty::new(Arc::clone(&watch) as BucketRef, Script::Clean));
        process
    };
    let partial = PartialUploads::new(PromDuration::from_mins(1));
    for _ in 0..3 {
        for ((disk, cluster), rounds) in disks.iter().zip(["eu", "us"]).zip([1, 1]) {
            disk.restart();
            let process = free(calm());
            let (fs, config) = (Arc::new(disk.clone()), ShipperConfig::new(DATA, Source::Sidecar));
            let shipper =
                Shipper::new(process.bucket(), fs, process.clock(), config, ShipperMetrics::default());
            let labels = Labels::from([("cluster", cluster)]);
            for _ in 0..rounds {
                let shipped = shipper.sync(&labels).await.unwrap();
                assert!(shipped.failed.is_empty(), "seed {seed}: {:?}", shipped.failed);
            }
        }
        store_clock.advance_ms(49 * HOUR);
        clean(&free(calm()), &partial).await;
        store_clock.advance_ms(2 * HOUR);
        clean(&free(calm()), &partial).await;
    }
    assert_eq!(watch.broken(), Vec::<String>::new(), "seed {seed}");
    for (disk, blocks) in disks.iter().zip(&local) {
        for block in blocks {
            assert!(is_whole(inner.as_ref(), disk, *block).await, "seed {seed}: {block} is lost");
        }
    }
    let by_hand_marked = !inner.exists(&layout::object(by_hand, layout::META)).await.unwrap();
    let left = names(inner.as_ref()).await;
    let expected = 4 + 4 + 4 + 3 + if by_hand_marked { 0 } else { 3 };
    let left: Vec<String> = left.into_iter().filter(|name| name != layout::CLOCK_PROBE).collect();
    assert_eq!(left.len(), expected, "seed {seed}: {left:?}");
    assert!(inner.exists(&layout::object(kept, layout::META)).await.unwrap(), "seed {seed}");
    Arc::try_unwrap(turns).unwrap().trace.into_inner().unwrap()
}

/// Waits until every actor waits, then lets one of them do its call; the clocks run and jump meanwhile.
async fn give_turns(
    actors: impl Future<Output = ()>,
    turns: &Turns,
    chance: &mut Chance,
    store_clock: &ManualClock,
    clocks: &[Arc<ManualClock>],
) {
    let mut actors = pin!(actors);
    loop {
        // A call to the disk is on another thread: nobody gets a turn until it is back.
        while turns.waiting.lock().unwrap().len() < clocks.len() {
            tokio::select! {
                () = &mut actors => return,
                () = turns.arrived.notified() => {}
            }
        }
        let picked = {
            let mut waiting = turns.waiting.lock().unwrap();
            let open: Vec<usize> =
                waiting.iter().filter(|(_, go)| !go.is_closed()).map(|(actor, _)| *actor).collect();
            let pick = open.get(chance.below(open.len() as u64) as usize).copied();
            pick.and_then(|pick| waiting.remove(&pick))
        };
        let Some(go) = picked else { return actors.await };
        let passed = 1 + chance.below(20_000) as i64;
        store_clock.advance_ms(passed);
        for clock in clocks {
            clock.advance_ms(passed);
            if chance.below(60) == 0 {
                let jumps = [HOUR, -HOUR, 72 * HOUR, -72 * HOUR];
                clock.advance_ms(jumps[chance.below(4) as usize]);
            }
            if chance.below(30) == 0 {
                clock.set(store_clock.now());
            }
        }
        go.send(()).expect("who waits is there");
    }
}

#[test]
#[expect(clippy::print_stderr, reason = "the figures are what a run is for")]
fn every_schedule_ends_well_and_the_same_way_twice() {
    let number = |name: &str, default: u64| {
        std::env::var(name).ok().map_or(default, |text| text.parse().expect("a number"))
    };
    let (first, count) = (number("PRONOIA_SEED", 1), number("PRONOIA_SCHEDULES", 60));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (mut calls, mut twice) = (0, 0);
    for seed in first..first + count {
        let trace = runtime.block_on(run(seed));
        calls += trace.len();
        if seed % 8 == 1 {
            assert_eq!(runtime.block_on(run(seed)), trace, "seed {seed}");
            twice += 1;
        }
    }
    eprintln!(
        "schedules: {count} from seed {first} on, {twice} twice with the same trace; {calls} calls, 0 lost, 0 wrong"
    );
}
