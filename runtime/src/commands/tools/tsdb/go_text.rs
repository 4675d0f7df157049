//! Values as `promtool` prints them.

use std::fmt::Write;

use prom_model::{
    CUSTOM_BUCKETS_SCHEMA, FloatHistogram, Histogram, Labels, bucket_bounds, go_float, push_go_float, quote,
};

/// A length of time as Go prints it: `2h0m0s`, `1.5s`, `20ms`, `0s`.
pub(super) fn duration(millis: i64) -> String {
    let sign = if millis < 0 { "-" } else { "" };
    let total = millis.unsigned_abs();
    if total == 0 {
        return "0s".to_owned();
    }
    if total < 1000 {
        return format!("{sign}{total}ms");
    }
    let fraction = match total % 1000 {
        0 => String::new(),
        millis => format!(".{millis:03}").trim_end_matches('0').to_owned(),
    };
    let (seconds, minutes, hours) = (total / 1000 % 60, total / 60_000 % 60, total / 3_600_000);
    match (hours, minutes) {
        (0, 0) => format!("{sign}{seconds}{fraction}s"),
        (0, _) => format!("{sign}{minutes}m{seconds}{fraction}s"),
        _ => format!("{sign}{hours}h{minutes}m{seconds}{fraction}s"),
    }
}

/// Labels without spaces, as OpenMetrics wants them.
pub(super) fn condensed(labels: &Labels) -> String {
    let pairs = labels.iter().map(|label| format!("{}={}", label.name, quote(&label.value)));
    format!("{{{}}}", pairs.collect::<Vec<_>>().join(","))
}

/// A histogram as `{count:3, sum:4.5, (0.5,1]:3}`.
pub(super) fn whole_histogram(into: &mut String, histogram: &Histogram) {
    // Writing to a text cannot fail, here and below.
    let _ = write!(into, "{{count:{}, sum:", histogram.count);
    push_go_float(into, histogram.sum);
    let negative: Vec<(i64, i64)> = histogram.negative().collect();
    let text = |count: i64| count.cast_unsigned().to_string();
    for (index, count) in negative.into_iter().rev().filter(|(_, count)| *count != 0) {
        push_bucket(into, (index, histogram.schema, &histogram.custom_values), true, &text(count));
    }
    if histogram.zero_count != 0 {
        push_zero(into, histogram.zero_threshold, &histogram.zero_count.to_string());
    }
    for (index, count) in histogram.positive().filter(|(_, count)| *count != 0) {
        push_bucket(into, (index, histogram.schema, &histogram.custom_values), false, &text(count));
    }
    into.push('}');
}

/// A float histogram, likewise.
pub(super) fn float_histogram(into: &mut String, histogram: &FloatHistogram) {
    into.push_str("{count:");
    push_go_float(into, histogram.count);
    into.push_str(", sum:");
    push_go_float(into, histogram.sum);
    let negative: Vec<(i64, f64)> = histogram.negative().collect();
    for (index, count) in negative.into_iter().rev().filter(|(_, count)| *count != 0.0) {
        push_bucket(into, (index, histogram.schema, &histogram.custom_values), true, &go_float(count));
    }
    if histogram.zero_count != 0.0 {
        push_zero(into, histogram.zero_threshold, &go_float(histogram.zero_count));
    }
    for (index, count) in histogram.positive().filter(|(_, count)| *count != 0.0) {
        push_bucket(into, (index, histogram.schema, &histogram.custom_values), false, &go_float(count));
    }
    into.push('}');
}

fn push_zero(into: &mut String, threshold: f64, count: &str) {
    let _ = write!(into, ", [{},{}]:{count}", go_float(-threshold), go_float(threshold));
}

fn push_bucket(into: &mut String, (index, schema, custom): (i64, i32, &[f64]), negative: bool, count: &str) {
    let Some((lower, upper)) = bucket_bounds(index, schema, custom) else {
        let _ = write!(into, ", bucket {index}:{count}");
        return;
    };
    let (lower, upper) = if negative { (-upper, -lower) } else { (lower, upper) };
    // The bound that is nearer to zero is outside; of custom buckets the lower one, except that of the first.
    let custom = schema == CUSTOM_BUCKETS_SCHEMA;
    let open = if if custom { index == 0 } else { lower < 0.0 } { '[' } else { '(' };
    let close = if custom || upper > 0.0 { ']' } else { ')' };
    let _ = write!(into, ", {open}{},{}{close}:{count}", go_float(lower), go_float(upper));
}

#[cfg(test)]
mod tests {
    use super::*;
    use prom_model::Span;

    #[test]
    fn durations_read_as_go_prints_them() {
        for (millis, text) in [
            (0, "0s"),
            (20, "20ms"),
            (1500, "1.5s"),
            (61_000, "1m1s"),
            (7_200_000, "2h0m0s"),
            (-7_200_001, "-2h0m0.001s"),
        ] {
            assert_eq!(duration(millis), text);
        }
    }

    #[test]
    fn histograms_name_their_buckets_from_minus_to_plus() {
        let histogram = Histogram {
            zero_threshold: 0.001,
            zero_count: 2,
            count: 10,
            sum: 1.5,
            positive_spans: vec![Span { offset: 0, length: 3 }],
            positive_buckets: vec![1, -1, 4],
            negative_spans: vec![Span { offset: 1, length: 2 }],
            negative_buckets: vec![1, 1],
            ..Histogram::default()
        };
        let expected = "{count:10, sum:1.5, [-4,-2):2, [-2,-1):1, [-0.001,0.001]:2, (0.5,1]:1, (2,4]:4}";
        let mut text = String::new();
        whole_histogram(&mut text, &histogram);
        assert_eq!(text, expected);
        let mut text = String::new();
        float_histogram(&mut text, &histogram.to_float());
        assert_eq!(text, expected);
    }
}
