//! Prints a query in Prometheus' canonical form: one line, parentheses as written, matchers sorted.

use std::fmt::{self, Display, Formatter, Write};

use prom_model::{METRIC_NAME, MatchOp, NameScheme, PromDuration, go_plain_float, quote};

use crate::{
    Aggregate, AtModifier, Binary, BinaryOp, Cardinality, DurationExpr, DurationOp, DurationValue, Expr,
    MatrixSelector, NumberLiteral, RangeExtension, StringLiteral, Subquery, UnaryOp, VectorMatching,
    VectorSelector,
};

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Expr::Number(literal) => write!(f, "{literal}"),
            Expr::String(literal) => write!(f, "{literal}"),
            Expr::Vector(selector) => write!(f, "{selector}"),
            Expr::Matrix(matrix) => write!(f, "{matrix}"),
            Expr::Subquery(subquery) => write!(f, "{subquery}"),
            Expr::Call(call) => {
                write!(f, "{}(", call.function.name)?;
                list(f, &call.args)?;
                f.write_char(')')
            }
            Expr::Aggregate(aggregate) => write!(f, "{aggregate}"),
            Expr::Binary(binary) => write!(f, "{binary}"),
            Expr::Unary(unary) => {
                let sign = if unary.op == UnaryOp::Minus { '-' } else { '+' };
                write!(f, "{sign}{}", unary.expr)
            }
            Expr::Paren(paren) => write!(f, "({})", paren.expr),
        }
    }
}

fn list<T: Display>(f: &mut Formatter<'_>, items: &[T]) -> fmt::Result {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            f.write_str(", ")?;
        }
        write!(f, "{item}")?;
    }
    Ok(())
}

/// Quotes text. The replacement character is escaped: a string may not hold it as it is.
fn quoted(text: &str) -> String {
    quote(text).replace('\u{fffd}', "\\ufffd")
}

/// Quotes bytes: as text where they are some, else as `\xff`.
pub(crate) fn quoted_bytes(bytes: &[u8]) -> String {
    let mut out = String::from("\"");
    for chunk in bytes.utf8_chunks() {
        let text = quoted(chunk.valid());
        out.push_str(text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(""));
        out.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    out.push('"');
    out
}

/// Prints seconds as a duration.
fn seconds(value: f64) -> PromDuration {
    PromDuration::from_millis((value * 1000.0).round() as i64)
}

impl Display for NumberLiteral {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.is_duration {
            write!(f, "{}", seconds(self.value))
        } else {
            f.write_str(&go_plain_float(self.value))
        }
    }
}

impl Display for StringLiteral {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.bytes {
            Some(bytes) => f.write_str(&quoted_bytes(bytes)),
            None => f.write_str(&quoted(&self.value)),
        }
    }
}

impl Display for Aggregate {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}(", self.op, grouping(self))?;
        if let Some(param) = &self.param {
            write!(f, "{param}, ")?;
        }
        write!(f, "{})", self.expr)
    }
}

/// What stands between the name of an aggregation and its parenthesis.
pub(crate) fn grouping(aggregate: &Aggregate) -> String {
    match (aggregate.without, aggregate.grouping.is_empty()) {
        (true, _) => labels("without", &aggregate.grouping) + " ",
        (false, false) => labels("by", &aggregate.grouping) + " ",
        (false, true) => String::new(),
    }
}

/// ` by (a, b)`
fn labels(word: &str, names: &[String]) -> String {
    let names: Vec<String> = names
        .iter()
        .map(|name| if NameScheme::Legacy.is_valid_label_name(name) { name.clone() } else { quoted(name) })
        .collect();
    format!(" {word} ({})", names.join(", "))
}

/// The operator with everything up to the right operand.
pub(crate) fn operator(binary: &Binary) -> String {
    let return_bool = if binary.return_bool { " bool" } else { "" };
    let matching = binary.matching.as_ref().map(VectorMatching::to_string).unwrap_or_default();
    format!("{}{return_bool}{matching}", binary.op)
}

impl Display for Binary {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.lhs.as_ref() {
            // Prometheus prints `+Inf ^ 2`, whose sign would be read as one of the whole power.
            Expr::Number(number) if self.op == BinaryOp::Pow && number.value == f64::INFINITY => {
                f.write_str("Inf")?;
            }
            lhs if open_offset(self).is_some() => {
                let mut text = lhs.to_string();
                close_offset(self, &mut text);
                f.write_str(&text)?;
            }
            lhs => write!(f, "{lhs}")?,
        }
        write!(f, " {} {}", operator(self), self.rhs)
    }
}

/// The offset in parentheses that the left operand ends with, if the operator would be read as a part of it.
fn open_offset(binary: &Binary) -> Option<&DurationValue> {
    use BinaryOp::{Add, Div, Mod, Mul, Pow, Sub};
    if !matches!(binary.op, Add | Sub | Mul | Div | Mod | Pow) {
        return None;
    }
    let mut last = binary.lhs.as_ref();
    loop {
        last = match last {
            Expr::Unary(unary) => &unary.expr,
            Expr::Binary(binary) => &binary.rhs,
            Expr::Vector(selector) => {
                let is_open = |offset: &&DurationValue| matches!(offset, DurationValue::Expr(expr) if matches!(**expr, DurationExpr::Paren(..)));
                return selector.offset.as_ref().filter(is_open);
            }
            _ => return None,
        };
    }
}

