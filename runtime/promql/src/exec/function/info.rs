//! `info`: adds to series the labels of info metrics about the same instance.

mod enrich;
mod reference;

use prom_model::{METRIC_NAME, MatchOp, Matcher};

use super::histogram::Rows;
use crate::exec::select::{self, Pick};
use crate::exec::{Operator, Run, vector};
use crate::plan::{Call, Kind, Node, Selection};
use crate::{Projection, QueryError, Row, Symbol};

use enrich::Enrich;

type SymbolSet = hashbrown::HashSet<Symbol, foldhash::fast::FixedState>;

/// The labels that tell an instance.
const IDENTIFYING: [&str; 2] = ["instance", "job"];
/// Lists of instances beyond so many bytes are not given to storage, but looked up in what it gives.
const PATTERN_BYTES_MAX: usize = 48 << 10;

/// Makes the operator.
pub(crate) fn info(call: &Call, node: &Node, run: &mut Run) -> Result<Box<dyn Operator>, QueryError> {
    let Some(base) = call.args.first() else { return Err(QueryError::execution("info without a vector")) };
    let wanted = match call.args.get(1).map(|arg| &arg.kind) {
        Some(Kind::Select(selection)) => selection.matchers.clone(),
        Some(Kind::Invariant(child)) => match &child.kind {
            Kind::Select(selection) => selection.matchers.clone(),
            _ => Vec::new(),
        },
        _ => Vec::new(),
    };
    let (names, data): (Vec<Matcher>, Vec<Matcher>) =
        wanted.into_iter().partition(|matcher| matcher.name() == METRIC_NAME);
    let names = effective(names)?;
    let mut held = run.control.budget.hold("series to be informed");
    let mut rows = Vec::new();
    let mut input = vector(base, run)?;
    let mut row = Row::default();
    while input.next(run, &mut row)? {
        held.grow(row.column.bytes() + row.labels.bytes() + size_of::<Row>())?;
        rows.push(std::mem::take(&mut row));
    }
    let identifying = IDENTIFYING.map(|name| run.symbols.intern(name));
    // Info series themselves stay as they are.
    let is_info = |row: &Row, run: &Run| {
        let name = run.symbols.text(row.labels.get(Symbol::METRIC_NAME));
        names.iter().all(|matcher| matcher.matches(name))
    };
    let ignored: Vec<bool> = rows.iter().map(|row| is_info(row, run)).collect();
    let values = identifying.map(|label| {
        let informed = rows.iter().zip(&ignored).filter(|(_, ignored)| !**ignored);
        let values = informed.map(|(row, _)| row.labels.get(label));
        values.filter(|value| *value != Symbol::EMPTY).collect::<SymbolSet>()
    });
    let mut infos = Vec::new();
    if values.iter().any(|values| !values.is_empty()) {
        let mut matchers = Vec::new();
        for (name, values) in IDENTIFYING.into_iter().zip(&values) {
            matchers.extend(one_of(name, values, run)?);
        }
        matchers.extend(data.iter().cloned());
        matchers.extend(names);
        let (at, offset) = reference::time(base).unwrap_or_default();
        let selection = Selection {
            matchers,
            offset,
            at,
            extension: None,
            projection: Projection::All,
            function: "info",
            histogram_stats_only: false,
            span: node.span,
        };
        let mut input = select::instant(&selection, node.steps, Pick::InfoTimestamp, run)?;
        while input.next(run, &mut row)? {
            let known = identifying
                .iter()
                .zip(&values)
                .all(|(label, values)| values.is_empty() || values.contains(&row.labels.get(*label)));
            if known {
                held.grow(row.column.bytes() + row.labels.bytes() + size_of::<Row>())?;
                infos.push(std::mem::take(&mut row));
            }
        }
    }
    let enriched = Enrich::new(infos, identifying, &data, node.steps).rows(rows, &ignored, run)?;
    held.resize(enriched.iter().map(|row| row.column.bytes() + row.labels.bytes() + size_of::<Row>()).sum())?;
    Rows::merged(enriched, held)
}

/// Which metrics inform: those that match; if there are only exclusions, of all that are named like one; else `target_info`.
fn effective(mut names: Vec<Matcher>) -> Result<Vec<Matcher>, QueryError> {
    if names.is_empty() {
        return Ok(vec![Matcher::equal(METRIC_NAME, "target_info")]);
    }
    if !names.iter().any(|matcher| matches!(matcher.op(), MatchOp::Equal | MatchOp::Regex)) {
        let all = Matcher::new(MatchOp::Regex, METRIC_NAME, ".+_info");
        names.insert(0, all.map_err(|error| QueryError::execution(error.to_string()))?);
    }
    Ok(names)
}

/// The matcher for the values that series have.
fn one_of(name: &str, values: &SymbolSet, run: &Run) -> Result<Option<Matcher>, QueryError> {
    let mut texts: Vec<&str> = values.iter().map(|value| run.symbols.text(*value)).collect();
    texts.sort_unstable();
    let pattern = texts.iter().map(|text| quote_meta(text)).collect::<Vec<String>>().join("|");
    if pattern.is_empty() || pattern.len() > PATTERN_BYTES_MAX {
        return Ok(None);
    }
    Matcher::new(MatchOp::Regex, name, pattern)
        .map(Some)
        .map_err(|error| QueryError::execution(error.to_string()))
}

/// The pattern that matches exactly a text.
fn quote_meta(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for c in text.chars() {
        if r"\.+*?()|[]{}^$".contains(c) {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
}
