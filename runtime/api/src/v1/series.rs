//! `/api/v1/series`: the label sets of series that match.

use std::collections::BTreeMap;

use ::query::Scope;
use axum::extract::State;
use axum::response::Response;
use promql::{Select, SeriesSource, SourceError, Symbol, Symbols};

use super::labels::blocking;
use super::{Api, scope, success};
use crate::error::ApiError;
use crate::form::Form;
use crate::json::push_text;

/// Series that are read at once.
const BATCH: usize = 1024;

pub(super) async fn series(State(api): State<Api>, form: Form) -> Result<Response, ApiError> {
    if form.all("match[]").next().is_none() {
        return Err(ApiError::bad_data("no match[] parameter provided"));
    }
    let limit = form.limit()?;
    let scope =
        scope(&form, &api.evaluator.options().parse).map_err(|error| error.of_parameter("match[]"))?;
    let (data, warnings) = blocking(move || list(api.source.as_ref(), &scope, limit)).await?;
    Ok(success(&data, &warnings))
}

fn select(scope: &Scope, at: usize) -> Select {
    Select {
        matchers: scope.matchers.get(at).cloned().unwrap_or_default(),
        min_time: scope.min_time,
        max_time: scope.max_time,
        query_times: (scope.min_time, scope.max_time),
        projection: promql::Projection::All,
        step: 0,
        range: 0,
        function: "series",
        histogram_stats_only: false,
        series_only: true,
        pauses: promql::Pauses::default(),
    }
}

type Written = (Vec<u8>, Vec<String>);

/// The JSON of the series of all selectors, of which at most `limit` are shown (0: all), and warnings.
pub(crate) fn list(source: &dyn SeriesSource, scope: &Scope, limit: usize) -> Result<Written, SourceError> {
    if scope.matchers.len() == 1 { one(source, scope, limit) } else { several(source, scope, limit) }
}

/// The series of one selector, in the order in which storage has them.
fn one(source: &dyn SeriesSource, scope: &Scope, limit: usize) -> Result<Written, SourceError> {
    let mut writer = Writer::new(limit);
    each(source, scope, 0, |labels, symbols| writer.push(labels, symbols))
        .map(|warnings| writer.end(warnings))
}

/// The series of several selectors, each once, sorted by labels.
fn several(source: &dyn SeriesSource, scope: &Scope, limit: usize) -> Result<Written, SourceError> {
    let mut all: BTreeMap<prom_model::Labels, ()> = BTreeMap::new();
    let mut warnings = Vec::new();
    for at in 0..scope.matchers.len() {
        let mut taken = 0;
        warnings.extend(each(source, scope, at, |labels, symbols| {
            let texts = labels.iter().map(|(name, value)| (symbols.text(*name), symbols.text(*value)));
            all.insert(texts.collect(), ());
            taken += 1;
            limit == 0 || taken <= limit
        })?);
    }
    let mut symbols = Symbols::default();
    let mut writer = Writer::new(limit);
    for labels in all.keys() {
        let set = promql::LabelSet::from_labels(labels, &mut symbols);
        if !writer.push(set.as_slice(), &symbols) {
            break;
        }
    }
    Ok(writer.end(warnings))
}

/// Visits the series of a selector until `visit` says that it is enough.
fn each(
    source: &dyn SeriesSource,
    scope: &Scope,
    at: usize,
    mut visit: impl FnMut(&[(Symbol, Symbol)], &Symbols) -> bool,
) -> Result<Vec<String>, SourceError> {
    let mut symbols = Symbols::default();
    let mut set = source.select(&select(scope, at))?;
    while let Some(batch) = set.next_batch(BATCH, &mut symbols)? {
        for series in 0..batch.len() {
            if !visit(batch.labels(series), &symbols) {
                return Ok(set.warnings());
            }
        }
    }
    Ok(set.warnings())
}

struct Writer {
    out: Vec<u8>,
    limit: usize,
    count: usize,
    cut: bool,
}

impl Writer {
    fn new(limit: usize) -> Self {
        Writer { out: b"[".to_vec(), limit, count: 0, cut: false }
    }

    /// Adds a series; `false` where there may be no more.
    fn push(&mut self, labels: &[(Symbol, Symbol)], symbols: &Symbols) -> bool {
        if self.limit > 0 && self.count == self.limit {
            self.cut = true;
            return false;
        }
        self.out.extend_from_slice(if self.count > 0 { b",{" } else { b"{" });
        self.count += 1;
        for (at, (name, value)) in labels.iter().enumerate() {
            if at > 0 {
                self.out.push(b',');
            }
            push_text(&mut self.out, symbols.text(*name));
            self.out.push(b':');
            push_text(&mut self.out, symbols.text(*value));
        }
        self.out.push(b'}');
        true
    }

    fn end(mut self, mut warnings: Vec<String>) -> Written {
        self.out.push(b']');
        if self.cut {
            warnings.push("results truncated due to limit".to_owned());
        }
        (self.out, warnings)
    }
}
