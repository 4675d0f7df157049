//! Sums, differences, resets and trimming, against a model that is a map from bucket to count.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

type Model = BTreeMap<i64, f64>;

/// Spans and counts of a map, with some empty buckets written out.
fn layout(buckets: &Model, split: bool) -> (Vec<Span>, Vec<f64>) {
    let (mut spans, mut counts) = (Vec::<Span>::new(), Vec::new());
    let mut next = 0;
    for (index, count) in buckets {
        match spans.last_mut() {
            Some(span) if *index == next && !split => span.length += 1,
            Some(span) if *index == next + 1 && !split => {
                span.length += 2;
                counts.push(0.0);
            }
            _ => spans.push(Span { offset: (index - next) as i32, length: 1 }),
        }
        counts.push(*count);
        next = index + 1;
    }
    (spans, counts)
}

fn exponential(
    schema: i32,
    threshold: f64,
    zero: f64,
    positive: &Model,
    negative: &Model,
    split: bool,
) -> FloatHistogram {
    let (positive_spans, positive_buckets) = layout(positive, split);
    let (negative_spans, negative_buckets) = layout(negative, split);
    FloatHistogram {
        schema,
        zero_threshold: threshold,
        zero_count: zero,
        count: zero + positive.values().sum::<f64>() + negative.values().sum::<f64>(),
        sum: positive.len() as f64 * 3.0,
        positive_spans,
        positive_buckets,
        negative_spans,
        negative_buckets,
        ..FloatHistogram::default()
    }
}

prop_compose! {
    fn buckets()(counts in prop::collection::btree_map(-12i64..12, 1u32..1000, 0..10)) -> Model {
        counts.into_iter().map(|(index, count)| (index, f64::from(count))).collect()
    }
}

prop_compose! {
    fn histogram()(
        schema in -1i32..4,
        threshold in prop::sample::select(vec![0.0, 0.001, 0.5, 0.7, 2.0]),
        zero in 0u32..50,
        positive in buckets(),
        negative in buckets(),
        split in any::<bool>(),
    ) -> FloatHistogram {
        exponential(schema, threshold, f64::from(zero), &positive, &negative, split)
    }
}

prop_compose! {
    fn custom()(
        bounds in prop::collection::btree_set(-5i32..15, 0..8),
        counts in prop::collection::vec(1u32..100, 9),
    ) -> FloatHistogram {
        let custom_values: Vec<f64> = bounds.into_iter().map(f64::from).collect();
        let counts: Vec<f64> = counts.into_iter().take(custom_values.len() + 1).map(f64::from).collect();
        FloatHistogram {
            schema: CUSTOM_BUCKETS_SCHEMA,
            count: counts.iter().sum(),
            positive_spans: vec![Span { offset: 0, length: counts.len() as u32 }],
            positive_buckets: counts,
            custom_values,
            ..FloatHistogram::default()
        }
    }
}

/// The populated buckets, merged to a schema.
fn at_schema(buckets: impl Iterator<Item = (i64, f64)>, from: i32, to: i32) -> Model {
    let mut model = Model::new();
    for (index, count) in buckets.filter(|(_, count)| *count != 0.0) {
        *model.entry(((index - 1) >> (from - to)) + 1).or_default() += count;
    }
    model
}

fn total(histogram: &FloatHistogram) -> f64 {
    histogram.zero_count
        + histogram.positive_buckets.iter().sum::<f64>()
        + histogram.negative_buckets.iter().sum::<f64>()
}

fn compacted(mut histogram: FloatHistogram) -> FloatHistogram {
    histogram.compact(0);
    histogram
}

/// Observations at or below a bound.
fn up_to(histogram: &FloatHistogram, bound: f64) -> f64 {
    histogram.all_buckets().filter(|bucket| bucket.upper <= bound).map(|bucket| bucket.count).sum()
}

