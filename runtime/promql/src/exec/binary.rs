//! Operators between two operands.

mod element;
mod join;
mod joined;
mod kernel;
mod keys;
mod matching;
mod one_side;
mod set;
mod with_scalar;

use promql_syntax::{BinaryOp, Cardinality, ValueType, VectorMatching};

use super::{Operator, Run, merge, vector as vector_of};
use crate::QueryError;
use crate::plan::{Binary, Kind, Node};

use element::Operation;
use joined::ResultLabels;
use kernel::Kernel;
use keys::KeyLabels;
use matching::{Matching, Watch};

/// Makes the operator of an operation with at least one vector.
pub(super) fn vector(binary: &Binary, node: &Node, run: &mut Run) -> Result<Box<dyn Operator>, QueryError> {
    let operation = Operation { op: binary.op, return_bool: binary.return_bool, span: node.span };
    let (lhs, rhs) = (&*binary.lhs, &*binary.rhs);
    let (series, scalar, swapped) = match (lhs.value_type, rhs.value_type) {
        (ValueType::Vector, ValueType::Scalar) => (lhs, rhs, false),
        (ValueType::Scalar, ValueType::Vector) => (rhs, lhs, true),
        _ => return between_vectors(binary, operation, node.steps.count, run),
    };
    let scalars = super::scalar(scalar, run)?;
    let input = vector_of(series, run)?;
    let applied = Box::new(with_scalar::WithScalar::new(input, scalars, operation, swapped));
    if operation.changes_metric() || operation.return_bool {
        return Ok(merge::unless_unique(applied, series, run));
    }
    Ok(applied)
}

/// Evaluates an operation between two scalars.
pub(super) fn scalar(binary: &Binary, _: &Node, run: &mut Run) -> Result<Vec<f64>, QueryError> {
    let op = binary.op;
    let mut left = super::scalar(&binary.lhs, run)?;
    let right = super::scalar(&binary.rhs, run)?;
    for (left, right) in left.iter_mut().zip(right) {
        let Some(result) = between_numbers(op, *left, right) else {
            return Err(QueryError::execution(format!(
                "operator {} not allowed for Scalar operations",
                prom_model::quote(op.as_str())
            )));
        };
        *left = result;
    }
    Ok(left)
}

/// The result of an operator between two scalars; `None` where there is no such operator.
pub(crate) fn between_numbers(op: BinaryOp, left: f64, right: f64) -> Option<f64> {
    let compared = || op.is_comparison().then(|| f64::from(u8::from(element::holds(op, left, right))));
    element::arithmetic(op, left, right).or_else(compared)
}

fn between_vectors(
    binary: &Binary,
    operation: Operation,
    steps: usize,
    run: &mut Run,
) -> Result<Box<dyn Operator>, QueryError> {
    let default = VectorMatching::default();
    let matching = binary.matching.as_ref().unwrap_or(&default);
    let keys = KeyLabels::new(matching, &mut run.symbols);
    let left = vector_of(&binary.lhs, run)?;
    let right = vector_of(&binary.rhs, run)?;
    if binary.op.is_set_operator() {
        return Ok(set::operator(binary.op, left, right, keys, steps, run));
    }
    let swapped = matching.cardinality == Cardinality::OneToMany;
    let one_to_one = matching.cardinality == Cardinality::OneToOne;
    let (many, one, many_node) =
        if swapped { (right, left, &*binary.rhs) } else { (left, right, &*binary.lhs) };
    let result = ResultLabels::new(operation, matching, one_to_one, run);
    let drops = result.drop_metadata();
    let kernel = Kernel::new(operation, swapped);
    // Prometheus has `fill_right` fill the "one" side and `fill_left` the "many" side, wherever they stand.
    let fills = (matching.fill_right, matching.fill_left);
    let fills_many = matching.fill_left.is_some();
    let distinct = merge::distinct_without_name(many_node, run);
    if !one_to_one {
        let results_distinct = matching.include.is_empty() && (distinct || !drops);
        let watch = if results_distinct { Watch::Nothing } else { Watch::Results };
        let matching = Matching::new((keys, result), kernel, fills, watch, steps, run);
        let stream = Box::new(join::Stream::new(many, one, matching));
        let may_be_alike = fills_many || run.careful && !results_distinct;
        return Ok(if may_be_alike { merge::merged(stream) } else { stream });
    }
    let names_metadata = matching.labels.iter().any(|name| is_metadata(name));
    // Results of different groups have different labels.
    let groups_distinct = if matching.on { !(drops && names_metadata) } else { !(drops && run.careful) };
    // The results of a group all have the same labels.
    let labels_of_group = matching.on || drops || (distinct && !fills_many);
    let alone = distinct && one_per_group(many_node, matching);
    let watch = if alone { Watch::Nothing } else { Watch::Groups };
    let matching = Matching::new((keys, result), kernel, fills, watch, steps, run);
    Ok(if alone && groups_distinct && !fills_many {
        Box::new(join::Stream::new(many, one, matching))
    } else if groups_distinct && labels_of_group {
        Box::new(join::Grouped::new(many, one, matching, run))
    } else {
        merge::merged(Box::new(join::Stream::new(many, one, matching)))
    })
}

fn is_metadata(name: &str) -> bool {
    merge::METADATA.contains(&name)
}

/// Whether no two series of a node are in one match group; it is known that they differ in more than their names.
fn one_per_group(node: &Node, matching: &VectorMatching) -> bool {
    let keeps = |name: &String| matching.labels.contains(name) == matching.on;
    match &node.kind {
        Kind::Aggregate(aggregate) if !aggregate.without && !aggregate.op.has_param() => {
            aggregate.grouping.iter().all(keeps)
        }
        Kind::Shared(shared) => one_per_group(&shared.child, matching),
        Kind::Invariant(child) | Kind::Negate(child) => one_per_group(child, matching),
        Kind::Binary(binary) if binary.rhs.value_type == ValueType::Scalar => {
            one_per_group(&binary.lhs, matching)
        }
        Kind::Binary(binary) if binary.lhs.value_type == ValueType::Scalar => {
            one_per_group(&binary.rhs, matching)
        }
        _ => !matching.on && matching.labels.is_empty(),
    }
}
