//! `pronoia promql format`: rewrites queries in Prometheus' layout, or says which are not in it.

use std::path::Path;

use anyhow::Context;
use compiler::diff::{self, Files};
use promql_syntax::{comments, pretty};

use super::query::Query;
use crate::commands::console::Console;
use crate::commands::{Exit, tree};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Write nothing; print what would change and fail if anything would
    #[arg(long)]
    check: bool,
    /// Leave comments out; without it a query that has some is refused
    #[arg(long)]
    drop_comments: bool,
    /// Files with one query each, which are rewritten; `-` reads stdin; anything else is a query. Both are printed
    #[arg(required = true, value_name = "FILE|-|QUERY")]
    queries: Vec<String>,
}

pub(super) fn run(console: &Console, args: &Args) -> anyhow::Result<Exit> {
    let mut exit = Exit::Ok;
    for argument in &args.queries {
        let query = Query::read(argument)?;
        let Some(expr) = query.tree(console) else {
            exit = Exit::Findings;
            continue;
        };
        if let Some(comment) = comments(&query.text).first().filter(|_| !args.drop_comments) {
            query.complain(console, *comment, "the comment would be lost; `--drop-comments` leaves it out");
            exit = Exit::Findings;
            continue;
        }
        let formatted = pretty(&expr) + "\n";
        // A query on the command line has no end of line.
        let same = query.text == formatted || (query.file.is_none() && query.text == formatted.trim_end());
        match &query.file {
            _ if args.check => {
                if !same {
                    let side = |text: &str| Files::from([(query.name.clone(), text.to_string())]);
                    console.out(&diff::unified(&side(&query.text), &side(&formatted)))?;
                    exit = if exit == Exit::Ok { Exit::Differences } else { exit };
                }
            }
            None => console.out(&formatted)?,
            Some(_) if same => {}
            Some(file) => {
                // A link stays a link: its target is rewritten.
                let path = Path::new(file).canonicalize().with_context(|| format!("`{file}`"))?;
                tree::replace(&path, |out| out.write_all(formatted.as_bytes()))
                    .with_context(|| format!("`{file}`"))?;
                console.note(&format!("{file}: formatted"));
            }
        }
    }
    Ok(exit)
}
