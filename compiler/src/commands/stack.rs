//! A stack for what goes down the trees of queries.

use std::thread;

use anyhow::Context;

use super::Exit;

/// Runs a command that plans or evaluates queries on a thread whose stack is large enough for all of them.
pub(super) fn for_queries(command: impl FnOnce() -> anyhow::Result<Exit> + Send) -> anyhow::Result<Exit> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(promql::STACK_BYTES).spawn_scoped(scope, command);
        let ended = thread.context("cannot start a thread")?.join();
        ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}
