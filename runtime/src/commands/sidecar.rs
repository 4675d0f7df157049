//! `pronoiad sidecar`: the StoreAPI in front of one Prometheus, the shipper of its blocks, the reloader of its configuration.

mod ship;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use block::filter::TimeBound;
use budget::Budget;
use clap::{ArgMatches, Args, Command, FromArgMatches};
use prom_model::{Clock, SystemClock};
use prometheus_client::registry::Registry;
use reloader::compat::Compat;
use reloader::disk::RealDisk;
use reloader::{Environment, Reloader, ReloaderMetrics, Target};
use server::duration::GoDuration;
use server::grpc::GrpcServer;
use server::metrics::Metrics;
use server::probe::Probe;
use server::run::RunGroup;
use store::prometheus::{
    Heartbeat, HeartbeatSettings, Peer, PrometheusClient, PrometheusServices, PrometheusStore,
    PrometheusStoreMetrics, UploadChecks,
};
use store::{LimitedStore, SeriesLimits, StoreService};
use storeapi::DESCRIPTORS;
use storeapi::info::info_server::InfoServer;
use storeapi::thanos::exemplars_server::ExemplarsServer;
use storeapi::thanos::metadata_server::MetadataServer;
use storeapi::thanos::rules_server::RulesServer;
use storeapi::thanos::status_server::StatusServer;
use storeapi::thanos::targets_server::TargetsServer;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::commands::stop_on_signal;
use crate::flags::go_only::GoOnlyFlags;
use crate::flags::grpc::GrpcFlags;
use crate::flags::negation::with_negations;
use crate::flags::objstore::ObjstoreFlags;
use crate::flags::reloader::ReloaderFlags;
use crate::flags::request_logging::RequestLoggingFlags;
use crate::flags::tracing::TracingFlags;
use crate::flags::{HttpFlags, LogFlags, PrometheusFlags};

/// Puts the StoreAPI in front of one Prometheus, ships its blocks to a bucket and reloads its configuration
#[derive(Args)]
struct Flags {
    #[command(flatten)]
    log: LogFlags,
    #[command(flatten)]
    http: HttpFlags,
    #[command(flatten)]
    grpc: GrpcFlags,
    #[command(flatten)]
    request_logging: RequestLoggingFlags,
    #[command(flatten)]
    tracing: TracingFlags,
    #[command(flatten)]
    _go_only: GoOnlyFlags,
    #[command(flatten)]
    prometheus: PrometheusFlags,
    /// Maximum time to wait for external labels before the shipper gives up
    #[arg(
        long = "prometheus.ready_timeout",
        id = "prometheus.ready_timeout",
        value_name = "DURATION",
        default_value = "10m"
    )]
    ready_timeout: GoDuration,
    /// How often to ask Prometheus for its external labels and its lowest time
    #[arg(
        long = "prometheus.get_config_interval",
        id = "prometheus.get_config_interval",
        value_name = "DURATION",
        default_value = "30s"
    )]
    get_config_interval: GoDuration,
    /// Timeout of these questions
    #[arg(
        long = "prometheus.get_config_timeout",
        id = "prometheus.get_config_timeout",
        value_name = "DURATION",
        default_value = "30s"
    )]
    get_config_timeout: GoDuration,
    /// Data directory of Prometheus
    #[arg(long = "tsdb.path", id = "tsdb.path", value_name = "DIR", default_value = "./data")]
    tsdb_path: PathBuf,
    #[command(flatten)]
    objstore: ObjstoreFlags,
    #[command(flatten)]
    shipper: ship::ShipperFlags,
    #[command(flatten)]
    reloader: ReloaderFlags,
    /// Start of the time range that is served: RFC 3339, or a duration from now such as -2h
    #[arg(
        long = "min-time",
        id = "min-time",
        value_name = "TIME",
        default_value = "0000-01-01T00:00:00Z",
        allow_hyphen_values = true
    )]
    min_time: TimeBound,
    /// Series that one call may have; 0: any number
    #[arg(
        long = "store.limits.request-series",
        id = "store.limits.request-series",
        value_name = "NUMBER",
        default_value = "0"
    )]
    limit_series: u64,
    /// Samples that one call may have, counted as 120 for each chunk; 0: any number
    #[arg(
        long = "store.limits.request-samples",
        id = "store.limits.request-samples",
        value_name = "NUMBER",
        default_value = "0"
    )]
    limit_samples: u64,
    /// Bytes that all calls together may hold while series wait for their place (not in Thanos)
    #[arg(long = "store.memory-limit", id = "store.memory-limit", value_name = "BYTES", default_value_t = 1 << 30)]
    memory_limit: u64,
}

/// The command line.
pub(crate) fn command() -> Command {
    with_negations(Flags::augment_args(Command::new("sidecar")))
}

/// Runs until a signal comes.
pub(crate) fn run(matches: &ArgMatches) -> anyhow::Result<()> {
    let flags = Flags::from_arg_matches(matches)?;
    flags.log.start();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .worker_threads(2)
        .max_blocking_threads(4)
        .build()
        .context("cannot start")?;
    runtime.block_on(sidecar(flags))
}

