//! Aggregations that stand in a query twice are evaluated once, and nobody notices but those who ask what it took.

use promql::script::MemoryStorage;
use promql::{Answer, Control, Level, QueryRange};

use super::memory::{evaluate, free, load};

/// The same aggregation twice, and the same query with one that differs in a way that does not matter.
const CASES: [(&str, &str); 5] = [
    ("sum by (job) (x) / sum by (job) (x)", "sum by (job) (x) / sum by (job) (x{job!=''})"),
    (
        "sum by (job) (rate(x[1m])) > sum by (job) ( rate(x[1m]) ) * 0.5",
        "sum by (job) (rate(x[1m])) > sum by (job) ( rate(x{job!=''}[1m]) ) * 0.5",
    ),
    (
        "max(sum by (job) (x)) - max(sum by (job) (x))",
        "max(sum by (job) (x)) - max(sum by (job) (x{job!=''}))",
    ),
    ("sum(x or h) or sum(x or h)", "sum(x or h) or sum(x or h{job!='none'})"),
    ("max_over_time((sum(x) + sum(x))[1m:10s])", "max_over_time((sum(x) + sum(x{job!=''}))[1m:10s])"),
];

fn series() -> MemoryStorage {
    load(
        10_000,
        &[
            r#"x{job="a",pod="1"} 1+1x30"#,
            r#"x{job="a",pod="2"} 5+2x30"#,
            r#"x{job="b",pod="1"} 7+3x10"#,
            r#"h{job="c"} {{schema:1 count:5 sum:20 buckets:[1 2 1 1]}}x30"#,
        ],
    )
}

fn answer(query: &str) -> Answer {
    let range = QueryRange::Range { start: 60_000, end: 300_000, step: 30_000 };
    let control = Control { step_stats: true, ..free() };
    evaluate(&series(), query, range, control).unwrap_or_else(|error| panic!("{query}: {error}"))
}

#[test]
fn an_answer_is_the_same_whether_parts_of_it_are_shared_or_not() {
    for (shared, apart) in CASES {
        let (one, other) = (answer(shared), answer(apart));
        assert_eq!(format!("{:?}", one.value), format!("{:?}", other.value), "{shared}");
        assert_eq!(one.stats.samples_total, other.stats.samples_total, "{shared}");
        assert_eq!(one.stats.samples_per_step, other.stats.samples_per_step, "{shared}");
        assert_eq!(one.stats.samples_read, other.stats.samples_read, "{shared}");
        assert!(one.stats.series < other.stats.series, "{shared}: series are read once");
    }
}

#[test]
fn what_is_said_is_said_of_each_place() {
    // Of the places of one text Prometheus names the last.
    let query = "sum by (job) (rate(x[1m])) > sum by (job) (  rate(x[1m]) ) * 0.5";
    let found = answer(query);
    let infos = found.annotations.texts(Level::Info, query, 0);
    assert_eq!(infos.len(), 1, "{infos:?}");
    assert!(infos.iter().all(|info| info.ends_with("\"x\" (1:51)")), "{infos:?}");
}
