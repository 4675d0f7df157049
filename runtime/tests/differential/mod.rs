//! Random queries over random series: what Debian's Prometheus answers and what `tools tsdb serve` does, compared to the last
//! digit. `PRONOIA_DIFFERENTIAL_QUERIES` sets how many, `PRONOIA_DIFFERENTIAL_SEED` which.
//!
//! Prometheus 2.42 is older than what we follow. Where its answer differs, `cause` finds the part of the query that makes it so,
//! and the difference must have the very shape that `reasons` has for that part. Times are chosen so that no sample lies on the edge of a range,
//! where 2.42 has closed ranges.
#![expect(clippy::print_stderr, reason = "what was asked must be seen")]

mod cause;
mod client;
mod compare;
mod data;
mod query;
mod reasons;
mod replicas;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use cause::Inquiry;
use client::Client;
use compare::Answer;
use query::{Asked, Generator};

/// Enough to notice what broke; thousands more are asked by hand.
const QUERIES: usize = 600;

struct Server {
    child: Child,
    address: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    fn start(mut command: Command, address: String) -> Server {
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the server starts");
        let server = Server { child, address };
        let begun = Instant::now();
        while Client::new(&server.address).get("/-/ready").is_none_or(|(status, _)| status != 200) {
            assert!(begun.elapsed() < Duration::from_secs(60), "{} does not get ready", server.address);
            std::thread::sleep(Duration::from_millis(50));
        }
        server
    }
}

impl Server {
    /// Prometheus over a data folder; nothing is scraped.
    fn prometheus(data: &Path, external_labels: &str) -> Server {
        let config = data.with_extension("yml");
        let text = format!("global: {{evaluation_interval: 1m, external_labels: {external_labels}}}\n");
        std::fs::write(&config, text).expect("a configuration");
        let address = free_address();
        let mut command = Command::new("prometheus");
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", data.display()))
            .args(["--storage.tsdb.retention.time=100y"])
            .args(["--storage.tsdb.min-block-duration=2h", "--storage.tsdb.max-block-duration=2h"])
            .arg(format!("--web.listen-address={address}"));
        Server::start(command, address)
    }

    /// Our engine over a folder of blocks.
    fn over_blocks(folder: &Path) -> Server {
        let address = free_address();
        let mut command = Command::new(env!("CARGO_BIN_EXE_pronoiad"));
        command.args(["tools", "tsdb", "serve"]).arg(folder).arg(format!("--http-address={address}"));
        Server::start(command, address)
    }
}

fn free_address() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").to_string()
}

fn number(variable: &str, otherwise: usize) -> usize {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// How often both are asked again where they differ.
const REPEATS: usize = 8;

#[test]
fn random_queries_give_the_answers_of_prometheus() {
    let seed = number("PRONOIA_DIFFERENTIAL_SEED", 1) as u64;
    let queries = number("PRONOIA_DIFFERENTIAL_QUERIES", QUERIES);
    let folder = tempfile::tempdir().expect("a folder");
    let (own, peer) = (folder.path().join("own"), folder.path().join("peer"));
    for path in [&own, &peer] {
        std::fs::create_dir_all(path).expect("a folder");
        data::write(seed, path, &data::Part::ALL);
    }
    let prometheus = Server::prometheus(&peer, "{}");
    let pronoiad = Server::over_blocks(&own);

    let mut generator = Generator::new(seed);
    let asked: Vec<Asked> = (0..queries).map(|_| generator.next_query()).collect();
    let share = asked.len().div_ceil(2).max(1);
    let outcomes: Vec<compare::Tally> = std::thread::scope(|scope| {
        let threads: Vec<_> = asked
            .chunks(share)
            .map(|asked| {
                let (theirs, ours) = (&prometheus.address, &pronoiad.address);
                scope.spawn(move || compare_all(asked, theirs, ours))
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    let mut tally = compare::Tally::default();
    outcomes.into_iter().for_each(|other| tally.merge(other));
    eprintln!(
        "{} queries: {} equal ({} of them errors, {} empty), {} explained, {} different",
        queries,
        tally.equal,
        tally.errors,
        tally.empty,
        tally.explained.values().sum::<usize>(),
        tally.different.len()
    );
    let explained: &BTreeMap<&str, usize> = &tally.explained;
    for (reason, count) in explained {
        eprintln!("  {count:>7} {reason}");
    }
    let shown: Vec<&String> = tally.different.iter().take(40).collect();
    assert!(shown.is_empty(), "{} of {queries} differ, among them:\n{shown:#?}", tally.different.len());
    // A generator of queries that find nothing would prove nothing.
    assert!(tally.empty + tally.errors < queries / 2, "too many queries find nothing");
}

fn compare_all(asked: &[Asked], theirs: &str, ours: &str) -> compare::Tally {
    let (mut peer, mut own) = (Client::new(theirs), Client::new(ours));
    let mut tally = compare::Tally::default();
    for asked in asked {
        let path = asked.path();
        let expected = peer.get(&path).expect("Prometheus answers");
        let Some(found) = own.get(&path) else {
            tally.different.push(format!("{asked}: no answer"));
            continue;
        };
        let ordered = asked.range.is_none() && asked.query.starts_with("sort");
        let (theirs, ours) = (Answer::new(&expected, ordered), Answer::new(&found, ordered));
        if theirs.same(&ours) {
            tally.equal += 1;
            tally.errors += usize::from(matches!(theirs, Answer::Failed(..)));
            tally.empty += usize::from(theirs.is_empty());
            continue;
        }
        let again = |client: &mut Client| Some(Answer::new(&client.get(&path)?, ordered));
        let repeats = || 0..REPEATS;
        if !repeats().filter_map(|_| again(&mut own)).all(|same| same.same(&ours)) {
            tally.different.push(format!("{asked}: our answer varies"));
            continue;
        }
        if repeats().filter_map(|_| again(&mut peer)).any(|other| other.same(&ours)) {
            *tally.explained.entry(reasons::VARIES).or_default() += 1;
            continue;
        }
        let mut inquiry = Inquiry { asked, theirs: &mut peer, ours: &mut own };
        // What varies in Prometheus may not have varied when a part was asked.
        let mut reason = inquiry.reason(ordered);
        for _ in repeats() {
            reason = reason.or_else(|_| inquiry.reason(ordered));
        }
        match reason {
            Ok(reason) => *tally.explained.entry(reason).or_default() += 1,
            Err(what) => tally.different.push(format!("{asked}: {what}")),
        }
    }
    tally
}
