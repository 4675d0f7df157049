//! What is acknowledged survives: the death of the process and the loss of power at every operation, a full disk, failing syncs.

use std::io;

use crate::BlockId;
use crate::fs::sim::Chance;
use crate::wal::LogError;

use super::*;

/// Ranges of ten minutes, so that a short test cuts blocks.
const RANGE: i64 = 10 * MINUTE;

fn options(fsync: Fsync) -> DbOptions {
    let wal = WalOptions { segment_size: 64 * 1024, ..WalOptions::default() };
    let head = HeadOptions {
        chunk_range_ms: RANGE,
        out_of_order_window_ms: RANGE,
        out_of_order_samples_max: 4,
        wal,
        fsync,
        ..HeadOptions::default()
    };
    DbOptions { head, ..DbOptions::default() }
}

/// Samples that were acknowledged, and those that were at least tried.
#[derive(Default)]
struct Ledger {
    acknowledged: BTreeMap<(String, i64), f64>,
    tried: BTreeMap<(String, i64), f64>,
}

impl Ledger {
    /// Appends one batch: some series in order, sometimes one out of order.
    fn batch(&mut self, head: &Head, step: i64, chance: &mut Chance) -> Result<(), LogError> {
        let mut appender = head.appender();
        let mut staged = Vec::new();
        for number in 0..4 {
            let job = number.to_string();
            let labels = [("__name__", "m"), ("job", job.as_str())];
            let series = appender.series(&labels).unwrap();
            let late = number == 3 && step > 5 && chance.coin();
            let timestamp = step * 20_000 - if late { 70_000 + chance.below(1000) as i64 } else { 0 };
            let value = chance.next_u64() as f64;
            if appender.append(series, timestamp, value).is_ok() {
                staged.push(((format!("{}", Labels::from(labels)), timestamp), value));
            }
        }
        for (key, value) in &staged {
            // A sample that is there already keeps its value.
            self.tried.entry(key.clone()).or_insert(*value);
        }
        appender.commit()?;
        for (key, _) in staged {
            let value = self.tried[&key];
            self.acknowledged.insert(key, value);
        }
        Ok(())
    }

    fn check(&self, found: &Contents, what: &str) {
        let mut known = BTreeMap::new();
        for (labels, samples) in found {
            for Sample { timestamp, value } in samples {
                known.insert((labels.clone(), *timestamp), value.clone());
            }
        }
        for (key, value) in &self.acknowledged {
            assert_eq!(known.get(key), Some(&SampleValue::Float(*value)), "{what}: {key:?} was acknowledged");
        }
        for (key, value) in &known {
            let tried = self.tried.get(key).map(|value| SampleValue::Float(*value));
            assert_eq!(tried.as_ref(), Some(value), "{what}: {key:?} was never written");
        }
    }
}

fn ids(seed: u64) -> impl FnMut() -> BlockId {
    let mut chance = Chance::new(seed);
    move || BlockId::new(chance.next_u64() >> 20, u128::from(chance.next_u64()))
}

fn open_db(sim: &SimFs, options: DbOptions) -> Result<Db, DbError> {
    let fs: Arc<dyn Fs> = Arc::new(sim.clone());
    Db::open(fs, Path::new(FOLDER), options, &mut |_| {}).map(|(db, _)| db)
}

/// Runs until something fails.
fn work(
    sim: &SimFs,
    options: DbOptions,
    seed: u64,
    ledger: &mut Ledger,
    steps: std::ops::Range<i64>,
) -> Result<(), String> {
    let mut chance = Chance::new(seed);
    let mut ids = ids(seed);
    let db = open_db(sim, options).map_err(|error| error.to_string())?;
    for step in steps {
        ledger.batch(db.head(), step, &mut chance).map_err(|error| error.to_string())?;
        if step % 7 == 0 {
            db.compact(&mut ids).map_err(|error| error.to_string())?;
        }
    }
    Ok(())
}

/// The samples of head and blocks.
fn all(sim: &SimFs, db: &Db) -> Contents {
    let mut found = contents(db.head());
    let fs: Arc<dyn Fs> = Arc::new(sim.clone());
    let (blocks, damage) = db.blocks().unwrap();
    assert_eq!(damage, []);
    for block in blocks {
        for (labels, samples) in block_contents(&fs, &block.path) {
            let known = found.entry(labels).or_default();
            known.extend(samples);
            known.sort_by_key(|sample| sample.timestamp);
            known.dedup();
        }
    }
    found
}

