//! Compactors, a sidecar that is late and an operator on one bucket, with everything that can go wrong: no sample is lost or
//! invented, no block is visible half, and in the end nothing is left to be done and nothing lies about.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use block::{
    BlockId, DeletionMark, FetcherMetrics, HashFunc, Meta, Resolution, Retention, Upload, layout, write_mark,
};
use compact::cycle::{CompactMetrics, Compactor, CompactorConfig, Outcome, Parts};
use compact::downsample::DownsampleMetrics;
use compact::lease::{LeaseConfig, Leases};
use compact::quarantine::EVIDENCE;
use futures::TryStreamExt;
use futures::future::join_all;
use objstore::{Bucket, BucketRef, Chance, Entry, Listing, Memory, read_all};
use prom_model::{Clock, PromDuration};
use prometheus_client::registry::Registry;
use tokio::time::Instant;
use tsdb::fs::Fs;
use tsdb::fs::sim::SimFs;

use super::blocks::{self, HOUR, Sample, meta, samples, write};
use super::seeds;
use super::turns::{Pace, Process, START, SkewedClock, Turns, give_turns, runtime};
use super::watch::Watch;

pub(super) const DELAY: PromDuration = PromDuration::from_hours(6);
const DATA: &str = "/data";

/// What a schedule begins with.
pub(super) struct Scene {
    old: Vec<(Meta, BTreeSet<Sample>)>,
    late: Vec<(Meta, BTreeSet<Sample>)>,
    by_hand: Option<BlockId>,
    retention: Retention,
}

fn id(number: u64) -> BlockId {
    // As in life, no bit that is wrong makes another one of it.
    let random = u128::from(Chance::from_seed(number).next_u64()) << 16 | u128::from(number);
    BlockId::new(START as u64 - 1_000_000 + number, random)
}

impl Scene {
    /// Some days of blocks of eight hours, among them some of two, some of them twice or late.
    fn new(chance: &mut Chance) -> Self {
        let mut all = Vec::new();
        let mut number = 0;
        for cluster in ["eu", "us"].into_iter().take(1 + chance.below(2) as usize) {
            let days = 2 + chance.below(2) as i64;
            let end = START - chance.below(3) as i64 * 24 * HOUR;
            let mut start = (end - days * 24 * HOUR).div_euclid(48 * HOUR) * 48 * HOUR;
            while start < end {
                let width = if chance.below(4) == 0 { 2 } else { 8 } * HOUR;
                let series: Vec<u8> = (0..3).filter(|_| chance.below(4) > 0).collect();
                let copies = if chance.below(8) == 0 { 2 } else { 1 };
                for _ in 0..if series.is_empty() { 0 } else { copies } {
                    number += 1;
                    let range = (start, start + width);
                    let count = 1 + chance.below(4) as i64;
                    all.push((meta(id(number), cluster, range), samples(&series, range, count)));
                }
                start += width;
            }
        }
        let late = (0..chance.below(4)).map(|_| all.swap_remove(chance.below(all.len() as u64) as usize));
        let late = late.collect();
        let by_hand = (chance.below(3) == 0).then(|| all[chance.below(all.len() as u64) as usize].0.id());
        let mut retention = Retention::default();
        if chance.below(2) == 0 {
            retention.raw = PromDuration::from_hours(40 + chance.below(30) as i64);
        }
        Scene { old: all, late, by_hand, retention }
    }

    /// A compaction to two days, and one that waits for more.
    pub(super) fn simple() -> Self {
        let start = (START - 96 * HOUR).div_euclid(48 * HOUR) * 48 * HOUR;
        let block = |number: u64, at: i64| {
            let range = (start + at * 8 * HOUR, start + (at + 1) * 8 * HOUR);
            (meta(id(number), "eu", range), samples(&[0, 1], range, 3))
        };
        let mut old: Vec<_> = (0..7).map(|at| block(at as u64 + 1, at)).collect();
        // One of them is there twice.
        old.push(block(9, 2));
        let retention = Retention { raw: PromDuration::from_hours(40), ..Retention::default() };
        Scene { old, late: Vec::new(), by_hand: None, retention }
    }

    pub(super) const fn retention(&self) -> Retention {
        self.retention
    }

    pub(super) async fn put(&self, watch: &Watch) {
        for (meta, samples) in self.old.iter().chain(&self.late) {
            watch.scraped(&meta.thanos.labels["cluster"], samples);
        }
        for (meta, samples) in &self.old {
            blocks::put(watch, meta, samples).await;
        }
    }
}

