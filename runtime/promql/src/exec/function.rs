//! The functions of PromQL, one file per family.

pub(crate) mod absent;
pub(crate) mod dates;
pub(crate) mod elementwise;
pub(crate) mod histogram;
pub(crate) mod info;
pub(crate) mod range;
pub(crate) mod relabel;
pub(crate) mod scalars;
pub(crate) mod sort;
pub(crate) mod timestamps;

/// What a function does to the names of series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NameEffect {
    /// They go, with type and unit; the series are told apart without them from then on.
    Drop,
    /// The series differ in what those of the first argument differ in.
    Keep,
    /// Labels change.
    Change,
}

/// What a function that takes no range does to the names of series.
pub(super) fn effect_on_names(function: &str) -> NameEffect {
    match function {
        "info" | "label_join" | "label_replace" => NameEffect::Change,
        // Types and units stay.
        "histogram_avg" | "histogram_count" | "histogram_stddev" | "histogram_stdvar" | "histogram_sum"
        | "sort" | "sort_by_label" | "sort_by_label_desc" | "sort_desc" => NameEffect::Keep,
        _ => NameEffect::Drop,
    }
}
