//! `pronoiad compact`: compacts and downsamples the blocks of a bucket, and applies retention.

mod config;
pub(in crate::commands) mod flags;
mod health;
mod view;

use std::hash::{BuildHasher, Hasher};
use std::io::Write;
use std::sync::Arc;

use ::compact::cycle::{CompactMetrics, Compactor, CompactorConfig, Outcome, Parts};
use ::compact::downsample::DownsampleMetrics;
use ::compact::lease::{LeaseConfig, Leases};
use anyhow::{Context, bail};
use axum::Router;
use block::FetcherMetrics;
use clap::{ArgMatches, Args, Command, FromArgMatches};
use objstore::layers::ReplaceOnly;
use objstore::{BucketRef, Chance, self_test};
use prom_model::{Clock, SystemClock};
use prometheus_client::registry::Registry;
use server::http::HttpMetrics;
use server::metrics::Metrics;
use server::probe::Probe;
use server::run::RunGroup;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use tsdb::fs::{Fs, RealFs};

use self::flags::Flags;
use self::view::Shown;
use crate::commands::stop_on_signal;
use crate::commands::tools::bucket::viewer::Viewer;
use crate::flags::negation::with_negations;

/// The command line.
pub(crate) fn command() -> Command {
    with_negations(Flags::augment_args(Command::new("compact")))
}

/// Runs until all is done, or with `--wait` until a signal comes.
pub(crate) fn run(matches: &ArgMatches) -> anyhow::Result<()> {
    let flags = Flags::from_arg_matches(matches)?;
    flags.log.start();
    flags.work.check()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(64)
        .build()
        .context("cannot start")?;
    runtime.block_on(serve(flags))
}

/// A compactor of a bucket on this machine.
pub(in crate::commands) fn compactor(
    config: CompactorConfig,
    bucket: &BucketRef,
    leases: Option<Leases>,
    registry: &mut Registry,
) -> anyhow::Result<Compactor> {
    let fs: Arc<dyn Fs> = Arc::new(RealFs);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let parts = Parts {
        bucket: Arc::clone(bucket),
        fs,
        clock,
        chance: Chance::from_seed(seed()),
        leases,
        metrics: CompactMetrics::register(registry),
        downsample_metrics: DownsampleMetrics::register(registry),
        fetcher_metrics: FetcherMetrics::register(registry),
    };
    Ok(Compactor::new(config, parts)?)
}

async fn serve(flags: Flags) -> anyhow::Result<()> {
    let tracing = flags.tracing.start("compact")?;
    let mut registry = Registry::default();
    server::metrics::process::register(&mut registry);
    let bucket = flags.objstore.connect(&mut registry)?;
    let bucket = bucket.context("no bucket: give --objstore.config-file=FILE or --objstore.config=YAML")?;
    let config = flags.work.config(flags.run.pace()?)?;
    if let Some(format) = &flags.run.plan {
        return print_plan(&compactor(config, &bucket, None, &mut registry)?, format).await;
    }
    let leases = if flags.no_leases { None } else { Some(enter(&bucket).await?) };
    let compactor = Arc::new(compactor(config, &bucket, leases.clone(), &mut registry)?);
    let probe = Probe::register("compact", &mut registry);
    let server = flags.http.listen().await?;
    let server = server.with_metrics(HttpMetrics::register(None, &mut registry));
    let stop = CancellationToken::new();
    let signals = stop_on_signal(stop.clone())?;
    let viewer = Viewer::new(bucket.clone(), flags.web.label.clone(), !flags.web.disable_admin_operations);
    let shown = (flags.run.wait && !flags.web.disable)
        .then(|| Shown::new(&flags, &bucket, viewer.clone(), Arc::clone(&compactor)));
    let routes = match shown.is_some() {
        true => viewer.routes(!flags.web.disable_cors),
        false => Router::new(),
    };
    let routes = routes.merge(health::routes(Arc::clone(&compactor)));
    let mut group = RunGroup::new(probe.clone(), stop.clone());
    group.http(server, routes, Metrics::new(registry), flags.http.grace());
    if let Some(shown) = shown {
        group.task("block viewer", shown.keep(stop.clone()));
    }
    info!(msg = "starting compact node");
    probe.set_ready(true);
    if let Some(leases) = leases.clone() {
        let stop = stop.clone();
        group.task("heartbeat", async move {
            tokio::select! {
                error = leases.keep_beating() => Err(error),
                () = stop.cancelled() => Ok(()),
            }
        });
    }
    let (wait, handle) = (flags.run.wait, tokio::runtime::Handle::current());
    // On a thread of its own: what it does between two requests may take long.
    let work = tokio::task::spawn_blocking(move || {
        handle.block_on(async {
            match wait {
                true => again_and_again(&compactor, &stop).await,
                false => once(&compactor, &stop).await,
            }
        })
    });
    group.task("compaction", async move { work.await? });
    let ended = group.wait().await;
    signals.abort();
    if let Some(leases) = leases {
        // It is gone by itself after a while.
        drop(leases.leave().await);
    }
    tracing.close().await;
    Ok(ended?)
}

