//! What an expression asks of the place where it is evaluated. Computed once for each text, whatever cluster uses it.

use std::ops::Range;
use std::sync::Arc;

use promql_syntax::{BinaryOp, Call, Descend, Expr, Feature, SelectorUse, features, parse, selectors, visit};

/// Label that tells targets apart: what keeps it never mixes series of two targets.
const INSTANCE: &str = "instance";

/// An expression, read.
#[derive(Debug)]
pub struct Expression {
    /// As written.
    pub text: Arc<str>,
    /// What is wrong with it: bytes of the text, message.
    pub problems: Vec<(Range<usize>, String)>,
    /// What needs a view of all series; empty when each target's series can be judged alone.
    pub needs: Vec<Need>,
    /// Ranges of functions that compare samples.
    pub windows: Vec<Window>,
    /// Names of the metrics that it reads, sorted.
    pub metrics: Vec<String>,
    /// Labels that its selectors insist on, sorted.
    pub labels: Vec<String>,
    /// Parts that a feature flag switches on.
    pub features: Vec<(Feature, Range<usize>)>,
    /// Whether it reads any series.
    pub selects: bool,
    /// Whether it can come out empty although its series exist.
    pub filters: bool,
}

/// Something that is only right with a view of all series.
#[derive(Debug, Clone, PartialEq)]
pub struct Need {
    /// In words, for the reason.
    pub what: String,
    /// Labels that are kept apart; `None` when nothing keeps them apart.
    pub keeps: Option<Keeps>,
    /// The job that all its series come from, if it is one.
    pub job: Option<Job>,
    /// Bytes of the expression.
    pub at: Range<usize>,
}

/// Which labels stay on the result.
#[derive(Debug, Clone, PartialEq)]
pub enum Keeps {
    /// These.
    By(Vec<String>),
    /// All but these.
    Without(Vec<String>),
}

/// Where series come from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Job {
    /// `job="NAME"` in the selector.
    Named(String),
    /// A metric of kube-state-metrics.
    KubeState,
}

/// The range of a function that needs several samples.
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    /// The function.
    pub function: &'static str,
    /// Length of the range, milliseconds.
    pub range_ms: i64,
    /// Length as written.
    pub written: String,
    /// Where its series come from.
    pub job: Option<Job>,
    /// Whether the result is compared with zero, so that every change counts.
    pub counts_changes: bool,
    /// Bytes of the expression.
    pub at: Range<usize>,
}

const SAMPLE_PAIRS: [&str; 10] = [
    "changes",
    "delta",
    "deriv",
    "double_exponential_smoothing",
    "idelta",
    "increase",
    "irate",
    "predict_linear",
    "rate",
    "resets",
];

impl Expression {
    /// Reads an expression.
    pub fn read(text: Arc<str>) -> Expression {
        let (tree, errors) = parse(&text);
        let mut read = Expression {
            problems: errors
                .into_iter()
                .map(|error| (error.span.start..error.span.end, error.message))
                .collect(),
            text,
            needs: Vec::new(),
            windows: Vec::new(),
            metrics: Vec::new(),
            labels: Vec::new(),
            features: Vec::new(),
            selects: false,
            filters: false,
        };
        if let Some(tree) = tree {
            read.analyse(&tree);
        }
        read
    }

    fn analyse(&mut self, tree: &Expr) {
        let uses = selectors(tree);
        self.selects = !uses.is_empty();
        self.metrics = uses.iter().filter_map(SelectorUse::metric_name).map(str::to_string).collect();
        self.metrics.sort();
        self.metrics.dedup();
        self.labels = uses
            .iter()
            .flat_map(|used| used.matchers())
            .filter(|matcher| !matcher.matches_empty() && matcher.name() != prom_model::METRIC_NAME)
            .map(|matcher| matcher.name().to_string())
            .collect();
        self.labels.sort();
        self.labels.dedup();
        self.features =
            features(tree).into_iter().map(|used| (used.feature, used.span.start..used.span.end)).collect();
        visit(tree, &mut |expr| {
            self.needs.extend(need(expr));
            if let Expr::Call(call) = expr {
                self.windows.extend(window(call, &self.text));
            }
            self.filters |= match expr {
                Expr::Binary(binary) => {
                    binary.op.is_comparison() && !binary.return_bool
                        || matches!(binary.op, BinaryOp::And | BinaryOp::Unless)
                }
                Expr::Call(call) => matches!(call.function.name, "absent" | "absent_over_time"),
                _ => false,
            };
            Descend::Into
        });
        visit(tree, &mut |expr| {
            if let Expr::Binary(binary) = expr
                && matches!(binary.op, BinaryOp::Greater)
                && matches!(binary.rhs.without_parens(), Expr::Number(number) if number.value == 0.0)
            {
                let inside = binary.lhs.span();
                for window in &mut self.windows {
                    window.counts_changes |= matches!(window.function, "increase" | "changes" | "resets")
                        && inside.start <= window.at.start
                        && window.at.end <= inside.end;
                }
            }
            Descend::Into
        });
    }
}

/// Where all series below an expression come from, if it is one place.
fn job_of(expr: &Expr) -> Option<Job> {
    let mut jobs = selectors(expr).into_iter().map(|used| job(&used));
    let first = jobs.next()??;
    jobs.all(|job| job.as_ref() == Some(&first)).then_some(first)
}

