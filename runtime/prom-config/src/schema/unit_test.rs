//! Unit tests of rules.

use super::{Shape, Struct, TEXT_MAP, TEXTS, f};

/// A series that a test loads.
pub(crate) static INPUT: Struct =
    Struct { fields: &[f("series", Shape::Text), f("values", Shape::Text)], inline: &[], check: None };

/// An alert that a test expects.
pub(crate) static EXPECTED_ALERT: Struct =
    Struct { fields: &[f("exp_annotations", TEXT_MAP), f("exp_labels", TEXT_MAP)], inline: &[], check: None };

/// The alerts of one name at one time.
pub(crate) static ALERT_TEST: Struct = Struct {
    fields: &[
        f("alertname", Shape::Text),
        f("eval_time", Shape::Duration),
        f("exp_alerts", Shape::List(&Shape::Struct(&EXPECTED_ALERT))),
    ],
    inline: &[],
    check: None,
};

/// An element that a test expects.
pub(crate) static EXPECTED_SAMPLE: Struct = Struct {
    fields: &[f("histogram", Shape::Text), f("labels", Shape::Text), f("value", Shape::Float)],
    inline: &[],
    check: None,
};

/// The value of an expression at one time.
pub(crate) static EXPR_TEST: Struct = Struct {
    fields: &[
        f("eval_time", Shape::Duration),
        f("exp_samples", Shape::List(&Shape::Struct(&EXPECTED_SAMPLE))),
        f("expr", Shape::Text),
    ],
    inline: &[],
    check: None,
};

/// One test.
pub(crate) static TEST: Struct = Struct {
    fields: &[
        f("alert_rule_test", Shape::List(&Shape::Struct(&ALERT_TEST))),
        f("external_labels", TEXT_MAP),
        f("external_url", Shape::Text),
        f("input_series", Shape::List(&Shape::Struct(&INPUT))),
        f("interval", Shape::Duration),
        f("name", Shape::Text),
        f("promql_expr_test", Shape::List(&Shape::Struct(&EXPR_TEST))),
        f("start_timestamp", Shape::Text),
    ],
    inline: &[],
    check: None,
};

/// The file.
pub(crate) static FILE: Struct = Struct {
    fields: &[
        f("evaluation_interval", Shape::Duration),
        f("fuzzy_compare", Shape::Bool),
        f("group_eval_order", TEXTS),
        f("rule_files", TEXTS),
        f("tests", Shape::List(&Shape::Struct(&TEST))),
    ],
    inline: &[],
    check: None,
};
