//! A query lets others have their turn in the middle of one long series too, and ends there when it was cancelled.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use promql::script::MemoryStorage;
use promql::{Cancel, Control, Pace, QueryError, QueryRange};

use super::memory::{evaluate, free, load};

/// Counts how often a query lets others have their turn, and cancels it at the last of some.
#[derive(Debug)]
struct Counting {
    passes: AtomicUsize,
    last: usize,
    cancel: Cancel,
}

impl Pace for Counting {
    fn pass(&self) {
        if self.passes.fetch_add(1, Ordering::Relaxed) + 1 == self.last {
            self.cancel.cancel();
        }
    }
}

/// One series of 2,000 samples, ten seconds apart.
fn one() -> MemoryStorage {
    load(10_000, &["one 1+1.5x2000"])
}

/// How often others had their turn in 2,000 steps, if the query is cancelled at the last of so many; and how it ended.
fn passes(query: &str, last: usize) -> (usize, Result<(), QueryError>) {
    let pace = Arc::new(Counting { passes: AtomicUsize::new(0), last, cancel: Cancel::default() });
    let control = Control { pace: Some(Arc::clone(&pace) as _), cancel: pace.cancel.clone(), ..free() };
    let range = QueryRange::Range { start: 0, end: 20_000_000, step: 10_000 };
    let outcome = evaluate(&one(), query, range, control).map(|_| ());
    (pace.passes.load(Ordering::Relaxed), outcome)
}

/// Each looks at the samples of an hour, 360, at each of 2,000 steps.
const LONG: [&str; 6] = [
    "quantile_over_time(0.9, one[1h])",
    "mad_over_time(one[1h])",
    "stddev_over_time(one[1h])",
    "deriv(one[1h])",
    "double_exponential_smoothing(one[1h], 0.5, 0.5)",
    "increase(one[1h] smoothed)",
];

#[test]
fn others_have_their_turn_in_the_middle_of_a_series() {
    for query in LONG {
        let (passes, outcome) = passes(query, usize::MAX);
        outcome.unwrap();
        assert!(passes > 30, "{query}: {passes}");
    }
}

#[test]
fn what_is_cancelled_in_the_middle_of_a_series_ends_there() {
    for query in LONG {
        let (passes, outcome) = passes(query, 10);
        assert!(matches!(outcome, Err(QueryError::Cancelled)), "{query}: {outcome:?}");
        assert!(passes < 15, "{query}: {passes}");
    }
}

#[test]
fn others_have_their_turn_between_the_steps_of_an_aggregation() {
    for query in ["topk(1, one)", r#"count_values("value", one)"#] {
        let (passes, outcome) = passes(query, usize::MAX);
        outcome.unwrap();
        assert!(passes > 6, "{query}: {passes}");
    }
}
