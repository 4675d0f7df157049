//! A histogram as PromQL's test scripts and unit tests of rules write it: `{{schema:1 count:3 sum:5 buckets:[1 2]}}`.

use super::{CounterResetHint, FloatHistogram};
use crate::go_float;

/// Longer runs of empty buckets are not written out; no histogram that anybody observed has them.
const EMPTY_MAX: usize = 1 << 20;

impl FloatHistogram {
    /// The histogram in the notation of PromQL's tests; what is zero is left out.
    pub fn notation(&self) -> String {
        let mut histogram = self.clone();
        histogram.compact(EMPTY_MAX);
        let mut parts = Vec::new();
        if histogram.schema != 0 {
            parts.push(format!("schema:{}", histogram.schema));
        }
        for (name, value) in [
            ("count", histogram.count),
            ("sum", histogram.sum),
            ("z_bucket", histogram.zero_count),
            ("z_bucket_w", histogram.zero_threshold),
        ] {
            if value != 0.0 {
                parts.push(format!("{name}:{}", go_float(value)));
            }
        }
        if histogram.uses_custom_buckets() {
            parts.push(format!("custom_values:{}", list(&histogram.custom_values)));
        }
        match histogram.counter_reset_hint {
            CounterResetHint::Unknown => {}
            CounterResetHint::CounterReset => parts.push("counter_reset_hint:reset".to_owned()),
            CounterResetHint::NotCounterReset => parts.push("counter_reset_hint:not_reset".to_owned()),
            CounterResetHint::Gauge => parts.push("counter_reset_hint:gauge".to_owned()),
        }
        for (name, spans, buckets) in [
            ("", &histogram.positive_spans, &histogram.positive_buckets),
            ("n_", &histogram.negative_spans, &histogram.negative_buckets),
        ] {
            if let Some(first) = spans.first().filter(|span| span.offset != 0) {
                parts.push(format!("{name}offset:{}", first.offset));
            }
            if !buckets.is_empty() {
                parts.push(format!("{name}buckets:{}", list(buckets)));
            }
        }
        format!("{{{{{}}}}}", parts.join(" "))
    }
}

fn list(values: &[f64]) -> String {
    let values: Vec<String> = values.iter().map(|value| go_float(*value)).collect();
    format!("[{}]", values.join(" "))
}
