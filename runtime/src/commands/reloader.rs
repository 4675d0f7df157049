//! `pronoiad reloader`: the config reloader beside Prometheus or Alertmanager.
//!
//! The flags are those of `thanos sidecar`, whose reloader this is as a process of its own; what is not Thanos' says so.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use axum::Router;
use axum::routing::get;
use clap::{ArgMatches, Args, Command, FromArgMatches};
use prometheus_client::registry::Registry;
use reloader::compat::Compat;
use reloader::disk::RealDisk;
use reloader::{
    Directory, Environment, Method, Promtool, Reloader, ReloaderMetrics, Settings, StatusBoard, Target,
    TargetKind,
};
use server::duration::GoDuration;
use server::envelope;
use server::http::Server;
use server::metrics::Metrics;
use server::probe::Probe;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::commands::stop_on_signal;
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

/// `--reloader.*`; the sidecar takes the same.
#[derive(Debug, Args)]
struct ReloaderFlags {
    /// Config file watched by the reloader
    #[arg(long = "reloader.config-file", value_name = "FILE")]
    config_file: Option<PathBuf>,
    /// Output file for environment variable substituted config file
    #[arg(long = "reloader.config-envsubst-file", value_name = "FILE")]
    config_envsubst_file: Option<PathBuf>,
    /// Rule directories for the reloader to refresh (repeated)
    #[arg(long = "reloader.rule-dir", value_name = "DIR")]
    rule_dir: Vec<PathBuf>,
    /// Output directory for verified copies of each rule directory, in the same order; without it Prometheus reads the
    /// input itself, and a bad rule file breaks its next start (repeated; not in Thanos)
    #[arg(long = "reloader.rule-output-dir", value_name = "DIR")]
    rule_output_dir: Vec<PathBuf>,
    /// Directory with more configuration, expanded file by file (repeated; not in Thanos)
    #[arg(long = "reloader.config-dir", value_name = "DIR")]
    config_dir: Vec<PathBuf>,
    /// Output directory for each --reloader.config-dir, in the same order (repeated; not in Thanos)
    #[arg(long = "reloader.config-envsubst-dir", value_name = "DIR")]
    config_envsubst_dir: Vec<PathBuf>,
    /// Directory in which each file is a variable, as a mounted Secret; changes are noticed (repeated; not in Thanos)
    #[arg(long = "reloader.env-dir", value_name = "DIR")]
    env_dir: Vec<PathBuf>,
    /// Controls how often the reloader re-reads config and rules
    #[arg(long = "reloader.watch-interval", value_name = "DURATION", default_value = "3m")]
    watch_interval: GoDuration,
    /// Controls how often the reloader retries a reload that failed
    #[arg(long = "reloader.retry-interval", value_name = "DURATION", default_value = "5s")]
    retry_interval: GoDuration,
    /// Method used to reload the configuration
    #[arg(long = "reloader.method", value_name = "METHOD", default_value = "http", value_parser = ["http", "signal"])]
    method: String,
    /// Executable name used to match the process being reloaded when using the signal method
    #[arg(long = "reloader.process-name", value_name = "NAME", default_value = "prometheus")]
    process_name: String,
    /// Which program loads the configuration (not in Thanos)
    #[arg(long = "reloader.target", value_name = "PROGRAM", default_value = "prometheus", value_parser = ["prometheus", "alertmanager"])]
    target: String,
    /// Leave references to unset variables as they are instead of refusing the file (not in Thanos)
    #[arg(long = "reloader.tolerate-unset-variables")]
    tolerate_unset_variables: bool,
    /// Second opinion of promtool or amtool: auto (one of Prometheus' own version), off, or a program (not in Thanos)
    #[arg(long = "reloader.promtool", value_name = "auto|off|PROGRAM", default_value = "auto")]
    promtool: String,
    /// Behave as Thanos' reloader does: no validation, no confirmation, nothing is put back (not in Thanos)
    #[arg(long = "reloader.compat", id = "reloader.compat")]
    compat: bool,
}

impl ReloaderFlags {
    fn settings(self) -> anyhow::Result<Settings> {
        let settings = Settings {
            config_file: self.config_file,
            config_output: self.config_envsubst_file,
            rule_dirs: Directory::pair(
                ("--reloader.rule-dir", self.rule_dir),
                ("--reloader.rule-output-dir", self.rule_output_dir),
            )?,
            config_dirs: Directory::pair(
                ("--reloader.config-dir", self.config_dir),
                ("--reloader.config-envsubst-dir", self.config_envsubst_dir),
            )?,
            environment_dirs: self.env_dir,
            watch_interval: self.watch_interval.0,
            retry_interval: self.retry_interval.0,
            method: match self.method.as_str() {
                "signal" => Method::Signal { process_name: self.process_name },
                _ => Method::Http,
            },
            target: match self.target.as_str() {
                "alertmanager" => TargetKind::Alertmanager,
                _ => TargetKind::Prometheus,
            },
            tolerate_unset_variables: self.tolerate_unset_variables,
            promtool: match self.promtool.as_str() {
                "auto" => Promtool::Auto,
                "off" => Promtool::Off,
                path => Promtool::Path(path.into()),
            },
        };
        settings.check()?;
        Ok(settings)
    }
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
    let server = Server::listen(&flags.http.address).await?;
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
