//! What is to be done for a query: a tree of nodes, each with the steps it is evaluated at. Types, positions and names come
//! from the text; parentheses, constants and references to the query's own times are gone.

mod duration;
pub(crate) mod explain;
mod folding;
pub(crate) mod invariant;
mod lower;
mod projection;
mod propagation;
pub(crate) mod sharing;
mod statistics;

use prom_model::Matcher;
use promql_syntax::{AggregateOp, BinaryOp, Function, RangeExtension, Span, ValueType, VectorMatching};

use crate::{Projection, Steps};

pub(crate) use lower::{Lowering, lower};

/// A part of a plan.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    /// What is done.
    pub(crate) kind: Kind,
    /// Where it stands in the text.
    pub(crate) span: Span,
    /// The type of its value.
    pub(crate) value_type: ValueType,
    /// The steps at which it is evaluated.
    pub(crate) steps: Steps,
}

/// What a node does.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    /// The same number at each step.
    Number(f64),
    /// A text.
    Text(String),
    /// The latest sample of each series.
    Select(Selection),
    /// Raw samples; only as the outermost node.
    RangeVector(RangeInput),
    /// A function over a range of samples.
    RangeCall(RangeCall),
    /// Any other function.
    Call(Call),
    /// An aggregation over series.
    Aggregate(Aggregate),
    /// An operator between two operands.
    Binary(Binary),
    /// A minus sign.
    Negate(Box<Node>),
    /// The same value at each step; the child is evaluated at the first only.
    Invariant(Box<Node>),
    /// One of several places of the same results.
    Shared(Shared),
}

/// A node that stands in a plan several times and is evaluated once.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Shared {
    /// Equal for all places of the same results.
    pub(crate) number: usize,
    /// How many places there are.
    pub(crate) uses: usize,
    /// Whether the child holds all its results itself before it gives the first, so that no more is held where they wait.
    pub(crate) is_held: bool,
    /// What is evaluated. It differs from place to place only in where it stands in the text.
    pub(crate) child: Box<Node>,
}

/// The series that a selector selects, and when.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Selection {
    /// Conditions on the labels.
    pub(crate) matchers: Vec<Matcher>,
    /// Added to the time before looking, negated: positive looks back.
    pub(crate) offset: i64,
    /// The time that `@` fixes, milliseconds.
    pub(crate) at: Option<i64>,
    /// `anchored` or `smoothed`.
    pub(crate) extension: Option<RangeExtension>,
    /// The labels that the nodes above look at.
    pub(crate) projection: Projection,
    /// The function around it, as a hint for storage.
    pub(crate) function: &'static str,
    /// Whether nobody looks at the buckets of histograms.
    pub(crate) histogram_stats_only: bool,
    /// Where it stands.
    pub(crate) span: Span,
}

impl Selection {
    /// The time that is looked at for a step: `@` and offset applied.
    pub(crate) fn time(&self, step_time: i64) -> i64 {
        self.at.unwrap_or(step_time).saturating_sub(self.offset)
    }

    /// Whether all series that it selects have one name.
    pub(crate) fn metric_name(&self) -> Option<&str> {
        self.matchers
            .iter()
            .find(|m| m.name() == prom_model::METRIC_NAME && m.op() == prom_model::MatchOp::Equal)
            .map(Matcher::value)
    }
}

/// Where the samples of a range come from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum RangeSource {
    /// Storage.
    Selector(Selection),
    /// The values of an expression at steps of its own.
    Subquery {
        /// The expression; its steps are those of the subquery.
        input: Box<Node>,
        /// As in [`Selection`].
        offset: i64,
        /// As in [`Selection`].
        at: Option<i64>,
    },
}

/// A range of samples before each step.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RangeInput {
    /// Where samples come from.
    pub(crate) source: RangeSource,
    /// The length of the range, milliseconds. It is open at its start and closed at its end.
    pub(crate) range: i64,
    /// Where it stands.
    pub(crate) span: Span,
}

impl RangeInput {
    /// The end of the range for a step: `@` and offset applied.
    pub(crate) fn end(&self, step_time: i64) -> i64 {
        match &self.source {
            RangeSource::Selector(selection) => selection.time(step_time),
            RangeSource::Subquery { offset, at, .. } => at.unwrap_or(step_time).saturating_sub(*offset),
        }
    }

