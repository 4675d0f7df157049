//! The series of a test: loaded as time goes on, extended by rules, read by the engine.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use prom_model::{Labels, ManualClock, PromDuration, STALE_NAN, TimestampMs, go_float};
use promql::script::MemoryStorage;
use promql::{Answer, Control, Engine, EngineOptions, QueryError, QueryRange, SeriesSource, Value};
use promql_syntax::{Expr, ParseOptions, SequenceValue, SeriesDescription, parse_with};

use super::TestSetup;
use super::outcome::InputError;
use crate::{BoxError, QueryFn, RuleStorage, Sample, SampleValue};

/// The storage of a test, with an engine over it.
pub(super) struct TestStorage {
    memory: MemoryStorage,
    /// What queries see; made again after samples were appended.
    snapshot: Option<Arc<dyn SeriesSource>>,
    /// The last sample of each series.
    last: BTreeMap<Labels, (TimestampMs, SampleValue)>,
    /// Samples whose time has not come.
    coming: BTreeMap<Labels, VecDeque<(TimestampMs, SampleValue)>>,
    engine: Engine,
    parse: ParseOptions,
    parsed: BTreeMap<String, Arc<Expr>>,
    control: Control,
}

/// Why a sample is not kept, in the words of Prometheus' storage.
#[derive(Debug, thiserror::Error)]
enum AppendError {
    #[error("out of order sample")]
    OutOfOrder,
    #[error(
        "duplicate sample for timestamp {at}; overrides not allowed: existing {existing}, new value {new}"
    )]
    DuplicateFloat { at: TimestampMs, existing: String, new: String },
    #[error("duplicate sample for timestamp")]
    Duplicate,
}

/// The value of a rule's expression, or of a template's query, is no vector.
#[derive(Debug, thiserror::Error)]
#[error("rule result is not a vector or scalar")]
struct NoVector;

impl TestStorage {
    pub(super) fn new(setup: &TestSetup, interval: PromDuration) -> Self {
        let options = EngineOptions {
            subquery_step: interval.as_millis(),
            delayed_name_removal: setup.delayed_name_removal,
            ..EngineOptions::default()
        };
        TestStorage {
            memory: MemoryStorage::new(),
            snapshot: None,
            last: BTreeMap::new(),
            coming: BTreeMap::new(),
            engine: Engine::new(options),
            parse: setup.parse,
            parsed: BTreeMap::new(),
            control: Control::unlimited(Arc::new(ManualClock::default())),
        }
    }

    /// Takes an input series; one with the same labels takes the place of an earlier one.
    pub(super) fn load(&mut self, series: SeriesDescription, start: TimestampMs, step: PromDuration) {
        let mut samples = VecDeque::new();
        let mut at = start;
        for value in series.values {
            let value = match value {
                SequenceValue::Omitted => None,
                SequenceValue::Stale => Some(SampleValue::Float(STALE_NAN)),
                SequenceValue::Float(value) => Some(SampleValue::Float(value)),
                SequenceValue::Histogram { histogram, .. } => {
                    Some(SampleValue::Histogram(Box::new(histogram)))
                }
            };
            samples.extend(value.map(|value| (at, value)));
            at = at.saturating_add(step);
        }
        self.coming.insert(series.labels, samples);
    }

    /// Makes the input visible up to a time, included.
    pub(super) fn load_until(&mut self, until: TimestampMs) -> Result<(), InputError> {
        let mut coming = std::mem::take(&mut self.coming);
        for (labels, samples) in &mut coming {
            while let Some((at, value)) = samples.pop_front_if(|(at, _)| *at <= until) {
                self.append(labels, at, &value)
                    .map_err(|source| InputError::Append { series: labels.to_string(), source })?;
            }
        }
        self.coming = coming;
        Ok(())
    }