fn config(retention: Retention) -> CompactorConfig {
    CompactorConfig {
        vertical: true,
        consistency_delay: PromDuration::ZERO,
        delete_delay: DELAY,
        meta_concurrency: 1,
        retention,
        partial_upload_gap: PromDuration::from_mins(1),
        ..CompactorConfig::new(DATA)
    }
}

fn compactor(
    bucket: BucketRef,
    disk: &SimFs,
    clock: Arc<dyn Clock>,
    chance: Chance,
    leases: Option<Leases>,
    retention: Retention,
) -> Compactor {
    let mut registry = Registry::default();
    let parts = Parts {
        bucket,
        fs: Arc::new(disk.clone()) as Arc<dyn Fs>,
        clock,
        chance,
        leases,
        metrics: CompactMetrics::register(&mut registry),
        downsample_metrics: DownsampleMetrics::register(&mut registry),
        fetcher_metrics: FetcherMetrics::register(&mut registry),
    };
    Compactor::new(config(retention), parts).unwrap()
}

async fn compact(process: &Process, retention: Retention) {
    let mut chance = process.chance(5);
    compact_with(process, retention, &mut chance, true).await;
}

/// The life of a compactor: two runs with a pause between them.
pub(super) async fn compact_with(
    process: &Process,
    retention: Retention,
    chance: &mut Chance,
    may_disturb: bool,
) {
    let lease_config = LeaseConfig::new(format!("compactor-{}", process.actor));
    let Ok(leases) = Leases::enter(process.bucket(), lease_config, chance).await else { return };
    let clock = Arc::clone(&process.clock) as Arc<dyn Clock>;
    let ids = Chance::from_seed(chance.next_u64());
    let compactor = compactor(process.bucket(), &process.disk, clock, ids, Some(leases.clone()), retention);
    if compactor.prepare().await.is_err() {
        return;
    }
    for _ in 0..2 {
        if may_disturb {
            disturb_disk(process, chance);
        }
        drop(compactor.run_once().await);
        let pause = if may_disturb { 4 * 3600 } else { 7 * 3600 };
        let share = if may_disturb { chance.fraction() } else { 1.0 };
        tokio::time::sleep(Duration::from_secs(pause).mul_f64(share)).await;
    }
    drop(leases.leave().await);
}

/// The disk dies, fails once or is full, at some operation to come.
fn disturb_disk(process: &Process, chance: &mut Chance) {
    let disk = &process.disk;
    let soon = disk.operations() + chance.below(400);
    match chance.below(8) {
        0 => disk.kill_at(soon),
        1 => disk.fail_at(soon, std::io::ErrorKind::StorageFull),
        2 => disk.set_capacity(Some(chance.below(20_000))),
        _ => disk.set_capacity(None),
    }
}

/// A sidecar that uploads what it has, again and again.
async fn upload(process: &Process, late: &[(Meta, BTreeSet<Sample>)]) {
    let parent = Path::new("/upload");
    for (meta, samples) in late {
        let meta = write(&SimFs::new(), parent, meta, samples);
        let disk = SimFs::new();
        write(&disk, parent, &meta, samples);
        let fs = Arc::new(disk) as Arc<dyn Fs>;
        let bucket = process.bucket();
        let upload = Upload {
            bucket: bucket.as_ref(),
            fs: &fs,
            folder: parent.join(meta.id().to_string()),
            meta: meta.clone(),
            clock: process.clock.as_ref(),
            hash_func: HashFunc::None,
            concurrency: 1,
        };
        drop(upload.run().await);
        tokio::time::sleep(Duration::from_secs(1800)).await;
    }
}

async fn operate(process: &Process, block: Option<BlockId>) {
    tokio::time::sleep(Duration::from_secs(600)).await;
    if let Some(block) = block {
        let mark = DeletionMark::new(block, process.clock.now(), "by hand");
        drop(write_mark(process.bucket().as_ref(), &mark).await);
    }
}

enum Role<'a> {
    Compactor,
    Sidecar(&'a [(Meta, BTreeSet<Sample>)]),
    Operator(Option<BlockId>),
}

