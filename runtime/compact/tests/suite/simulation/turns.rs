//! Processes on one bucket: each call waits for its turn, and a seed decides whose turn it is. Processes die, sleep and have
//! clocks of their own.
//!
//! Time is tokio's, which stands still while anybody has something to do: when whoever gives turns wakes up, all others wait. It
//! also stands still while a thread that may block waits for the bucket, so such a call moves it on itself. There is one such
//! thread, so that one process at a time does something, and a seed always gives the same.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::FutureExt;
use futures::stream::{BoxStream, StreamExt};
use objstore::layers::{Deadlines, Fault, Faulty, Script, Timeout};
use objstore::{Attributes, Body, Bucket, BucketError, BucketRef, Chance, Entry, Get, Listing, Put, Written};
use prom_model::{Clock, TimestampMs};
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;
use tsdb::fs::sim::SimFs;

/// 2024-01-01T00:00:00Z.
pub(super) const START: i64 = 1_704_067_200_000;

/// All that a store and a network do to those who have read what they promise.
pub(super) const FAULTS: [Fault; 15] = [
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
    Fault::Slow,
    Fault::Hang,
    Fault::BitFlip,
];

/// How much later a slow answer comes: in time.
const SLOWNESS: Duration = Duration::from_secs(20);

/// A clock that shows the time of the simulation, more or less.
#[derive(Debug)]
pub(super) struct SkewedClock {
    start: Instant,
    skew_ms: AtomicI64,
}

impl SkewedClock {
    pub(super) fn new(start: Instant) -> Arc<Self> {
        Arc::new(SkewedClock { start, skew_ms: AtomicI64::new(0) })
    }

    pub(super) fn set_skew(&self, millis: i64) {
        self.skew_ms.store(millis, Ordering::SeqCst);
    }
}

impl Clock for SkewedClock {
    fn now(&self) -> TimestampMs {
        let passed = self.start.elapsed().as_millis() as i64;
        TimestampMs::from_millis(START + passed + self.skew_ms.load(Ordering::SeqCst))
    }
}

/// Who waits for its turn, and what was done in which order.
#[derive(Debug, Default)]
pub(super) struct Turns {
    waiting: Mutex<BTreeMap<(usize, u64), oneshot::Sender<()>>>,
    numbers: AtomicU64,
    calls: AtomicU64,
    trace: Mutex<Vec<String>>,
}

impl Turns {
    pub(super) fn calls(&self) -> u64 {
        self.calls.load(Ordering::SeqCst)
    }

    /// The last calls, for whoever has to find out what went wrong.
    pub(super) fn trace(&self) -> Vec<String> {
        self.trace.lock().unwrap().clone()
    }

    pub(super) fn note(&self, what: String) {
        self.trace.lock().unwrap().push(what);
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
        self.turns.calls.fetch_add(1, Ordering::SeqCst);
        let (go, wait) = oneshot::channel();
        let number = self.turns.numbers.fetch_add(1, Ordering::SeqCst);
        self.turns.waiting.lock().unwrap().insert((self.actor, number), go);
        wait.await.expect("the one who gives turns lives longer");
        self.turns.note(format!("{} {what} {name}", self.actor));
    }
}

/// Whether this is not the simulation itself but a task that a thread for work that blocks waits for.
fn is_aside() -> bool {
    !SIMULATES.get() || tokio::task::try_id().is_some()
}

/// Moves time on for a call that a blocked thread waits for.
async fn moving_time<T>(call: impl Future<Output = T>) -> T {
    let mut call = pin!(call);
    loop {
        tokio::select! {
            biased;
            done = &mut call => return done,
            () = tokio::time::advance(Duration::from_millis(500)) => {}
        }
    }
}

