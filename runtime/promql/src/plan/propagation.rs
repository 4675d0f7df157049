//! A rule: what one operand of `and` or `unless` asks of a label by which series are matched, the other may ask too.
//!
//! Only between selectors. Arithmetic is left alone: there a series that matches nothing may still be one of two that Prometheus
//! refuses, and functions may have something to say about series that match nothing.

use promql_syntax::{BinaryOp, VectorMatching};

use super::{Binary, Kind, Node};
use prom_model::{METRIC_NAME, MatchOp, Matcher};

/// Applies the rule to a plan.
pub(super) fn apply(node: &mut Node) {
    if let Kind::Binary(binary) = &mut node.kind {
        within(binary);
    }
    for child in node.children_mut() {
        apply(child);
    }
}

fn within(binary: &mut Binary) {
    let Binary { op, lhs, rhs, matching: Some(matching), .. } = binary else { return };
    let (Kind::Select(left), Kind::Select(right)) = (&mut lhs.kind, &mut rhs.kind) else { return };
    let asked_left = asked(&left.matchers, matching);
    match op {
        // What stays of the left side has a partner on the right.
        BinaryOp::And => {
            add(&mut left.matchers, asked(&right.matchers, matching));
            add(&mut right.matchers, asked_left);
        }
        BinaryOp::Unless => add(&mut right.matchers, asked_left),
        _ => {}
    }
}

/// The equalities on labels by which series are matched.
fn asked(matchers: &[Matcher], matching: &VectorMatching) -> Vec<Matcher> {
    let is_matched = |name: &str| {
        let listed = matching.labels.iter().any(|label| label == name);
        if matching.on { listed } else { !listed && name != METRIC_NAME }
    };
    matchers.iter().filter(|m| m.op() == MatchOp::Equal && is_matched(m.name())).cloned().collect()
}

fn add(matchers: &mut Vec<Matcher>, more: Vec<Matcher>) {
    for matcher in more {
        if !matchers.contains(&matcher) {
            matchers.push(matcher);
        }
    }
}

#[cfg(test)]
mod tests {
    use promql_syntax::parse;

    use crate::plan::{Kind, Lowering, Node, lower, optimise};

    fn plan(query: &str) -> Node {
        let expr = parse(query).0.expect("the query is good");
        let mut plan =
            lower(&expr, Lowering { start: 0, end: 0, step: 0, subquery_step: 60_000 }).expect("lowers");
        optimise(&mut plan);
        plan
    }

    /// The matchers of both operands, sorted, as text.
    fn operands(query: &str) -> [String; 2] {
        let Kind::Binary(binary) = plan(query).kind else { panic!("{query} is no operation") };
        [binary.lhs, binary.rhs].map(|operand| match operand.kind {
            Kind::Select(selection) => {
                let mut texts: Vec<String> = selection.matchers.iter().map(ToString::to_string).collect();
                texts.sort();
                texts.join(",")
            }
            _ => String::new(),
        })
    }

    #[test]
    fn set_operators_pass_equalities_on_matched_labels_on() {
        let cases = [
            (r#"a{x="1",y="2"} and on(x) b"#, r#"__name__="a",x="1",y="2""#, r#"__name__="b",x="1""#),
            (r#"a and ignoring(y) b{x="1",y="2"}"#, r#"__name__="a",x="1""#, r#"__name__="b",x="1",y="2""#),
            (r#"a unless b{x="1"}"#, r#"__name__="a""#, r#"__name__="b",x="1""#),
            (r#"a{x="1"} unless b"#, r#"__name__="a",x="1""#, r#"__name__="b",x="1""#),
            (r#"a{x="1"} or b"#, r#"__name__="a",x="1""#, r#"__name__="b""#),
            (r#"a{x="1"} * on(x) b"#, r#"__name__="a",x="1""#, r#"__name__="b""#),
        ];
        for (query, left, right) in cases {
            assert_eq!(operands(query), [left, right], "{query}");
        }
    }
}