#[test]
fn the_death_of_the_process_loses_nothing_at_any_operation() {
    let options = options(Fsync::Segment);
    let sim = SimFs::new();
    work(&sim, options, 1, &mut Ledger::default(), 0..120).unwrap();
    let operations = sim.operations();
    assert!(operations > 400, "{operations}");
    for kill in 0..operations {
        let (sim, mut ledger) = (SimFs::new(), Ledger::default());
        sim.kill_at(kill);
        let stopped = work(&sim, options, 1, &mut ledger, 0..120);
        assert!(stopped.is_err() && sim.is_dead());
        sim.restart();
        let db = open_db(&sim, options).unwrap();
        ledger.check(&all(&sim, &db), &format!("killed at {kill}"));
        if kill % 50 == 0 {
            drop(db);
            work(&sim, options, 2, &mut ledger, 120..240).unwrap();
            let db = open_db(&sim, options).unwrap();
            ledger.check(&all(&sim, &db), &format!("killed at {kill}, then went on"));
        }
    }
}

#[test]
fn a_loss_of_power_loses_nothing_that_was_synced() {
    let options = options(Fsync::Always);
    let sim = SimFs::new();
    work(&sim, options, 1, &mut Ledger::default(), 0..120).unwrap();
    let operations = sim.operations();
    for seed in 0..seeds() {
        let mut chance = Chance::new(seed);
        let (sim, mut ledger) = (SimFs::new(), Ledger::default());
        sim.kill_at(chance.below(operations));
        let _ = work(&sim, options, 1, &mut ledger, 0..120);
        sim.crash(seed);
        let db = open_db(&sim, options).unwrap();
        ledger.check(&all(&sim, &db), &format!("seed {seed}"));
    }
}

/// More by hand: `PRONOIA_SEEDS=10000`.
fn seeds() -> u64 {
    option_env!("PRONOIA_SEEDS").and_then(|seeds| seeds.parse().ok()).unwrap_or(500)
}

#[test]
fn a_full_disk_or_a_failing_one_loses_nothing_and_recovers_without_a_restart() {
    let options = options(Fsync::Segment);
    let sim = SimFs::new();
    work(&sim, options, 1, &mut Ledger::default(), 0..120).unwrap();
    let operations = sim.operations();
    for fail in (0..operations).step_by(3) {
        let (sim, mut ledger, mut chance) = (SimFs::new(), Ledger::default(), Chance::new(1));
        let mut ids = ids(1);
        let Ok(db) = open_db(&sim, options) else {
            continue;
        };
        sim.fail_at(fail, io::ErrorKind::StorageFull);
        for step in 0..120 {
            let _ = ledger.batch(db.head(), step, &mut chance);
            if step % 7 == 0 {
                let _ = db.compact(&mut ids);
            }
        }
        match ledger.batch(db.head(), 121, &mut chance) {
            // What failed was a sync: only opening again helps.
            Err(LogError::Failed) => {}
            recovered => assert!(recovered.is_ok(), "operation {fail}: {recovered:?}"),
        }
        ledger.check(&all(&sim, &db), &format!("operation {fail} failed"));
        drop(db);
        let db = open_db(&sim, options).unwrap();
        ledger.check(&all(&sim, &db), &format!("operation {fail} failed, opened again"));
    }
}

#[test]
fn after_a_failed_sync_nothing_is_acknowledged() {
    let options = options(Fsync::Always);
    for sync in 0..40 {
        let (sim, mut ledger, mut chance) = (SimFs::new(), Ledger::default(), Chance::new(sync));
        let db = open_db(&sim, options).unwrap();
        sim.fail_sync_at(sim.syncs() + sync);
        let mut failed = false;
        for step in 0..60 {
            let taken = ledger.batch(db.head(), step, &mut chance);
            assert!(!failed || taken.is_err(), "sync {sync}, step {step}");
            failed |= taken.is_err();
        }
        assert!(failed);
        drop(db);
        sim.crash(sync);
        let db = open_db(&sim, options).unwrap();
        ledger.check(&all(&sim, &db), &format!("sync {sync}"));
    }
}

