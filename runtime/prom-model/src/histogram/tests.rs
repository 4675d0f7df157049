//! What histograms promise: equality to the bit, conversion, rules, coarser buckets.

mod arithmetic;
mod shown;

use super::*;

fn sample() -> Histogram {
    Histogram {
        schema: 1,
        zero_threshold: 0.001,
        zero_count: 2,
        count: 12,
        sum: 18.5,
        positive_spans: vec![Span { offset: -1, length: 2 }, Span { offset: 2, length: 2 }],
        positive_buckets: vec![1, 2, -3, 2],
        negative_spans: vec![Span { offset: 5, length: 1 }],
        negative_buckets: vec![4],
        ..Histogram::default()
    }
}

#[test]
fn buckets_have_absolute_indexes_and_counts() {
    let histogram = sample();
    assert_eq!(histogram.positive().collect::<Vec<_>>(), [(-1, 1), (0, 3), (3, 0), (4, 2)]);
    assert_eq!(histogram.negative().collect::<Vec<_>>(), [(5, 4)]);
    let float = histogram.to_float();
    assert_eq!(float.positive().collect::<Vec<_>>(), [(-1, 1.0), (0, 3.0), (3, 0.0), (4, 2.0)]);
    assert_eq!((float.count, float.zero_count), (12.0, 2.0));
    assert_eq!(float.validate(), Ok(()));
}

#[test]
fn equality_is_to_the_bit() {
    assert_eq!(Histogram::stale(), Histogram::stale());
    assert_ne!(Histogram { sum: f64::NAN, ..sample() }, Histogram { sum: STALE_NAN, ..sample() });
    assert_ne!(Histogram { sum: 0.0, ..sample() }, Histogram { sum: -0.0, ..sample() });
}

#[test]
fn broken_rules_are_named() {
    let check = |change: &dyn Fn(&mut Histogram), expect: &str| {
        let mut histogram = sample();
        change(&mut histogram);
        let found = histogram.validate().map_or_else(|error| error.to_string(), |()| "valid".into());
        assert_eq!(found, expect);
    };
    check(&|_| {}, "valid");
    check(&|h| h.count += 1, "histogram has 12 observations in its buckets, its count is 13");
    check(&|h| (h.count, h.sum) = (13, f64::NAN), "valid");
    check(&|h| h.schema = 9, "histogram has schema 9; possible are -4 to 8, and -53 for custom buckets");
    check(
        &|h| h.positive_buckets = vec![1, 2, -4, 2],
        "histogram has -1 observations in a bucket (bucket 3)",
    );
    check(&|h| h.positive_spans[1].offset = -1, "histogram has a span with the negative offset -1 (span 2)");
    check(&|h| h.negative_spans[0].length = 2, "histogram spans name 2 buckets, 1 are given");
    check(&|h| h.custom_values = vec![1.0], "histogram with exponential buckets has custom bounds");
    check(&|h| h.schema = -53, "histogram has a span with the negative offset -1 (span 1)");
    let custom = |h: &mut Histogram| {
        *h = Histogram {
            schema: -53,
            count: 3,
            positive_spans: vec![Span { offset: 0, length: 2 }],
            positive_buckets: vec![1, 1],
            custom_values: vec![0.5],
            ..Histogram::default()
        };
    };
    check(&custom, "valid");
    let changed = |change: fn(&mut Histogram)| {
        move |h: &mut Histogram| {
            custom(h);
            change(h);
        }
    };
    check(&changed(|h| h.zero_count = 1), "histogram with custom buckets has a zero count");
    check(&changed(|h| h.custom_values = vec![]), "histogram has 0 custom bounds for 2 buckets");
    check(&changed(|h| h.custom_values = vec![2.0, 1.0]), "histogram custom bounds do not rise: 1 after 2");
    check(&changed(|h| h.custom_values = vec![f64::INFINITY]), "histogram custom bounds include infinity");
}

#[test]
fn coarser_buckets_hold_the_same_observations() {
    let mut whole = sample();
    let mut float = sample().to_float();
    whole.reduce_resolution(0).unwrap();
    float.reduce_resolution(0).unwrap();
    assert_eq!(whole.positive().collect::<Vec<_>>(), [(0, 4), (2, 2)]);
    assert_eq!(whole.to_float(), float);
    assert_eq!(whole.validate(), Ok(()));
    assert_eq!(whole.reduce_resolution(3), Err(ResolutionError::NotCoarser { from: 0, to: 3 }));
}

#[test]
fn bounds_nest_and_end_at_infinity() {
    assert_eq!(bucket_bounds(0, 0, &[]), Some((0.5, 1.0)));
    assert_eq!(bucket_bounds(1024, 0, &[]), Some((2f64.powi(1023), f64::MAX)));
    assert_eq!(bucket_bounds(1025, 0, &[]), Some((f64::MAX, f64::INFINITY)));
    assert_eq!(bucket_bounds(1, -2, &[]), Some((1.0, 16.0)));
    // To the bit as Prometheus has them: its root of two is one step below the nearest float.
    assert_eq!(bucket_bounds(2, 1, &[]), Some((std::f64::consts::SQRT_2.next_down(), 2.0)));
    assert_eq!(bucket_bounds(255, 8, &[]).unwrap().1, 1.994_592_112_170_939_6);
    assert_eq!(bucket_bounds(-256 * 1050 + 1, 8, &[]).unwrap().0, f64::from_bits(1 << 24));
    assert_eq!(bucket_bounds(1, CUSTOM_BUCKETS_SCHEMA, &[0.5]), Some((0.5, f64::INFINITY)));
    assert_eq!(bucket_bounds(0, CUSTOM_BUCKETS_SCHEMA, &[0.5]), Some((f64::NEG_INFINITY, 0.5)));
    assert_eq!(bucket_bounds(2, CUSTOM_BUCKETS_SCHEMA, &[0.5]), None);
}
