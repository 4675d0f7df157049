//! IDN012: a label of the ruler hides the alert's own label.

use crate::diagnostic::Diagnostic;
use crate::model::Model;

/// The ruler's external labels always replace what a rule yields.
pub(super) fn check(model: &Model, diagnostics: &mut Vec<Diagnostic>) {
    for cluster in &model.clusters {
        let labels = cluster
            .topology
            .ruler
            .iter()
            .filter_map(|ruler| ruler.origin.as_ref())
            .flat_map(|origin| &origin.labels);
        for (name, _) in labels {
            let external = cluster
                .prometheus
                .iter()
                .flat_map(|group| &group.external_labels)
                .any(|(label, _)| *label == name.value);
            if name.value == "cluster" || external {
                diagnostics.push(
                    Diagnostic::error(
                        "IDN012",
                        name.span,
                        format!("`{}` on the ruler overwrites the alert's own label", name.value),
                    )
                    .help("name it after what it says: `origin-label ruled_by=…`"),
                );
            }
        }
    }
}
