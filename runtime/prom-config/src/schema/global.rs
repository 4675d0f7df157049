//! The section `global`.

use prom_model::{NameScheme, PromDuration};

use super::{Shape, Struct, TEXT_MAP, TEXTS, f, v};
use crate::Kind;
use crate::checker::{Checker, Step};
use crate::record::Record;

/// The section.
pub(crate) static GLOBAL: Struct = Struct {
    fields: &[
        f("always_scrape_classic_histograms", Shape::Bool).since(3, 5, 0),
        f("body_size_limit", Shape::Bytes).since(2, 45, 0),
        f("convert_classic_histograms_to_nhcb", Shape::Bool).since(3, 4, 0),
        f("evaluation_interval", Shape::Duration),
        f("external_labels", TEXT_MAP),
        f("extra_scrape_metrics", Shape::Bool).since(3, 10, 0),
        f("keep_dropped_targets", Shape::Uint).since(2, 47, 0),
        f("label_limit", Shape::Uint).since(2, 45, 0),
        f("label_name_length_limit", Shape::Uint).since(2, 45, 0),
        f("label_value_length_limit", Shape::Uint).since(2, 45, 0),
        f("metric_name_escaping_scheme", Shape::Text).since(3, 4, 0),
        f("metric_name_validation_scheme", Shape::Text).since(2, 55, 0),
        f("query_log_file", Shape::Text),
        f("rule_query_offset", Shape::Duration).since(2, 53, 0),
        f("sample_limit", Shape::Uint).since(2, 45, 0),
        f("scrape_failure_log_file", Shape::Text).since(2, 55, 0),
        f("scrape_interval", Shape::Duration),
        f("scrape_native_histograms", Shape::Bool).since(3, 8, 0),
        f("scrape_protocols", TEXTS).since(2, 49, 0),
        f("scrape_timeout", Shape::Duration),
        f("target_limit", Shape::Uint).since(2, 45, 0),
    ],
    inline: &[],
    check: Some(check),
};

/// The settings that the scrape sections take over.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Defaults {
    pub(crate) scrape_interval: Option<PromDuration>,
    pub(crate) scheme: NameScheme,
    /// Whether the names' rules are given as the legacy ones.
    pub(crate) legacy: bool,
    /// The way to escape names, where it is known.
    pub(crate) escaping_is_utf8: Option<bool>,
}

const MINUTE: PromDuration = PromDuration::from_mins(1);

/// Reads the settings that other sections take over.
pub(crate) fn defaults(c: &mut Checker<'_>, root: &Record) -> Defaults {
    let global = c.sub(root, "global", &GLOBAL).unwrap_or_default();
    let interval = c.duration_or(&global, "scrape_interval", MINUTE);
    let scrape_interval = interval.map(|interval| if interval.is_zero() { MINUTE } else { interval });
    let legacy = c.text(&global, "metric_name_validation_scheme") == "legacy";
    let scheme = if legacy && c.options.at_least(v(3, 7, 0)) { NameScheme::Legacy } else { c.scheme() };
    let escaping = c.text(&global, "metric_name_escaping_scheme");
    let escaping_is_utf8 = Some(if escaping.is_empty() { !legacy } else { escaping == "allow-utf-8" });
    Defaults { scrape_interval, scheme, legacy, escaping_is_utf8 }
}

fn check(c: &mut Checker<'_>, global: &Record) {
    let interval = c.duration_or(global, "scrape_interval", PromDuration::ZERO);
    let timeout = c.duration_or(global, "scrape_timeout", PromDuration::ZERO);
    if let (Some(interval), Some(timeout)) = (interval, timeout) {
        let interval = if interval.is_zero() { MINUTE } else { interval };
        if timeout > interval {
            c.refuse(
                global,
                "scrape_timeout",
                format!("the timeout is longer than the scrape interval {interval}"),
            );
        }
    }
    check_external_labels(c, global);
    super::scrape::check_protocols(c, global);
    // A section without any field is as good as none, and the checks of the scheme belong to the scrape sections.
    check_schemes(c, global);
}

fn check_external_labels(c: &mut Checker<'_>, global: &Record) {
    let Some(id) = c.get(global, "external_labels") else { return };
    let legacy =
        c.text(global, "metric_name_validation_scheme") == "legacy" && c.options.at_least(v(3, 7, 0));
    for (key, _) in c.pairs(id) {
        let name = c.scalar_text(key);
        c.within(Step::Field("external_labels"), |c| {
            c.within(Step::Field(name), |c| {
                if legacy && !NameScheme::Legacy.is_valid_label_name(name) {
                    c.problem_at(
                        key,
                        Kind::Value,
                        format!("{name:?} is no label name under the legacy rules"),
                    );
                } else {
                    c.check_label_name(key, name);
                }
            });
        });
    }
}

fn check_schemes(c: &mut Checker<'_>, global: &Record) {
    let scheme = c.text(global, "metric_name_validation_scheme");
    let is_typed = c.options.at_least(v(3, 6, 0));
    if is_typed && !matches!(scheme, "" | "legacy" | "utf8") {
        c.refuse(global, "metric_name_validation_scheme", "the scheme is `utf8` or `legacy`");
    }
}