thread_local! {
    static SIMULATES: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Whether a process lives; a call of one that died never returns.
#[derive(Debug, Default)]
struct Life {
    died: Notify,
}

/// What a process sees of the bucket.
#[derive(Debug)]
struct Mortal {
    gate: Gate,
    faulty: Arc<Faulty>,
    life: Arc<Life>,
    disk: SimFs,
}

impl Mortal {
    async fn survive<T>(&self, call: impl Future<Output = T>) -> T {
        if is_aside() {
            // It has to come to an end, and only sees errors once the process is dead.
            return moving_time(call).await;
        }
        if !self.disk.is_dead() {
            let done = call.await;
            if !self.faulty.has_crashed() && !self.disk.is_dead() {
                return done;
            }
        }
        self.life.died.notify_one();
        std::future::pending().await
    }
}

macro_rules! bucket {
    ($layer:ty, $self:ident, $what:ident, $name:ident, $call:ident => $wrapped:expr) => {
        #[async_trait]
        impl Bucket for $layer {
            fn name(&self) -> &str {
                "bucket"
            }

            fn creates_atomically(&self) -> bool {
                self.inner().creates_atomically()
            }

            fn list<'a>(
                &'a self,
                folder: &str,
                listing: Listing,
            ) -> BoxStream<'a, Result<Entry, BucketError>> {
                let folder = folder.to_owned();
                let entries = async move {
                    let ($self, $what, $name) = (self, "list", folder.as_str());
                    let $call = async { self.inner().list(&folder, listing).collect::<Vec<_>>().await };
                    futures::stream::iter($wrapped)
                };
                Box::pin(entries.flatten_stream())
            }

            async fn get(&self, $name: &str) -> Result<Get, BucketError> {
                let ($self, $what) = (self, "get");
                let $call = self.inner().get($name);
                $wrapped
            }

            async fn get_range(&self, $name: &str, offset: u64, length: u64) -> Result<Bytes, BucketError> {
                let ($self, $what) = (self, "get_range");
                let $call = self.inner().get_range($name, offset, length);
                $wrapped
            }

            async fn exists(&self, $name: &str) -> Result<bool, BucketError> {
                let ($self, $what) = (self, "exists");
                let $call = self.inner().exists($name);
                $wrapped
            }

            async fn attributes(&self, $name: &str) -> Result<Attributes, BucketError> {
                let ($self, $what) = (self, "attributes");
                let $call = self.inner().attributes($name);
                $wrapped
            }

            async fn put(&self, $name: &str, body: Arc<dyn Body>, put: Put) -> Result<Written, BucketError> {
                let ($self, $what) = (self, "put");
                let $call = self.inner().put($name, body, put);
                $wrapped
            }

            async fn delete(&self, $name: &str) -> Result<(), BucketError> {
                let ($self, $what) = (self, "delete");
                let $call = self.inner().delete($name);
                $wrapped
            }
        }
    };
}

impl Gate {
    fn inner(&self) -> &dyn Bucket {
        self.inner.as_ref()
    }
}

impl Mortal {
    fn inner(&self) -> &dyn Bucket {
        &self.gate
    }
}

bucket!(Gate, gate, what, name, call => {
    gate.turn(what, name).await;
    call.await
});
bucket!(Mortal, mortal, _what, _name, call => mortal.survive(call).await);

/// A process: its clock, its disk, its way to the bucket, which fails and dies by the seed.
pub(super) struct Process {
    pub(super) actor: usize,
    seed: u64,
    per_mille: u16,
    lives: u64,
    pub(super) clock: Arc<SkewedClock>,
    pub(super) disk: SimFs,
    turns: Arc<Turns>,
    store: BucketRef,
    faulty: Arc<Faulty>,
    life: Arc<Life>,
    faults: u64,
}

impl Process {
    /// A process whose calls are hit so often, in a thousand.
    pub(super) fn new(
        actor: usize,
        seed: u64,
        per_mille: u16,
        start: Instant,
        turns: &Arc<Turns>,
        store: &BucketRef,
    ) -> Self {
        let faulty = Arc::new(Faulty::new(Arc::clone(store), Script::Clean));
        let mut process = Process {
            actor,
            seed,
            per_mille,
            lives: 0,
            clock: SkewedClock::new(start),
            disk: SimFs::new(),
            turns: Arc::clone(turns),
            store: Arc::clone(store),
            faulty,
            life: Arc::default(),
            faults: 0,
        };
        process.begin(process.seeded());
        process
    }

    fn seeded(&self) -> Script {
        let faults = FAULTS.to_vec();
        Script::Seeded { seed: self.chance(2).next_u64(), per_mille: self.per_mille, faults }
    }

    /// In this life only the calls go wrong that the script names.
    pub(super) fn follow(&mut self, script: Script) {
        self.begin(script);
    }

    fn begin(&mut self, script: Script) {
        self.faults += self.faulty.log().iter().filter(|call| call.fault.is_some()).count() as u64;
        let faulty = Faulty::new(Arc::clone(&self.store), script);
        self.faulty = Arc::new(faulty.with_page(6).with_slowness(SLOWNESS));
        self.life = Arc::default();
        self.lives += 1;
    }