#[test]
fn the_head_forgets_what_is_in_blocks_and_the_log_stays_short() {
    let options = options(Fsync::Segment);
    let (sim, mut ledger) = (SimFs::new(), Ledger::default());
    work(&sim, options, 3, &mut ledger, 0..2000).unwrap();
    let fs: Arc<dyn Fs> = Arc::new(sim.clone());
    let db = open_db(&sim, options).unwrap();
    ledger.check(&all(&sim, &db), "at the end");
    let (oldest, newest) = db.head().stats().times.unwrap();
    assert!(newest - oldest <= 2 * RANGE);
    let size =
        |folder: &str| -> u64 { fs.list(Path::new(folder)).unwrap().iter().map(|entry| entry.size).sum() };
    assert!(size("/data/wal") < 200_000, "{}", size("/data/wal"));
    assert!(size("/data/chunks_head") < 20_000, "{}", size("/data/chunks_head"));
    assert!(db.blocks().unwrap().0.len() > 30);
}

#[test]
fn commits_that_wait_for_one_sync_are_all_durable_after_it() {
    let options = options(Fsync::Always);
    let sim = SimFs::new();
    let db = open_db(&sim, options).unwrap();
    let syncs = sim.syncs();
    std::thread::scope(|scope| {
        for thread in 0..8i64 {
            let head = db.head();
            scope.spawn(move || {
                let thread = thread.to_string();
                for step in 1..=50 {
                    add(head, &[("thread", &thread)], step * 1000, step as f64);
                }
            });
        }
    });
    assert!(sim.syncs() - syncs <= 2 * 400 + 50, "two logs, at most one sync of each for a commit");
    let before = contents(db.head());
    assert_eq!(before.values().flatten().count(), 400);
    drop(db);
    sim.crash(7);
    let db = open_db(&sim, options).unwrap();
    assert_eq!(contents(db.head()), before);
    db.close().unwrap();
}

#[test]
fn samples_far_apart_make_no_empty_ranges() {
    let (sim, mut ids) = (SimFs::new(), ids(1));
    let db = open_db(&sim, options(Fsync::Segment)).unwrap();
    add(db.head(), &[("a", "1")], 1000, 1.0);
    add(db.head(), &[("a", "1")], 1_704_067_200_000, 2.0);
    add(db.head(), &[("a", "1")], i64::MAX - 5, 3.0);
    let before = contents(db.head());
    assert!(db.compact(&mut ids).unwrap().len() >= 2);
    assert_eq!(all(&sim, &db), before);
}

#[test]
fn damage_in_any_head_chunk_file_costs_nothing_and_is_named_once() {
    let options = options(Fsync::Segment).head;
    let files = |sim: &SimFs| -> Vec<String> {
        let entries = sim.list(Path::new("/data/chunks_head")).unwrap();
        entries.into_iter().map(|entry| entry.name).filter(|name| !name.contains('.')).collect()
    };
    for victim in 0..3 {
        let sim = SimFs::new();
        let (mut ledger, mut chance) = (Ledger::default(), Chance::new(victim));
        for life in 0..4 {
            let (head, _) = open(&sim, options);
            for step in life * 40..(life + 1) * 40 {
                ledger.batch(&head, step, &mut chance).unwrap();
            }
        }
        let names = files(&sim);
        assert!(names.len() >= 3, "{names:?}");
        let path = Path::new("/data/chunks_head").join(&names[victim as usize]);
        let mut bytes = sim.contents(&path).unwrap();
        let at = bytes.len() / 2;
        bytes[at] ^= 1;
        sim.put(&path, &bytes).unwrap();
        for life in 0..3 {
            let (head, replay) = open(&sim, options);
            assert_eq!(replay.damage.len(), usize::from(life == 0), "{:?}", replay.damage);
            ledger.check(&contents(&head), &format!("file {victim}, opened {life} times before"));
            for step in (4 + life) * 40..(5 + life) * 40 {
                ledger.batch(&head, step, &mut chance).unwrap();
            }
        }
    }
}
