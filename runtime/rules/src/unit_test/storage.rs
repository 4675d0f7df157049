//! The series of a test: loaded as time goes on, extended by rules, read by the engine.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, PoisonError, RwLock};

use prom_model::{Labels, METRIC_NAME, ManualClock, MatchOp, Matcher, PromDuration, STALE_NAN, TimestampMs};
use promql::{
    Control, Engine, EngineOptions, QueryError, QueryRange, SampleReader, Samples, Select, SeriesBatch,
    SeriesSet, SeriesSource, SourceError, Symbol, Symbols, Value,
};
use promql_syntax::{Expr, ParseOptions, SequenceValue, SeriesDescription, parse_with};

use super::TestSetup;
use super::outcome::InputError;
use super::samples::SeriesSamples;
use crate::{BoxError, QueryFn, RuleStorage, Sample, SampleValue};

/// One series.
#[derive(Debug)]
struct Series {
    labels: Labels,
    content: RwLock<SeriesSamples>,
}

impl Series {
    fn append(&self, at: TimestampMs, value: &SampleValue) -> Result<(), BoxError> {
        self.content.write().unwrap_or_else(PoisonError::into_inner).append(at, value)
    }
}

/// All series by metric name and labels, in Prometheus' order within a name.
#[derive(Debug, Default)]
struct Content(RwLock<BTreeMap<String, BTreeMap<Labels, Arc<Series>>>>);

/// The storage of a test, with an engine over it.
pub(super) struct TestStorage {
    content: Arc<Content>,
    /// Samples whose time has not come, in the order of their series.
    coming: BTreeMap<Labels, VecDeque<(TimestampMs, SampleValue)>>,
    engine: Engine,
    parse: ParseOptions,
    parsed: BTreeMap<String, Arc<Expr>>,
    control: Control,
}

impl TestStorage {
    pub(super) fn new(setup: &TestSetup, interval: PromDuration) -> Self {
        let options = EngineOptions {
            subquery_step: interval.as_millis(),
            delayed_name_removal: setup.delayed_name_removal,
            ..EngineOptions::default()
        };
        TestStorage {
            content: Arc::default(),
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
        for (labels, samples) in &mut self.coming {
            if samples.front().is_none_or(|(at, _)| *at > until) {
                continue;
            }
            let series = self.content.series(labels);
            while let Some((at, value)) = samples.pop_front_if(|(at, _)| *at <= until) {
                series
                    .append(at, &value)
                    .map_err(|source| InputError::Append { series: labels.to_string(), source })?;
            }
        }
        Ok(())
    }

    /// All samples, series by series.
    pub(super) fn dump(&self) -> String {
        let mut out = String::new();
        let content = self.content.0.read().unwrap_or_else(PoisonError::into_inner);
        for series in content.values().flat_map(BTreeMap::values) {
            let held = series.content.read().unwrap_or_else(PoisonError::into_inner);
            out.push_str(&format!("{} =>\n", series.labels));
            for (at, value) in held.samples.timestamps.iter().zip(&held.samples.values) {
                let value = if prom_model::is_stale(*value) { "stale".to_owned() } else { value.to_string() };
                out.push_str(&format!("{value} @[{at}]\n"));
            }
            for (at, histogram) in held.samples.histogram_timestamps.iter().zip(&held.samples.histograms) {
                out.push_str(&format!("{histogram} @[{at}]\n"));
            }
        }
        out
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

/// The value of a rule's expression, or of a template's query, is no vector.
#[derive(Debug, thiserror::Error)]
#[error("rule result is not a vector or scalar")]
struct NoVector;

impl QueryFn for TestStorage {
    fn query(&mut self, expr: &str, at: TimestampMs) -> Result<Vec<Sample>, BoxError> {
        let parsed = self.parsed(expr)?;
        let prepared =
            self.engine.prepare_expr(expr, &parsed, QueryRange::Instant { time: at.as_millis() })?;
        let answer = prepared.run(self.content.clone(), self.control.clone())?;
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
        self.content.series(labels).append(at, value)
    }

    fn commit(&mut self) -> Result<(), BoxError> {
        Ok(())
    }
}

impl Content {
    /// The series of these labels, which is made if there is none.
    fn series(&self, labels: &Labels) -> Arc<Series> {
        let mut content = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let named = content.entry(labels.metric_name().unwrap_or_default().to_owned()).or_default();
        if let Some(known) = named.get(labels) {
            return known.clone();
        }
        let series = Arc::new(Series { labels: labels.clone(), content: RwLock::default() });
        named.insert(labels.clone(), series.clone());
        series
    }
}

impl SeriesSource for Content {
    fn select(&self, select: &Select) -> Result<Box<dyn SeriesSet>, SourceError> {
        let content = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let matches = |series: &&Arc<Series>| {
            let inside = |held: &SeriesSamples| {
                let within = |at: &i64| (select.min_time..=select.max_time).contains(at);
                held.samples.timestamps.iter().any(within)
                    || held.samples.histogram_timestamps.iter().any(within)
            };
            select.matchers.iter().all(|matcher| matcher.matches_labels(&series.labels))
                && inside(&series.content.read().unwrap_or_else(PoisonError::into_inner))
        };
        let named = |matcher: &&Matcher| matcher.op() == MatchOp::Equal && matcher.name() == METRIC_NAME;
        let mut found: Vec<Arc<Series>> = match select.matchers.iter().find(named) {
            Some(matcher) => content
                .get(matcher.value())
                .into_iter()
                .flat_map(BTreeMap::values)
                .filter(matches)
                .cloned()
                .collect(),
            None => content.values().flat_map(BTreeMap::values).filter(matches).cloned().collect(),
        };
        // Names come first in no order of labels that begin with a capital, so whole sets are compared.
        found.sort_by(|a, b| a.labels.cmp(&b.labels));
        Ok(Box::new(Found(found.into())))
    }
}

/// The series that a selector found.
struct Found(VecDeque<Arc<Series>>);

impl SeriesSet for Found {
    fn next_batch(
        &mut self,
        most: usize,
        symbols: &mut Symbols,
    ) -> Result<Option<Box<dyn SeriesBatch>>, SourceError> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let count = self.0.len().min(most.max(1));
        let batch = self.0.drain(..count).map(|series| {
            let labels = series.labels.iter();
            let labels = labels.map(|label| (symbols.intern(&label.name), symbols.intern(&label.value)));
            (labels.collect(), series)
        });
        Ok(Some(Box::new(Batch(batch.collect()))))
    }
}

/// A series with its labels as symbols.
type Entry = (Vec<(Symbol, Symbol)>, Arc<Series>);

struct Batch(Vec<Entry>);

impl SeriesBatch for Batch {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn labels(&self, at: usize) -> &[(Symbol, Symbol)] {
        self.0.get(at).map_or(&[], |(labels, _)| labels)
    }

    fn reader(&self) -> Box<dyn SampleReader + '_> {
        Box::new(Reader(self))
    }
}

struct Reader<'b>(&'b Batch);

impl SampleReader for Reader<'_> {
    fn read(&mut self, at: usize, into: &mut Samples) -> Result<(), SourceError> {
        if let Some((_, series)) = self.0.0.get(at) {
            into.clone_from(&series.content.read().unwrap_or_else(PoisonError::into_inner).samples);
        }
        Ok(())
    }
}
