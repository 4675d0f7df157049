//! A real process is killed under load, again and again on one folder: no sample that it acknowledged is lost.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tsdb::block::BlockReader;
use tsdb::chunk::{Columns, Encoding, Order, decode_floats};
use tsdb::fs::RealFs;
use tsdb::fs::sim::Chance;
use tsdb::head::{Db, DbOptions, Head, HeadOptions, SampleValue};

const SERIES: i64 = 50;
const INTERVAL: i64 = 1000;
/// The folder grows, and with it the time that checking takes.
const KILLS_PER_FOLDER: u64 = 20;

/// More by hand: `PRONOIA_KILLS=1000`.
fn kills() -> u64 {
    std::env::var("PRONOIA_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(20)
}

#[expect(clippy::print_stderr, reason = "the figures of a run by hand")]
#[test]
fn nothing_that_was_acknowledged_is_lost_when_the_process_is_killed() {
    let program = test_binary("append");
    let (mut chance, mut samples) = (Chance::new(1), 0);
    for round in 0..kills().div_ceil(KILLS_PER_FOLDER) {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let mut acknowledged = 0;
        for kill in round * KILLS_PER_FOLDER..kills().min((round + 1) * KILLS_PER_FOLDER) {
            acknowledged = run_and_kill(&program, &data, kill, acknowledged, chance.below(60_000));
        }
        check(&data, acknowledged);
        samples += acknowledged * SERIES;
    }
    eprintln!("{} kills, {samples} samples acknowledged, none lost", kills());
}

/// Runs the program for so many microseconds; gives the last step that it acknowledged.
fn run_and_kill(program: &Path, data: &Path, kill: u64, acknowledged: i64, micros: u64) -> i64 {
    let mut command = Command::new(program);
    if kill % 10 == 9 {
        command.arg(data).arg("always");
    } else {
        command.arg(data);
    }
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let opened = lines.next().unwrap().unwrap();
    let killer = thread::spawn(move || {
        thread::sleep(Duration::from_micros(micros));
        child.kill().unwrap();
        child.wait().unwrap();
    });
    // A number that was cut off is smaller than the one before.
    let last = lines.map_while(Result::ok).filter_map(|line| line.parse().ok()).fold(acknowledged, i64::max);
    killer.join().unwrap();
    let [_, step, damage] = opened.splitn(3, ' ').collect::<Vec<_>>()[..] else {
        panic!("{opened}");
    };
    assert_eq!(damage, "[]", "kill {kill}");
    let step: i64 = step.parse().unwrap();
    assert!(step > acknowledged, "kill {kill}: goes on at {step}, {acknowledged} was acknowledged");
    last
}

/// Every sample up to the last acknowledged one is in a block or in the head, with its value.
fn check(data: &Path, acknowledged: i64) {
    let head = HeadOptions { chunk_range_ms: 200 * INTERVAL, ..HeadOptions::default() };
    let options = DbOptions { head, ..DbOptions::default() };
    let (db, _) = Db::open(Arc::new(RealFs), data, options, &mut |_| {}).unwrap();
    let mut found = std::collections::BTreeMap::new();
    in_head(db.head(), &mut found);
    for block in db.blocks().unwrap().0 {
        in_block(&block.path, &mut found);
    }
    for step in 1..=acknowledged {
        for number in 0..SERIES {
            let value = found.get(&(number, step * INTERVAL));
            assert_eq!(value, Some(&((step * SERIES + number) as f64)), "series {number}, step {step}");
        }
    }
}

type Found = std::collections::BTreeMap<(i64, i64), f64>;

fn in_head(head: &Head, found: &mut Found) {
    for series in head.select(&[], i64::MIN, i64::MAX).series() {
        let number = series.labels().find(|(name, _)| *name == "instance").unwrap().1.parse().unwrap();
        for sample in series.samples(i64::MIN, i64::MAX).unwrap() {
            let SampleValue::Float(value) = sample.value else {
                panic!("only floats were written");
            };
            found.insert((number, sample.timestamp), value);
        }
    }
}

fn in_block(path: &Path, found: &mut Found) {
    let block = BlockReader::open(&RealFs, path).unwrap();
    let mut scan = block.scan().unwrap();
    let mut cache = block.index().symbol_cache();
    while scan.next_series().unwrap().is_some() {
        let mut arena = tsdb::index::LabelArena::default();
        cache.resolve(&scan.series().labels, &mut arena).unwrap();
        let number = arena.value("instance").parse().unwrap();
        let mut at = 0;
        while let Some((_, chunk)) = scan.chunk_at(at).unwrap() {
            let mut columns = Columns::default();
            let encoding = Encoding::from_u8(chunk.encoding).unwrap();
            decode_floats(encoding, chunk.data, Order::Rising, &mut columns).unwrap();
            found.extend(columns.iter().map(|(timestamp, value)| ((number, timestamp), value)));
            at += 1;
        }
    }
}

/// The example of this crate, which cargo builds with the tests.
fn test_binary(name: &str) -> std::path::PathBuf {
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    path.push("examples");
    path.push(name);
    assert!(path.exists(), "{} is missing: cargo test builds it with the other targets", path.display());
    path
}
