//! STO001: local retention too short to survive an outage of the bucket.

use prom_model::PromDuration;

use crate::diagnostic::{Diagnostic, Severity};
use crate::model::Model;
use crate::pipeline::Origin;

/// A block is cut every two hours and uploaded after it; three blocks are the least that may be waiting.
pub(super) fn check(model: &Model, diagnostics: &mut Vec<Diagnostic>) {
    for cluster in &model.clusters {
        for group in cluster.prometheus.iter().filter(|group| !group.agent) {
            let retention = group.retention.value;
            let Origin::Line(span) = group.retention.origin else { continue };
            let six_hours = PromDuration::from_secs(6 * 3600);
            if retention >= PromDuration::from_secs(86400) {
                continue;
            }
            let mut found = Diagnostic::warning(
                "STO001",
                span,
                format!("only {retention} of data stay on the local disk"),
            )
            .help("24h or more: what is not uploaded in that time is lost");
            if retention <= six_hours {
                found.severity = Severity::Error;
            }
            diagnostics.push(found);
        }
    }
}
