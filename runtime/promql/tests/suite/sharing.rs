//! What stands in a query twice is evaluated once, and nobody notices but those who ask what it took.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use promql::script::MemoryStorage;
use promql::{
    Answer, Budget, Control, Engine, Level, Point, QueryError, QueryRange, Row, Select, SeriesSet,
    SeriesSource, SourceError, Value,
};
use promql_syntax::{ParseOptions, parse_with};

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

/// Storage that counts how often it is asked.
struct Counting {
    storage: Arc<dyn SeriesSource>,
    selects: AtomicUsize,
}

impl SeriesSource for Counting {
    fn select(&self, select: &Select) -> Result<Box<dyn SeriesSet>, SourceError> {
        self.selects.fetch_add(1, Ordering::Relaxed);
        self.storage.select(select)
    }
}

/// An answer, and how often storage was asked for it.
fn counted(storage: &MemoryStorage, query: &str, control: Control) -> (Result<Answer, QueryError>, usize) {
    let source = Arc::new(Counting { storage: storage.snapshot(), selects: AtomicUsize::new(0) });
    let range = QueryRange::Range { start: 60_000, end: 300_000, step: 30_000 };
    let (expr, errors) = parse_with(query, &ParseOptions::ALL);
    let expr = expr.filter(|_| errors.is_empty()).unwrap_or_else(|| panic!("{query}: {errors:?}"));
    let prepared = Engine::default().prepare_expr(query, &expr, range).expect("a good query");
    let answer = prepared.run(Arc::clone(&source) as Arc<dyn SeriesSource>, control);
    (answer, source.selects.load(Ordering::Relaxed))
}

#[test]
fn equal_selectors_are_read_once() {
    for (query, selects) in [
        ("x + x", 1),
        ("x - x offset 30s", 2),
        ("rate(x[1m]) / rate(x[1m] offset 0s)", 1),
        ("x / on (job) group_left sum by (job) (x)", 2),
        ("(x > 5) or -(x > 5) or x * 0", 2),
        ("quantile(0.9, x) - quantile(0.1, x)", 1),
        ("timestamp(x) - timestamp(x)", 1),
        ("x - timestamp(x)", 2),
        ("max_over_time((x / x)[1m:10s]) + max_over_time((x / x)[1m:10s])", 1),
    ] {
        assert_eq!(counted(&series(), query, free()).1, selects, "{query}");
    }
}

/// Queries with a `@` behind each selector.
struct Texts(u64);

impl Texts {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn one(&mut self, of: &[&str]) -> String {
        of[self.below(of.len() as u64) as usize].to_owned()
    }

    /// An expression made of `parts`.
    fn expression(&mut self, parts: &[String], depth: u64) -> String {
        if depth == 0 || self.below(6) == 0 {
            return parts[self.below(parts.len() as u64) as usize].clone();
        }
        let form = self.one(&[
            "sum by (job) (E)",
            "topk(2, E)",
            "count(E)",
            "limitk(1, E)",
            "abs(E)",
            "-E",
            "timestamp(E)",
            "absent(E)",
            "sort(E)",
            "histogram_count(E)",
            "label_replace(E, 'pod', 'z$1', 'pod', '(.*)')",
            "E * 2",
            "(E) + (E)",
            "(E) - (E)",
            "(E) * on (job, pod) (E)",
            "(E) / on (job) group_left () (E)",
            "(E) and (E)",
            "(E) or (E)",
            "(E) unless on (job) (E)",
            "(E) * scalar(E)",
            "max_over_time((E)[1m:20s])",
            "rate((E)[1m:10s])",
        ]);
        form.split_inclusive('E').fold(String::new(), |text, piece| match piece.strip_suffix('E') {
            Some(before) => format!("{text}{before}{}", self.expression(parts, depth - 1)),
            None => text + piece,
        })
    }
}

/// The series of an answer.
fn series_of(answer: &Answer) -> Vec<String> {
    let Value::Matrix { series, .. } = &answer.value else { panic!("series over time") };
    let text = |row: &Row| {
        let points: Vec<(usize, Point<'_>)> = row.column.points().collect();
        format!("{} {points:?}", row.labels.to_labels(&answer.symbols))
    };
    series.iter().map(text).collect()
}

/// Everything about an answer but places in the text.
fn told(answer: &Result<Answer, QueryError>) -> String {
    match answer {
        Ok(answer) => {
            let notes: Vec<&str> = answer.annotations.iter().map(promql::Annotation::text).collect();
            let stats = &answer.stats;
            format!(
                "{:?} {notes:?} {} {:?} {} {:?}",
                series_of(answer),
                stats.samples_total,
                stats.samples_per_step,
                stats.samples_read,
                stats.samples_read_per_step
            )
        }
        Err(error) => error.to_string(),
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "longer runs are asked for by a variable")]
fn random_queries_have_the_same_answer_whether_parts_are_shared_or_not() {
    let rounds = std::env::var("SHARING_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(400);
    let storage = series();
    let leaves = ["x@", "h@", "rate(x@[1m])", "increase(h@[1m])", "max_over_time(x@[50s])", "x@ offset 20s"];
    let leaves = leaves.map(str::to_owned);
    let mut texts = Texts(11);
    let (mut shared, mut values) = (0, 0);
    for _ in 0..rounds {
        let parts = [texts.expression(&leaves, 1), texts.expression(&leaves, 2)];
        let text = texts.expression(&parts, 3);
        let apart = text.split('@').enumerate().fold(String::new(), |apart, (number, piece)| match number {
            0 => piece.to_owned(),
            _ => format!("{apart}{{pod!='none{number}'}}{piece}"),
        });
        let control = || Control { step_stats: true, ..free() };
        let (one, selects) = counted(&storage, &text.replace('@', ""), control());
        let (other, all) = counted(&storage, &apart, control());
        assert_eq!(told(&one), told(&other), "{text}");
        shared += usize::from(selects < all);
        values += usize::from(one.is_ok_and(|answer| answer.stats.samples_total > 0));
        // Where memory is short, the places that lag behind are on their own.
        let scarce = Control { budget: Budget::new("query", 40_000), ..control() };
        let (again, _) = counted(&storage, &text.replace('@', ""), scarce);
        if let Ok(again) = &again
            && let Ok(other) = &other
        {
            assert_eq!(series_of(again), series_of(other), "{text}");
            assert_eq!(again.stats.samples_per_step, other.stats.samples_per_step, "{text}");
        }
    }
    assert!(shared * 3 > rounds && values * 3 > rounds, "{shared} of {rounds} share, {values} have values");
}