/// Enters the bucket as one of several compactors, or as the only one where it cannot keep several apart.
async fn enter(bucket: &BucketRef) -> anyhow::Result<Leases> {
    let mut chance = Chance::from_seed(seed());
    let found = self_test(bucket.as_ref(), &SystemClock, &mut chance).await;
    for finding in &found.findings {
        warn!(msg = "the bucket is not as it should be", finding = %finding);
    }
    let bucket: BucketRef = match found.creates_atomically {
        true => Arc::clone(bucket),
        false => Arc::new(ReplaceOnly(Arc::clone(bucket))),
    };
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let leases = Leases::enter(bucket, LeaseConfig::new(host), &mut chance).await?;
    info!(msg = "entered the bucket", instance = leases.instance(), alone = leases.must_be_alone());
    Ok(leases)
}

/// Goes through everything once, and ends the component.
async fn once(compactor: &Compactor, stop: &CancellationToken) -> anyhow::Result<()> {
    let outcome = tokio::select! {
        outcome = async {
            compactor.prepare().await?;
            anyhow::Ok(compactor.run_once().await)
        } => outcome?,
        () = stop.cancelled() => return Ok(()),
    };
    stop.cancel();
    told(&outcome)
}

/// Works until it is told to stop.
async fn again_and_again(compactor: &Compactor, stop: &CancellationToken) -> anyhow::Result<()> {
    compactor.prepare().await?;
    compactor.run(stop).await;
    Ok(())
}

/// What was done, and the first failure if there was one.
fn told(outcome: &Outcome) -> anyhow::Result<()> {
    info!(
        msg = "compaction iterations done",
        compacted = outcome.compacted.len(),
        downsampled = outcome.downsampled.len(),
        repaired = outcome.repaired.len(),
        set_aside = outcome.set_aside.len(),
        marked = outcome.marked.len(),
        deleted = outcome.deleted.len(),
        failures = outcome.failures.len()
    );
    for (block, reason) in &outcome.set_aside {
        warn!(msg = "a block is set aside, all others went on; see /api/v1/doctor or tools bucket verify", block = %block, reason);
    }
    if let Some(why) = &outcome.halted {
        bail!("compaction: {why}");
    }
    match outcome.failures.as_slice() {
        [] => Ok(()),
        [(queue, what, error), others @ ..] => {
            let more =
                if others.is_empty() { String::new() } else { format!(" (and {} more)", others.len()) };
            bail!("{}: {what}: {error}{more}", queue.as_str());
        }
    }
}

/// Another one for each process, or two that start at once would give their blocks the same names.
fn seed() -> u64 {
    std::hash::RandomState::new().build_hasher().finish()
}

/// Says what would be done.
pub(in crate::commands) async fn print_plan(compactor: &Compactor, format: &str) -> anyhow::Result<()> {
    let report = compactor.plan().await?;
    let text = match format {
        "json" => serde_json::to_string_pretty(&report)?,
        _ => report.to_string(),
    };
    Ok(writeln!(std::io::stdout(), "{text}")?)
}
