//! `limit_ratio`: the hash of its labels says whether a series passes.

use xxhash_rust::xxh64::xxh64;

use super::Param;
use super::grouping::Grouping;
use super::heap::{Entry, Top, push};
use crate::exec::{Operator, Run, constant};
use crate::plan::Node;
use crate::{Annotation, LabelSet, QueryError, Row, Symbols};

/// Makes the operator; ratios beyond -1 and 1 are cut.
pub(super) fn ratio(
    node: &Node,
    param: Param,
    input: Box<dyn Operator>,
    grouping: Grouping,
    run: &mut Run,
) -> Result<Box<dyn Operator>, QueryError> {
    if param.max() == 0.0 && param.min() == 0.0 {
        return Ok(Box::new(Passing {
            input: Some(input),
            ratios: vec![0.0; node.steps.count],
            order: None,
        }));
    }
    if param.has_nan() {
        return Err(QueryError::execution("Ratio value is NaN"));
    }
    for (beyond, capped) in [
        (Some(param.max()).filter(|max| *max > 1.0), 1.0),
        (Some(param.min()).filter(|min| *min < -1.0), -1.0),
    ] {
        if let Some(ratio) = beyond {
            run.annotations.add(Annotation::invalid_ratio(ratio, capped, param.span));
        }
    }
    let ratios = (0..node.steps.count).map(|step| param.at(step).clamp(-1.0, 1.0)).collect();
    let order = (node.steps.count == 1).then_some(Order { grouping, groups: Vec::new(), rows: Vec::new() });
    Ok(Box::new(Passing { input: Some(input), ratios, order }))
}

struct Passing {
    input: Option<Box<dyn Operator>>,
    ratios: Vec<f64>,
    /// For a single step: rows come group by group, in the order of Prometheus' heaps.
    order: Option<Order>,
}

struct Order {
    grouping: Grouping,
    groups: Vec<Vec<Entry>>,
    rows: Vec<Option<Row>>,
}

impl Operator for Passing {
    fn next(&mut self, run: &mut Run, row: &mut Row) -> Result<bool, QueryError> {
        let Some(order) = &mut self.order else {
            return match &mut self.input {
                Some(input) => next_passing(input.as_mut(), &self.ratios, run, row),
                None => constant::Nothing.next(run, row),
            };
        };
        if let Some(mut input) = self.input.take() {
            let mut next = Row::default();
            while next_passing(input.as_mut(), &self.ratios, run, &mut next)? {
                run.hold_samples(1)?;
                let group = order.grouping.group(&next.labels);
                if group == order.groups.len() {
                    order.groups.push(Vec::new());
                }
                let series = u32::try_from(order.rows.len()).unwrap_or(u32::MAX);
                if let Some(heap) = order.groups.get_mut(group) {
                    push(heap, Entry { value: next.column.float(0).unwrap_or(0.0), series }, Top::Smallest);
                }
                order.rows.push(Some(std::mem::take(&mut next)));
            }
            order.groups.reverse();
            order.groups.iter_mut().for_each(|heap| heap.reverse());
        }
        while let Some(heap) = order.groups.last_mut() {
            match heap.pop() {
                Some(entry) => {
                    if let Some(next) = order.rows.get_mut(entry.series as usize).and_then(Option::take) {
                        *row = next;
                        return Ok(true);
                    }
                }
                None => {
                    order.groups.pop();
                }
            }
        }
        Ok(false)
    }
}

fn next_passing(
    input: &mut dyn Operator,
    ratios: &[f64],
    run: &mut Run,
    row: &mut Row,
) -> Result<bool, QueryError> {
    while input.next(run, row)? {
        let offset = prometheus_hash(&row.labels, &run.symbols) as f64 / u64::MAX as f64;
        for (step, ratio) in ratios.iter().enumerate() {
            let passes = if *ratio >= 0.0 { offset < *ratio } else { offset >= 1.0 + ratio };
            if !passes {
                row.column.clear(step);
            }
        }
        if !row.column.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The hash of a label set in Prometheus as it is built by default: xxHash64 over each name and value behind its length, which
/// takes one byte, or 255 and three bytes from 255 on.
fn prometheus_hash(labels: &LabelSet, symbols: &Symbols) -> u64 {
    let mut bytes = Vec::with_capacity(256);
    for (name, value) in labels.as_slice() {
        for text in [symbols.text(*name), symbols.text(*value)] {
            match u8::try_from(text.len()) {
                Ok(short) if short < 255 => bytes.push(short),
                _ => {
                    let [a, b, c, ..] = text.len().to_le_bytes();
                    bytes.extend([255, a, b, c]);
                }
            }
            bytes.extend_from_slice(text.as_bytes());
        }
    }
    xxh64(&bytes, 0)
}
