//! Results that stand at several places of a query: evaluated when the first asks for them, given to all.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use promql_syntax::Span;

use super::{Operator, Run, vector};
use crate::plan::{Shared, sharing};
use crate::{Annotations, Held, QueryError, Row};

/// What is kept for the places of one shared node.
pub(crate) struct Results {
    /// Absent once it is read.
    input: Option<Box<dyn Operator>>,
    /// Each with the number of places that still want it.
    rows: Vec<(Row, usize)>,
    held: Held,
    uses: usize,
    /// What evaluation had to say, about these places in the text.
    annotations: Annotations,
    spans: Vec<Span>,
}

/// The results of shared nodes, by their numbers.
pub(crate) type Registry = HashMap<usize, Arc<Mutex<Results>>>;

/// Makes the operator of one of the places.
pub(super) fn operator(shared: &Shared, run: &mut Run) -> Result<Box<dyn Operator>, QueryError> {
    let spans = sharing::spans(&shared.child);
    let results = match run.shared.get(&shared.number) {
        Some(results) => Arc::clone(results),
        None => {
            let above = run.tallies.enter_shared(shared.uses as u64);
            let (input, annotations) = aside(run, |run| vector(&shared.child, run));
            run.tallies.leave(above);
            let results = Arc::new(Mutex::new(Results {
                input: Some(input?),
                rows: Vec::new(),
                held: run.control.budget.hold("results that are used several times"),
                uses: shared.uses,
                annotations,
                spans: spans.clone(),
            }));
            run.shared.insert(shared.number, Arc::clone(&results));
            results
        }
    };
    Ok(Box::new(Place { results, spans, started: false, next: 0 }))
}

/// Does something whose annotations are not yet those of the run.
fn aside<T>(run: &mut Run, work: impl FnOnce(&mut Run) -> T) -> (T, Annotations) {
    let before = std::mem::take(&mut run.annotations);
    let done = work(run);
    (done, std::mem::replace(&mut run.annotations, before))
}

impl Results {
    fn read(&mut self, mut input: Box<dyn Operator>, run: &mut Run) -> Result<(), QueryError> {
        let mut row = Row::default();
        while input.next(run, &mut row)? {
            self.held.grow(bytes(&row))?;
            self.rows.push((std::mem::take(&mut row), self.uses));
        }
        Ok(())
    }

    fn give(&mut self, at: usize, row: &mut Row) -> Result<bool, QueryError> {
        let Some((kept, wanted)) = self.rows.get_mut(at) else { return Ok(false) };
        *wanted = wanted.saturating_sub(1);
        if *wanted == 0 {
            let left = self.held.bytes().saturating_sub(bytes(kept) as u64);
            *row = std::mem::take(kept);
            self.held.resize(usize::try_from(left).unwrap_or(0))?;
        } else {
            row.clone_from(kept);
        }
        Ok(true)
    }
}

fn bytes(row: &Row) -> usize {
    row.column.bytes() + row.labels.bytes() + size_of::<Row>()
}

/// One of the places.
struct Place {
    results: Arc<Mutex<Results>>,
    spans: Vec<Span>,
    started: bool,
    next: usize,
}

impl Operator for Place {
    fn next(&mut self, run: &mut Run, row: &mut Row) -> Result<bool, QueryError> {
        let mut results = self.results.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(input) = results.input.take() {
            let (read, annotations) = aside(run, |run| results.read(input, run));
            results.annotations.merge(annotations);
            read?;
        }
        if !self.started {
            self.started = true;
            let places: HashMap<Span, Span> =
                results.spans.iter().copied().zip(self.spans.iter().copied()).collect();
            run.annotations.merge(results.annotations.moved(&places));
        }
        self.next += 1;
        results.give(self.next - 1, row)
    }
}
