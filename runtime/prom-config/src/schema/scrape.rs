//! Scrape configurations.

use prom_model::{NameScheme, PromDuration};

use super::global::Defaults;
use super::{Shape, Struct, TEXTS, f, http, relabel, sd, v};
use crate::Kind;
use crate::checker::{Checker, Step};
use crate::record::Record;
use crate::tree::NodeId;

/// One job.
pub(crate) static JOB: Struct = Struct {
    fields: &[
        f("always_scrape_classic_histograms", Shape::Bool).since(3, 0, 0),
        f("body_size_limit", Shape::Bytes),
        f("convert_classic_histograms_to_nhcb", Shape::Bool).since(3, 0, 0),
        f("enable_compression", Shape::Bool).since(2, 49, 0),
        f("extra_scrape_metrics", Shape::Bool).since(3, 10, 0),
        f("fallback_scrape_protocol", Shape::Text).since(3, 0, 0),
        f("honor_labels", Shape::Bool),
        f("honor_timestamps", Shape::Bool),
        f("job_name", Shape::Text),
        f("keep_dropped_targets", Shape::Uint).since(2, 47, 0),
        f("label_limit", Shape::Uint),
        f("label_name_length_limit", Shape::Uint),
        f("label_value_length_limit", Shape::Uint),
        f("metric_name_escaping_scheme", Shape::Text).since(3, 4, 0),
        f("metric_name_validation_scheme", Shape::Text).since(2, 55, 0),
        f("metric_relabel_configs", relabel::RULES),
        f("metrics_path", Shape::Text),
        f("native_histogram_bucket_limit", Shape::Uint).since(2, 45, 0),
        f("native_histogram_min_bucket_factor", Shape::Float).since(2, 50, 0),
        f("params", Shape::Map(&Shape::Text, &TEXTS)),
        f("relabel_configs", relabel::RULES),
        f("sample_limit", Shape::Uint),
        f("scheme", Shape::Text),
        f("scrape_classic_histograms", Shape::Bool).since(2, 45, 0).until(2, 55, 1),
        f("scrape_failure_log_file", Shape::Text).since(2, 55, 0),
        f("scrape_interval", Shape::Duration),
        f("scrape_native_histograms", Shape::Bool).since(3, 8, 0),
        f("scrape_protocols", TEXTS).since(2, 49, 0),
        f("scrape_timeout", Shape::Duration),
        f("target_limit", Shape::Uint),
        f("track_timestamps_staleness", Shape::Bool).since(2, 48, 0),
    ],
    inline: &[(&http::CLIENT, http::ALWAYS), (&sd::LISTS, http::ALWAYS)],
    check: Some(check),
};

const PROTOCOLS: &[&str] = &[
    "PrometheusProto",
    "PrometheusText0.0.4",
    "OpenMetricsText0.0.1",
    "OpenMetricsText1.0.0",
    "PrometheusText1.0.0",
];

fn check(c: &mut Checker<'_>, job: &Record) {
    if !c.is_filled(job, "job_name") {
        c.refuse(job, "job_name", "`job_name` is missing: every scrape configuration has one");
    }
    http::check(c, job);
    sd::check_static_targets(c, job);
    check_protocols(c, job);
    let fallback = c.text(job, "fallback_scrape_protocol");
    if !fallback.is_empty() && !PROTOCOLS.contains(&fallback) {
        c.refuse(job, "fallback_scrape_protocol", unknown_protocol(fallback));
    }
}

fn unknown_protocol(name: &str) -> String {
    format!("{name:?} is no scrape protocol: they are {}", http::words(PROTOCOLS))
}