proptest! {
    #[test]
    fn a_sum_has_the_observations_of_both(one in histogram(), mut other in histogram()) {
        other.zero_threshold = one.zero_threshold;
        // Buckets inside the zero bucket are not expected beside one.
        let outside = |h: &FloatHistogram| {
            h.positive_bounds().chain(h.negative_bounds()).all(|b| {
                b.lower.abs().min(b.upper.abs()) >= h.zero_threshold
            })
        };
        prop_assume!(outside(&one) && outside(&other));
        let schema = one.schema.min(other.schema);
        let mut sum = one.clone();
        sum.add(&other).unwrap();
        prop_assert_eq!(sum.schema, schema);
        prop_assert_eq!(sum.count, one.count + other.count);
        prop_assert_eq!(sum.zero_count, one.zero_count + other.zero_count);
        let mut model = at_schema(one.positive(), one.schema, schema);
        for (index, count) in at_schema(other.positive(), other.schema, schema) {
            *model.entry(index).or_default() += count;
        }
        prop_assert_eq!(at_schema(sum.positive(), schema, schema), model);
        let mut compensation = None;
        let mut exact = one.clone();
        exact.kahan_add(&other, &mut compensation).unwrap();
        exact.add(&compensation.unwrap()).unwrap();
        prop_assert!(compacted(exact).equals(&compacted(sum.clone())), "whole numbers need no compensation");
        if one.schema <= other.schema {
            sum.sub(&other).unwrap();
            prop_assert!(compacted(sum).equals(&compacted(one)), "the difference is what it was");
        }
    }

    #[test]
    fn zero_buckets_are_widened_without_losing_observations(one in histogram(), mut other in histogram()) {
        other.schema = one.schema;
        let mut sum = one.clone();
        sum.add(&other).unwrap();
        prop_assert!(sum.zero_threshold >= one.zero_threshold.max(other.zero_threshold));
        let within = |h: &FloatHistogram| {
            h.positive_bounds().chain(h.negative_bounds()).any(|b| {
                b.count != 0.0 && b.lower.abs().min(b.upper.abs()) < h.zero_threshold
            })
        };
        if !within(&one) && !within(&other) {
            prop_assert_eq!(total(&sum), total(&one) + total(&other));
            prop_assert!(!within(&sum), "no populated bucket reaches into the zero bucket");
        }
    }

    #[test]
    fn custom_bounds_that_differ_leave_those_of_both(one in custom(), other in custom()) {
        let mut sum = one.clone();
        let added = sum.add(&other).unwrap();
        prop_assert_eq!(added.bounds_reconciled, one.custom_values != other.custom_values);
        let both: Vec<f64> =
            one.custom_values.iter().copied().filter(|bound| other.custom_values.contains(bound)).collect();
        prop_assert_eq!(&sum.custom_values, &both);
        for bound in both.into_iter().chain([f64::INFINITY]) {
            prop_assert_eq!(up_to(&sum, bound), up_to(&one, bound) + up_to(&other, bound));
        }
        prop_assert_eq!(sum.validate(), Ok(()));
    }

    #[test]
    fn compaction_keeps_what_is_populated(one in histogram(), empty_max in 0usize..4) {
        let mut compact = one.clone();
        compact.compact(empty_max);
        let populated = |h: &FloatHistogram| at_schema(h.positive(), h.schema, h.schema);
        prop_assert_eq!(populated(&compact), populated(&one));
        prop_assert_eq!(compact.validate(), Ok(()));
        let gaps = compact.positive_spans.iter().skip(1);
        prop_assert!(gaps.into_iter().all(|span| span.offset as usize > empty_max));
        let run = compact.positive_buckets.split(|count| *count != 0.0).map(<[f64]>::len).max();
        prop_assert!(run.unwrap_or(0) <= empty_max);
        prop_assert!(compact.positive_buckets.first() != Some(&0.0) && compact.positive_buckets.last() != Some(&0.0));
    }

    #[test]
    fn a_reset_is_a_bucket_with_less(one in histogram(), more in buckets()) {
        let mut later = one.clone();
        later.add(&exponential(one.schema, one.zero_threshold, 0.0, &more, &Model::new(), false)).unwrap();
        prop_assert!(!later.detect_reset(&one));
        let mut coarse = one.clone();
        coarse.reduce_resolution(-2).unwrap();
        prop_assert!(!coarse.detect_reset(&one), "coarser buckets are no reset");
        prop_assert!(one.detect_reset(&coarse), "finer ones are");
        let threshold = one.zero_threshold;
        let at = one.positive_bounds().position(|bucket| bucket.count != 0.0 && bucket.upper > threshold);
        if let Some(at) = at {
            let mut less = one.clone();
            less.positive_buckets[at] -= 1.0;
            prop_assert!(less.detect_reset(&one));
            less.counter_reset_hint = CounterResetHint::NotCounterReset;
            prop_assert!(!less.detect_reset(&one), "the hint is believed");
        }
    }

    #[test]
    fn both_sides_of_a_cut_are_the_whole(one in histogram(), value in -40.0f64..40.0) {
        let (mut below, mut above) = (one.clone(), one.clone());
        below.trim(value, TrimSide::Below);
        above.trim(value, TrimSide::Above);
        let counts = below.count + above.count;
        prop_assert!((counts - one.count).abs() < 1e-9 * one.count.max(1.0), "{} and {}", below.count, above.count);
        let buckets = |h: &FloatHistogram| h.positive_bounds().chain(h.negative_bounds()).collect::<Vec<_>>();
        prop_assert!(buckets(&below).iter().all(|bucket| bucket.count == 0.0 || bucket.lower <= value));
        prop_assert!(buckets(&above).iter().all(|bucket| bucket.count == 0.0 || bucket.upper >= value));
    }
}

