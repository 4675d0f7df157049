//! The annotations there are, and their texts.

use prom_model::quote;
use promql_syntax::Span;

use super::{Annotation, Facts, Level, Monotonicity};

impl Annotation {
    fn new(level: Level, text: impl AsRef<str>, span: Span) -> Self {
        let kind = if level == Level::Warning { "PromQL warning: " } else { "PromQL info: " };
        Annotation { level, text: format!("{kind}{}", text.as_ref()), span: Some(span), facts: None }
    }

    fn warning(text: impl AsRef<str>, span: Span) -> Self {
        Annotation::new(Level::Warning, text, span)
    }

    fn info(text: impl AsRef<str>, span: Span) -> Self {
        Annotation::new(Level::Info, text, span)
    }

    /// What storage says, which has no place in the query.
    pub fn storage_warning(text: impl Into<String>) -> Self {
        Annotation { level: Level::Warning, text: text.into(), span: None, facts: None }
    }

    /// A ratio outside of -1 to 1.
    pub fn invalid_ratio(ratio: f64, capped: f64, span: Span) -> Self {
        let (ratio, capped) = (go_g(ratio), go_g(capped));
        Annotation::warning(
            format!("ratio value should be between -1 and 1, got {ratio}, capping to {capped}"),
            span,
        )
    }

    /// A quantile outside of 0 to 1.
    pub fn invalid_quantile(quantile: f64, span: Span) -> Self {
        Annotation::warning(format!("quantile value should be between 0 and 1, got {}", go_g(quantile)), span)
    }

    /// A classic bucket whose `le` is no number.
    pub fn bad_bucket_label(metric: &str, label: &str, span: Span) -> Self {
        let text = format!("bucket label \"le\" is missing or has a malformed value of {}", quote(label));
        Annotation::warning(with_metric(text, metric), span)
    }

    /// Floats and histograms in one range, for a function that cannot take both.
    pub fn mixed_floats_histograms(metric: &str, span: Span) -> Self {
        Annotation::warning(
            format!("encountered a mix of histograms and floats for metric name {}", quote(metric)),
            span,
        )
    }

    /// Floats and histograms in one aggregation.
    pub fn mixed_floats_histograms_aggregation(span: Span) -> Self {
        Annotation::warning("encountered a mix of histograms and floats for aggregation", span)
    }

    /// Classic and native histograms in one vector.
    pub fn mixed_classic_native_histograms(metric: &str, span: Span) -> Self {
        let text = "vector contains a mix of classic and native histograms".to_owned();
        Annotation::warning(with_metric(text, metric), span)
    }

    /// A gauge histogram where a counter is wanted.
    pub fn histogram_not_counter(metric: &str, span: Span) -> Self {
        Annotation::warning(format!("this native histogram metric is not a counter: {}", quote(metric)), span)
    }

    /// A counter histogram where a gauge is wanted.
    pub fn histogram_not_gauge(metric: &str, span: Span) -> Self {
        Annotation::warning(format!("this native histogram metric is not a gauge: {}", quote(metric)), span)
    }

    /// Exponential and custom buckets in one vector.
    pub fn mixed_exponential_custom(metric: &str, span: Span) -> Self {
        let text = format!(
            "vector contains a mix of histograms with exponential and custom buckets schemas for metric name {}",
            quote(metric)
        );
        Annotation::warning(text, span)
    }

    /// A rate of something that does not look like a counter.
    pub fn possible_non_counter(metric: &str, span: Span) -> Self {
        let text = format!(
            "metric might not be a counter, name does not end in _total/_sum/_count/_bucket: {}",
            quote(metric)
        );
        Annotation::info(text, span)
    }

    /// A rate of something whose `__type__` says that it is no counter.
    pub fn possible_non_counter_type(metric: &str, metric_type: &str, span: Span) -> Self {
        let text = format!(
            "metric might not be a counter, __type__ label is not set to \"counter\" or \"histogram\", got {}: {}",
            quote(metric_type),
            quote(metric)
        );
        Annotation::info(text, span)
    }

    /// Classic buckets whose counts fell.
    pub(crate) fn forced_monotonicity(metric: &str, span: Span, facts: Monotonicity) -> Self {
        let text = "input to histogram_quantile needed to be fixed for monotonicity (see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)";
        let annotation = Annotation::info(with_metric(text.to_owned(), metric), span);
        Annotation { facts: Some(Facts::Monotonicity(facts)), ..annotation }
    }

    /// An operator between a float and a histogram that has no meaning.
    pub fn incompatible_types(left: &str, operator: &str, right: &str, span: Span) -> Self {
        let text = format!(
            "incompatible sample types encountered for binary operator {}: {left} {operator} {right}",
            quote(operator)
        );
        Annotation::info(text, span)
    }

    /// Histograms that an aggregation left out.
    pub fn histogram_ignored_in_aggregation(aggregation: &str, span: Span) -> Self {
        Annotation::info(format!("ignored histogram in {aggregation} aggregation"), span)
    }