/// Checks `scrape_protocols` of a job, or of `global`.
pub(crate) fn check_protocols(c: &mut Checker<'_>, record: &Record) {
    if !c.is_set(record, "scrape_protocols") {
        return;
    }
    let items: Vec<NodeId> = c.items(record, "scrape_protocols").to_vec();
    if items.is_empty() {
        c.refuse(record, "scrape_protocols", "the list is empty: name a protocol or remove the field");
    }
    let mut known: Vec<String> = Vec::new();
    for (index, item) in items.into_iter().enumerate() {
        let name = c.scalar_text(item);
        let lower = name.to_ascii_lowercase();
        let message = if known.contains(&lower) {
            format!("{name:?} is given twice: remove one")
        } else if !PROTOCOLS.contains(&name) || name == "PrometheusText1.0.0" && c.options.before(v(3, 0, 0))
        {
            unknown_protocol(name)
        } else {
            known.push(lower);
            continue;
        };
        c.within(Step::Field("scrape_protocols"), |c| {
            c.within(Step::Index(index), |c| c.problem_at(item, Kind::Value, message));
        });
        // One is enough, and the list of known names stays short.
        return;
    }
}

/// Checks a list of jobs against the settings they take over; returns their names.
///
/// `complete` says whether those settings are known: files of their own are checked without them.
pub(crate) fn check_jobs(c: &mut Checker<'_>, root: &Record, global: Option<&Defaults>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let mut known = std::collections::HashSet::new();
    for (index, item) in c.items(root, "scrape_configs").to_vec().into_iter().enumerate() {
        if c.is_null(item) || c.is_stopped() {
            continue;
        }
        let job = c.quiet_record(item, &JOB);
        c.within(Step::Field("scrape_configs"), |c| {
            c.within(Step::Index(index), |c| {
                let name = c.text(&job, "job_name").to_owned();
                if !name.is_empty() && !known.insert(name.clone()) {
                    c.refuse(&job, "job_name", format!("there is another job `{name}`: names are unique"));
                }
                names.push(name);
                check_times(c, &job, global);
                check_names(c, &job, global);
            });
        });
    }
    names
}

fn check_times(c: &mut Checker<'_>, job: &Record, global: Option<&Defaults>) {
    let (Some(interval), Some(timeout)) = (
        c.duration_or(job, "scrape_interval", PromDuration::ZERO),
        c.duration_or(job, "scrape_timeout", PromDuration::ZERO),
    ) else {
        return;
    };
    let interval =
        if interval.is_zero() { global.and_then(|global| global.scrape_interval) } else { Some(interval) };
    if let Some(interval) = interval.filter(|interval| timeout > *interval) {
        c.refuse(
            job,
            "scrape_timeout",
            format!("the timeout {timeout} is longer than the scrape interval {interval}"),
        );
    }
}

fn check_names(c: &mut Checker<'_>, job: &Record, global: Option<&Defaults>) {
    let own = c.text(job, "metric_name_validation_scheme");
    let global_legacy = global.is_some_and(|global| global.legacy);
    let legacy = own == "legacy" || own.is_empty() && global_legacy;
    if !own.is_empty() && !matches!(own, "legacy" | "utf8") && c.options.at_least(v(3, 4, 0)) {
        c.refuse(job, "metric_name_validation_scheme", "the scheme is `utf8` or `legacy`");
    }
    let escaping = c.text(job, "metric_name_escaping_scheme");
    match escaping {
        "" => {
            // Before 3.7 a job with rules of its own still took over the way to escape of the whole file.
            let utf8 = global.and_then(|global| global.escaping_is_utf8) == Some(true);
            let own_default = !own.is_empty() && !c.options.before(v(3, 7, 0));
            if legacy && utf8 && !own_default && c.options.at_least(v(3, 4, 0)) && global.is_some() {
                let id = job.value("metric_name_validation_scheme").or(job.id);
                if let Some(id) = id {
                    let text = "names are escaped for UTF-8, yet the rules for names are the legacy ones";
                    c.doubt_at(id, Kind::Value, text);
                }
            }
        }
        "allow-utf-8" if legacy => {
            c.refuse(
                job,
                "metric_name_escaping_scheme",
                "`allow-utf-8` does not go with the legacy rules for names",
            );
        }
        "allow-utf-8" | "underscores" | "dots" | "values" => {}
        _ => c.refuse(
            job,
            "metric_name_escaping_scheme",
            "this is `allow-utf-8`, `underscores`, `dots` or `values`",
        ),
    }
    let scheme = if legacy && c.options.at_least(v(3, 7, 0)) { NameScheme::Legacy } else { c.scheme() };
    for field in ["relabel_configs", "metric_relabel_configs"] {
        relabel::check_list(c, job, field, scheme);
    }
}
