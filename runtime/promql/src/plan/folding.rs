//! A rule: what numbers alone are made into is one number.

use promql_syntax::ValueType;

use super::{Kind, Node};
use crate::exec::between_numbers;

/// Applies the rule to a plan.
pub(super) fn apply(node: &mut Node) {
    for child in node.children_mut() {
        apply(child);
    }
    if node.value_type == ValueType::Scalar
        && let Some(number) = number(node)
    {
        node.kind = Kind::Number(number);
    }
}

/// The number that a node has at each step, where those below it are numbers.
fn number(node: &Node) -> Option<f64> {
    let of = |node: &Node| match &node.kind {
        Kind::Number(number) => Some(*number),
        _ => None,
    };
    match &node.kind {
        Kind::Negate(child) => Some(-of(child)?),
        Kind::Invariant(child) => of(child),
        Kind::Binary(binary) => between_numbers(binary.op, of(&binary.lhs)?, of(&binary.rhs)?),
        Kind::Call(call) if call.function.name == "pi" => Some(std::f64::consts::PI),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::{Engine, QueryRange};

    #[test]
    fn numbers_are_made_into_one_where_the_time_does_not_matter() {
        let range = QueryRange::Range { start: 0, end: 60_000, step: 30_000 };
        let plan = |query: &str| {
            let prepared = Engine::default().prepare(query, range).expect("the query is good");
            prepared.explain().lines().map(|line| line.split(';').next().unwrap_or("").to_owned()).collect()
        };
        for (query, expected) in [
            ("-(1 + 2) * 2 ^ -2", &["number -0.75"][..]),
            ("up > 2 * (3 >= bool 2)", &[">", "  select up", "  number 2"]),
            (
                "up * pi() / 180",
                &["/", "  *", "    select up", "    number 3.141592653589793", "  number 180"],
            ),
            ("up + time() * (2 - 1)", &["+", "  select up", "  *", "    time", "    number 1"]),
            ("topk(2 + 1, up)", &["topk of all", "  number 3", "  select up"]),
        ] {
            let lines: Vec<String> = plan(query);
            assert_eq!(lines, expected, "{query}");
        }
    }
}
