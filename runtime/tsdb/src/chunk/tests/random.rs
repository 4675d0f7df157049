//! Random samples that reach every class of number of every encoding.

use prom_model::{CUSTOM_BUCKETS_SCHEMA, FloatHistogram, Histogram, STALE_NAN, Span, bucket_count};
use proptest::prelude::*;

use super::reference::{Sample, Value};
use crate::chunk::Encoding;

/// Steps with every class of change, backwards and over the ends of time too.
fn step() -> impl Strategy<Value = i64> {
    prop_oneof![
        6 => Just(15_000i64),
        3 => 14_900..15_100i64,
        1 => -9_000..70_000i64,
        1 => -140_000..1_200_000i64,
        1 => any::<i64>(),
    ]
}

/// Bits of floats: counters, noise, single bits, NaNs with payloads; `None` is the value of before.
fn value() -> impl Strategy<Value = Option<u64>> {
    prop_oneof![
        4 => Just(None),
        3 => (0u32..50).prop_map(|n| Some(f64::from(n).to_bits())),
        2 => any::<u64>().prop_map(Some),
        1 => (0u64..64).prop_map(|bit| Some(1u64 << bit)),
        1 => any::<u64>().prop_map(|payload| Some(f64::NAN.to_bits() | payload)),
        1 => Just(Some(STALE_NAN.to_bits())),
    ]
}

/// When counting began: not known, at one time for all, or at different ones.
fn start() -> impl Strategy<Value = Option<i64>> {
    prop_oneof![8 => Just(None), 1 => Just(Some(0)), 1 => (0..100_000i64).prop_map(Some), 1 => any::<i64>().prop_map(Some)]
}

pub(super) fn floats() -> impl Strategy<Value = Vec<Sample>> {
    (any::<i64>(), prop::collection::vec((step(), value(), start()), 0..160)).prop_map(|(first, steps)| {
        let (mut at, mut last, mut began) = (first, 0u64, 0i64);
        let sample = |(step, value, start): (i64, Option<u64>, Option<i64>)| {
            at = at.wrapping_add(step);
            last = value.unwrap_or(last);
            began = start.unwrap_or(began);
            Sample { at, start: began, value: Value::Float(last) }
        };
        steps.into_iter().map(sample).collect()
    })
}

fn spans() -> impl Strategy<Value = Vec<Span>> {
    (-200i32..200, prop::collection::vec((0i32..6, 0u32..6), 0..5)).prop_map(|(first, mut spans)| {
        if let Some(span) = spans.first_mut() {
            span.0 = first;
        }
        spans.into_iter().map(|(offset, length)| Span { offset, length }).collect()
    })
}

fn number() -> impl Strategy<Value = i64> {
    prop_oneof![6 => Just(0i64), 4 => -40..40i64, 1 => -300_000..300_000i64, 1 => any::<i64>()]
}

/// Time to the sample before, bits of the sum, start, numbers for the counts.
type Step = (i64, Option<u64>, Option<i64>, Vec<i64>);

/// Histograms of one layout, at the end perhaps stale markers.
pub(super) fn histograms(encoding: Encoding) -> impl Strategy<Value = Vec<Sample>> {
    let layout = (
        prop_oneof![-4..=8i32, Just(CUSTOM_BUCKETS_SCHEMA)],
        prop_oneof![Just(0.0), Just(2f64.powi(-128)), any::<f64>()],
        spans(),
        spans(),
        prop::collection::vec(any::<f64>(), 0..5),
    );
    let steps = prop::collection::vec((step(), value(), start(), prop::collection::vec(number(), 52)), 0..30);
    (layout, any::<i64>(), steps, 0usize..3).prop_map(move |(layout, first, steps, markers)| {
        let (schema, zero_threshold, positive_spans, negative_spans, custom) = layout;
        let is_custom = schema == CUSTOM_BUCKETS_SCHEMA;
        let (positive, negative) =
            (bucket_count(&positive_spans) as usize, bucket_count(&negative_spans) as usize);
        let (mut at, mut sum, mut began) = (first, 0u64, 0i64);
        let living = steps.len().saturating_sub(markers);
        let sample = |(n, (step, value, start, numbers)): (usize, Step)| {
            at = at.wrapping_add(step);
            sum = value.filter(|value| *value != STALE_NAN.to_bits()).unwrap_or(sum);
            began = start.unwrap_or(began);
            let whole = Histogram {
                counter_reset_hint: crate::chunk::CounterReset::Unknown.hint(n),
                schema,
                zero_threshold,
                zero_count: numbers[0] as u64,
                count: numbers[1] as u64,
                sum: f64::from_bits(sum),
                positive_spans: positive_spans.clone(),
                negative_spans: negative_spans.clone(),
                positive_buckets: numbers[2..2 + positive].to_vec(),
                negative_buckets: numbers[27..27 + negative].to_vec(),
                custom_values: if is_custom { custom.clone() } else { Vec::new() },
            };
            let float = |value: &i64| f64::from_bits((*value as u64).rotate_right(12));
            let floats = FloatHistogram {
                counter_reset_hint: whole.counter_reset_hint,
                schema,
                zero_threshold,
                zero_count: float(&numbers[0]),
                count: float(&numbers[1]),
                sum: whole.sum,
                positive_spans: whole.positive_spans.clone(),
                negative_spans: whole.negative_spans.clone(),
                positive_buckets: whole.positive_buckets.iter().map(float).collect(),
                negative_buckets: whole.negative_buckets.iter().map(float).collect(),
                custom_values: whole.custom_values.clone(),
            };
            let is_float = matches!(encoding, Encoding::FloatHistogram | Encoding::FloatHistogramSt);
            let value = match (is_float, n >= living && n > 0) {
                (true, true) => Value::Floats(FloatHistogram::stale()),
                (true, false) => Value::Floats(floats),
                (false, true) => Value::Whole(Histogram::stale()),
                (false, false) => Value::Whole(whole),
            };
            Sample { at, start: began, value }
        };
        steps.into_iter().enumerate().map(sample).collect()
    })
}
