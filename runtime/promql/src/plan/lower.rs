//! From the tree of the text to a plan.

use prom_model::PromDuration;
use promql_syntax::{
    AtModifier, Call as CallExpr, Expr, MatrixSelector, Subquery, UnaryOp, ValueType, VectorSelector,
};

use super::duration::QueryTimes;
use super::invariant::judge;
use super::{Aggregate, Binary, Call, Kind, Node, RangeCall, RangeInput, RangeSource, Selection};
use crate::{Projection, QueryError, Steps};

/// What lowering needs to know of the query and of the engine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lowering {
    /// The first step, milliseconds since the epoch.
    pub(crate) start: i64,
    /// The end that was asked for; the last step may lie before it.
    pub(crate) end: i64,
    /// The step; 0 for an instant query.
    pub(crate) step: i64,
    /// The step of subqueries that have none, milliseconds.
    pub(crate) subquery_step: i64,
}

/// Makes the plan of an expression that has been type checked.
pub(crate) fn lower(expr: &Expr, query: Lowering) -> Result<Node, QueryError> {
    let steps = if query.step == 0 {
        Steps::instant(query.start)
    } else {
        Steps::new(query.start, query.end, query.step)
    };
    let times = QueryTimes {
        step: PromDuration::from_millis(query.step).as_secs_f64(),
        range: PromDuration::from_millis(query.end.saturating_sub(query.start)).as_secs_f64(),
    };
    Lower { query, times }.once_if_invariant(expr, steps)
}

struct Lower {
    query: Lowering,
    times: QueryTimes,
}

impl Lower {
    /// Lowers an expression; one that is the same at each step is evaluated at the first only.
    fn once_if_invariant(&self, expr: &Expr, steps: Steps) -> Result<Node, QueryError> {
        let judged = judge(expr);
        if steps.count > 1 && judged.invariant && judged.worth_it {
            let child = self.expr(expr, Steps { count: 1, ..steps })?;
            let (span, value_type) = (child.span, child.value_type);
            return Ok(Node { kind: Kind::Invariant(Box::new(child)), span, value_type, steps });
        }
        self.expr(expr, steps)
    }

    fn expr(&self, expr: &Expr, steps: Steps) -> Result<Node, QueryError> {
        let kind = match expr {
            Expr::Paren(paren) => return self.expr(&paren.expr, steps),
            Expr::Number(number) => Kind::Number(number.value),
            Expr::String(text) => Kind::Text(text.value.clone()),
            Expr::Vector(selector) => Kind::Select(self.selection(selector, "")?),
            Expr::Matrix(matrix) => Kind::RangeVector(self.matrix(matrix, "")?),
            Expr::Subquery(subquery) => Kind::RangeVector(self.subquery(subquery, steps)?),
            Expr::Call(call) => self.call(call, steps)?,
            Expr::Unary(unary) => {
                let child = self.expr(&unary.expr, steps)?;
                match unary.op {
                    UnaryOp::Plus => return Ok(child),
                    UnaryOp::Minus => Kind::Negate(Box::new(child)),
                }
            }
            Expr::Aggregate(aggregate) => {
                if let Some(Expr::String(text)) = aggregate.param.as_deref().map(Expr::without_parens)
                    && let Some(bytes) = &text.bytes
                {
                    let name = go_quoted(bytes);
                    return Err(QueryError::execution(format!("invalid label name {name}")));
                }
                let param = aggregate.param.as_ref().map(|param| self.expr(param, steps)).transpose()?;
                let mut grouping = aggregate.grouping.clone();
                grouping.sort();
                grouping.dedup();
                Kind::Aggregate(Aggregate {
                    op: aggregate.op,
                    input: Box::new(self.expr(&aggregate.expr, steps)?),
                    param: param.map(Box::new),
                    grouping,
                    without: aggregate.without,
                })
            }
            Expr::Binary(binary) => {
                let both = judge(expr).invariant;
                let operand = |operand: &Expr| {
                    if both { self.expr(operand, steps) } else { self.once_if_invariant(operand, steps) }
                };
                Kind::Binary(Binary {
                    op: binary.op,
                    lhs: Box::new(operand(&binary.lhs)?),
                    rhs: Box::new(operand(&binary.rhs)?),
                    return_bool: binary.return_bool,
                    matching: binary.matching.clone(),
                })
            }
        };
        Ok(Node { kind, span: expr.span(), value_type: expr.value_type(), steps })
    }