    /// Chance for one purpose in one life.
    pub(super) fn chance(&self, purpose: u64) -> Chance {
        let mixed = self.seed.wrapping_mul(0x9e37_79b9).wrapping_add(self.actor as u64 * 1_000 + self.lives);
        Chance::from_seed(mixed.wrapping_mul(31).wrapping_add(purpose))
    }

    /// The bucket as this process has it in this life.
    pub(super) fn bucket(&self) -> BucketRef {
        let (faulty, life) = (Arc::clone(&self.faulty), Arc::clone(&self.life));
        let inner = Arc::new(Timeout::new(Arc::clone(&faulty) as BucketRef, Deadlines::default()));
        let gate = Gate { actor: self.actor, turns: Arc::clone(&self.turns), inner };
        Arc::new(Mortal { gate, faulty, life, disk: self.disk.clone() })
    }

    /// Works until it is done or dead; `None` is dead.
    pub(super) async fn live<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let done = tokio::select! {
            biased;
            () = self.life.died.notified() => None,
            done = work => Some(done),
        };
        done.filter(|_| !self.faulty.has_crashed() && !self.disk.is_dead())
    }

    /// The process is started again, after a death with a loss of power or without.
    pub(super) async fn restart(&mut self) {
        tokio::time::sleep(Duration::from_secs(20)).await;
        // What it had on the thread that may block comes to its end first.
        tokio::task::spawn_blocking(|| ()).await.unwrap();
        let mut chance = self.chance(1);
        if chance.below(2) == 0 {
            self.disk.restart()
        } else {
            self.disk.crash(chance.next_u64())
        }
        self.begin(self.seeded());
    }

    /// How many calls this life has had.
    pub(super) fn calls(&self) -> u64 {
        self.faulty.calls()
    }

    /// How many calls were hit so far.
    pub(super) fn faults(&self) -> u64 {
        self.faults + self.faulty.log().iter().filter(|call| call.fault.is_some()).count() as u64
    }
}

/// Gives turns until all is done; processes fall asleep now and then, and clocks jump.
pub(super) async fn give_turns<T>(
    actors: impl Future<Output = T>,
    turns: &Turns,
    chance: &mut Chance,
    clocks: &[Arc<SkewedClock>],
    pace: Pace,
) -> T {
    let mut actors = pin!(actors);
    let mut asleep: BTreeMap<usize, Instant> = BTreeMap::new();
    SIMULATES.set(true);
    loop {
        // Where nobody waits for a turn, they wait for time to pass.
        let idle = turns.waiting.lock().unwrap().is_empty();
        let longest = if idle { 40 * pace.call_ms } else { pace.call_ms };
        let pause = Duration::from_millis(1 + chance.below(longest));
        tokio::select! {
            biased;
            done = &mut actors => return done,
            () = tokio::time::sleep(pause) => {}
        }
        if chance.below(pace.sleeps_one_in) == 0 {
            let actor = chance.below(clocks.len() as u64) as usize;
            let length = Duration::from_millis(chance.below(pace.sleep_ms));
            asleep.insert(actor, Instant::now() + length);
            turns.note(format!("{actor} sleeps {length:?}"));
        }
        if chance.below(200) == 0 {
            let skews = [0, 3_600_000, -3_600_000, 240_000];
            clocks[chance.below(clocks.len() as u64) as usize].set_skew(skews[chance.below(4) as usize]);
        }
        let mut waiting = turns.waiting.lock().unwrap();
        waiting.retain(|_, go| !go.is_closed());
        let is_awake = |actor: &usize| asleep.get(actor).is_none_or(|until| *until <= Instant::now());
        let open: Vec<(usize, u64)> = waiting.keys().filter(|(actor, _)| is_awake(actor)).copied().collect();
        let pick = open.get(chance.below(open.len() as u64) as usize).copied();
        if let Some(go) = pick.and_then(|pick| waiting.remove(&pick)) {
            go.send(()).ok();
        }
    }
}

/// How time passes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// A call takes up to so long.
    pub(super) call_ms: u64,
    /// At one call in so many, somebody falls asleep.
    pub(super) sleeps_one_in: u64,
    /// For up to so long.
    pub(super) sleep_ms: u64,
}

/// A runtime with one thread on which time passes only when all wait.
pub(super) fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_time().start_paused(true).max_blocking_threads(1).build().unwrap()
}
