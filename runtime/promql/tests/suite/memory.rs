//! Storage in memory, of series in the notation of Prometheus' test scripts.

use std::sync::Arc;

use prom_model::{Labels, SystemClock};
use promql::{
    Answer, Control, Engine, QueryError, QueryRange, SampleReader, Samples, Select, SeriesBatch, SeriesSet,
    SeriesSource, SourceError, Symbol, Symbols,
};
use promql_syntax::{ParseOptions, SequenceValue, parse_with, series_description};

/// Series with all their samples, sorted by labels.
#[derive(Clone)]
pub(super) struct Memory(Arc<Vec<(Labels, Samples)>>);

impl Memory {
    /// Loads series whose values lie `step` milliseconds apart, from time 0 on.
    pub(super) fn load(step: i64, series: &[&str]) -> Self {
        let mut all: Vec<(Labels, Samples)> = series
            .iter()
            .map(|text| {
                let description = series_description(text).expect("a series in good notation");
                let mut samples = Samples::default();
                for (at, value) in (0..).zip(description.values) {
                    match value {
                        SequenceValue::Omitted => {}
                        SequenceValue::Stale => samples.push_float(at * step, prom_model::STALE_NAN),
                        SequenceValue::Float(value) => samples.push_float(at * step, value),
                        SequenceValue::Histogram { histogram, .. } => {
                            samples.push_histogram(at * step, Arc::new(histogram));
                        }
                    }
                }
                (description.labels, samples)
            })
            .collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        Memory(Arc::new(all))
    }

    /// Evaluates a query, in which everything experimental is allowed.
    pub(super) fn query(
        &self,
        engine: &Engine,
        query: &str,
        range: QueryRange,
    ) -> Result<Answer, QueryError> {
        self.query_under(engine, query, range, Control::unlimited(Arc::new(SystemClock)))
    }

    /// As [`Memory::query`], under some control.
    pub(super) fn query_under(
        &self,
        engine: &Engine,
        query: &str,
        range: QueryRange,
        control: Control,
    ) -> Result<Answer, QueryError> {
        let (expr, errors) = parse_with(query, &ParseOptions::ALL);
        let expr = expr.filter(|_| errors.is_empty()).expect("a good query");
        engine.prepare_expr(query, &expr, range)?.run(Arc::new(self.clone()), control)
    }
}

struct Found {
    all: Memory,
    found: Vec<usize>,
    at: usize,
}

struct Batch {
    all: Memory,
    found: Vec<usize>,
    labels: Vec<Vec<(Symbol, Symbol)>>,
}

struct Reader<'b>(&'b Batch);

impl SeriesSource for Memory {
    fn select(&self, select: &Select) -> Result<Box<dyn SeriesSet>, SourceError> {
        let matches = |labels: &Labels| select.matchers.iter().all(|matcher| matcher.matches_labels(labels));
        let found = (0..self.0.len()).filter(|&at| matches(&self.0[at].0)).collect();
        Ok(Box::new(Found { all: self.clone(), found, at: 0 }))
    }
}

impl SeriesSet for Found {
    fn next_batch(
        &mut self,
        most: usize,
        symbols: &mut Symbols,
    ) -> Result<Option<Box<dyn SeriesBatch>>, SourceError> {
        let end = (self.at + most).min(self.found.len());
        let found = self.found[self.at..end].to_vec();
        self.at = end;
        if found.is_empty() {
            return Ok(None);
        }
        let mut symbols_of = |at: usize| {
            let labels = self.all.0[at].0.iter();
            labels.map(|label| (symbols.intern(&label.name), symbols.intern(&label.value))).collect()
        };
        let labels = found.iter().map(|&at| symbols_of(at)).collect();
        Ok(Some(Box::new(Batch { all: self.all.clone(), found, labels })))
    }
}

impl SeriesBatch for Batch {
    fn len(&self) -> usize {
        self.found.len()
    }

    fn labels(&self, at: usize) -> &[(Symbol, Symbol)] {
        &self.labels[at]
    }

    fn reader(&self) -> Box<dyn SampleReader + '_> {
        Box::new(Reader(self))
    }
}

impl SampleReader for Reader<'_> {
    fn read(&mut self, at: usize, into: &mut Samples) -> Result<(), SourceError> {
        into.clone_from(&self.0.all.0[self.0.found[at]].1);
        Ok(())
    }
}
