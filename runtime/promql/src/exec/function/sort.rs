//! `sort` and its kin. Only an instant query has an order; elsewhere they leave it as it is and say so.

mod natural;
mod pattern_defeating;

use std::cmp::Ordering;
use std::vec::IntoIter;

use crate::exec::{Operator, Run, text};
use crate::plan::{Call, Node};
use crate::{Annotation, Held, QueryError, Row, Symbol, Symbols};

pub(crate) use pattern_defeating::sort_by_less;

/// What decides the order.
enum Key {
    /// The value, NaN last; histograms are left out.
    Value,
    /// Some labels, then all of them.
    Labels(Vec<Symbol>),
}

/// Sorts the rows of an instant query.
pub(crate) struct Sort {
    input: Option<Box<dyn Operator>>,
    key: Key,
    descending: bool,
    rows: IntoIter<Row>,
    held: Option<Held>,
}

/// Leaves histograms out.
struct OnlyFloats(Box<dyn Operator>);

/// Makes the operator of a function of this family; gives `None` where the name is of another.
pub(crate) fn find(
    call: &Call,
    node: &Node,
    input: impl FnOnce(&mut Run) -> Result<Box<dyn Operator>, QueryError>,
    run: &mut Run,
) -> Result<Option<Box<dyn Operator>>, QueryError> {
    let (by_label, descending) = match call.function.name {
        "sort" => (false, false),
        "sort_desc" => (false, true),
        "sort_by_label" => (true, false),
        "sort_by_label_desc" => (true, true),
        _ => return Ok(None),
    };
    let key = if by_label {
        let names = call.args.iter().skip(1).map(|name| Ok(run.symbols.intern(text(name)?)));
        Key::Labels(names.collect::<Result<_, QueryError>>()?)
    } else {
        Key::Value
    };
    let input = input(run)?;
    if node.steps.count > 1 {
        run.annotations.add(Annotation::sort_in_range_query(node.span));
        return Ok(Some(if by_label { input } else { Box::new(OnlyFloats(input)) }));
    }
    Ok(Some(Box::new(Sort { input: Some(input), key, descending, rows: Vec::new().into_iter(), held: None })))
}

impl Operator for OnlyFloats {
    fn next(&mut self, run: &mut Run, row: &mut Row) -> Result<bool, QueryError> {
        while self.0.next(run, row)? {
            row.column.drop_histograms();
            if !row.column.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Operator for Sort {
    fn next(&mut self, run: &mut Run, row: &mut Row) -> Result<bool, QueryError> {
        if let Some(mut input) = self.input.take() {
            self.rows = self.read(input.as_mut(), run)?.into_iter();
        }
        match self.rows.next() {
            Some(next) => {
                *row = next;
                Ok(true)
            }
            None => Ok(false),
        }
    }
}

impl Sort {
    fn read(&mut self, input: &mut dyn Operator, run: &mut Run) -> Result<Vec<Row>, QueryError> {
        let mut held = run.control.budget.hold("series to be sorted");
        let mut rows = Vec::new();
        let mut row = Row::default();
        while input.next(run, &mut row)? {
            if matches!(self.key, Key::Value) && row.column.float(0).is_none() {
                continue;
            }
            held.grow(row.column.bytes() + row.labels.bytes() + size_of::<Row>())?;
            rows.push(std::mem::take(&mut row));
        }
        self.held = Some(held);
        match &self.key {
            Key::Value => {
                let value = |row: &Row| row.column.float(0).unwrap_or(f64::NAN);
                // Prometheus sorts by a reversed heap order in which NaN is first, so that it comes last.
                if self.descending {
                    sort_by_less(&mut rows, |a, b| value(b).is_nan() || value(b) < value(a));
                } else {
                    sort_by_less(&mut rows, |a, b| value(b).is_nan() || value(b) > value(a));
                }
            }
            Key::Labels(names) => {
                let (symbols, descending) = (&run.symbols, self.descending);
                sort_by_less(&mut rows, |a, b| {
                    let order = by_labels(a, b, names, symbols);
                    if descending { order == Ordering::Greater } else { order == Ordering::Less }
                });
            }
        }
        Ok(rows)
    }
}

fn by_labels(a: &Row, b: &Row, names: &[Symbol], symbols: &Symbols) -> Ordering {
    for name in names {
        let (left, right) = (a.labels.get(*name), b.labels.get(*name));
        if left != right {
            let before = natural::is_before(symbols.text(left), symbols.text(right));
            return if before { Ordering::Less } else { Ordering::Greater };
        }
    }
    a.labels.compare(&b.labels, symbols)
}