async fn actor(mut process: Process, role: Role<'_>, retention: Retention, lives: usize) -> Process {
    for _ in 0..lives {
        let lived = match &role {
            Role::Compactor => process.live(compact(&process, retention)).await,
            Role::Sidecar(late) => process.live(upload(&process, late)).await,
            Role::Operator(block) => process.live(operate(&process, *block)).await,
        };
        if lived.is_none() {
            process.restart().await;
        }
    }
    process
}

/// What schedules have come to.
#[derive(Debug, Default)]
pub(super) struct Figures {
    schedules: u64,
    calls: u64,
    faults: u64,
    marks: u64,
    blocks: u64,
    /// Pairs of coarser blocks that share time.
    beside: usize,
}

/// Runs one schedule; gives what broke.
pub(super) async fn run(seed: u64, figures: &mut Figures) -> (Vec<String>, Vec<String>) {
    let mut chance = Chance::from_seed(seed);
    let start = Instant::now();
    let store_clock = SkewedClock::new(start);
    let inner: BucketRef = Arc::new(Memory::new("bucket", Arc::clone(&store_clock) as Arc<dyn Clock>));
    let watch = Watch::new(Arc::clone(&inner), Arc::clone(&store_clock), DELAY);
    let scene = Scene::new(&mut chance);
    scene.put(&watch).await;
    if let Some(block) = scene.by_hand {
        watch.by_hand(block);
    }
    let turns = Arc::new(Turns::default());
    let store = Arc::clone(&watch) as BucketRef;
    let per_mille = [0, 5, 20, 60][chance.below(4) as usize];
    let compactors = 2 + chance.below(3) as usize;
    let roles = (0..compactors).map(|_| Role::Compactor);
    let roles = roles.chain([Role::Sidecar(&scene.late), Role::Operator(scene.by_hand)]);
    let mut clocks = Vec::new();
    let actors = roles.enumerate().map(|(at, role)| {
        let process = Process::new(at, seed, per_mille, start, &turns, &store);
        clocks.push(Arc::clone(&process.clock));
        let lives = if matches!(role, Role::Compactor) { 2 } else { 3 };
        actor(process, role, scene.retention, lives)
    });
    let actors: Vec<_> = actors.collect();
    let pace = Pace { call_ms: 2_000, sleeps_one_in: 300, sleep_ms: 2_400_000 };
    let processes = give_turns(join_all(actors), &turns, &mut chance, &clocks, pace).await;
    figures.calls += turns.calls();
    figures.faults += processes.iter().map(Process::faults).sum::<u64>();
    let mut broken = Vec::new();

    // The faults end.
    let first = &processes[0];
    first.disk.restart();
    first.clock.set_skew(0);
    for (meta, samples) in &scene.late {
        if !store.exists(&layout::object(meta.id(), layout::META)).await.unwrap() {
            blocks::put(watch.as_ref(), meta, samples).await;
        }
    }
    broken.extend(drain(&watch, first, scene.retention).await);
    figures.schedules += 1;
    figures.marks += watch.marks();
    let live = watch.live();
    figures.blocks += live.len() as u64;
    figures.beside += sharing_time(&live).count();
    (broken, turns.trace())
}

/// A compactor without faults brings everything to its end; gives what is wrong then.
pub(super) async fn drain(watch: &Arc<Watch>, process: &Process, retention: Retention) -> Vec<String> {
    let store = Arc::clone(watch) as BucketRef;
    let mut chance = Chance::from_seed(1);
    // Leases of those who died have run out.
    tokio::time::sleep(Duration::from_secs(25 * 3600)).await;
    let leases = Leases::enter(Arc::clone(&store), LeaseConfig::new("last"), &mut chance).await.unwrap();
    let clock = Arc::clone(&process.clock) as Arc<dyn Clock>;
    let ids = Chance::from_seed(chance.next_u64());
    let compactor = compactor(Arc::clone(&store), &process.disk, clock, ids, Some(leases.clone()), retention);
    compactor.prepare().await.unwrap();
    let mut cycles: Vec<Outcome> = Vec::new();
    let before = watch.described();
    let is_idle = |cycle: &Outcome| !cycle.has_changed() && cycle.is_success();
    // As time passes, more is too old.
    while cycles.len() < 8 && (cycles.len() < 4 || !cycles.last().is_some_and(is_idle)) {
        cycles.push(compactor.run_once().await);
        tokio::time::sleep(Duration::from_secs(50 * 3600)).await;
    }
    let mut broken = watch.broken();
    if !cycles.last().is_some_and(is_idle) {
        broken.push("seven cycles are not enough".to_owned());
    }
    leases.clean().await.unwrap();
    leases.leave().await.unwrap();
    broken.extend(watch.lost());
    broken.extend(overlaps(&watch.live()));
    broken.extend(litter(watch, &process.disk).await);
    if !broken.is_empty() {
        broken.extend(evidence(watch).await);
        broken.push(format!("before: {before:#?}, then {cycles:#?}, in the end {:#?}", watch.described()));
    }
    broken
}

