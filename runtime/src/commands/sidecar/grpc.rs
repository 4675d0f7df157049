//! The gRPC server of the sidecar.

use std::sync::Arc;

use anyhow::Context;
use budget::Budget;
use clap::Args;
use prometheus_client::registry::Registry;
use server::duration::GoDuration;
use server::probe::Probe;
use store::prometheus::PrometheusServices;
use store::{LimitedStore, StoreService};
use storeapi::info::info_server::InfoServer;
use storeapi::thanos::exemplars_server::ExemplarsServer;
use storeapi::thanos::metadata_server::MetadataServer;
use storeapi::thanos::rules_server::RulesServer;
use storeapi::thanos::status_server::StatusServer;
use storeapi::thanos::targets_server::TargetsServer;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tracing::info;

#[derive(Debug, Args)]
pub(super) struct GrpcFlags {
    /// Listen host:port for the StoreAPI and its companions
    #[arg(long = "grpc-address", value_name = "HOST:PORT", default_value = "0.0.0.0:10901")]
    address: String,
    /// Time to wait for open calls when the component stops
    #[arg(long = "grpc-grace-period", value_name = "DURATION", default_value = "2m")]
    grace: GoDuration,
}

pub(super) struct Grpc {
    flags: GrpcFlags,
}

impl GrpcFlags {
    pub(super) fn server(self, _probe: Probe, _registry: &mut Registry) -> anyhow::Result<Grpc> {
        Ok(Grpc { flags: self })
    }
}

impl Grpc {
    pub(super) async fn run(
        self,
        store: LimitedStore,
        services: PrometheusServices,
        stop: CancellationToken,
    ) -> anyhow::Result<()> {
        let address = &self.flags.address;
        let incoming =
            TcpIncoming::bind(address.parse().with_context(|| format!("--grpc-address={address}"))?)
                .with_context(|| format!("cannot listen on {address}"))?;
        info!(msg = "listening for serving gRPC", address = %address);
        let stopped = stop.clone();
        let serving = Server::builder()
            .add_service(StoreService::new(Arc::new(store), Budget::unlimited()).into_server())
            .add_service(InfoServer::new(services.clone()))
            .add_service(RulesServer::new(services.clone()))
            .add_service(TargetsServer::new(services.clone()))
            .add_service(MetadataServer::new(services.clone()))
            .add_service(ExemplarsServer::new(services.clone()))
            .add_service(StatusServer::new(services))
            .serve_with_incoming_shutdown(incoming, async move { stopped.cancelled().await });
        tokio::select! {
            ended = serving => ended.context("gRPC server"),
            () = async { stop.cancelled().await; tokio::time::sleep(self.flags.grace.0).await } => Ok(()),
        }
    }
}
