//! Whether an expression is one of a release: the language grows, and the parser knows its newest form.

use promql_syntax::{Descend, DurationValue, Expr, Span, VectorSelector, features, parse, visit};

use prom_model::NameScheme;

use crate::schema::v;
use crate::{Options, Version};

/// Functions and aggregations that came after 2.37.
const LATER: &[(&str, Version)] = &[
    ("histogram_avg", v(2, 51, 0)),
    ("histogram_count", v(2, 40, 0)),
    ("histogram_fraction", v(2, 40, 0)),
    ("histogram_quantiles", v(3, 11, 0)),
    ("histogram_stddev", v(2, 47, 0)),
    ("histogram_stdvar", v(2, 47, 0)),
    ("histogram_sum", v(2, 40, 0)),
    ("info", v(2, 55, 0)),
    ("double_exponential_smoothing", v(3, 0, 0)),
    ("end", v(3, 12, 0)),
    ("first_over_time", v(3, 7, 0)),
    ("limit_ratio", v(2, 54, 0)),
    ("limitk", v(2, 54, 0)),
    ("mad_over_time", v(2, 49, 0)),
    ("max_of", v(3, 13, 0)),
    ("min_of", v(3, 13, 0)),
    ("range", v(3, 12, 0)),
    ("sort_by_label", v(2, 49, 0)),
    ("sort_by_label_desc", v(2, 49, 0)),
    ("start", v(3, 12, 0)),
    ("start_timestamp", v(3, 14, 0)),
    ("step", v(3, 12, 0)),
    ("ts_of_first_over_time", v(3, 7, 0)),
    ("ts_of_last_over_time", v(3, 5, 0)),
    ("ts_of_max_over_time", v(3, 5, 0)),
    ("ts_of_min_over_time", v(3, 5, 0)),
];

/// The name that `double_exponential_smoothing` had before 3.0.
const OLD_SMOOTHING: &str = "holt_winters";

/// The release since which digits may be grouped.
const UNDERSCORES: Version = v(2, 54, 0);

/// What is wrong with an expression.
pub(crate) struct Wrong {
    pub(crate) message: String,
    /// Whether no flag of the release makes it right.
    pub(crate) certain: bool,
}

/// Says why a release refuses an expression.
pub(crate) fn problem(text: &str, options: &Options) -> Option<Wrong> {
    let (mut tree, errors) = parse(text);
    let mut renamed = String::new();
    if !errors.is_empty() {
        let certain = options.version.is_none_or(|own| own <= Version::NEWEST);
        let wrong = errors.first().map(|error| Wrong { message: error.located(text), certain });
        if options.at_least(v(3, 0, 0)) || !text.contains(OLD_SMOOTHING) {
            return wrong;
        }
        renamed = text.replace(OLD_SMOOTHING, "double_exponential_smoothing");
        let (again, errors) = parse(&renamed);
        if !errors.is_empty() {
            return wrong;
        }
        tree = again;
    }
    let tree = tree?;
    let old = options.version?;
    let mut found = None;
    visit(&tree, &mut |expr| {
        if found.is_none() {
            found = too_new(expr, if renamed.is_empty() { text } else { &renamed }, old, !renamed.is_empty());
        }
        Descend::Into
    });
    if let Some((span, what)) = found {
        let message = format!("{}: Prometheus {old} has no {what}", span.line_column(text));
        return Some(Wrong { message, certain: true });
    }
    if !renamed.is_empty() {
        return None;
    }
    let flag = features(&tree).into_iter().next()?;
    let message = format!(
        "{}: Prometheus takes this with `--enable-feature={}` alone",
        flag.span.line_column(text),
        flag.feature.flag()
    );
    Some(Wrong { message, certain: false })
}

fn too_new(expr: &Expr, text: &str, own: Version, renamed: bool) -> Option<(Span, String)> {
    let later = |name: &str| {
        let since = LATER.iter().find(|(later, _)| *later == name).map(|(_, since)| *since);
        since.is_some_and(|since| own < since) && !(renamed && name == "double_exponential_smoothing")
    };
    match expr {
        Expr::Call(call) if later(call.function.name) => {
            Some((call.name_span, format!("function `{}`", call.function.name)))
        }
        Expr::Aggregate(aggregate) if later(aggregate.op.as_str()) => {
            Some((aggregate.span, format!("aggregation `{}`", aggregate.op.as_str())))
        }
        Expr::Aggregate(aggregate) if own < v(3, 0, 0) && !all_legacy(&aggregate.grouping) => {
            Some((aggregate.span, "label names in quotes".to_owned()))
        }
        Expr::Number(number) if number.is_duration && own < v(2, 54, 0) => {
            Some((number.span, "durations as numbers".to_owned()))
        }
        Expr::Number(number) if number.span.text(text).contains('_') && own < UNDERSCORES => {
            Some((number.span, "underscores in numbers".to_owned()))
        }
        Expr::Vector(selector) => in_selector(selector, text, own),
        Expr::Matrix(matrix) => {
            in_duration(&matrix.range, own).or_else(|| in_selector(&matrix.selector, text, own))
        }
        Expr::Subquery(subquery) => [Some(&subquery.range), subquery.step.as_ref(), subquery.offset.as_ref()]
            .into_iter()
            .flatten()
            .find_map(|duration| in_duration(duration, own)),
        Expr::Binary(binary) => {
            let matching = binary.matching.as_ref()?;
            if own < v(3, 0, 0) && !(all_legacy(&matching.labels) && all_legacy(&matching.include)) {
                return Some((binary.op_span, "such label names in `on`, `ignoring` and `group`".to_owned()));
            }
            let fills = matching.fill_left.is_some() || matching.fill_right.is_some();
            (fills && own < v(3, 10, 0)).then(|| (binary.op_span, "`fill`".to_owned()))
        }
        _ => None,
    }
}

fn all_legacy(names: &[String]) -> bool {
    names.iter().all(|name| NameScheme::Legacy.is_valid_label_name(name))
}

fn in_duration(duration: &DurationValue, own: Version) -> Option<(Span, String)> {
    match duration {
        DurationValue::Expr(expr) if own < v(3, 4, 0) => {
            Some((expr.span(), "arithmetic in durations".to_owned()))
        }
        _ => None,
    }
}

fn in_selector(selector: &VectorSelector, text: &str, own: Version) -> Option<(Span, String)> {
    if let Some(found) = selector.offset.as_ref().and_then(|offset| in_duration(offset, own)) {
        return Some(found);
    }
    if selector.extension.is_some() && own < v(3, 7, 0) {
        return Some((selector.span, "`anchored` and `smoothed`".to_owned()));
    }
    let quoted = own < v(3, 0, 0) && has_quoted_name(selector.span.text(text));
    quoted.then(|| (selector.span, "names in quotes".to_owned()))
}

/// Whether a name in the braces stands in quotes.
fn has_quoted_name(selector: &str) -> bool {
    let Some((_, braces)) = selector.split_once('{') else { return false };
    let mut name_expected = true;
    let mut chars = braces.chars();
    while let Some(c) = chars.next() {
        match c {
            '}' => return false,
            ',' => name_expected = true,
            '#' => {
                let _ = chars.by_ref().find(|c| *c == '\n');
            }
            '"' | '\'' | '`' if name_expected => return true,
            '"' | '\'' | '`' => {
                while let Some(inner) = chars.next() {
                    if inner == '\\' && c != '`' {
                        chars.next();
                    } else if inner == c {
                        break;
                    }
                }
            }
            c if c.is_whitespace() => {}
            _ => name_expected = false,
        }
    }
    false
}
