//! Many bad configurations, one after the other: none of them is ever seen by Prometheus, and it always comes up again.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tests::program;
use tests::reload::{CONFIG, Pair, RULES};

use super::mutate::Mutations;
use super::runs;

/// Reads what Prometheus would read, over and over, and keeps every text that it ever saw.
struct Witness {
    stop: Arc<AtomicBool>,
    reading: JoinHandle<(BTreeMap<Vec<u8>, PathBuf>, u64)>,
}

impl Witness {
    fn start(root: &Path) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (root, stopped) = (root.to_owned(), stop.clone());
        let reading = thread::spawn(move || {
            let mut seen = BTreeMap::new();
            let mut reads = 0;
            while !stopped.load(Ordering::Relaxed) {
                let rules = fs::read_dir(root.join("rules"))
                    .into_iter()
                    .flatten()
                    .flatten()
                    .map(|entry| entry.path());
                let rules = rules.filter(|path| path.extension().is_some_and(|ending| ending == "yml"));
                for path in rules.chain([root.join("prometheus.yml")]) {
                    // A name may go away between the listing and the reading.
                    if let Ok(bytes) = fs::read(&path) {
                        reads += 1;
                        seen.entry(bytes).or_insert(path);
                    }
                }
                // Often enough to see what is there for a moment, and no burden to the other tests.
                thread::sleep(Duration::from_micros(200));
            }
            (seen, reads)
        });
        Self { stop, reading }
    }

    /// How many texts there were, how often they were read; promtool has to accept each.
    fn judge(self, folder: &Path) -> (usize, u64) {
        self.stop.store(true, Ordering::Relaxed);
        let (seen, reads) = self.reading.join().expect("the witness has read");
        for (bytes, path) in &seen {
            let copy = folder.join("seen.yml");
            fs::write(&copy, bytes).unwrap();
            let mut promtool: Command = program::debian("promtool", "prometheus");
            match path.ends_with("prometheus.yml") {
                true => promtool.args(["check", "config", "--syntax-only"]),
                false => promtool.args(["check", "rules"]),
            };
            let output = promtool.arg(&copy).output().unwrap();
            assert!(
                output.status.success(),
                "{} was seen as\n{}\n{}",
                path.display(),
                String::from_utf8_lossy(bytes),
                String::from_utf8_lossy(&[output.stdout, output.stderr].concat())
            );
        }
        (seen.len(), reads)
    }
}

/// Waits until the reloader has looked after a change, and is done with it.
fn settle(pair: &Pair, looks: u64, what: &str) -> String {
    let begun = Instant::now();
    let mut last = (looks, Instant::now());
    loop {
        let status = pair.status();
        let now = status["looks"].as_u64().unwrap_or(0);
        if now != last.0 {
            last = (now, Instant::now());
        }
        let state = status["state"].as_str().unwrap_or_default();
        if now > looks
            && last.1.elapsed() > Duration::from_millis(30)
            && !["starting", "waiting", "held"].contains(&state)
        {
            return state.to_owned();
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{what}: the reloader does not settle: {status}");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn no_bad_file_is_ever_seen_and_every_restart_comes_up() {
    let mut pair = Pair::new(&[]);
    pair.once();
    pair.start_prometheus();
    pair.start_reloader();
    pair.until_in("confirmed");
    let witness = Witness::start(&pair.path("out"));
    let count = runs("PRONOIA_MUTATIONS", 100);
    let seed = runs("PRONOIA_SEED", 1);
    let mut mutations = Mutations::new(u64::from(seed));
    let mut ends: BTreeMap<(String, &str), u32> = BTreeMap::new();
    let restart_every = runs("PRONOIA_RESTART_EVERY", 10);
    let mut restarts = 0;
    for number in 1..=count {
        let mutation = mutations.next();
        let looks = pair.status()["looks"].as_u64().unwrap_or(0);
        let name = if mutation.folder == "in/rules" { "rules.yml" } else { "prometheus.yml" };
        match &mutation.bytes {
            None => fs::remove_file(pair.path(mutation.folder).join(name)).unwrap(),
            // Half of it, a pause, all of it: what an editor does that is slow.
            Some(bytes) if number % 5 == 0 => {
                let path = pair.path(mutation.folder).join(name);
                fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
                thread::sleep(Duration::from_millis(20));
                fs::write(&path, bytes).unwrap();
            }
            Some(bytes) => {
                let path = pair.path("in/new");
                fs::write(&path, bytes).unwrap();
                fs::rename(path, pair.path(mutation.folder).join(name)).unwrap();
            }
        }
        let state = settle(&pair, looks, mutation.what);
        *ends.entry((state, mutation.what)).or_default() += 1;
        if number % restart_every == 0 {
            pair.kill_prometheus();
            pair.start_prometheus();
            restarts += 1;
        }
        let good = if mutation.folder == "in/rules" { RULES } else { CONFIG };
        let looks = pair.status()["looks"].as_u64().unwrap_or(0);
        let path = pair.path("in/new");
        fs::write(&path, good.replace("GENERATION", &number.to_string())).unwrap();
        fs::rename(path, pair.path(mutation.folder).join(name)).unwrap();
        settle(&pair, looks, "a good one");
        assert_eq!(pair.state(), "confirmed", "after {mutation:?}: {}\n{}", pair.status(), pair.logs());
    }
    let (texts, reads) = witness.judge(&pair.path(""));
    let rejected: u32 =
        ends.iter().filter(|((state, _), _)| state == "rejected").map(|(_, count)| count).sum();
    eprintln!(
        "{count} mutations (seed {seed}): {rejected} rejected; {texts} texts seen in {reads} reads, all good; \
         {restarts} restarts, all came up\n{ends:?}"
    );
    assert!(rejected * 2 > count, "most mutations are bad: {ends:?}");
}
