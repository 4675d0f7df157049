//! Series of an answer as messages of remote read.

use prom_model::{CounterResetHint, FloatHistogram, Span};
use promql::{InstantSample, LabelSet, Row, Steps, Symbols};
use storeapi::prometheus::histogram::{Count, ResetHint, ZeroCount};
use storeapi::prometheus::{BucketSpan, Histogram, Label, Sample, TimeSeries};

pub(super) fn scalar(timestamp: i64, value: f64) -> TimeSeries {
    TimeSeries { samples: vec![Sample { value, timestamp }], ..TimeSeries::default() }
}

/// A series of an instant vector.
pub(super) fn instant(sample: &InstantSample, time: i64, symbols: &Symbols) -> TimeSeries {
    let mut series = TimeSeries { labels: labels(&sample.labels, symbols), ..TimeSeries::default() };
    match &sample.histogram {
        Some(histogram) => series.histograms.push(message(histogram, time)),
        None => series.samples.push(Sample { value: sample.value, timestamp: time }),
    }
    series
}

/// A series of a range query.
pub(super) fn row(row: &Row, steps: Steps, symbols: &Symbols) -> TimeSeries {
    let samples = row.column.float_points(0);
    TimeSeries {
        labels: labels(&row.labels, symbols),
        samples: samples.map(|(step, value)| Sample { value, timestamp: steps.time(step) }).collect(),
        histograms: row
            .column
            .histograms()
            .map(|(step, histogram)| message(histogram, steps.time(step)))
            .collect(),
        ..TimeSeries::default()
    }
}

fn labels(set: &LabelSet, symbols: &Symbols) -> Vec<Label> {
    let text = |symbol| symbols.text(symbol).to_owned();
    set.as_slice().iter().map(|(name, value)| Label { name: text(*name), value: text(*value) }).collect()
}

fn message(histogram: &FloatHistogram, timestamp: i64) -> Histogram {
    let spans = |spans: &[Span]| {
        spans.iter().map(|span| BucketSpan { offset: span.offset, length: span.length }).collect()
    };
    let hint = match histogram.counter_reset_hint {
        CounterResetHint::Unknown => ResetHint::Unknown,
        CounterResetHint::CounterReset => ResetHint::Yes,
        CounterResetHint::NotCounterReset => ResetHint::No,
        CounterResetHint::Gauge => ResetHint::Gauge,
    };
    Histogram {
        sum: histogram.sum,
        schema: histogram.schema,
        zero_threshold: histogram.zero_threshold,
        negative_spans: spans(&histogram.negative_spans),
        negative_counts: histogram.negative_buckets.clone(),
        positive_spans: spans(&histogram.positive_spans),
        positive_counts: histogram.positive_buckets.clone(),
        reset_hint: hint.into(),
        timestamp,
        custom_values: histogram.custom_values.clone(),
        count: Some(Count::CountFloat(histogram.count)),
        zero_count: Some(ZeroCount::ZeroCountFloat(histogram.zero_count)),
        ..Histogram::default()
    }
}
