//! `pronoia promql series`: what a query reads.

use std::fmt::Write;

use clap::ValueEnum;
use promql_syntax::{AtModifier, DurationValue, Expr, Span, Subquery, VectorSelector};
use serde_json::{Value, json};

use super::query::Query;
use crate::commands::Exit;
use crate::commands::console::Console;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How to print the list
    #[arg(long, value_enum, default_value_t)]
    format: ListFormat,
    /// A file with one query; `-` reads stdin; anything else is a query
    #[arg(value_name = "FILE|-|QUERY")]
    query: String,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum ListFormat {
    /// For people
    #[default]
    Text,
    /// An array of objects; durations and times are milliseconds
    Json,
}

/// A selector of the query.
struct Read<'e> {
    selector: &'e VectorSelector,
    range: Option<&'e DurationValue>,
    span: Span,
    /// The subqueries around it, from the outside in.
    within: Vec<&'e Subquery>,
}

pub(super) fn run(console: &Console, args: &Args) -> anyhow::Result<Exit> {
    let query = Query::read(&args.query)?;
    let Some(expr) = query.tree(console) else { return Ok(Exit::Findings) };
    let mut reads = Vec::new();
    collect(&expr, &mut Vec::new(), &mut reads);
    match args.format {
        ListFormat::Text => console.out(&text(&reads))?,
        ListFormat::Json => {
            let reads: Vec<Value> = reads.iter().map(|read| object(read, &query.text)).collect();
            console.out(&format!("{:#}\n", Value::from(reads)))?;
        }
    }
    Ok(Exit::Ok)
}

fn collect<'e>(expr: &'e Expr, within: &mut Vec<&'e Subquery>, reads: &mut Vec<Read<'e>>) {
    match expr {
        Expr::Vector(selector) => {
            reads.push(Read { selector, range: None, span: selector.span, within: within.clone() });
        }
        Expr::Matrix(matrix) => reads.push(Read {
            selector: &matrix.selector,
            range: Some(&matrix.range),
            span: matrix.span,
            within: within.clone(),
        }),
        Expr::Subquery(subquery) => {
            within.push(subquery);
            collect(&subquery.expr, within, reads);
            within.pop();
        }
        other => other.children().into_iter().for_each(|child| collect(child, within, reads)),
    }
}

fn text(reads: &[Read<'_>]) -> String {
    let mut out = String::new();
    for read in reads {
        let name = read.selector.metric_name().unwrap_or("series of any name");
        let _ = writeln!(out, "{name}");
        let mut line = |what: &str, value: &str| {
            let _ = writeln!(out, "  {what:<8} {value}");
        };
        for matcher in &read.selector.matchers {
            line("matcher", &matcher.to_string());
        }
        if let Some(range) = read.range {
            line("range", &range.to_string());
        }
        if let Some(offset) = &read.selector.offset {
            line("offset", &offset.to_string());
        }
        if let Some(at) = read.selector.at {
            line("at", &moment(at));
        }
        for subquery in read.within.iter().rev() {
            let step = subquery.step.as_ref().map(ToString::to_string).unwrap_or_default();
            let mut around = format!("[{}:{step}]", subquery.range);
            if let Some(at) = subquery.at {
                let _ = write!(around, " @ {}", moment(at));
            }
            if let Some(offset) = &subquery.offset {
                let _ = write!(around, " offset {offset}");
            }
            line("within", &around);
        }
    }
    out
}

fn moment(at: AtModifier) -> String {
    match at {
        AtModifier::Time(time) => format!("{:.3}", time.as_secs_f64()),
        AtModifier::Start => "start()".to_string(),
        AtModifier::End => "end()".to_string(),
    }
}

fn object(read: &Read<'_>, query: &str) -> Value {
    let place = read.span.line_column(query);
    json!({
        "name": read.selector.metric_name(),
        "matchers": read.selector.matchers.iter().map(|matcher| json!({
            "name": matcher.name(), "type": matcher.op().as_str(), "value": matcher.value(),
        })).collect::<Vec<_>>(),
        "range": read.range.map(duration),
        "offset": read.selector.offset.as_ref().map(duration),
        "at": read.selector.at.map(at),
        "within": read.within.iter().map(|subquery| json!({
            "range": duration(&subquery.range),
            "step": subquery.step.as_ref().map(duration),
            "offset": subquery.offset.as_ref().map(duration),
            "at": subquery.at.map(at),
        })).collect::<Vec<_>>(),
        "line": place.line,
        "column": place.column,
    })
}

/// Milliseconds, or the expression where they depend on the evaluation.
fn duration(duration: &DurationValue) -> Value {
    duration.constant().map_or_else(|| json!(duration.to_string()), |known| json!(known.as_millis()))
}

fn at(at: AtModifier) -> Value {
    match at {
        AtModifier::Time(time) => json!(time.as_millis()),
        word => json!(moment(word)),
    }
}