    fn call(&self, call: &CallExpr, steps: Steps) -> Result<Kind, QueryError> {
        let name = call.function.name;
        match name {
            "start" => return Ok(Kind::Number(self.query.start as f64 / 1000.0)),
            "end" => return Ok(Kind::Number(self.query.end as f64 / 1000.0)),
            "range" => return Ok(Kind::Number(self.times.range)),
            // Prometheus takes a query that starts where it ends for an instant one.
            "step" if self.query.start == self.query.end => return Ok(Kind::Number(0.0)),
            "step" => return Ok(Kind::Number(self.times.step)),
            _ => {}
        }
        refuse_bytes(call)?;
        let mut args = Vec::with_capacity(call.args.len());
        let mut range = None;
        for arg in &call.args {
            match arg.without_parens() {
                Expr::Matrix(matrix) => range = Some(self.matrix(matrix, name)?),
                Expr::Subquery(subquery) => range = Some(self.subquery(subquery, steps)?),
                Expr::Vector(selector) if selector.at.is_none() => args.push(Node {
                    kind: Kind::Select(self.selection(selector, name)?),
                    span: selector.span,
                    value_type: ValueType::Vector,
                    steps,
                }),
                other => args.push(self.once_if_invariant(other, steps)?),
            }
        }
        Ok(match range {
            Some(input) => Kind::RangeCall(RangeCall { function: call.function, input, params: args }),
            None => Kind::Call(Call { function: call.function, args }),
        })
    }

    fn selection(&self, selector: &VectorSelector, function: &'static str) -> Result<Selection, QueryError> {
        Ok(Selection {
            matchers: selector.matchers.clone(),
            offset: self.times.offset(selector.offset.as_ref())?,
            at: self.at(selector.at.as_ref()),
            extension: selector.extension,
            projection: Projection::All,
            function,
            histogram_stats_only: false,
            span: selector.span,
        })
    }

    fn matrix(&self, matrix: &MatrixSelector, function: &'static str) -> Result<RangeInput, QueryError> {
        Ok(RangeInput {
            source: RangeSource::Selector(self.selection(&matrix.selector, function)?),
            range: self.times.positive(&matrix.range)?,
            span: matrix.span,
        })
    }

    /// The steps of a subquery lie on multiples of its interval, from after the start of the first range to the end of the
    /// last.
    fn subquery(&self, subquery: &Subquery, outer: Steps) -> Result<RangeInput, QueryError> {
        let offset = self.times.offset(subquery.offset.as_ref())?;
        let interval = match &subquery.step {
            Some(step) => self.times.positive(step)?,
            None => self.query.subquery_step,
        };
        let interval = interval.max(1);
        let range = self.times.positive(&subquery.range)?;
        let at = self.at(subquery.at.as_ref());
        let first_end = at.unwrap_or(outer.start).saturating_sub(offset);
        let last_end = at.unwrap_or(outer.end()).saturating_sub(offset);
        let open_start = first_end.saturating_sub(range);
        // Division truncates towards zero, as Prometheus' does.
        let mut start = interval * (open_start / interval);
        if start <= open_start {
            start = start.saturating_add(interval);
        }
        let steps = Steps::new(start, last_end, interval);
        let input = Box::new(self.once_if_invariant(&subquery.expr, steps)?);
        Ok(RangeInput { source: RangeSource::Subquery { input, offset, at }, range, span: subquery.span })
    }

    fn at(&self, at: Option<&AtModifier>) -> Option<i64> {
        at.map(|at| match at {
            AtModifier::Start => self.query.start,
            AtModifier::End => self.query.end,
            AtModifier::Time(time) => time.as_millis(),
        })
    }
}

/// Refuses names of labels that are no UTF-8.
fn refuse_bytes(call: &CallExpr) -> Result<(), QueryError> {
    let function = call.function.name;
    if !matches!(function, "label_replace" | "label_join") {
        return Ok(());
    }
    // Sources come first, as Prometheus looks at them; that of label_replace may have any name.
    let sources = call.args.iter().skip(3).map(|arg| ("source", arg)).filter(|_| function == "label_join");
    let targets = call.args.iter().skip(1).take(1).map(|arg| ("destination", arg));
    for (role, arg) in sources.chain(targets) {
        if let Expr::String(text) = arg.without_parens()
            && let Some(bytes) = &text.bytes
        {
            let name = String::from_utf8_lossy(bytes);
            return Err(QueryError::execution(format!("invalid {role} label name in {function}(): {name}")));
        }
    }
    Ok(())
}

/// Bytes in quotes, those that are no UTF-8 as Go writes them.
fn go_quoted(bytes: &[u8]) -> String {
    let mut text = String::from("\"");
    for chunk in bytes.utf8_chunks() {
        let quoted = prom_model::quote(chunk.valid());
        text.push_str(quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(&quoted));
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text.push('"');
    text
}
