//! Results that stand at several places of a query: evaluated when the first asks for them, given to all.
//!
//! What one place has and another still wants waits in memory. Where that becomes too much, those that lag behind evaluate on
//! their own; nobody notices but the clock.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use promql_syntax::Span;

use super::{Operator, Run, vector};
use crate::plan::{Node, Shared, sharing};
use crate::{Annotations, Held, QueryError, Row};

/// So many bytes may wait between two places that ask at different times.
const WAITING_MAX: u64 = 16 << 20;
/// The part of the query's memory that may wait so.
const BUDGET_PART: u64 = 8;

/// What is kept for the places of one shared node.
pub(crate) struct Results {
    input: Box<dyn Operator>,
    /// What evaluation had to say while it was prepared, about these places in the text.
    prepared: Annotations,
    spans: Vec<Span>,
    /// What places still want; the last one may be the end.
    waiting: VecDeque<Waiting>,
    /// How many results came before those that wait.
    gone: usize,
    /// How many each place has had; none for those that want no more.
    places: Vec<Option<usize>>,
    /// How many places asked for the first time.
    opened: usize,
    held: Held,
    /// The most bytes that may wait.
    most: u64,
}

/// A result, `None` at the end, and what was said on the way to it.
struct Waiting {
    row: Option<Row>,
    said: Annotations,
}

/// What a place is told.
enum Given {
    Row,
    End,
    /// To evaluate on its own.
    Nothing,
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
            let (input, prepared) = aside(run, |run| vector(&shared.child, run));
            run.tallies.leave(above);
            let results = Arc::new(Mutex::new(Results {
                input: input?,
                prepared,
                spans: spans.clone(),
                waiting: VecDeque::new(),
                gone: 0,
                places: vec![Some(0); shared.uses],
                opened: 0,
                held: run.control.budget.hold("results that are used several times"),
                most: if shared.is_held {
                    u64::MAX
                } else {
                    WAITING_MAX.min(run.control.budget.limit() / BUDGET_PART)
                },
            }));
            run.shared.insert(shared.number, Arc::clone(&results));
            results
        }
    };
    let mut opened = results.lock().unwrap_or_else(PoisonError::into_inner);
    let number = opened.opened;
    opened.opened += 1;
    let places = opened.spans.iter().copied().zip(spans).collect();
    run.annotations.merge(opened.prepared.moved(&places));
    drop(opened);
    Ok(Box::new(Place {
        results,
        places,
        number,
        had: 0,
        node: shared.child.clone(),
        own: None,
        ended: false,
    }))
}

/// Does something whose annotations are not yet those of the run.
fn aside<T>(run: &mut Run, work: impl FnOnce(&mut Run) -> T) -> (T, Annotations) {
    let before = std::mem::take(&mut run.annotations);
    let done = work(run);
    (done, std::mem::replace(&mut run.annotations, before))
}

impl Results {
    /// Gives the result behind those that a place has had.
    fn give(
        &mut self,
        place: usize,
        places: &HashMap<Span, Span>,
        row: &mut Row,
        run: &mut Run,
    ) -> Result<Given, QueryError> {
        let had = match self.places.get(place) {
            Some(Some(had)) if *had >= self.gone => *had,
            _ => return Ok(Given::Nothing),
        };
        let at = had - self.gone;
        if at == self.waiting.len() {
            if at == 0 && self.others(place).all(|other| other.is_none()) {
                return self.pass_on(place, places, row, run);
            }
            self.read(place, run)?;
        }
        let is_last = at == 0 && self.others(place).all(|other| other.is_none_or(|other| other > had));
        let Some(waiting) = self.waiting.get_mut(at) else { return Ok(Given::Nothing) };
        if !waiting.said.is_empty() {
            run.annotations.merge(waiting.said.moved(places));
        }
        let Some(result) = &mut waiting.row else { return Ok(Given::End) };
        if let Some(had) = self.places.get_mut(place) {
            *had = Some(at + self.gone + 1);
        }
        if is_last {
            let left = self.held.bytes().saturating_sub(bytes(result) as u64);
            *row = std::mem::take(result);
            self.held.resize(usize::try_from(left).unwrap_or(0))?;
            self.waiting.pop_front();
            self.gone += 1;
        } else {
            row.clone_from(result);
        }
        Ok(Given::Row)
    }

