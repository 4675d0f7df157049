//! Rule files.

use super::{Shape, Struct, TEXT_MAP, f};

/// One rule.
pub(crate) static RULE: Struct = Struct {
    fields: &[
        f("alert", Shape::Node),
        f("annotations", TEXT_MAP),
        f("expr", Shape::Node),
        f("for", Shape::Duration),
        f("keep_firing_for", Shape::Duration).since(2, 42, 0),
        f("labels", TEXT_MAP),
        f("record", Shape::Node),
    ],
    inline: &[],
    check: None,
};

/// A group of rules.
pub(crate) static GROUP: Struct = Struct {
    fields: &[
        f("interval", Shape::Duration),
        f("labels", TEXT_MAP).since(3, 0, 0),
        f("limit", Shape::Int),
        f("name", Shape::Text),
        f("query_offset", Shape::Duration).since(2, 53, 0),
        f("rules", Shape::List(&Shape::Struct(&RULE))),
    ],
    inline: &[],
    check: None,
};

/// The file.
pub(crate) static FILE: Struct =
    Struct { fields: &[f("groups", Shape::List(&Shape::Struct(&GROUP)))], inline: &[], check: None };
