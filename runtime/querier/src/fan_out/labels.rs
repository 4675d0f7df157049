//! Label sets of messages: replica labels removed, and their order.

use std::cmp::Ordering;

use storeapi::thanos::{Label, LabelSet};

/// Sorts by name and removes these labels.
pub(super) fn strip(set: &mut Option<LabelSet>, gone: &[String]) {
    if let Some(set) = set {
        set.labels.retain(|label| !gone.contains(&label.name));
        set.labels.sort_by(compare_label);
    }
}

/// The order of Prometheus: by the first name that differs, then by its value; a set that another one begins with comes first.
pub(super) fn compare(one: Option<&LabelSet>, two: Option<&LabelSet>) -> Ordering {
    let labels = |set: Option<&LabelSet>| set.map(|set| set.labels.clone()).unwrap_or_default();
    let (one, two) = (labels(one), labels(two));
    one.iter()
        .zip(&two)
        .map(|(one, two)| compare_label(one, two))
        .find(|order| order.is_ne())
        .unwrap_or_else(|| one.len().cmp(&two.len()))
}

pub(super) fn compare_label(one: &Label, two: &Label) -> Ordering {
    one.name.cmp(&two.name).then_with(|| one.value.cmp(&two.value))
}