/// Blocks of one group and resolution that share time. Coarser ones may, as they cannot be merged: where what was late came when
/// nobody had the raw samples any more, or where a compactor was shown a listing without what another one had made. None of them
/// may be made of nothing but what another was made of.
fn overlaps(live: &[Meta]) -> Vec<String> {
    let mut found = Vec::new();
    for (one, other) in sharing_time(live) {
        let (ours, theirs) = (&one.block.compaction.sources, &other.block.compaction.sources);
        let resolution: Resolution = one.thanos.downsample.resolution;
        let hidden = block::filter::is_covered(ours, theirs) || block::filter::is_covered(theirs, ours);
        if resolution == Resolution::RAW || hidden {
            let words = |meta: &Meta| format!("{} {:?}", meta.id(), meta.block.compaction.sources);
            found.push(format!("{} and {} of {resolution} ms share time", words(one), words(other)));
        }
    }
    found
}

/// The pairs of blocks of one group and resolution that share time.
fn sharing_time(live: &[Meta]) -> impl Iterator<Item = (&Meta, &Meta)> {
    let pairs =
        live.iter().enumerate().flat_map(|(at, one)| live[at + 1..].iter().map(move |other| (one, other)));
    pairs.filter(|(one, other)| {
        block::group_key(&one.thanos) == block::group_key(&other.thanos)
            && one.block.min_time.max(other.block.min_time) < one.block.max_time.min(other.block.max_time)
    })
}

/// What lies in the bucket and on the disk and is of no use.
async fn litter(watch: &Watch, disk: &SimFs) -> Vec<String> {
    let entries: Vec<Entry> = watch.list("", Listing::Recursive).try_collect().await.unwrap();
    let live: BTreeSet<BlockId> = watch.live().iter().map(Meta::id).collect();
    let is_litter = |entry: &Entry| match layout::block_of(&entry.name) {
        Some((block, _)) => !live.contains(&block),
        None => entry.name != layout::CLOCK_PROBE,
    };
    let objects = entries.iter().filter(|entry| is_litter(entry)).map(|entry| entry.name.clone());
    let mut litter: Vec<String> = objects.collect();
    for folder in ["compact", "downsample"] {
        litter.extend(files_below(disk, &Path::new(DATA).join(folder)));
    }
    litter.into_iter().map(|name| format!("{name} lies about")).collect()
}

/// Why blocks were set aside.
async fn evidence(watch: &Watch) -> Vec<String> {
    let mut found = Vec::new();
    for block in watch.live() {
        let name = layout::object(block.id(), EVIDENCE);
        if let Ok(bytes) = read_all(watch, &name, 1 << 20).await {
            found.push(format!("{name}: {}", String::from_utf8_lossy(&bytes)));
        }
    }
    found
}

fn files_below(disk: &SimFs, folder: &Path) -> Vec<String> {
    let mut waiting: Vec<PathBuf> = vec![folder.to_owned()];
    let mut found = Vec::new();
    while let Some(folder) = waiting.pop() {
        for entry in disk.list(&folder).unwrap_or_default() {
            let path = folder.join(&entry.name);
            if entry.is_dir { waiting.push(path) } else { found.push(path.display().to_string()) }
        }
    }
    found
}

#[test]
#[expect(clippy::print_stderr, reason = "the figures are what a run is for")]
fn every_schedule_ends_well() {
    let mut figures = Figures::default();
    for seed in seeds(60) {
        let (broken, trace) = runtime().block_on(run(seed, &mut figures));
        if !broken.is_empty() {
            eprintln!("{}", trace.join("\n"));
        }
        assert!(broken.is_empty(), "seed {seed}: {}", broken.join("\n"));
        if seed % 16 == 1 {
            let (_, again) = runtime().block_on(run(seed, &mut Figures::default()));
            assert_eq!(again, trace, "seed {seed} is not the same twice");
        }
    }
    eprintln!("compactors: {figures:?}");
}
