//! TEN001: more copies than receivers, or an even number of copies.

use crate::diagnostic::Diagnostic;
use crate::model::{Model, Role};

/// A write needs a majority of its copies.
pub(super) fn check(model: &Model, diagnostics: &mut Vec<Diagnostic>) {
    for cluster in &model.clusters {
        let Some(factor) = cluster.topology.receive.as_ref().and_then(|receive| receive.factor.as_ref())
        else {
            continue;
        };
        let replicas = cluster.first(Role::Receive).map_or(0, |component| component.replicas.value);
        if factor.value == 0 || factor.value > replicas {
            diagnostics.push(
                Diagnostic::error(
                    "TEN001",
                    factor.span,
                    format!("{} copies on {replicas} receivers", factor.value),
                )
                .help("at least one copy, and at least as many receivers as copies"),
            );
        } else if factor.value % 2 == 0 {
            diagnostics.push(
                Diagnostic::warning(
                    "TEN001",
                    factor.span,
                    format!("{} copies survive no more failures than {}", factor.value, factor.value - 1),
                )
                .help("use an odd factor"),
            );
        }
    }
}
