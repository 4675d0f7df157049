//! Functions over ranges: what is found once for all steps must be what is found for each alone.

use promql::{Point, QueryRange, Value};
use proptest::prelude::*;

use super::memory::{evaluate, free, load};

const INTERVAL: i64 = 15_000;

const FUNCTIONS: [&str; 31] = [
    "rate(RANGE)",
    "increase(RANGE)",
    "delta(RANGE)",
    "irate(RANGE)",
    "idelta(RANGE)",
    "deriv(RANGE)",
    "predict_linear(RANGE, 61)",
    "predict_linear(RANGE offset 7s, 61)",
    "predict_linear(RANGE @ 300, 61)",
    "deriv(RANGE @ 300)",
    "changes(RANGE)",
    "resets(RANGE)",
    "count_over_time(RANGE)",
    "present_over_time(RANGE)",
    "sum_over_time(RANGE)",
    "avg_over_time(RANGE)",
    "min_over_time(RANGE)",
    "max_over_time(RANGE)",
    "ts_of_min_over_time(RANGE)",
    "ts_of_max_over_time(RANGE)",
    "stddev_over_time(RANGE)",
    "stdvar_over_time(RANGE)",
    "quantile_over_time(0.3, RANGE)",
    "mad_over_time(RANGE)",
    "first_over_time(RANGE)",
    "last_over_time(RANGE)",
    "ts_of_first_over_time(RANGE)",
    "ts_of_last_over_time(RANGE)",
    "double_exponential_smoothing(RANGE, 0.4, 0.7)",
    "increase(RANGE anchored)",
    "rate(RANGE smoothed)",
];

/// Values in the notation of series.
fn values() -> impl Strategy<Value = Vec<String>> {
    fn text(value: f64) -> String {
        format!("{value:?}").replace("inf", "Inf")
    }
    let gap = || Just("_".to_owned());
    let whole = || (0_i32..200).prop_map(|value| value.to_string());
    let fraction = || (-1e3..1e3).prop_map(text);
    let odd = prop::sample::select(vec![
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        0.0,
        -0.0,
        f64::MAX,
        -f64::MAX,
        5e-324,
    ])
    .prop_map(text);
    prop_oneof![
        prop::collection::vec(prop_oneof![9 => whole(), 1 => gap()], 1..90),
        prop::collection::vec(prop_oneof![9 => fraction(), 1 => gap()], 1..90),
        prop::collection::vec(prop_oneof![3 => whole(), 3 => fraction(), 2 => odd, 1 => gap()], 1..80),
    ]
}

/// The values of the only series by time, as bits; NaNs are all alike.
fn bits(value: Value) -> Vec<(i64, u64)> {
    let same = |value: f64| if value.is_nan() { f64::NAN.to_bits() } else { value.to_bits() };
    match value {
        Value::Matrix { steps, series } => {
            let points = series.first().into_iter().flat_map(|row| row.column.points());
            let points = points.map(|(step, point)| match point {
                Point::Float(value) => (steps.time(step), same(value)),
                Point::Histogram(_) => panic!("there are no histograms"),
            });
            points.collect()
        }
        Value::Vector { time, samples } => samples.iter().map(|sample| (time, same(sample.value))).collect(),
        other => panic!("unexpected {other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn a_range_query_gives_to_the_bit_what_instant_queries_give(
        values in values(),
        range in 10_i64..2000,
        // Some move by whole intervals of the samples, so that all ranges look alike.
        step in prop_oneof![12_i64..90, (1_i64..5).prop_map(|intervals| intervals * 15)],
    ) {
        let storage = load(INTERVAL, &[&format!("x {}", values.join(" "))]);
        let end = values.len() as i64 * INTERVAL;
        for function in FUNCTIONS {
            let query = function.replace("RANGE", &format!("x[{range}s]"));
            let steps = QueryRange::Range { start: 0, end, step: step * 1000 };
            let answer = evaluate(&storage, &query, steps, free()).expect("the query is good");
            let mut singly = Vec::new();
            for time in (0..=end).step_by(step as usize * 1000) {
                let answer = evaluate(&storage, &query, QueryRange::Instant { time }, free());
                singly.extend(bits(answer.expect("the query is good").value));
            }
            prop_assert_eq!(bits(answer.value), singly, "{}", query);
        }
    }
}
