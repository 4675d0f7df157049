//! The text formats of `/metrics`: Prometheus 0.0.4 and OpenMetrics 1.0.
//!
//! Order as Go's client prints it: families by name, series by their label values.

use std::fmt::{Result, Write};

use prometheus_client::encoding::prometheus_protobuf::prometheus_data_model::{
    Histogram, LabelPair, Metric, MetricFamily, MetricType,
};

use prom_model::go_float;

/// Text format 0.0.4.
pub(super) fn plain(families: Vec<MetricFamily>) -> std::result::Result<String, std::fmt::Error> {
    write_all(families, false)
}

/// OpenMetrics 1.0.
pub(super) fn open_metrics(families: Vec<MetricFamily>) -> std::result::Result<String, std::fmt::Error> {
    let mut text = write_all(families, true)?;
    text.push_str("# EOF\n");
    Ok(text)
}

fn write_all(mut families: Vec<MetricFamily>, open: bool) -> std::result::Result<String, std::fmt::Error> {
    families.sort_by(|a, b| a.name.cmp(&b.name));
    let mut text = String::new();
    for family in &mut families {
        family.metric.sort_by(|a, b| {
            let values = |metric: &Metric| -> Vec<String> {
                metric.label.iter().map(|pair| pair.value.clone()).collect()
            };
            values(a).cmp(&values(b))
        });
        write_family(&mut text, family, open)?;
    }
    Ok(text)
}

fn write_family(text: &mut String, family: &MetricFamily, open: bool) -> Result {
    let kind = family.r#type();
    // OpenMetrics names the family of a counter without its suffix.
    let shown = match kind {
        MetricType::Counter if open => family.name.strip_suffix("_total").unwrap_or(&family.name),
        _ => &family.name,
    };
    // The registry ends each help text with a full stop, which the originals' texts have already.
    let help = family.help.strip_suffix("..").map_or(family.help.clone(), |help| format!("{help}."));
    writeln!(text, "# HELP {shown} {}", escape(&help, open))?;
    writeln!(text, "# TYPE {shown} {}", word(kind, open))?;
    for metric in &family.metric {
        let mut line = Line { text, family: &family.name, labels: &metric.label };
        if let Some(counter) = &metric.counter {
            line.write("", None, counter.value)?;
        } else if let Some(gauge) = &metric.gauge {
            line.write("", None, gauge.value)?;
        } else if let Some(untyped) = &metric.untyped {
            line.write("", None, untyped.value)?;
        } else if let Some(histogram) = &metric.histogram {
            line.histogram(histogram)?;
        }
    }
    Ok(())
}

fn word(kind: MetricType, open: bool) -> &'static str {
    match kind {
        MetricType::Counter => "counter",
        MetricType::Gauge => "gauge",
        MetricType::Summary => "summary",
        MetricType::Histogram | MetricType::GaugeHistogram => "histogram",
        MetricType::Untyped if open => "unknown",
        MetricType::Untyped => "untyped",
    }
}

/// Writes the lines of one series.
struct Line<'a> {
    text: &'a mut String,
    family: &'a str,
    labels: &'a [LabelPair],
}

impl Line<'_> {
    fn write(&mut self, suffix: &str, extra: Option<(&str, &str)>, value: f64) -> Result {
        write!(self.text, "{}{suffix}", self.family)?;
        let own = self.labels.iter().map(|pair| (pair.name.as_str(), pair.value.as_str()));
        for (index, (name, value)) in own.chain(extra).enumerate() {
            let before = if index == 0 { '{' } else { ',' };
            write!(self.text, "{before}{name}=\"{}\"", escape(value, true))?;
        }
        if !self.labels.is_empty() || extra.is_some() {
            self.text.push('}');
        }
        writeln!(self.text, " {}", go_float(value))
    }

    #[expect(clippy::cast_precision_loss, reason = "counts in text are floats in both formats")]
    fn histogram(&mut self, histogram: &Histogram) -> Result {
        let count = histogram.sample_count as f64;
        let mut closed = false;
        for bucket in &histogram.bucket {
            closed |= bucket.upper_bound == f64::INFINITY;
            let bound = go_float(bucket.upper_bound);
            self.write("_bucket", Some(("le", &bound)), bucket.cumulative_count as f64)?;
        }
        if !closed {
            self.write("_bucket", Some(("le", "+Inf")), count)?;
        }
        self.write("_sum", None, histogram.sample_sum)?;
        self.write("_count", None, count)
    }
}

/// Escapes a label value (`quotes`) or a help text.
fn escape(text: &str, quotes: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '"' if quotes => out.push_str("\\\""),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use prometheus_client::metrics::counter::Counter;
    use prometheus_client::metrics::family::Family;
    use prometheus_client::metrics::gauge::Gauge;
    use prometheus_client::metrics::histogram::Histogram;
    use prometheus_client::registry::Registry;

    use crate::metrics::Metrics;

    fn registry() -> Registry {
        let mut registry = Registry::default();
        let errors = Family::<Vec<(String, String)>, Counter>::default();
        errors.get_or_create(&vec![("why".into(), "quo\"te".into())]).inc_by(2_000_000);
        errors.get_or_create(&vec![("why".into(), "a".into())]).inc();
        registry.register("errors", "Errors, \\ counted.", errors);
        let gauge = Gauge::<i64>::default();
        gauge.set(7);
        registry.register("answer", "One number", gauge);
        let seconds = Histogram::new([0.5, 1.0]);
        seconds.observe(0.7);
        registry.register("seconds", "Time.", seconds);
        registry
    }

    #[test]
    fn plain_text_is_what_go_prints() {
        let (kind, body) = Metrics::new(registry()).exposition("").unwrap();
        assert!(kind.starts_with("text/plain; version=0.0.4"));
        assert_eq!(
            String::from_utf8(body).unwrap(),
            "# HELP answer One number.\n# TYPE answer gauge\nanswer 7\n\
             # HELP errors_total Errors, \\\\ counted.\n# TYPE errors_total counter\n\
             errors_total{why=\"a\"} 1\nerrors_total{why=\"quo\\\"te\"} 2e+06\n\
             # HELP seconds Time.\n# TYPE seconds histogram\n\
             seconds_bucket{le=\"0.5\"} 0\nseconds_bucket{le=\"1\"} 1\nseconds_bucket{le=\"+Inf\"} 1\n\
             seconds_sum 0.7\nseconds_count 1\n"
        );
    }

    #[test]
    fn open_metrics_ends_with_its_mark_and_names_counters_without_suffix() {
        let accept = "application/openmetrics-text;version=1.0.0,text/plain;q=0.5";
        let (kind, body) = Metrics::new(registry()).exposition(accept).unwrap();
        let body = String::from_utf8(body).unwrap();
        assert!(kind.starts_with("application/openmetrics-text"));
        assert!(body.contains("# TYPE errors counter\nerrors_total{why=\"a\"} 1\n"), "{body}");
        assert!(body.ends_with("# EOF\n"));
    }
}
