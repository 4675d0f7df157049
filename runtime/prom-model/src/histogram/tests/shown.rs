//! Buckets in order, and the texts.

use super::*;

fn of_both_signs() -> FloatHistogram {
    FloatHistogram {
        zero_threshold: 0.75,
        zero_count: 2.0,
        count: 14.5,
        sum: -1e7,
        positive_spans: vec![Span { offset: 0, length: 1 }, Span { offset: 1, length: 2 }],
        positive_buckets: vec![1.0, 0.0, 2.5],
        negative_spans: vec![Span { offset: 0, length: 2 }],
        negative_buckets: vec![4.0, 5.0],
        ..FloatHistogram::default()
    }
}

#[test]
fn buckets_rise_and_end_where_the_zero_bucket_begins() {
    let found: Vec<String> = of_both_signs().all_buckets().map(|bucket| bucket.to_string()).collect();
    let expect = ["[-2,-1):5", "[-1,-0.75):4", "[-0.75,0.75]:2", "(0.75,1]:1", "(2,4]:0", "(4,8]:2.5"];
    assert_eq!(found, expect);
    let custom = FloatHistogram {
        schema: CUSTOM_BUCKETS_SCHEMA,
        positive_spans: vec![Span { offset: 0, length: 3 }],
        positive_buckets: vec![1.0, 2.0, 3.0],
        custom_values: vec![5.0, 10.0],
        ..FloatHistogram::default()
    };
    let found: Vec<String> = custom.all_buckets().map(|bucket| bucket.to_string()).collect();
    assert_eq!(found, ["[-Inf,5]:1", "(5,10]:2", "(10,+Inf]:3"]);
}

#[test]
fn texts_are_those_of_prometheus() {
    let histogram = of_both_signs();
    assert_eq!(
        histogram.to_string(),
        "{count:14.5, sum:-1e+07, [-2,-1):5, [-1,-0.5):4, [-0.75,0.75]:2, (0.5,1]:1, (4,8]:2.5}"
    );
    assert_eq!(
        histogram.notation(),
        "{{count:14.5 sum:-1e+07 z_bucket:2 z_bucket_w:0.75 buckets:[1 0 0 2.5] n_buckets:[4 5]}}"
    );
    let apart = FloatHistogram {
        schema: 2,
        counter_reset_hint: CounterResetHint::Gauge,
        positive_spans: vec![Span { offset: -2, length: 1 }, Span { offset: 2, length: 1 }],
        positive_buckets: vec![1.0, 2.0],
        ..FloatHistogram::default()
    };
    assert_eq!(apart.notation(), "{{schema:2 counter_reset_hint:gauge offset:-2 buckets:[1 0 0 2]}}");
    assert_eq!(FloatHistogram::default().notation(), "{{}}");
}
