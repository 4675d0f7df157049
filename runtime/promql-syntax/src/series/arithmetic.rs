//! Steps of a sequence of histograms: one is added to, or taken from, the one before.

use std::collections::BTreeMap;

use prom_model::{CounterResetHint, FloatHistogram, Span};

/// Adds `step` to the histogram, or takes it from it. Layouts that do not fit are an error.
pub(super) fn combine(
    into: &mut FloatHistogram,
    step: &FloatHistogram,
    subtract: bool,
) -> Result<(), String> {
    if into.uses_custom_buckets() != step.uses_custom_buckets() {
        return Err(
            "cannot apply this operation on histograms with a mix of exponential and custom bucket schemas"
                .to_owned(),
        );
    }
    if into.custom_values != step.custom_values {
        return Err("histograms of a sequence have different custom values".to_owned());
    }
    if into.zero_threshold != step.zero_threshold {
        return Err("histograms of a sequence have zero buckets of different width".to_owned());
    }
    let mut step = step.clone();
    if step.schema > into.schema {
        step.reduce_resolution(into.schema).map_err(|error| error.to_string())?;
    }
    into.counter_reset_hint = hint(into.counter_reset_hint, step.counter_reset_hint);
    let signed = |value: f64| if subtract { -value } else { value };
    into.zero_count += signed(step.zero_count);
    into.count += signed(step.count);
    into.sum += signed(step.sum);
    (into.positive_spans, into.positive_buckets) = merged(into.positive(), step.positive(), signed);
    (into.negative_spans, into.negative_buckets) = merged(into.negative(), step.negative(), signed);
    Ok(())
}

fn hint(into: CounterResetHint, step: CounterResetHint) -> CounterResetHint {
    match (into, step) {
        (into, step) if into == step => into,
        (CounterResetHint::Gauge, _) | (_, CounterResetHint::Gauge) => CounterResetHint::Gauge,
        _ => CounterResetHint::Unknown,
    }
}

fn merged(
    into: impl Iterator<Item = (i64, f64)>,
    step: impl Iterator<Item = (i64, f64)>,
    signed: impl Fn(f64) -> f64,
) -> (Vec<Span>, Vec<f64>) {
    let mut buckets: BTreeMap<i64, f64> = into.collect();
    for (index, value) in step {
        *buckets.entry(index).or_insert(0.0) += signed(value);
    }
    let mut spans: Vec<Span> = Vec::new();
    let mut next = 0;
    for index in buckets.keys().copied() {
        match spans.last_mut() {
            Some(span) if index == next => span.length += 1,
            _ => spans.push(Span { offset: i32::try_from(index - next).unwrap_or(i32::MAX), length: 1 }),
        }
        next = index + 1;
    }
    (spans, buckets.into_values().collect())
}
