//! Operators that are looked at while they work.

use std::collections::HashMap;
use std::time::Duration;

use super::{Operator, Run};
use crate::plan::{Node, explain};
use crate::{Budget, NodeStats, QueryError, Row, Stopwatch};

/// What is known of the nodes of a plan.
pub(crate) struct Measures {
    stopwatch: Stopwatch,
    nodes: Vec<Measure>,
    /// By the address of the node, which is that of one plan for the whole run.
    numbers: HashMap<usize, usize>,
}

struct Measure {
    stats: NodeStats,
    /// The part of the query's budget that this node uses.
    budget: Budget,
}

fn address(node: &Node) -> usize {
    std::ptr::from_ref(node).addr()
}

fn number(node: &Node, numbers: &mut HashMap<usize, usize>) {
    numbers.insert(address(node), numbers.len());
    for child in node.children() {
        number(child, numbers);
    }
}

impl Measures {
    pub(super) fn new(plan: &Node, stopwatch: Stopwatch, budget: &Budget) -> Self {
        let mut numbers = HashMap::new();
        number(plan, &mut numbers);
        let measure = |line: explain::Line| Measure {
            stats: NodeStats { depth: line.depth, operator: line.text, ..NodeStats::default() },
            budget: budget.child("operator", u64::MAX),
        };
        Measures { stopwatch, nodes: explain::lines(plan).into_iter().map(measure).collect(), numbers }
    }

    pub(super) fn into_stats(self) -> Vec<NodeStats> {
        let stats = |measure: Measure| NodeStats { bytes_peak: measure.budget.peak(), ..measure.stats };
        self.nodes.into_iter().map(stats).collect()
    }
}

/// Does the work of a node, and takes down how long it takes; what it holds goes on its own account.
pub(super) fn measured<T>(
    node: &Node,
    run: &mut Run,
    work: impl FnOnce(&mut Run) -> T,
    count: impl FnOnce(&T, &mut NodeStats),
) -> T {
    match run.measures.as_ref().and_then(|measures| measures.numbers.get(&address(node))) {
        Some(&number) => measured_as(number, run, work, count),
        None => work(run),
    }
}

fn measured_as<T>(
    number: usize,
    run: &mut Run,
    work: impl FnOnce(&mut Run) -> T,
    count: impl FnOnce(&T, &mut NodeStats),
) -> T {
    let now = |run: &Run| run.measures.as_ref().map_or(Duration::ZERO, |measures| measures.stopwatch.read());
    let own =
        run.measures.as_ref().and_then(|measures| measures.nodes.get(number)).map(|own| own.budget.clone());
    let above = own.map(|own| std::mem::replace(&mut run.control.budget, own));
    let before = now(run);
    let done = work(run);
    let after = now(run);
    if let Some(above) = above {
        run.control.budget = above;
    }
    if let Some(measure) = run.measures.as_mut().and_then(|measures| measures.nodes.get_mut(number)) {
        measure.stats.time += after.saturating_sub(before);
        count(&done, &mut measure.stats);
    }
    done
}

/// Wraps the operator of a node where the run is analysed.
pub(super) fn operator(
    node: &Node,
    run: &mut Run,
    make: impl FnOnce(&mut Run) -> Result<Box<dyn Operator>, QueryError>,
) -> Result<Box<dyn Operator>, QueryError> {
    let inner = measured(node, run, make, |_, _| {})?;
    let number = run.measures.as_ref().and_then(|measures| measures.numbers.get(&address(node)).copied());
    Ok(match number {
        Some(number) => Box::new(Measured { inner, number }),
        None => inner,
    })
}

struct Measured {
    inner: Box<dyn Operator>,
    number: usize,
}

impl Operator for Measured {
    fn next(&mut self, run: &mut Run, row: &mut Row) -> Result<bool, QueryError> {
        let inner = &mut self.inner;
        let found = measured_as(self.number, run, |run| inner.next(run, row), |_, _| {})?;
        if found
            && let Some(measure) =
                run.measures.as_mut().and_then(|measures| measures.nodes.get_mut(self.number))
        {
            measure.stats.series += 1;
            measure.stats.samples += row.column.count() as u64;
        }
        Ok(found)
    }
}
