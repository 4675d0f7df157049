//! CMP004: a resolution is thrown away before the next one was made from it.

use prom_model::PromDuration;

use crate::diagnostic::Diagnostic;
use crate::model::Model;
use crate::topology::decode::Written;

/// Raw blocks are downsampled when they span 40 hours, 5-minute blocks when they span 10 days.
pub(super) fn check(model: &Model, diagnostics: &mut Vec<Diagnostic>) {
    for cluster in &model.clusters {
        let Some(compact) = &cluster.topology.compact else { continue };
        let Some(keep) = &compact.keep else { continue };
        if compact.downsample.as_ref().is_some_and(|downsample| !downsample.value) {
            continue;
        }
        let mut too_short = |value: &Option<Written<PromDuration>>, least: i64, words: &str, next: &str| {
            if let Some(value) = value
                && value.value > PromDuration::ZERO
                && value.value < PromDuration::from_secs(least)
            {
                diagnostics.push(
                    Diagnostic::error(
                        "CMP004",
                        value.span,
                        format!("kept for {}, so {next} blocks are never made", value.value),
                    )
                    .help(format!("at least {words}, or `compact downsample=#false`")),
                );
            }
        };
        too_short(&keep.raw, 40 * 3600, "40h", "5m");
        too_short(&keep.m5, 10 * 86400, "10d", "1h");
    }
}
