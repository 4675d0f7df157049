//! Operations on two expressions, and how their series are matched.

use crate::{BinaryOp, Expr, Span};

/// `lhs op rhs`
#[derive(Debug, Clone, PartialEq)]
pub struct Binary {
    /// The operator.
    pub op: BinaryOp,
    /// The left operand.
    pub lhs: Box<Expr>,
    /// The right operand.
    pub rhs: Box<Expr>,
    /// Whether a comparison gives 0 or 1 instead of filtering.
    pub return_bool: bool,
    /// How series are matched; `None` unless both operands are instant vectors.
    pub matching: Option<VectorMatching>,
    /// Where the operator stands.
    pub op_span: Span,
    /// Where the whole stands.
    pub span: Span,
}

/// How many series of one side may match one of the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Cardinality {
    /// One to one.
    #[default]
    OneToOne,
    /// Many on the left: `group_left`.
    ManyToOne,
    /// Many on the right: `group_right`.
    OneToMany,
    /// Set operators.
    ManyToMany,
}

/// How the series of two vectors are matched.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct VectorMatching {
    /// How many may match.
    pub cardinality: Cardinality,
    /// The labels of `on` or `ignoring`.
    pub labels: Vec<String>,
    /// Whether `labels` are those to match by; otherwise those to leave out.
    pub on: bool,
    /// Labels that `group_left` or `group_right` copy from the "one" side.
    pub include: Vec<String>,
    /// Value for series that are missing on the left.
    pub fill_left: Option<f64>,
    /// Value for series that are missing on the right.
    pub fill_right: Option<f64>,
}
