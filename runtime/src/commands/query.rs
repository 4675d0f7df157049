//! `pronoiad query`: Prometheus' API over all stores of a deployment.

mod active_queries;
mod discovery;
mod endpoint_flags;
mod flags;
mod fleet;
mod info;
mod shown_flags;
mod stores;
mod telemetry_flags;
mod tenancy_flags;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use api::thanos::{ActiveLog, QueryService, Telemetry, ThanosApi};
use api::{Evaluator, Gate, Identity, Limits};
use clap::{ArgMatches, Args, Command, FromArgMatches};
use prom_model::{Clock, SystemClock};
use prometheus_client::registry::Registry;
use promql::{Budget, EngineOptions};
use promql_syntax::ParseOptions;
use querier::endpoints::EndpointSet;
use querier::{FanOut, FanOutServices, FanOutSettings};
use query::Deduplication;
use server::grpc::GrpcServer;
use server::http::{HttpMetrics, TenantHeader};
use server::metrics::{Metrics, process};
use server::probe::Probe;
use server::run::RunGroup;
use store::{
    LimitedStore, ProxyMetrics, ProxySettings, ProxyStore, SeriesLimits, Store, StoreService, TsdbSelector,
};
use storeapi::LabelBytes;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use self::active_queries::ActiveQueries;
use self::flags::QueryFlags;
use self::fleet::Known;
use self::info::InfoService;
use self::stores::Proxied;
use crate::commands::stop_on_signal;
use crate::flags::go_only::GoOnlyFlags;
use crate::flags::grpc::{GrpcClientFlags, GrpcFlags};
use crate::flags::negation::with_negations;
use crate::flags::request_logging::RequestLoggingFlags;
use crate::flags::selector::SelectorFlags;
use crate::flags::tracing::TracingFlags;
use crate::flags::{HttpFlags, LogFlags};

/// The most samples that one query may hold: Go's largest 32-bit integer, as in Thanos.
const SAMPLES_MAX: u64 = i32::MAX as u64;
/// How long the first look at the endpoints may take where --store.response-timeout says nothing.
const FIRST_LOOK: Duration = Duration::from_secs(30);

/// Answers PromQL over many stores: sidecars, store gateways, rulers, receivers and other queriers
#[derive(Args)]
struct Flags {
    #[command(flatten)]
    log: LogFlags,
    #[command(flatten)]
    http: HttpFlags,
    #[command(flatten)]
    grpc: GrpcFlags,
    #[command(flatten)]
    grpc_client: GrpcClientFlags,
    #[command(flatten)]
    request_logging: RequestLoggingFlags,
    #[command(flatten)]
    tracing: TracingFlags,
    #[command(flatten)]
    selector: SelectorFlags,
    #[command(flatten)]
    query: QueryFlags,
    #[command(flatten)]
    go_only: GoOnlyFlags,
}

/// The command line.
pub(crate) fn command() -> Command {
    with_negations(flags::with_switches(Flags::augment_args(Command::new("query"))))
}

/// Runs until a signal comes.
pub(crate) fn run(matches: &ArgMatches) -> anyhow::Result<()> {
    let flags = Flags::from_arg_matches(matches)?;
    flags.log.start();
    let features = features(&flags.query)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_stack_size(promql::STACK_BYTES)
        .build()
        .context("cannot start")?;
    runtime.block_on(serve(flags, features, matches))
}

/// What of the language is switched on; what this querier cannot do is refused in words.
fn features(flags: &QueryFlags) -> anyhow::Result<ParseOptions> {
    if flags.mode == "distributed" {
        bail!(
            "--query.mode=distributed: queries are evaluated here only; leave the flag out, and let queriers ask queriers"
        );
    }
    if flags.x_functions {
        bail!(
            "--query.enable-x-functions: xrate, xincrease and xdelta do not exist here; use the modifiers anchored and smoothed"
        );
    }
    if !flags.tenancy.certificate_field.is_empty() {
        bail!("--query.tenant-certificate-field: tenants are told by --query.tenant-header only");
    }
    let mut options = ParseOptions::default();
    for name in flags.features.iter().map(|name| name.trim()).filter(|name| !name.is_empty()) {
        match name {
            "promql-experimental-functions" => options.experimental_functions = true,
            "promql-duration-expr" => options.duration_expr = true,
            "promql-extended-range-selectors" => options.extended_range_selectors = true,
            "promql-binop-fill-modifiers" => options.binop_fill_modifiers = true,
            "promql-negative-offset" | "promql-at-modifier" | "query-pushdown" => {
                warn!(msg = "the feature is always on or has no meaning any more", option = name);
            }
            other => warn!(msg = "the feature is not known and ignored", option = other),
        }
    }
    Ok(options)
}