async fn sidecar(flags: Flags) -> anyhow::Result<()> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let tracing = flags.tracing.start("sidecar")?;
    let mut registry = Registry::default();
    server::metrics::process::register(&mut registry);
    let (probe, stop) = (Probe::register("sidecar", &mut registry), CancellationToken::new());
    let http_client = flags.prometheus.client()?;
    let client =
        PrometheusClient::new(http_client.clone(), &flags.prometheus.url).context("--prometheus.url")?;
    let bucket = flags.objstore.connect(&mut registry)?;
    if bucket.is_none() {
        info!(msg = "no supported bucket was configured, uploads will be disabled");
    }
    let peer = Peer::new(flags.min_time.resolve(clock.now()).as_millis());
    let heartbeat = Heartbeat::new(
        client.clone(),
        peer.clone(),
        probe.clone(),
        Arc::clone(&clock),
        HeartbeatSettings {
            interval: flags.get_config_interval.0.max(Duration::from_millis(10)),
            timeout: flags.get_config_timeout.0,
            min_time: flags.min_time,
            checks: bucket.as_ref().map(|_| UploadChecks {
                state_file: flags.shipper.state_file(&flags.tsdb_path),
                ignore_block_size: flags.shipper.ignore_unequal_block_size,
            }),
        },
        &mut registry,
    );
    let store = PrometheusStore::new(client, peer.clone(), PrometheusStoreMetrics::register(&mut registry));
    let services = PrometheusServices::new(store.clone(), probe.clone(), flags.get_config_timeout.0);
    let limits = SeriesLimits { series: flags.limit_series, samples: flags.limit_samples };
    let limited = LimitedStore::new(Arc::new(store), limits, &mut registry);
    let grpc = GrpcServer::new(flags.grpc.settings()?, DESCRIPTORS, probe.clone(), &mut registry)?
        .with_request_log(flags.request_logging.log()?)
        .add(StoreService::new(Arc::new(limited), Budget::new("sidecar", flags.memory_limit)).into_server())
        .add(InfoServer::new(services.clone()))
        .add(RulesServer::new(services.clone()))
        .add(TargetsServer::new(services.clone()))
        .add(MetadataServer::new(services.clone()))
        .add(ExemplarsServer::new(services.clone()))
        .add(StatusServer::new(services));

    let mut group = RunGroup::new(probe, stop.clone());
    if let Some(bucket) = bucket {
        let shipper = flags.shipper.shipper(bucket, flags.tsdb_path, clock, &mut registry);
        group.task("shipper", ship::run(shipper, peer, flags.ready_timeout.0, stop.clone()));
    }
    reload(flags.reloader, &flags.prometheus.url, http_client, &mut registry, &mut group, &stop)?;
    let server = flags.http.listen().await?;
    let signals = stop_on_signal(stop.clone())?;
    group.http(server, Router::new(), Metrics::new(registry), flags.http.grace());
    info!(msg = "starting sidecar");

    // gRPC is served only when it is known whose series these are.
    let started = group.before(heartbeat.start(&stop)).await.transpose();
    let listening = match started {
        Ok(Some(true)) => grpc.listen().await.map(Some).map_err(anyhow::Error::from),
        Ok(_) => Ok(None),
        Err(failure) => Err(failure.into()),
    };
    match listening {
        Ok(Some(listening)) => {
            group.grpc(listening);
            let stop = stop.clone();
            group.task("heartbeat", async move {
                heartbeat.run(&stop).await;
                anyhow::Ok(())
            });
        }
        Ok(None) => {}
        Err(failure) => group.task("start", async move { Err(failure) }),
    }
    let result = group.wait().await.map_err(anyhow::Error::from);
    signals.abort();
    tracing.close().await;
    result
}

/// Starts the reloader.
fn reload(
    flags: ReloaderFlags,
    url: &str,
    client: server::http_client::HttpClient,
    registry: &mut Registry,
    group: &mut RunGroup,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let compat = flags.compat;
    let settings = flags.settings()?;
    let target = Target::new(client, url, settings.target, settings.method.clone());
    let metrics = ReloaderMetrics::register(registry, &settings.method, !compat);
    let environment = Environment::new(std::env::vars_os());
    let (disk, stop) = (Arc::new(RealDisk), stop.clone());
    if compat {
        let reloader = Compat::new(settings, environment, disk, target, metrics);
        group.task("reloader", reloader.run(stop));
    } else {
        // The sidecar is ready when Prometheus is, whatever its files say.
        let reloader = Reloader::new(settings, environment, disk, target, metrics, Probe::new());
        group.task("reloader", async move {
            reloader.run(stop).await;
            anyhow::Ok(())
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_may_be_left_out_and_may_be_empty_as_charts_give_them() {
        for arguments in [
            &["sidecar"][..],
            &[
                "sidecar",
                "--http.config=",
                "--grpc-server-tls-cert=",
                "--grpc-server-tls-client-ca=",
                "--hash-func=",
            ],
            &[
                "sidecar",
                "--no-shipper.upload-compacted",
                "--min-time=-2h",
                "--shipper.skip-corrupted-blocks",
            ],
        ] {
            let matches = command().try_get_matches_from(arguments).unwrap();
            let flags = Flags::from_arg_matches(&matches).unwrap();
            assert!(flags.grpc.settings().unwrap().tls.is_none());
        }
        assert!(command().try_get_matches_from(["sidecar", "--prometheus.uri=x"]).is_err());
    }
}