/// Puts a sign before the offset that a printed left operand ends with: `x offset +(5) + y` has lost its own, which
/// Prometheus drops, and without one the offset would go on.
pub(crate) fn close_offset(binary: &Binary, text: &mut String) {
    let Some(offset) = open_offset(binary) else { return };
    let offset = offset.to_string();
    if text.ends_with(&offset) {
        text.insert(text.len() - offset.len(), '+');
    }
}

impl Display for VectorMatching {
    /// Prints everything between operator and right operand, with a blank before each part.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let group = match self.cardinality {
            Cardinality::ManyToOne => Some("group_left"),
            Cardinality::OneToMany => Some("group_right"),
            _ => None,
        };
        if self.on || !self.labels.is_empty() || group.is_some() {
            f.write_str(&labels(if self.on { "on" } else { "ignoring" }, &self.labels))?;
        }
        if let Some(group) = group {
            f.write_str(&labels(group, &self.include))?;
        }
        match (self.fill_left, self.fill_right) {
            (Some(left), Some(right)) if left == right => write!(f, " fill ({})", go_plain_float(left)),
            (left, right) => {
                for (side, value) in [("left", left), ("right", right)] {
                    if let Some(value) = value {
                        write!(f, " fill_{side} ({})", go_plain_float(value))?;
                    }
                }
                Ok(())
            }
        }
    }
}

impl Display for VectorSelector {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.series(f)?;
        f.write_str(&at(self.at))?;
        self.extension(f)?;
        f.write_str(&offset(self.offset.as_ref()))
    }
}

impl VectorSelector {
    /// Prints name and matchers.
    fn series(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.name {
            f.write_str(name)?;
        }
        let is_name = |m: &prom_model::Matcher| {
            m.op() == MatchOp::Equal && m.name() == METRIC_NAME && Some(m.value()) == self.name.as_deref()
        };
        let mut shown: Vec<String> = self
            .matchers
            .iter()
            .filter(|m| !is_name(m))
            .map(|m| m.to_string().replace('\u{fffd}', "\\ufffd"))
            .collect();
        shown.sort_unstable();
        if shown.is_empty() && self.name.is_some() {
            return Ok(());
        }
        write!(f, "{{{}}}", shown.join(","))
    }

    fn extension(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.extension {
            Some(RangeExtension::Anchored) => f.write_str(" anchored"),
            Some(RangeExtension::Smoothed) => f.write_str(" smoothed"),
            None => Ok(()),
        }
    }
}

impl Display for MatrixSelector {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.selector.series(f)?;
        write!(f, "[{}]", self.range)?;
        self.selector.extension(f)?;
        f.write_str(&at(self.selector.at))?;
        f.write_str(&offset(self.selector.offset.as_ref()))
    }
}

impl Display for Subquery {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.expr, subquery_suffix(self))
    }
}

/// What stands behind the expression of a subquery.
pub(crate) fn subquery_suffix(subquery: &Subquery) -> String {
    let step = subquery.step.as_ref().map(ToString::to_string).unwrap_or_default();
    let (at, offset) = (at(subquery.at), offset(subquery.offset.as_ref()));
    format!("[{}:{step}]{at}{offset}", subquery.range)
}

fn at(at: Option<AtModifier>) -> String {
    match at {
        None => String::new(),
        Some(AtModifier::Start) => " @ start()".to_owned(),
        Some(AtModifier::End) => " @ end()".to_owned(),
        Some(AtModifier::Time(time)) => {
            let millis = time.as_millis();
            let sign = if millis < 0 { "-" } else { "" };
            let millis = millis.unsigned_abs();
            format!(" @ {sign}{}.{:03}", millis / 1000, millis % 1000)
        }
    }
}

fn offset(offset: Option<&DurationValue>) -> String {
    match offset {
        Some(offset) if *offset != DurationValue::Fixed(PromDuration::ZERO) => {
            let text = offset.to_string();
            format!(" offset {}{text}", "+".repeat(signs_missing(offset, &text)))
        }
        _ => String::new(),
    }
}

/// Signs to put before an offset: operators only belong to one that begins with a parenthesis or two signs.
fn signs_missing(offset: &DurationValue, text: &str) -> usize {
    let DurationValue::Expr(expr) = offset else { return 0 };
    let mut unsigned = expr.as_ref();
    while let DurationExpr::Negate(inner, _) = unsigned {
        unsigned = inner;
    }
    let operators = matches!(unsigned, DurationExpr::Binary { op, .. } if !matches!(op, DurationOp::Min | DurationOp::Max));
    let signs = text.len() - text.trim_start_matches(['+', '-']).len();
    if operators && !text.starts_with('(') { 2_usize.saturating_sub(signs) } else { 0 }
}

impl Display for DurationValue {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            DurationValue::Fixed(duration) => write!(f, "{duration}"),
            DurationValue::Expr(expr) => write!(f, "{expr}"),
        }
    }
}

impl Display for DurationExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            DurationExpr::Number { value, is_duration: true, .. } => write!(f, "{}", seconds(*value)),
            DurationExpr::Number { value, .. } => f.write_str(&go_plain_float(*value)),
            DurationExpr::Step(_) => f.write_str("step()"),
            DurationExpr::Range(_) => f.write_str("range()"),
            DurationExpr::Negate(expr, _) => write!(f, "-{expr}"),
            DurationExpr::Paren(expr, _) => write!(f, "({expr})"),
            DurationExpr::Binary { op, lhs, rhs, .. } => match op {
                DurationOp::Min | DurationOp::Max => write!(f, "{}({lhs}, {rhs})", op.as_str()),
                _ => write!(f, "{lhs} {} {rhs}", op.as_str()),
            },
        }
    }
}
