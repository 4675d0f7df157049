//! Real Prometheus servers behind our sidecars, store gateway and querier: whatever is restarted or killed, an answer without
//! warnings is the answer of a Prometheus that has seen everything.
//!
//! `PRONOIA_SOAK` is the number of seconds of scraping under disturbance, 45 when it is not set.
#![expect(clippy::print_stderr, reason = "says how much was compared")]

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;
use tests::read_path::{ReadPath, now};
use tests::up::within;

/// Every sample is in the reference by then: remote write sends at least each second, but starts anew when a server does.
const SETTLED: f64 = 12.0;

/// How long the reference may take to have what the servers have.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is asked, and whether the engine of Prometheus 2.42 adds in the order that today's does.
const QUERIES: [(&str, bool); 11] = [
    ("up", true),
    ("test_requests_total", true),
    ("test_sometimes", true),
    ("rate(test_requests_total[15s])", false),
    ("sum by (code, replica) (rate(test_requests_total[15s]))", false),
    ("histogram_quantile(0.9, sum by (le, pod, replica) (rate(test_duration_seconds_bucket[20s])))", false),
    ("max_over_time(test_temperature[10s]) - min_over_time(test_temperature[10s])", true),
    ("count by (__name__, replica) ({__name__=~\"test_.*\"})", true),
    ("topk by (replica) (2, test_requests_total)", true),
    ("test_temperature{pod=~\"p[0-3]\"} > on (pod, replica) test_temperature offset 5s", true),
    ("resets(test_requests_total[30s])", true),
];

/// Series of an answer as text in an order of their own.
fn series(answer: &Value) -> Vec<(String, Vec<(f64, String)>)> {
    let mut list: Vec<_> = answer["data"]["result"]
        .as_array()
        .unwrap_or_else(|| panic!("no result: {answer}"))
        .iter()
        .map(|series| {
            let mut labels: Vec<_> = series["metric"].as_object().expect("labels").iter().collect();
            labels.sort_by_key(|(name, _)| *name);
            let point = |point: &Value| {
                (point[0].as_f64().expect("a time"), point[1].as_str().expect("a value").to_string())
            };
            let values = series["values"].as_array().expect("values").iter().map(point).collect();
            (format!("{labels:?}"), values)
        })
        .collect();
    list.sort_by(|one, two| one.0.cmp(&two.0));
    list
}

fn same(ours: &Value, theirs: &Value, exact: bool) -> bool {
    let (ours, theirs) = (series(ours), series(theirs));
    ours.len() == theirs.len()
        && ours.iter().zip(&theirs).all(|((labels, points), (others, reference))| {
            labels == others
                && points.len() == reference.len()
                && points.iter().zip(reference).all(|((time, value), (at, wanted))| {
                    let close = || {
                        let (value, wanted): (f64, f64) =
                            (value.parse().expect("a float"), wanted.parse().expect("a float"));
                        (value - wanted).abs() <= 1e-9 * wanted.abs().max(1e-9)
                            || value.is_nan() && wanted.is_nan()
                    };
                    time == at && (value == wanted || !exact && close())
                })
        })
}

/// How many answers were compared, and how many said that they are not complete.
#[derive(Debug, Default)]
struct Tally {
    equal: usize,
    incomplete: usize,
}

/// Compares all queries over a range; whatever comes without a warning must be the truth.
fn compare(path: &ReadPath, start: f64, end: f64, complete: bool, tally: &mut Tally) {
    let (start, end) = (format!("{:.0}", start), format!("{:.0}", end));
    for (query, exact) in QUERIES {
        let range = [("query", query), ("start", &start), ("end", &end), ("step", "5")];
        let ours = path.ask("query", "query_range", &[&range[..], &[("dedup", "false")]].concat());
        let warned = ours["warnings"].as_array().is_some_and(|warnings| !warnings.is_empty());
        if ours["status"] != "success" || warned {
            assert!(!complete, "{query} over {start}..{end}: {ours}");
            tally.incomplete += 1;
            continue;
        }
        let mut theirs = path.ask("reference", "query_range", &range);
        // On a busy machine samples reach the reference late; what we have answered has to be right even so.
        let asked = Instant::now();
        while !same(&ours, &theirs, exact) && asked.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_secs(1));
            theirs = path.ask("reference", "query_range", &range);
        }
        assert!(
            same(&ours, &theirs, exact),
            "{query} over {start}..{end} differs\nours: {ours}\ntruth: {theirs}\n{}",
            path.processes["query"].said()
        );
        tally.equal += 1;
    }
}

/// Whether the last scrape of a server is a moment ago and in the reference.
fn reference_has_all(path: &ReadPath, replica: &str) -> bool {
    let last = |name: &str, query: &str| -> Option<f64> {
        let answer = path.ask(name, "query", &[("query", query)]);
        answer["data"]["result"][0]["value"][1].as_str()?.parse().ok()
    };
    let own = last(&format!("prometheus-{replica}"), "max(timestamp(up))");
    let sent = last("reference", &format!("max(timestamp(up{{replica=\"r{replica}\"}}))"));
    own.is_some_and(|own| sent == Some(own) && now() - own < 0.5)
}

/// Times at which a deduplicated series has samples, between two times; milliseconds.
fn times(path: &ReadPath, name: &str, query: &str, end: f64, dedup: &str) -> Vec<i64> {
    let time = format!("{end:.0}");
    let answer = path.ask(name, "query", &[("query", query), ("time", &time), ("dedup", dedup)]);
    let mut times: Vec<i64> = series(&answer)
        .into_iter()
        .flat_map(|(_, points)| points)
        .map(|(time, _)| (time * 1000.0).round() as i64)
        .collect();
    times.sort_unstable();
    times
}

