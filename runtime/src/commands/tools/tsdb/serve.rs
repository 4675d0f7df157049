//! `tools tsdb serve`: Prometheus' HTTP API over a folder of blocks, for reading.

mod features;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, bail};
use api::{Api, CorsOrigin, Evaluator, Identity, Limits};
use clap::Args;
use prom_model::{Clock, PromDuration, SystemClock};
use prometheus_client::registry::Registry;
use promql::EngineOptions;
use query::Blocks;
use server::duration::GoDuration;
use server::http::{Server, Words};
use server::metrics::Metrics;
use server::probe::Probe;
use tokio_util::sync::CancellationToken;
use tracing::info;

use self::features::Features;
use super::{DATABASE, database, sandbox};
use crate::commands::stop_on_signal;

/// The words of Prometheus' probes.
const WORDS: Words = Words {
    healthy: "Prometheus Server is Healthy.\n",
    ready: "Prometheus Server is Ready.\n",
    not_ready: "Service Unavailable",
};

/// Serves Prometheus' HTTP API over a folder of blocks or the data of a stopped Prometheus, for reading only
#[derive(Debug, Args)]
pub(super) struct Flags {
    /// Listen host:port for HTTP endpoints
    #[arg(long = "http-address", value_name = "HOST:PORT", default_value = "0.0.0.0:9090")]
    address: String,
    /// Time to wait for open requests when the server stops
    #[arg(long = "http-grace-period", value_name = "DURATION", default_value = "2s")]
    grace: GoDuration,
    /// Comma separated feature names to enable, as Prometheus has them: promql-experimental-functions,
    /// promql-delayed-name-removal, promql-duration-expr, promql-extended-range-selectors, promql-binop-fill-modifiers,
    /// promql-per-step-stats, type-and-unit-labels, use-start-timestamps (repeated)
    #[arg(long = "enable-feature", value_name = "NAMES", value_delimiter = ',')]
    features: Vec<String>,
    /// Maximum time a query may take before being aborted
    #[arg(long = "query.timeout", value_name = "DURATION", default_value = "2m")]
    timeout: PromDuration,
    /// Maximum number of queries executed concurrently
    #[arg(long = "query.max-concurrency", value_name = "COUNT", default_value_t = 20)]
    concurrency_max: usize,
    /// Maximum number of samples a single query can load into memory
    #[arg(long = "query.max-samples", value_name = "COUNT", default_value_t = 50_000_000)]
    samples_max: u64,
    /// The maximum lookback duration for retrieving metrics during expression evaluations and federation
    #[arg(long = "query.lookback-delta", value_name = "DURATION", default_value = "5m")]
    lookback_delta: PromDuration,
    /// Bytes that all queries together may hold; a query that wants more fails (not in Prometheus)
    #[arg(long = "query.max-memory", value_name = "SIZE", default_value = "1GiB", value_parser = crate::flags::size::parse)]
    memory_max: u64,
    /// Threads that evaluate one query; one per processor by default (not in Prometheus)
    #[arg(long = "query.threads", value_name = "COUNT", default_value_t = 0, hide_default_value = true)]
    threads: usize,
    /// Regex for CORS origin. It is fully anchored
    #[arg(long = "web.cors.origin", value_name = "REGEX", default_value = ".*")]
    cors: String,
    /// Root directory where a copy of the head is made, the database by default
    #[arg(long = "sandbox-dir-root", value_name = "DIR")]
    sandbox_dir_root: Option<PathBuf>,
    /// Database path
    #[arg(value_name = "DB PATH", default_value = DATABASE)]
    database: PathBuf,
}

/// Serves until it is told to stop.
pub(super) fn run(flags: &Flags) -> anyhow::Result<()> {
    let features = Features::parse(&flags.features)?;
    let cors = CorsOrigin::new(&flags.cors).context("--web.cors.origin")?;
    let found = database::blocks(&flags.database)?;
    let newest = found.iter().map(|block| block.meta.max_time).max();
    let root = flags.sandbox_dir_root.as_deref().unwrap_or(&flags.database);
    let sandbox = sandbox::open(&flags.database, root, newest.unwrap_or(i64::MIN))?;
    if found.is_empty() && sandbox.is_none() {
        bail!("{} has neither blocks nor a write-ahead log", flags.database.display());
    }
    let blocks: Vec<_> = found.iter().map(|block| database::open(&block.folder)).collect::<Result<_, _>>()?;
    let count = blocks.len();
    let storage = Arc::new(Blocks::new(blocks, sandbox.as_ref().map(|sandbox| Arc::clone(&sandbox.head))));
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = if flags.threads == 0 { processors } else { flags.threads };
    let options = EngineOptions {
        lookback_delta: flags.lookback_delta.as_millis(),
        samples_max: flags.samples_max,
        workers: threads,
        ..features.options()
    };
    let limits = Limits {
        timeout: std::time::Duration::from_millis(flags.timeout.as_millis().max(0).unsigned_abs()),
        concurrency_max: flags.concurrency_max,
        memory_max: flags.memory_max,
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let api = Api {
        source: Arc::clone(&storage) as _,
        catalog: Arc::clone(&storage) as _,
        identity: Arc::new(identity(flags, threads, clock.now().as_millis())),
        evaluator: Arc::new(Evaluator::new(options, limits, clock)),
        step_stats: features.per_step_stats(),
        cors,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_stack_size(promql::STACK_BYTES)
        .build()?;
    runtime.block_on(async {
        let server = Server::listen(&flags.address).await?;
        info!(msg = "listening for requests", service = "http/server", address = %server.address(), blocks = count);
        let (probe, stop) = (Probe::new(), CancellationToken::new());
        let signals = stop_on_signal(stop.clone())?;
        probe.set_ready(true);
        let metrics = Metrics::new(Registry::default());
        server.with_words(WORDS).run(api::routes(api), metrics, probe, stop, flags.grace.0).await?;
        signals.abort();
        Ok(())
    })
}

fn identity(flags: &Flags, threads: usize, start_time: i64) -> Identity {
    let mut shown: BTreeMap<String, String> = [
        ("http-address", flags.address.clone()),
        ("enable-feature", flags.features.join(",")),
        ("query.timeout", flags.timeout.to_string()),
        ("query.max-concurrency", flags.concurrency_max.to_string()),
        ("query.max-samples", flags.samples_max.to_string()),
        ("query.lookback-delta", flags.lookback_delta.to_string()),
        ("query.max-memory", flags.memory_max.to_string()),
        ("query.threads", threads.to_string()),
        ("web.cors.origin", flags.cors.clone()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    shown.insert("storage.tsdb.path".to_owned(), flags.database.display().to_string());
    let working_directory = std::env::current_dir().map(|folder| folder.display().to_string());
    Identity {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        start_time,
        working_directory: working_directory.unwrap_or_default(),
        hostname: database::hostname(),
        threads,
        flags: shown,
    }
}
