//! Series in the notation of Prometheus' test scripts, ready to be queried.

use std::sync::Arc;

use prom_model::SystemClock;
use promql::script::MemoryStorage;
use promql::{Answer, Control, Engine, QueryError, QueryRange};
use promql_syntax::{ParseOptions, SequenceValue, parse_with, series_description};

/// Loads series whose values lie `step` milliseconds apart, from time 0 on.
pub(super) fn load(step: i64, series: &[&str]) -> MemoryStorage {
    let mut storage = MemoryStorage::new();
    for text in series {
        let description = series_description(text).expect("a series in good notation");
        let labels = &description.labels;
        for (at, value) in (0..).zip(description.values) {
            let time = at * step;
            match value {
                SequenceValue::Omitted => {}
                SequenceValue::Stale => storage.push_float(labels, 0, time, prom_model::STALE_NAN),
                SequenceValue::Float(value) => storage.push_float(labels, 0, time, value),
                SequenceValue::Histogram { histogram, .. } => {
                    storage.push_histogram(labels, 0, time, histogram);
                }
            }
        }
    }
    storage
}

/// Neither a deadline nor a limit.
pub(super) fn free() -> Control {
    Control::unlimited(Arc::new(SystemClock))
}

/// Evaluates a query, in which everything experimental is allowed.
pub(super) fn evaluate(
    storage: &MemoryStorage,
    query: &str,
    range: QueryRange,
    control: Control,
) -> Result<Answer, QueryError> {
    let (expr, errors) = parse_with(query, &ParseOptions::ALL);
    let expr = expr.filter(|_| errors.is_empty()).expect("a good query");
    Engine::default().prepare_expr(query, &expr, range)?.run(storage.snapshot(), control)
}