    /// Whether `@` makes it the same at each step.
    pub(crate) fn is_fixed(&self) -> bool {
        match &self.source {
            RangeSource::Selector(selection) => selection.at.is_some(),
            RangeSource::Subquery { at, .. } => at.is_some(),
        }
    }

    /// `anchored` or `smoothed`.
    pub(crate) fn extension(&self) -> Option<RangeExtension> {
        match &self.source {
            RangeSource::Selector(selection) => selection.extension,
            RangeSource::Subquery { .. } => None,
        }
    }
}

/// A call of a function over a range.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RangeCall {
    /// The function.
    pub(crate) function: &'static Function,
    /// The range.
    pub(crate) input: RangeInput,
    /// The other arguments, scalars or texts, in order.
    pub(crate) params: Vec<Node>,
}

/// A call of any other function.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Call {
    /// The function.
    pub(crate) function: &'static Function,
    /// The arguments, in order.
    pub(crate) args: Vec<Node>,
}

/// An aggregation.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Aggregate {
    /// Which one.
    pub(crate) op: AggregateOp,
    /// What is aggregated.
    pub(crate) input: Box<Node>,
    /// The parameter of `topk`, `quantile` and the like.
    pub(crate) param: Option<Box<Node>>,
    /// Labels of `by` or `without`, sorted, each once.
    pub(crate) grouping: Vec<String>,
    /// Whether the labels are those to leave out.
    pub(crate) without: bool,
}

/// An operator between two operands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Binary {
    /// The operator.
    pub(crate) op: BinaryOp,
    /// The left operand.
    pub(crate) lhs: Box<Node>,
    /// The right operand.
    pub(crate) rhs: Box<Node>,
    /// Whether a comparison gives 0 or 1 instead of filtering.
    pub(crate) return_bool: bool,
    /// How series are matched, where both operands are vectors.
    pub(crate) matching: Option<VectorMatching>,
}

impl Node {
    /// The nodes directly below, in the order of the text.
    pub(crate) fn children(&self) -> Vec<&Node> {
        match &self.kind {
            Kind::Number(_) | Kind::Text(_) | Kind::Select(_) => Vec::new(),
            Kind::RangeVector(input) => input.subquery().into_iter().collect(),
            Kind::RangeCall(call) => call.input.subquery().into_iter().chain(&call.params).collect(),
            Kind::Call(call) => call.args.iter().collect(),
            Kind::Aggregate(aggregate) => {
                aggregate.param.iter().chain([&aggregate.input]).map(Box::as_ref).collect()
            }
            Kind::Binary(binary) => vec![&binary.lhs, &binary.rhs],
            Kind::Shared(shared) => vec![&shared.child],
            Kind::Negate(child) | Kind::Invariant(child) => vec![child],
        }
    }
}

impl Node {
    /// As [`Node::children`], to be changed.
    fn children_mut(&mut self) -> Vec<&mut Node> {
        match &mut self.kind {
            Kind::Number(_) | Kind::Text(_) | Kind::Select(_) => Vec::new(),
            Kind::RangeVector(input) => input.subquery_mut().into_iter().collect(),
            Kind::RangeCall(call) => call.input.subquery_mut().into_iter().chain(&mut call.params).collect(),
            Kind::Call(call) => call.args.iter_mut().collect(),
            Kind::Aggregate(aggregate) => {
                aggregate.param.iter_mut().chain([&mut aggregate.input]).map(Box::as_mut).collect()
            }
            Kind::Binary(binary) => vec![&mut binary.lhs, &mut binary.rhs],
            Kind::Shared(shared) => vec![&mut shared.child],
            Kind::Negate(child) | Kind::Invariant(child) => vec![child],
        }
    }
}

/// Rewrites a plan into one that gives the same answer for less.
pub(crate) fn optimise(plan: &mut Node) {
    folding::apply(plan);
    propagation::apply(plan);
    projection::apply(plan);
    statistics::apply(plan);
    sharing::apply(plan);
}

impl RangeInput {
    fn subquery(&self) -> Option<&Node> {
        match &self.source {
            RangeSource::Selector(_) => None,
            RangeSource::Subquery { input, .. } => Some(input),
        }
    }
    fn subquery_mut(&mut self) -> Option<&mut Node> {
        match &mut self.source {
            RangeSource::Selector(_) => None,
            RangeSource::Subquery { input, .. } => Some(input),
        }
    }
}
