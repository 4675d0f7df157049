//! The sections `storage`, `tracing`, `runtime` and `otlp`.

use super::{Shape, Struct, TEXT_MAP, TEXTS, Word, f, http, v, w};
use crate::Kind;
use crate::checker::{Checker, Step};
use crate::record::Record;

static RETENTION: Struct = Struct {
    fields: &[
        f("percentage", Shape::Float).since(3, 11, 0),
        f("size", Shape::Bytes).since(3, 8, 0),
        f("time", Shape::Duration).since(3, 8, 0),
    ],
    inline: &[],
    check: Some(check_retention),
};

static CHUNK_ENCODING: Struct =
    Struct { fields: &[f("floats", Shape::Text).since(3, 13, 0)], inline: &[], check: Some(check_encoding) };

static TSDB: Struct = Struct {
    fields: &[
        f("chunk_encoding", Shape::Struct(&CHUNK_ENCODING)).since(3, 13, 0),
        f("out_of_order_time_window", Shape::Duration).since(2, 39, 0),
        f("retention", Shape::Struct(&RETENTION)).since(3, 8, 0),
        f("stale_series_compaction_threshold", Shape::Float).since(3, 10, 0),
    ],
    inline: &[],
    check: None,
};

static EXEMPLARS: Struct = Struct { fields: &[f("max_exemplars", Shape::Int)], inline: &[], check: None };

/// `storage`.
pub(crate) static STORAGE: Struct = Struct {
    fields: &[f("exemplars", Shape::Struct(&EXEMPLARS)), f("tsdb", Shape::Struct(&TSDB)).since(2, 39, 0)],
    inline: &[],
    check: None,
};

const CLIENT_TYPES: &[Word] = &[w("http"), w("grpc")];

/// `tracing`.
pub(crate) static TRACING: Struct = Struct {
    fields: &[
        f("client_type", Shape::Enum(CLIENT_TYPES)),
        f("compression", Shape::Text),
        f("endpoint", Shape::Text),
        f("headers", TEXT_MAP),
        f("insecure", Shape::Bool),
        f("sampling_fraction", Shape::Float),
        f("timeout", Shape::Duration),
        f("tls_config", Shape::Struct(&http::TLS)),
    ],
    inline: &[],
    check: Some(check_tracing),
};

/// `runtime`.
pub(crate) static RUNTIME: Struct =
    Struct { fields: &[f("gogc", Shape::Int).since(2, 53, 0)], inline: &[], check: None };

/// `otlp`.
pub(crate) static OTLP: Struct = Struct {
    fields: &[
        f("convert_histograms_to_nhcb", Shape::Bool).since(3, 4, 0),
        f("ignore_resource_attributes", TEXTS).since(3, 5, 0),
        f("keep_identifying_resource_attributes", Shape::Bool).since(3, 1, 0),
        f("label_name_preserve_multiple_underscores", Shape::Bool).since(3, 8, 0),
        f("label_name_underscore_sanitization", Shape::Bool).since(3, 8, 0),
        f("promote_all_resource_attributes", Shape::Bool).since(3, 5, 0),
        f("promote_resource_attributes", TEXTS).since(2, 55, 0),
        f("promote_scope_metadata", Shape::Bool).since(3, 6, 0),
        f("translation_strategy", Shape::Text).since(3, 0, 0),
    ],
    inline: &[],
    check: Some(check_otlp),
};

fn check_retention(c: &mut Checker<'_>, record: &Record) {
    if c.number_or(record, "percentage", 0.0).is_some_and(|value| !(0.0..=100.0).contains(&value)) {
        c.refuse(record, "percentage", "the percentage is from 0 to 100");
    }
    if c.text(record, "size").starts_with('-') && c.options.at_least(v(3, 11, 0)) {
        c.refuse(record, "size", "the size is negative");
    }
}

fn check_encoding(c: &mut Checker<'_>, record: &Record) {
    if !matches!(c.text(record, "floats"), "" | "xor" | "xor2") {
        c.refuse(record, "floats", "the encoding is `xor` or `xor2`");
    }
}

fn check_tracing(c: &mut Checker<'_>, record: &Record) {
    http::check_plain_headers(c, record);
    if !c.is_filled(record, "endpoint") {
        c.refuse(record, "endpoint", "`tracing` needs an `endpoint`");
    }
    if !matches!(c.text(record, "compression"), "" | "gzip") {
        c.refuse(record, "compression", "the compression is `gzip`, or the field is left out");
    }
}

fn check_otlp(c: &mut Checker<'_>, record: &Record) {
    let all = c.is_true(record, "promote_all_resource_attributes");
    let given = |c: &Checker<'_>, name| !c.items(record, name).is_empty();
    if all && given(c, "promote_resource_attributes") {
        let text = "`promote_all_resource_attributes` and `promote_resource_attributes` exclude each other";
        c.refuse(record, "promote_resource_attributes", text);
    }
    if !all && given(c, "ignore_resource_attributes") {
        let text = "`ignore_resource_attributes` needs `promote_all_resource_attributes: true`";
        c.refuse(record, "ignore_resource_attributes", text);
    }
    for field in ["promote_resource_attributes", "ignore_resource_attributes"] {
        let mut known = std::collections::HashSet::new();
        for (index, item) in c.items(record, field).to_vec().into_iter().enumerate() {
            let text = c.scalar_text(item).trim();
            let message = if text.is_empty() {
                "the name of an attribute is empty".to_owned()
            } else if !known.insert(text) {
                format!("{text:?} is given twice: remove one")
            } else {
                continue;
            };
            c.within(Step::Field(field), |c| {
                c.within(Step::Index(index), |c| c.problem_at(item, Kind::Value, message));
            });
        }
    }
}

/// Checks the strategy against the rules for names in `global`.
pub(crate) fn check_translation(c: &mut Checker<'_>, root: &Record, legacy: bool) {
    let Some(otlp) = c.sub(root, "otlp", &OTLP) else { return };
    let utf8 = match c.text(&otlp, "translation_strategy") {
        "" | "UnderscoreEscapingWithSuffixes" => false,
        "UnderscoreEscapingWithoutSuffixes" if !c.options.before(v(3, 6, 0)) => false,
        "NoUTF8EscapingWithSuffixes" => true,
        "NoTranslation" if !c.options.before(v(3, 4, 0)) => true,
        _ => {
            let text = "the strategy is `UnderscoreEscapingWithSuffixes`, `UnderscoreEscapingWithoutSuffixes`, \
                        `NoUTF8EscapingWithSuffixes` or `NoTranslation`";
            return c.within(Step::Field("otlp"), |c| c.refuse(&otlp, "translation_strategy", text));
        }
    };
    if utf8 && legacy {
        let text = "this strategy makes UTF-8 names, and `global` has the legacy rules";
        c.within(Step::Field("otlp"), |c| c.refuse(&otlp, "translation_strategy", text));
    }
}
