//! Classic histograms as native ones with custom buckets, for `load_with_nhcb`.

use std::collections::BTreeMap;

use prom_model::{CUSTOM_BUCKETS_SCHEMA, FloatHistogram, Labels, METRIC_NAME, Span};

/// The series of one classic histogram at one time.
#[derive(Default)]
struct Classic {
    buckets: Vec<(f64, f64)>,
    count: Option<f64>,
    sum: f64,
}

/// The labels of a native histogram, and what is known of it at each time.
type Found = (Labels, BTreeMap<i64, Classic>);

/// Series by labels, each a list of times and values.
pub(super) type FloatSeries<'s> = (&'s Labels, Vec<(i64, f64)>);

/// The native histograms that classic series stand for, by labels and time.
pub(super) fn convert(series: &[FloatSeries<'_>]) -> Result<Vec<(Labels, i64, FloatHistogram)>, String> {
    let mut found: BTreeMap<Vec<(String, String)>, Found> = BTreeMap::new();
    for (labels, samples) in series {
        let name = labels.metric_name().unwrap_or_default();
        let suffixes = [("_bucket", 0), ("_sum", 1), ("_count", 2)];
        let Some((base, kind)) =
            suffixes.iter().find_map(|(suffix, kind)| Some((name.strip_suffix(suffix)?, *kind)))
        else {
            continue;
        };
        let bound = labels.value("le").parse::<f64>().ok().filter(|bound| !bound.is_nan());
        if kind == 0 && bound.is_none() {
            continue;
        }
        let mut native = (*labels).clone();
        native.set(METRIC_NAME, base);
        native.remove("le");
        let key = native.iter().map(|label| (label.name.clone(), label.value.clone())).collect();
        let (_, at_times) = found.entry(key).or_insert_with(|| (native, BTreeMap::new()));
        for (time, value) in samples {
            let classic = at_times.entry(*time).or_default();
            match (kind, bound) {
                (0, Some(bound)) => classic.buckets.push((bound, *value)),
                (1, _) => classic.sum = *value,
                _ => classic.count = Some(*value),
            }
        }
    }
    let mut converted = Vec::new();
    for (labels, at_times) in found.into_values() {
        for (time, classic) in at_times {
            let histogram = classic.native().map_err(|reason| format!("{labels} at {time}: {reason}"))?;
            converted.push((labels.clone(), time, histogram));
        }
    }
    Ok(converted)
}

impl Classic {
    fn native(mut self) -> Result<FloatHistogram, String> {
        self.buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        self.buckets.dedup_by_key(|bucket| bucket.0);
        let last = self.buckets.last().copied();
        let count = self.count.or(last.map(|(_, count)| count)).unwrap_or(0.0);
        if last.is_none_or(|(bound, _)| bound != f64::INFINITY) {
            self.buckets.push((f64::INFINITY, count));
        }
        let (mut counts, mut before) = (Vec::new(), 0.0);
        for (bound, cumulative) in &self.buckets {
            if *cumulative < before {
                return Err(format!("the bucket {bound} has less than the one before"));
            }
            counts.push(cumulative - before);
            before = *cumulative;
        }
        if before != count {
            return Err(format!("the count is {count}, the last bucket {before}"));
        }
        let custom_values = self.buckets.iter().map(|(bound, _)| *bound).filter(|bound| bound.is_finite());
        let mut histogram = FloatHistogram {
            schema: CUSTOM_BUCKETS_SCHEMA,
            count,
            sum: self.sum,
            positive_spans: vec![Span { offset: 0, length: counts.len() as u32 }],
            positive_buckets: counts,
            custom_values: custom_values.collect(),
            ..FloatHistogram::default()
        };
        let is_whole = |value: &f64| value.fract() == 0.0;
        let whole = self.buckets.iter().all(|(_, count)| is_whole(count)) && is_whole(&count);
        histogram.compact(if whole { 2 } else { 0 });
        Ok(histogram)
    }
}
