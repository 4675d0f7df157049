//! `pronoiad reloader`: the config reloader beside Prometheus or Alertmanager.
//!
//! The flags are those of `thanos sidecar`, whose reloader this is as a process of its own; what is not Thanos' says so.

use std::sync::Arc;

use anyhow::Context;
use axum::Router;
use axum::routing::get;
use clap::{ArgMatches, Args, Command, FromArgMatches};
use prometheus_client::registry::Registry;
use reloader::compat::Compat;
use reloader::disk::RealDisk;
use reloader::{Environment, Reloader, ReloaderMetrics, StatusBoard, Target};
use server::envelope;
use server::metrics::Metrics;
use server::probe::Probe;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::commands::stop_on_signal;
use crate::flags::reloader::ReloaderFlags;
use crate::flags::{HttpFlags, LogFlags, PrometheusFlags};

/// Reloads Prometheus (or Alertmanager) when its configuration changes, and never with one that it would refuse
#[derive(Debug, Args)]
struct Flags {
    #[command(flatten)]
    log: LogFlags,
    #[command(flatten)]
    http: HttpFlags,
    #[command(flatten)]
    prometheus: PrometheusFlags,
    #[command(flatten)]
    reloader: ReloaderFlags,
    /// Write the expanded and validated files once and end, without asking Prometheus: for init containers
    #[arg(long = "once", conflicts_with = "reloader.compat")]
    once: bool,
}

/// The command line.
pub(crate) fn command() -> Command {
    Flags::augment_args(Command::new("reloader"))
}

/// Runs until a signal comes.
pub(crate) fn run(matches: &ArgMatches) -> anyhow::Result<()> {
    let flags = Flags::from_arg_matches(matches)?;
    flags.log.start();
    // One thread serves; files are read on another one that goes away when there is nothing to read.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(2)
        .build()
        .context("cannot start")?;
    runtime.block_on(reload(flags))
}

async fn reload(flags: Flags) -> anyhow::Result<()> {
    let (once, compat) = (flags.once, flags.reloader.compat);
    let target_client = flags.prometheus.client()?;
    let settings = flags.reloader.settings()?;
    let target = Target::new(target_client, &flags.prometheus.url, settings.target, settings.method.clone());
    let mut registry = Registry::default();
    let metrics = ReloaderMetrics::register(&mut registry, &settings.method, !compat);
    let environment = Environment::new(std::env::vars_os());
    let disk = Arc::new(RealDisk);
    let probe = Probe::new();
    if once {
        let reloader = Reloader::new(settings, environment, disk, target, metrics, probe);
        return Ok(reloader.once().await?);
    }
    let server = flags.http.listen().await?;
    let stop = CancellationToken::new();
    let signals = stop_on_signal(stop.clone())?;
    info!(msg = "listening for requests", service = "http/server", address = %server.address());
    let grace = flags.http.grace();
    if compat {
        let compat = Compat::new(settings, environment, disk, target, metrics);
        let routes = routes(compat.board());
        probe.set_ready(true);
        let serving = tokio::spawn(server.run(routes, Metrics::new(registry), probe, stop.clone(), grace));
        let result = compat.run(stop.clone()).await;
        if let Err(failure) = &result {
            error!(err = %failure);
        }
        stop.cancel();
        serving.await??;
        signals.abort();
        return Ok(result?);
    }
    let reloader = Reloader::new(settings, environment, disk, target, metrics, probe.clone());
    let routes = routes(reloader.board());
    let serving = tokio::spawn(server.run(routes, Metrics::new(registry), probe, stop.clone(), grace));
    reloader.run(stop.clone()).await;
    stop.cancel();
    serving.await??;
    signals.abort();
    Ok(())
}

fn routes(board: StatusBoard) -> Router {
    Router::new().route("/api/v1/status/reloader", get(move || async move { envelope::success(board.get()) }))
}
