//! What each operator of a query did.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use promql::{Control, QueryRange, Stopwatch};

use super::memory::{evaluate, free, load};

#[test]
fn each_operator_says_what_it_did() {
    let memory = load(
        30_000,
        &[r#"m{pod="a",job="x"} 0+1x20"#, r#"m{pod="b",job="x"} 0+1x20"#, r#"n{pod="a"} _ _ 1+0x18"#],
    );
    let ticks = AtomicU64::new(0);
    let stopwatch = Stopwatch::new(move || Duration::from_micros(ticks.fetch_add(1, Ordering::Relaxed)));
    let control = Control { stopwatch: Some(stopwatch), ..free() };
    let range = QueryRange::Range { start: 0, end: 300_000, step: 30_000 };
    let query = "sum by (pod) (m) * on (pod) n + 1";
    let answer = evaluate(&memory, query, range, control).expect("the query is good");
    let analysis = answer.analysis.expect("the run was analysed");
    let seen: Vec<_> =
        analysis.iter().map(|node| (node.depth, node.operator.as_str(), node.series, node.samples)).collect();
    assert_eq!(
        seen,
        [
            (0, "+; 11 steps of 30s from 0.000 to 300.000", 1, 9),
            (1, "* on (pod); one to one, the right side waits in memory", 1, 9),
            (2, "sum by (pod)", 2, 22),
            (3, "select m; labels __name__, __type__, __unit__, pod", 2, 22),
            (2, "select n", 1, 9),
            (1, "number 1", 0, 11),
        ]
    );
    let held = analysis.iter().map(|node| node.bytes_peak).collect::<Vec<_>>();
    assert!(held[1] > 0 && held[2] > 0, "the join and the sum hold memory: {held:?}");
    assert!(
        analysis[0].time > analysis[1].time && analysis[1].time > analysis[3].time,
        "time includes that below"
    );
}

#[test]
fn a_run_that_nobody_measures_says_nothing() {
    let memory = load(30_000, &["m 1"]);
    let answer = evaluate(&memory, "m", QueryRange::Instant { time: 0 }, free()).expect("the query is good");
    assert!(answer.analysis.is_none() && answer.stats.samples_per_step.is_empty());
}