    /// Histograms that a function left out of a range with floats.
    pub fn histogram_ignored_in_mixed_range(metric: &str, span: Span) -> Self {
        let text = format!(
            "ignored histograms in a range containing both floats and histograms for metric name {}",
            quote(metric)
        );
        Annotation::info(text, span)
    }

    /// An operator between histograms whose buckets cannot be brought together.
    pub fn incompatible_bucket_layout(operator: &str, span: Span) -> Self {
        Annotation::warning(
            format!("incompatible bucket layout encountered for binary operator {operator}"),
            span,
        )
    }

    /// Sorting what will be sorted by labels anyway.
    pub fn sort_in_range_query(span: Span) -> Self {
        Annotation::warning(
            "sort is ineffective for range queries since results are always ordered by labels",
            span,
        )
    }

    /// Histograms of which one says that its counter was reset and another that it was not; `operation` is `addition`,
    /// `subtraction` or `aggregation`.
    pub fn counter_reset_collision(operation: &str, span: Span) -> Self {
        Annotation::warning(format!("conflicting counter resets during histogram {operation}"), span)
    }

    /// Histograms with different custom bounds, brought to those that all have; `operation` as above.
    pub fn mismatched_custom_buckets(operation: &str, span: Span) -> Self {
        Annotation::info(format!("mismatched custom buckets were reconciled during {operation}"), span)
    }

    /// A sample that began to count before the sample in front of it.
    pub fn start_time_overlap(metric: &str, span: Span) -> Self {
        let text = format!(
            "sample has start time that overlaps with previous sample timestamp for metric {}",
            quote(metric)
        );
        Annotation { facts: Some(Facts::Occurrences(1)), ..Annotation::warning(text, span) }
    }

    /// A histogram of NaNs has no quantile.
    pub fn quantile_nan_result(metric: &str, span: Span) -> Self {
        let text = "input to histogram_quantile has NaN observations, result is NaN".to_owned();
        Annotation::info(with_metric(text, metric), span)
    }

    /// NaNs count as observations above all others.
    pub fn quantile_nan_skew(metric: &str, span: Span) -> Self {
        let text = "input to histogram_quantile has NaN observations, result is skewed higher".to_owned();
        Annotation::info(with_metric(text, metric), span)
    }

    /// NaNs are in no fraction.
    pub fn fraction_nans(metric: &str, span: Span) -> Self {
        let text = "input to histogram_fraction has NaN observations, which are excluded from all fractions"
            .to_owned();
        Annotation::info(with_metric(text, metric), span)
    }
}

fn with_metric(text: String, metric: &str) -> String {
    if metric.is_empty() { text } else { format!("{text} for metric name {}", quote(metric)) }
}

/// Go's `%g`: the shortest digits, with an exponent below 1e-4 and from 1e6 on.
fn go_g(value: f64) -> String {
    prom_model::go_float(value)
}

pub(super) fn push_facts(text: &mut String, facts: &Facts) {
    match facts {
        Facts::Occurrences(1) => {}
        Facts::Occurrences(count) => text.push_str(&format!(" ({count} occurrences)")),
        Facts::Monotonicity(facts) => text.push_str(&format!(
            ", from buckets {} to {}, with a max diff of {}, over {} samples from {} to {}",
            go_g(facts.min_bucket),
            go_g(facts.max_bucket),
            two_digits(facts.max_diff),
            facts.samples,
            rfc3339(facts.min_time),
            rfc3339(facts.max_time),
        )),
    }
}

/// Go's `%.2g`: two significant digits, without zeros at the end.
fn two_digits(value: f64) -> String {
    let text = format!("{value:.1e}");
    let Some((mantissa, exponent)) = text.split_once('e').filter(|_| value.is_finite()) else {
        return go_g(value);
    };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-4..2).contains(&exponent) {
        return text.parse().map_or_else(|_| go_g(value), |rounded: f64| format!("{rounded}"));
    }
    let mantissa = mantissa.strip_suffix(".0").unwrap_or(mantissa);
    format!("{mantissa}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
}

/// A time of day in UTC, whole seconds: `2024-01-01T00:00:00Z`.
fn rfc3339(time: i64) -> String {
    let seconds = time / 1000;
    let (days, of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = crate::calendar::date(days);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", of_day / 3600, of_day / 60 % 60, of_day % 60)
}

#[cfg(test)]
mod tests {
    use super::two_digits;

    #[test]
    fn differences_have_two_digits() {
        for (value, text) in [
            (0.0, "0"),
            (1.0, "1"),
            (9.99, "10"),
            (99.5, "1e+02"),
            (123_456.0, "1.2e+05"),
            (0.000_012_34, "1.2e-05"),
            (0.096, "0.096"),
            (5e-324, "4.9e-324"),
            (2.5, "2.5"),
            (f64::INFINITY, "+Inf"),
        ] {
            assert_eq!(two_digits(value), text);
        }
    }
}