fn job(used: &SelectorUse<'_>) -> Option<Job> {
    let named = used
        .matchers()
        .iter()
        .find(|matcher| matcher.name() == "job" && matcher.op() == prom_model::MatchOp::Equal);
    match named {
        Some(matcher) => Some(Job::Named(matcher.value().to_string())),
        None => used.metric_name().filter(|name| name.starts_with("kube_")).map(|_| Job::KubeState),
    }
}

fn need(expr: &Expr) -> Option<Need> {
    let at = expr.span().start..expr.span().end;
    let make = |what: String, keeps, job| Some(Need { what, keeps, job, at: at.clone() });
    let has = |labels: &[String]| labels.iter().any(|label| label == INSTANCE);
    match expr {
        Expr::Call(call) if matches!(call.function.name, "absent" | "absent_over_time") => {
            make(format!("`{}` is true wherever the series are not", call.function.name), None, None)
        }
        Expr::Call(call) if call.function.name == "scalar" && !selectors(expr).is_empty() => {
            make("`scalar` wants one series of all".to_string(), None, job_of(expr))
        }
        Expr::Aggregate(aggregate) if !selectors(&aggregate.expr).is_empty() => {
            let listed = has(&aggregate.grouping);
            if listed != aggregate.without {
                return None;
            }
            let labels = aggregate.grouping.clone();
            let (keeps, how) = match aggregate.without {
                true => (Keeps::Without(labels), "without"),
                false => (Keeps::By(labels), "by"),
            };
            let what =
                format!("`{} {how} ({})` is over all targets", aggregate.op, aggregate.grouping.join(", "));
            make(what, Some(keeps), job_of(expr))
        }
        Expr::Binary(binary) => {
            let matching = binary.matching.as_ref()?;
            let (left, right) = (selectors(&binary.lhs).is_empty(), selectors(&binary.rhs).is_empty());
            if left && right {
                return None;
            }
            if left || right {
                // A constant that stands in for missing series appears wherever they are not.
                let fills = binary.op == BinaryOp::Or || left && binary.op == BinaryOp::Unless;
                return match fills {
                    true => make(format!("`{}` with a constant fills in for series", binary.op), None, None),
                    false => None,
                };
            }
            if has(&matching.labels) == matching.on {
                return None;
            }
            let labels = matching.labels.clone();
            let (keeps, how) = match matching.on {
                true => (Keeps::By(labels), "on"),
                false => (Keeps::Without(labels), "ignoring"),
            };
            let what = format!(
                "`{} {how} ({})` joins series of different targets",
                binary.op,
                matching.labels.join(", ")
            );
            make(what, Some(keeps), job_of(expr))
        }
        _ => None,
    }
}

fn window(call: &Call, text: &str) -> Option<Window> {
    let function = SAMPLE_PAIRS.into_iter().find(|name| *name == call.function.name)?;
    let Expr::Matrix(matrix) =
        call.args.iter().map(Expr::without_parens).find(|arg| matches!(arg, Expr::Matrix(_)))?
    else {
        return None;
    };
    // `anchored` and `smoothed` reach beyond the range.
    if matrix.selector.extension.is_some() {
        return None;
    }
    let range = matrix.range.constant()?;
    let used = SelectorUse { selector: &matrix.selector, range: Some(&matrix.range), span: matrix.span };
    let written = matrix.span.text(text).split_once('[').and_then(|(_, rest)| rest.split_once(']'));
    Some(Window {
        function,
        range_ms: range.as_millis(),
        written: written.map_or_else(|| range.to_string(), |(written, _)| written.trim().to_string()),
        job: job(&used),
        counts_changes: false,
        at: call.span.start..call.span.end,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needs(text: &str) -> usize {
        let read = Expression::read(Arc::from(text));
        assert_eq!(read.problems, [], "{text}");
        read.needs.len()
    }

    #[test]
    fn what_stays_with_one_target_needs_no_view_of_all() {
        for text in [
            "up == 0",
            "rate(x[5m]) / rate(y[5m]) > 0.1",
            "sum by (job, instance) (x) > 1",
            "sum without (le) (x)",
            "x * on (instance) group_left (nodename) node_uname_info",
            "x unless on (job, instance) y",
            "vector(1)",
            "time() - x > 60",
            "sum(vector(1))",
        ] {
            assert_eq!(needs(text), 0, "{text}");
        }
    }

    #[test]
    fn what_compares_targets_needs_a_view_of_all() {
        for text in [
            "absent(up)",
            "sum(up) < 10",
            "count by (job) (up)",
            "sum without (instance) (x)",
            "x * on (pod) group_left () y",
            "x / ignoring (instance) y",
            "x or vector(0)",
            "vector(1) unless x",
            "x > scalar(y)",
            "topk(3, x)",
        ] {
            assert_eq!(needs(text), 1, "{text}");
        }
    }

    #[test]
    fn windows_know_whether_every_change_counts() {
        let read = Expression::read(Arc::from("sum by (pod) (increase(kube_x[1m])) > 0 and rate(y[5m]) > 2"));
        let seen: Vec<_> = read.windows.iter().map(|w| (w.function, w.range_ms, w.counts_changes)).collect();
        assert_eq!(seen, [("increase", 60_000, true), ("rate", 300_000, false)]);
        assert_eq!(read.windows[0].written, "1m");
        assert_eq!(read.needs[0].job, Some(Job::KubeState));
    }
}
