//! `pronoia promql explain`: the plan of a query in words.

use prom_model::TimestampMs;
use promql::{Engine, EngineOptions};
use promql_syntax::ParseOptions;

use super::when::When;
use crate::commands::Exit;
use crate::commands::console::Console;

#[derive(Debug, clap::Args)]
pub(in crate::commands) struct Args {
    /// The query
    #[arg(value_name = "EXPR")]
    query: String,
    #[command(flatten)]
    when: When,
}

pub(in crate::commands) fn run(console: &Console, args: &Args) -> anyhow::Result<Exit> {
    let engine = Engine::new(EngineOptions { parse: ParseOptions::ALL, ..EngineOptions::default() });
    let prepared = engine.prepare(&args.query, args.when.range(TimestampMs::from_millis(0))?)?;
    console.out(&prepared.explain())?;
    Ok(Exit::Ok)
}
