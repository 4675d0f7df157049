//! The labels of joined series.

use promql_syntax::VectorMatching;

use super::element::Operation;
use crate::exec::Run;
use crate::{LabelSet, Symbol, Symbols};

/// How the labels of a result come from those of its operands.
#[derive(Debug, Clone)]
pub(super) struct ResultLabels {
    /// Name, type and unit of the metric go.
    drop_metadata: bool,
    /// Of one to one: the labels that stay, or that go.
    matched: Option<(bool, Vec<Symbol>)>,
    /// Labels that come from the "one" side.
    pub(super) include: Vec<Symbol>,
}

impl ResultLabels {
    pub(super) fn new(
        operation: Operation,
        matching: &VectorMatching,
        one_to_one: bool,
        run: &mut Run,
    ) -> Self {
        let delayed = run.options.delayed_name_removal;
        let mut interned =
            |names: &[String]| names.iter().map(|name| run.symbols.intern(name)).collect::<Vec<_>>();
        ResultLabels {
            drop_metadata: operation.changes_metric() || operation.return_bool && !delayed,
            matched: one_to_one.then(|| (matching.on, interned(&matching.labels))),
            include: interned(&matching.include),
        }
    }

    /// Whether name, type and unit of the metric go.
    pub(super) fn drop_metadata(&self) -> bool {
        self.drop_metadata
    }

    /// Makes the labels of a result of those of the "many" side and of the values of the labels to include.
    pub(super) fn apply(&self, labels: &mut LabelSet, include: &[Symbol], symbols: &Symbols) {
        if self.drop_metadata {
            labels.drop_metadata();
        }
        if let Some((on, names)) = &self.matched {
            labels.retain(|name| names.contains(&name) == *on);
        }
        for (name, value) in self.include.iter().zip(include) {
            labels.set(symbols, *name, *value);
        }
    }
}
