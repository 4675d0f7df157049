//! What a query took, counted as Prometheus counts it. Expected counts are those of its own tests.

use promql::script::MemoryStorage;
use promql::{Control, QueryRange, QueryStats};

use super::memory::{evaluate, free, load};

fn series() -> MemoryStorage {
    load(
        10_000,
        &[
            "one 1+1x100",
            r#"three{a="1",b="1"} 1+1x100"#,
            r#"three{a="2",b="2"} 1+1x100"#,
            r#"three{a="3",b="2"} 1+1x100"#,
            "histogram {{schema:1 count:5 sum:20 buckets:[1 2 1 1]}}+{{schema:1 count:10 sum:5 buckets:[1 2 3 4]}}x100",
        ],
    )
}

fn stats(query: &str, range: QueryRange) -> QueryStats {
    let control = Control { step_stats: true, ..free() };
    evaluate(&series(), query, range, control).expect("the query is good").stats
}

#[test]
fn an_instant_query_counts_what_it_touches_and_what_it_reads() {
    let cases = [
        ("1", 21, 0, 0),
        ("one", 21, 1, 1),
        ("histogram", 21, 13, 13),
        ("timestamp(one)", 21, 1, 1),
        ("timestamp(histogram)", 21, 1, 1),
        ("one offset 10s", 21, 1, 1),
        ("one @ 15", 21, 1, 1),
        ("three", 21, 3, 3),
        (r#"three{a="1"}[20s] @ 19"#, 21, 2, 2),
        ("one[60s]", 201, 6, 6),
        ("histogram[60s]", 201, 78, 78),
        ("max_over_time(one[60s])[20s:5s]", 201, 24, 8),
        ("max_over_time(one[61s])[20s:5s]", 201, 26, 8),
        ("max_over_time(histogram[60s])[20s:5s]", 201, 312, 104),
        ("sum by (b) (max_over_time(three[60s] @ 30))", 201, 12, 12),
        ("max_over_time(three[60s])", 201, 18, 18),
        ("absent_over_time(one[60s])", 201, 6, 6),
        ("one[60s:5s]", 201, 12, 12),
    ];
    for (query, time, touched, read) in cases {
        let stats = stats(query, QueryRange::Instant { time: time * 1000 });
        assert_eq!((stats.samples_total, stats.samples_read), (touched, read), "{query}");
        let steps: Vec<u64> = stats.samples_per_step.iter().map(|step| step.samples).collect();
        assert_eq!(steps, [touched], "{query}");
    }
}

#[test]
fn a_range_query_counts_each_step() {
    let range = QueryRange::Range { start: 201_000, end: 220_000, step: 5_000 };
    let cases: [(&str, [u64; 4], [u64; 4]); 5] = [
        ("one", [1; 4], [1; 4]),
        ("max_over_time(three[60s])", [18; 4], [18, 0, 3, 0]),
        ("max_over_time(one[60s:5s])", [12; 4], [12, 1, 1, 1]),
        ("sum(three @ 30)", [3; 4], [3, 0, 0, 0]),
        ("max_over_time(three[60s] @ 30) + three", [15; 4], [15, 3, 3, 3]),
    ];
    for (query, touched, read) in cases {
        let stats = stats(query, range);
        let counts =
            |steps: &[promql::StepSamples]| steps.iter().map(|step| step.samples).collect::<Vec<_>>();
        assert_eq!(counts(&stats.samples_per_step), touched, "{query}");
        assert_eq!(counts(&stats.samples_read_per_step), read, "{query}");
        assert_eq!(stats.samples_total, touched.iter().sum::<u64>(), "{query}");
        assert_eq!(stats.samples_read, read.iter().sum::<u64>(), "{query}");
    }
}
