//! Scripts that load series, evaluate queries and say what must come out: the language of Prometheus' own PromQL tests.
//!
//! ```text
//! load 30s
//!   reqs{job="a"} 0+10x5 _ stale
//!
//! eval instant at 2m sum(reqs)
//!   expect no_warn
//!   {} 40
//! ```
//!
//! A line that starts with `#` is a comment. A query is run as written and in variants whose answer must be the same: with its
//! time in `@`, and as the middle of a range.

mod classic;
mod command;
mod compare;
mod run;
mod storage;
mod variants;

use std::sync::Arc;

use prom_model::Clock;

pub use storage::MemoryStorage;

/// A script that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct ScriptError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: String,
}

/// What came of one evaluation of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The line of the evaluation, from 1.
    pub line: usize,
    /// The query as the script has it.
    pub query: String,
    /// Why it failed; `None` where everything is as expected.
    pub failure: Option<String>,
}

/// Runs a script to its end and gives an outcome for each evaluation, in order.
///
/// # Errors
/// A script that cannot be read is not run at all.
pub fn run(text: &str, clock: Arc<dyn Clock>) -> Result<Vec<Outcome>, ScriptError> {
    let commands = command::parse(text)?;
    run::run(commands, clock)
}