async fn serve(flags: Flags, features: ParseOptions, matches: &ArgMatches) -> anyhow::Result<()> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let mut registry = Registry::default();
    process::register(&mut registry);
    let tracing = flags.tracing.start("query")?;
    let (probe, stop) = (Probe::register("query", &mut registry), CancellationToken::new());
    let request_log = flags.request_logging.log()?;
    let query = &flags.query;
    let budget = Budget::new("memory for calls of other queriers", query.memory_max);

    let discovered =
        discovery::start(&query.endpoints, &flags.grpc_client, Arc::clone(&clock), &mut registry).await?;
    let endpoints = Arc::clone(&discovered.endpoints);
    let (store, rules) = proxy(&flags, &endpoints, &mut registry)?;
    let fan_out = FanOut::new(
        Arc::clone(&endpoints) as _,
        FanOutSettings {
            replica_labels: query.replica_labels(),
            selector_labels: selector_labels(query),
            response_timeout: query.endpoints.response_timeout(),
        },
    );
    let known = Known { endpoints: Arc::clone(&endpoints), fan_out: fan_out.clone(), selector: rules };
    let api = thanos_api(&flags, features, matches, Arc::clone(&store), known, clock, &mut registry)?;

    let services = FanOutServices::new(fan_out);
    let grpc = GrpcServer::new(flags.grpc.settings()?, storeapi::DESCRIPTORS, probe.clone(), &mut registry)?
        .with_request_log(request_log.clone())
        .add(StoreService::new(Arc::clone(&store), budget).into_server())
        .add(QueryService::new(api.clone()).into_server())
        .add(services.rules())
        .add(services.targets())
        .add(services.metadata())
        .add(services.exemplars())
        .add(services.status())
        .add(InfoService::server(store, probe.clone()));

    let header = api.settings.tenancy.header.parse().context("--query.tenant-header")?;
    let tenant = TenantHeader { name: header, default: api.settings.tenancy.default.clone() };
    let http_metrics = HttpMetrics::register(Some(tenant), &mut registry);
    let http = flags.http.listen().await?.with_metrics(http_metrics).with_request_log(request_log);
    let grpc = grpc.listen().await?;
    let signals = stop_on_signal(stop.clone())?;
    let mut group = RunGroup::new(probe.clone(), stop.clone());
    let routes = api::thanos::routes(api, &query.prefix());
    group.http(http, routes, Metrics::new(registry), flags.http.grace());
    discovered.run(&mut group, &stop);
    info!(msg = "starting query node");
    // Before the first look at them, nobody knows which stores there are.
    let wait = query.endpoints.response_timeout().unwrap_or(FIRST_LOOK);
    let Some(looked) = group.before(tokio::time::timeout(wait, endpoints.first_update())).await else {
        return Ok(group.wait().await?);
    };
    if looked.is_err() {
        warn!(msg = "the first look at the endpoints takes long; serving before it has ended", timeout = ?wait);
    }
    probe.set_ready(true);
    group.grpc(grpc);
    let ended = group.wait().await;
    tracing.close().await;
    signals.abort();
    Ok(ended?)
}

/// All stores as one, with limits and counts, and the relabelling rules that select among them.
fn proxy(
    flags: &Flags,
    endpoints: &Arc<EndpointSet>,
    registry: &mut Registry,
) -> anyhow::Result<(Arc<dyn Store>, Vec<prom_model::RelabelConfig>)> {
    let query = &flags.query;
    let rules = flags.selector.filter()?.rules;
    let settings = ProxySettings {
        selector_labels: selector_labels(query),
        selector: TsdbSelector::new(rules.clone()),
        response_timeout: query.endpoints.response_timeout(),
    };
    let proxy = ProxyStore::new(Arc::clone(endpoints) as _, settings);
    let proxy: Arc<dyn Store> = Arc::new(proxy.with_metrics(ProxyMetrics::register(registry)));
    let limits = SeriesLimits { series: query.request_series, samples: query.request_samples };
    Ok((Arc::new(LimitedStore::new(proxy, limits, registry)), rules))
}

fn selector_labels(query: &QueryFlags) -> LabelBytes {
    let labels = query.selector_labels.iter();
    let sorted: BTreeMap<&[u8], &[u8]> =
        labels.map(|label| (label.name.as_bytes(), label.value.as_bytes())).collect();
    LabelBytes::from_pairs(sorted)
}

/// The state of the HTTP API and of the service Query.
fn thanos_api(
    flags: &Flags,
    features: ParseOptions,
    matches: &ArgMatches,
    store: Arc<dyn Store>,
    known: Known,
    clock: Arc<dyn Clock>,
    registry: &mut Registry,
) -> anyhow::Result<ThanosApi> {
    let query = &flags.query;
    let timeout = Duration::from_millis(query.timeout.as_millis().max(0).unsigned_abs());
    let options = EngineOptions {
        lookback_delta: query.lookback_delta(),
        subquery_step: query.evaluation_interval.as_millis(),
        samples_max: SAMPLES_MAX,
        workers: query.threads(),
        parse: features,
        ..EngineOptions::default()
    };
    let limits = Limits { timeout, concurrency_max: query.max_concurrent, memory_max: query.memory_max };
    let active = match query.active_query_path() {
        Some(folder) => {
            let log = ActiveQueries::open(folder, query.max_concurrent, Arc::clone(&clock))?;
            Some(Arc::new(log) as Arc<dyn ActiveLog>)
        }
        None => None,
    };
    let deduplication = match query.deduplication.as_str() {
        "chain" => Deduplication::Chain,
        _ => Deduplication::Penalty,
    };
    let working_directory = std::env::current_dir().map(|folder| folder.display().to_string());
    Ok(ThanosApi {
        stores: Arc::new(Proxied {
            store,
            runtime: Handle::current(),
            deduplication,
            max_concurrent_select: query.max_concurrent_select,
            timeout,
        }),
        fleet: Arc::new(known),
        gate: Arc::new(Gate::register(registry, query.max_concurrent)),
        active,
        telemetry: Arc::new(Telemetry::register(registry, query.telemetry.buckets())),
        identity: Arc::new(Identity {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            start_time: clock.now().as_millis(),
            working_directory: working_directory.unwrap_or_default(),
            hostname: String::new(),
            threads: query.threads(),
            flags: shown_flags::shown(&command(), matches),
        }),
        evaluator: Arc::new(Evaluator::new(options, limits, clock)),
        settings: Arc::new(query.settings(matches)),
    })
}