#[test]
fn hints_are_joined() {
    use CounterResetHint::{CounterReset, Gauge, NotCounterReset, Unknown};
    for (one, other, joined, collided) in [
        (Unknown, CounterReset, Unknown, false),
        (CounterReset, Unknown, Unknown, false),
        (CounterReset, CounterReset, CounterReset, false),
        (CounterReset, NotCounterReset, Unknown, true),
        (Gauge, CounterReset, Gauge, false),
        (NotCounterReset, Gauge, Gauge, false),
    ] {
        let with = |counter_reset_hint| FloatHistogram { counter_reset_hint, ..FloatHistogram::default() };
        let mut sum = with(one);
        assert_eq!(sum.add(&with(other)).unwrap().hints_collided, collided, "{one:?} {other:?}");
        assert_eq!(sum.counter_reset_hint, joined, "{one:?} {other:?}");
    }
    let mut negative = FloatHistogram::default();
    negative.mul(-1.0);
    assert_eq!(negative.counter_reset_hint, Gauge);
}

#[test]
fn exponential_and_custom_buckets_do_not_add_up() {
    let mut one = FloatHistogram { count: 1.0, ..FloatHistogram::default() };
    let other = FloatHistogram { schema: CUSTOM_BUCKETS_SCHEMA, ..one.clone() };
    assert_eq!(one.add(&other), Err(IncompatibleBuckets));
    assert_eq!(one.count, 1.0);
}

#[test]
fn compensation_keeps_what_a_plain_sum_loses() {
    let one = |count: f64| FloatHistogram {
        count,
        positive_spans: vec![Span { offset: 0, length: 1 }],
        positive_buckets: vec![count],
        ..FloatHistogram::default()
    };
    let (mut plain, mut exact, mut compensation) = (one(1e100), one(1e100), None);
    for value in [1.0, -1e100] {
        plain.add(&one(value)).unwrap();
        exact.kahan_add(&one(value), &mut compensation).unwrap();
    }
    exact.add(&compensation.unwrap()).unwrap();
    assert_eq!((plain.count, plain.positive_buckets), (0.0, vec![0.0]));
    assert_eq!((exact.count, exact.positive_buckets), (1.0, vec![1.0]));
}

#[test]
fn division_by_zero_leaves_no_buckets() {
    let mut histogram = exponential(0, 0.001, 1.0, &Model::from([(0, 2.0)]), &Model::new(), false);
    histogram.div(0.0);
    assert_eq!((histogram.count, histogram.zero_count), (f64::INFINITY, f64::INFINITY));
    assert!(histogram.positive_buckets.is_empty() && histogram.positive_spans.is_empty());
    assert!(histogram.has_overflow());
}
