//! A native histogram as text: `{count:3, sum:1, (0.5,1]:3}`.

use prom_model::{FloatHistogram, bucket_bounds, go_float};

/// What the `String` method of Prometheus' type gives: the buckets that hold something, from the lowest to the highest.
pub(super) fn shown(histogram: &FloatHistogram) -> String {
    let mut out = format!("{{count:{}, sum:{}", go_float(histogram.count), go_float(histogram.sum));
    let custom = histogram.uses_custom_buckets();
    let mut bucket = |lower: f64, upper: f64, inclusive: (bool, bool), count: f64| {
        if count == 0.0 {
            return;
        }
        let open = if inclusive.0 { '[' } else { '(' };
        let close = if inclusive.1 { ']' } else { ')' };
        out.push_str(&format!(", {open}{},{}{close}:{}", go_float(lower), go_float(upper), go_float(count)));
    };
    let bounds = |index| bucket_bounds(index, histogram.schema, &histogram.custom_values);
    let negative: Vec<(i64, f64)> = histogram.negative().collect();
    for (index, count) in negative.into_iter().rev() {
        if let Some((lower, upper)) = bounds(index) {
            let (lower, upper) = (-upper, -lower);
            bucket(lower, upper, (lower < 0.0, upper > 0.0), count);
        }
    }
    if !custom {
        let width = histogram.zero_threshold;
        bucket(-width, width, (true, true), histogram.zero_count);
    }
    for (index, count) in histogram.positive() {
        if let Some((lower, upper)) = bounds(index) {
            let inclusive = if custom { (index == 0, true) } else { (lower < 0.0, upper > 0.0) };
            bucket(lower, upper, inclusive, count);
        }
    }
    out.push('}');
    out
}
