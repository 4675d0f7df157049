//! The components that this build contains: one file per component, which turns flags into a configuration and runs it.

mod compact;
mod query;
mod reloader;
mod sidecar;
mod store;
mod tools;

use anyhow::Context;
use clap::{ArgMatches, Command};
use tokio_util::sync::CancellationToken;
use tracing::info;

/// Runs a component with its flags until it ends.
pub(crate) type Run = fn(&ArgMatches) -> anyhow::Result<()>;

/// The components that Thanos' users know and that belong here in the end.
pub(crate) const PLANNED: [&str; 9] =
    ["sidecar", "query", "query-frontend", "store", "compact", "receive", "rule", "reloader", "tools"];

/// The command line of each component of this build, and what runs it.
pub(crate) fn components() -> Vec<(Command, Run)> {
    vec![
        (compact::command(), compact::run),
        (query::command(), query::run),
        (reloader::command(), reloader::run),
        (sidecar::command(), sidecar::run),
        (store::command(), store::run),
        (tools::command(), tools::run),
    ]
}

/// SIGTERM and SIGINT end the component with exit code 0. SIGHUP does nothing, and does not end it.
pub(crate) fn stop_on_signal(stop: CancellationToken) -> anyhow::Result<tokio::task::JoinHandle<()>> {
    on_signals(stop, || {})
}

/// As [`stop_on_signal`]; SIGHUP calls `reload`.
pub(crate) fn on_signals(
    stop: CancellationToken,
    reload: impl Fn() + Send + 'static,
) -> anyhow::Result<tokio::task::JoinHandle<()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
    let mut hangup = signal(SignalKind::hangup()).context("cannot wait for SIGHUP")?;
    Ok(tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                Some(()) = hangup.recv() => {
                    info!(msg = "caught signal, reloading");
                    reload();
                }
            }
        }
        info!(msg = "caught signal, exiting");
        stop.cancel();
    }))
}