/// Where the deduplicated series is silent for long, no replica has a sample (the penalty of a switch is 5 s and less).
fn no_gap_that_a_replica_fills(path: &ReadPath, end: f64, range: u32) {
    const LONG: i64 = 12_000;
    let query = format!("up[{range}s]");
    let kept = times(path, "query", &query, end, "true");
    let all = times(path, "reference", &query, end, "false");
    assert!(kept.len() > 10, "{kept:?}");
    for pair in kept.windows(2).filter(|pair| pair[1] - pair[0] > LONG) {
        let lost: Vec<_> =
            all.iter().filter(|time| **time > pair[0] + 6_000 && **time < pair[1] - 6_000).collect();
        assert!(lost.is_empty(), "nothing between {} and {}, but replicas have {lost:?}", pair[0], pair[1]);
    }
    assert!(all.last().is_some_and(|last| last - kept[kept.len() - 1] < LONG), "the end is missing");
}

#[test]
fn answers_are_true_whatever_is_restarted_or_killed() {
    let soak = std::env::var("PRONOIA_SOAK").map_or(45, |text| text.parse().expect("seconds"));
    let mut path = ReadPath::start();
    let begun = (now(), Instant::now());
    let mut tally = Tally::default();
    std::thread::sleep(Duration::from_secs_f64(SETTLED + 3.0));
    compare(&path, begun.0 + 2.0, now() - SETTLED, true, &mut tally);

    // One after another: killed or told to stop, some seconds away, started again.
    let victims = [
        ("sidecar-0", Signal::KILL),
        ("store", Signal::KILL),
        ("prometheus-1", Signal::TERM),
        ("sidecar-1", Signal::TERM),
        ("query", Signal::KILL),
        ("sidecar-0", Signal::TERM),
        ("store", Signal::TERM),
        ("prometheus-0", Signal::KILL),
        ("sidecar-1", Signal::KILL),
        ("query", Signal::TERM),
    ];
    for (name, signal) in victims.into_iter().cycle() {
        if begun.1.elapsed() > Duration::from_secs(soak) {
            break;
        }
        if let Some(replica) = name.strip_prefix("prometheus-") {
            // What a server has not sent when it goes, it never sends.
            within(PATIENCE, "the reference has all that the server has", || {
                reference_has_all(&path, replica)
            });
        }
        path.processes.get_mut(name).expect("a process").end(signal);
        if name != "query" {
            compare(&path, begun.0 + 2.0, now() - SETTLED, false, &mut tally);
        }
        path.processes.get_mut(name).expect("a process").again();
        path.ready(name);
        std::thread::sleep(Duration::from_secs(2));
        compare(&path, begun.0 + 2.0, now() - SETTLED, false, &mut tally);
    }

    // What was scraped until now goes into the bucket, and with all back nothing is missing anywhere.
    let settled = now();
    within(Duration::from_secs(120), "both replicas have blocks in the bucket", || {
        let blocks = path.uploaded();
        let first = blocks.iter().map(|(_, start, _)| *start).min();
        let reaches = |replica: &str| {
            let ends = blocks.iter().filter(|(known, ..)| known == replica).map(|(_, _, end)| *end);
            ends.max().zip(first).is_some_and(|(end, first)| end - first >= 45_000)
        };
        reaches("r0") && reaches("r1")
    });
    std::thread::sleep(Duration::from_secs_f64(SETTLED));
    compare(&path, begun.0 + 2.0, settled - 2.0, true, &mut tally);
    let range = (now() - SETTLED - begun.0) as u32;
    no_gap_that_a_replica_fills(&path, now() - SETTLED, range);

    // Without the servers the bucket alone answers for the range that both have uploaded, and says who is missing.
    let blocks = path.uploaded();
    let first = blocks.iter().map(|(_, start, _)| *start).max().expect("a block");
    let covered = |replica: &str| {
        let ends = blocks.iter().filter(|(known, ..)| known == replica).map(|(_, _, end)| *end);
        ends.max().expect("a block")
    };
    let end = covered("r0").min(covered("r1")).min((settled * 1000.0) as i64);
    let start = blocks.iter().map(|(_, start, _)| *start).min().unwrap_or(first);
    std::thread::sleep(Duration::from_secs(4));
    for name in ["sidecar-0", "sidecar-1", "prometheus-0", "prometheus-1"] {
        path.processes.get_mut(name).expect("a process").end(Signal::TERM);
    }
    let (start, end) = (start as f64 / 1000.0 + 35.0, end as f64 / 1000.0 - 2.0);
    let (from, to) = (format!("{start:.0}"), format!("{end:.0}"));
    for (query, exact) in QUERIES {
        let range = [("query", query), ("start", &from), ("end", &to), ("step", "5")];
        let ours = path.ask("query", "query_range", &[&range[..], &[("dedup", "false")]].concat());
        let theirs = path.ask("reference", "query_range", &range);
        assert!(same(&ours, &theirs, exact), "{query} out of the bucket\nours: {ours}\ntruth: {theirs}");
        let warnings = ours["warnings"].to_string();
        for replica in ["sidecar-0", "sidecar-1"] {
            assert!(warnings.matches("127.0.0.1").count() >= 2, "{replica} is away: {warnings}");
        }
        tally.equal += 1;
    }
    eprintln!(
        "{:.0} s of scraping, {} answers equal, {} said that they are incomplete, {} blocks uploaded",
        now() - begun.0,
        tally.equal,
        tally.incomplete,
        path.uploaded().len()
    );
}