    /// All samples that queries see from the start of the test until now, series by series.
    pub(super) fn dump(&mut self, at: TimestampMs, since: PromDuration) -> String {
        // Ranges leave their first millisecond out, and durations in queries are above zero.
        let range = PromDuration::from_millis(since.as_millis().saturating_add(1));
        let series = match self.answer(&format!("{{__name__=~\".+\"}}[{range}]"), at) {
            Ok(Answer { value: Value::RangeVector { series }, symbols, .. }) => {
                series.into_iter().map(|series| (series.labels.to_labels(&symbols), series.samples)).collect()
            }
            Ok(_) => Vec::new(),
            Err(error) => return format!("{error}\n"),
        };
        let mut out = String::new();
        for (labels, samples) in series {
            out.push_str(&format!("{labels} =>\n"));
            for (at, value) in samples.timestamps.iter().zip(&samples.values) {
                out.push_str(&format!("{value} @[{at}]\n"));
            }
            for (at, histogram) in samples.histogram_timestamps.iter().zip(&samples.histograms) {
                out.push_str(&format!("{histogram} @[{at}]\n"));
            }
        }
        out
    }

    fn answer(&mut self, query: &str, at: TimestampMs) -> Result<Answer, QueryError> {
        let parsed = self.parsed(query)?;
        let range = QueryRange::Instant { time: at.as_millis() };
        let prepared = self.engine.prepare_expr(query, &parsed, range)?;
        let source = self.snapshot.get_or_insert_with(|| self.memory.snapshot());
        prepared.run(Arc::clone(source), self.control.clone())
    }

    fn parsed(&mut self, query: &str) -> Result<Arc<Expr>, QueryError> {
        if let Some(known) = self.parsed.get(query) {
            return Ok(known.clone());
        }
        let (expr, errors) = parse_with(query, &self.parse);
        let Some(expr) = expr.filter(|_| errors.is_empty()) else {
            return Err(QueryError::Parse { query: query.to_owned(), errors });
        };
        let expr = Arc::new(expr);
        self.parsed.insert(query.to_owned(), expr.clone());
        Ok(expr)
    }
}

impl QueryFn for TestStorage {
    fn query(&mut self, expr: &str, at: TimestampMs) -> Result<Vec<Sample>, BoxError> {
        let answer = self.answer(expr, at)?;
        match answer.value {
            Value::Scalar { value, .. } => {
                Ok(vec![Sample { labels: Labels::new(), value: SampleValue::Float(value) }])
            }
            Value::Vector { samples, .. } => {
                let sample = |sample: promql::InstantSample| Sample {
                    labels: sample.labels.to_labels(&answer.symbols),
                    value: match sample.histogram {
                        Some(histogram) => SampleValue::Histogram(Box::new(Arc::unwrap_or_clone(histogram))),
                        None => SampleValue::Float(sample.value),
                    },
                };
                Ok(samples.into_iter().map(sample).collect())
            }
            _ => Err(NoVector.into()),
        }
    }
}

impl RuleStorage for TestStorage {
    fn append(&mut self, labels: &Labels, at: TimestampMs, value: &SampleValue) -> Result<(), BoxError> {
        if let Some((last, known)) = self.last.get(labels) {
            if at < *last {
                return Err(AppendError::OutOfOrder.into());
            }
            if at == *last {
                return repeated(at, known, value).map_err(BoxError::from);
            }
        }
        // A snapshot that lives on would have its samples copied.
        self.snapshot = None;
        match value {
            SampleValue::Float(value) => self.memory.push_float(labels, 0, at.as_millis(), *value),
            SampleValue::Histogram(histogram) => {
                self.memory.push_histogram(labels, 0, at.as_millis(), histogram.as_ref().clone());
            }
        }
        self.last.insert(labels.clone(), (at, value.clone()));
        Ok(())
    }

    fn commit(&mut self) -> Result<(), BoxError> {
        Ok(())
    }
}

/// A second sample for one time: the same again changes nothing, any other is refused.
fn repeated(at: TimestampMs, known: &SampleValue, new: &SampleValue) -> Result<(), AppendError> {
    match (known, new) {
        (SampleValue::Float(known), SampleValue::Float(new)) if known.to_bits() == new.to_bits() => Ok(()),
        (SampleValue::Float(known), SampleValue::Float(new)) => {
            Err(AppendError::DuplicateFloat { at, existing: go_float(*known), new: go_float(*new) })
        }
        (SampleValue::Histogram(known), SampleValue::Histogram(new)) if known.equals(new) => Ok(()),
        _ => Err(AppendError::Duplicate),
    }
}