    /// How many results the other places have had.
    fn others(&self, place: usize) -> impl Iterator<Item = Option<usize>> {
        self.places.iter().enumerate().filter(move |(other, _)| *other != place).map(|(_, had)| *had)
    }

    /// Evaluates the next result for the only place that wants any; nothing waits.
    fn pass_on(
        &mut self,
        place: usize,
        places: &HashMap<Span, Span>,
        row: &mut Row,
        run: &mut Run,
    ) -> Result<Given, QueryError> {
        let (found, said) = aside(run, |run| self.input.next(run, row));
        if !said.is_empty() {
            run.annotations.merge(said.moved(places));
        }
        if !found? {
            return Ok(Given::End);
        }
        self.gone += 1;
        if let Some(had) = self.places.get_mut(place) {
            *had = Some(self.gone);
        }
        Ok(Given::Row)
    }

    /// Evaluates the next result, which a place asks for.
    fn read(&mut self, place: usize, run: &mut Run) -> Result<(), QueryError> {
        let mut row = Row::default();
        let (found, said) = aside(run, |run| self.input.next(run, &mut row));
        let row = found?.then_some(row);
        let bytes = row.as_ref().map_or(0, bytes);
        let is_too_much = self.held.bytes().saturating_add(bytes as u64) > self.most;
        if is_too_much || self.held.grow(bytes).is_err() {
            self.leave_behind(place)?;
            self.held.grow(bytes)?;
        }
        self.waiting.push_back(Waiting { row, said });
        Ok(())
    }

    /// Forgets what no place wants any more.
    fn forget(&mut self) {
        while !self.waiting.is_empty() && self.places.iter().flatten().all(|had| *had > self.gone) {
            self.waiting.pop_front();
            self.gone += 1;
        }
        let left: usize = self.waiting.iter().filter_map(|waiting| waiting.row.as_ref()).map(bytes).sum();
        // Less than before never fails.
        let _ = self.held.resize(left);
    }

    /// Forgets what waits: the places that want it are on their own from now on.
    fn leave_behind(&mut self, place: usize) -> Result<(), QueryError> {
        let furthest = self.places.get(place).copied().flatten();
        for other in self.places.iter_mut().filter(|other| **other != furthest) {
            *other = None;
        }
        self.gone += self.waiting.len();
        self.waiting.clear();
        Ok(self.held.resize(0)?)
    }
}

fn bytes(row: &Row) -> usize {
    row.column.bytes() + row.labels.bytes() + size_of::<Row>()
}

/// One of the places.
struct Place {
    results: Arc<Mutex<Results>>,
    /// Where things stand in the text here, by where they stand for the results.
    places: HashMap<Span, Span>,
    number: usize,
    /// How many results it has had.
    had: usize,
    node: Box<Node>,
    /// Its own evaluation, where it has to.
    own: Option<Box<dyn Operator>>,
    ended: bool,
}

impl Place {
    /// Evaluates anew, and passes what it has had. Samples were counted for all places already.
    fn alone(&mut self, run: &mut Run) -> Result<Box<dyn Operator>, QueryError> {
        let above = run.tallies.enter_shared(0);
        let shared = std::mem::take(&mut run.shared);
        let had = self.had;
        let (own, _) = aside(run, |run| {
            let mut own = vector(&self.node, run)?;
            let mut row = Row::default();
            for _ in 0..had {
                own.next(run, &mut row)?;
            }
            Ok::<_, QueryError>(own)
        });
        run.shared = shared;
        run.tallies.leave(above);
        own
    }
}

impl Operator for Place {
    fn next(&mut self, run: &mut Run, row: &mut Row) -> Result<bool, QueryError> {
        if self.ended {
            return Ok(false);
        }
        if self.own.is_none() {
            let mut results = self.results.lock().unwrap_or_else(PoisonError::into_inner);
            match results.give(self.number, &self.places, row, run)? {
                Given::Row => {
                    self.had += 1;
                    return Ok(true);
                }
                Given::End => {
                    self.ended = true;
                    return Ok(false);
                }
                Given::Nothing => {}
            }
            drop(results);
            self.own = Some(self.alone(run)?);
        }
        match &mut self.own {
            Some(own) => own.next(run, row),
            None => Ok(false),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut results = self.results.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = results.places.get_mut(self.number) {
            *place = None;
        }
        results.forget();
    }
}
