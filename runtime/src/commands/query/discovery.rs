//! The endpoints of a querier as its flags describe them, and how they are connected to.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use prom_model::{Clock, PromDuration};
use prometheus_client::registry::Registry;
use querier::discovery::{
    ClientConfig, Discovery, DiscoverySettings, EndpointConfig, EndpointEntry, HickoryLookup, TlsConfig,
};
use querier::endpoints::{ConnectionLabel, ConnectionMetrics, EndpointSet, EndpointSettings, GrpcConnect};
use server::grpc::ChannelMetrics;
use server::run::RunGroup;
use server::tls::TlsVersion;
use tokio_util::sync::CancellationToken;

use super::endpoint_flags::EndpointFlags;
use crate::flags::grpc::GrpcClientFlags;
use crate::flags::path_or_content::content;

/// The endpoints, and what finds them.
#[derive(Debug)]
pub(super) struct Discovered {
    pub(super) endpoints: Arc<EndpointSet>,
    discovery: Arc<Discovery>,
}

impl Discovered {
    /// Looks for endpoints and asks them until the component stops.
    pub(super) fn run(self, group: &mut RunGroup, stop: &CancellationToken) {
        let (discovery, discovering) = (self.discovery, stop.clone());
        group.task("discovery of endpoints", async move {
            discovery.run(discovering).await;
            Ok::<_, std::convert::Infallible>(())
        });
        let (endpoints, watching) = (self.endpoints, stop.clone());
        group.task("health of endpoints", async move {
            endpoints.run(watching).await;
            Ok::<_, std::convert::Infallible>(())
        });
    }
}

/// Reads the flags; names are looked up once.
pub(super) async fn start(
    flags: &EndpointFlags,
    client: &GrpcClientFlags,
    clock: Arc<dyn Clock>,
    registry: &mut Registry,
) -> anyhow::Result<Discovered> {
    let text = content("endpoint.sd-config", flags.sd_config.as_deref(), flags.sd_config_file.as_ref())?;
    let config = EndpointConfig::parse(&text.unwrap_or_default())?;
    let settings = DiscoverySettings {
        endpoints: entries(flags),
        config: config.clone(),
        config_file: flags.sd_config_file.clone(),
        config_interval: duration(flags.sd_config_reload_interval),
        files: flags.sd_files.clone(),
        dns_interval: duration(flags.dns_interval),
    };
    let lookup = Arc::new(HickoryLookup::from_system().context("cannot look names up")?);
    let discovery = Arc::new(Discovery::new(settings, lookup, "query", registry)?);
    let labels: Vec<ConnectionLabel> =
        flags.connection_labels.iter().map(|word| word.parse()).collect::<Result<_, _>>()?;
    let metrics = ChannelMetrics::register(storeapi::DESCRIPTORS, registry)?;
    let connect = GrpcConnect::new(client_config(client), Some(metrics), discovery.group_lookup());
    connect.check(&config).map_err(anyhow::Error::msg)?;
    let settings = EndpointSettings {
        info_timeout: duration(flags.info_timeout),
        unhealthy_timeout: duration(flags.unhealthy_timeout),
    };
    let metrics = ConnectionMetrics::register(&labels, registry);
    discovery.refresh().await;
    let endpoints =
        EndpointSet::new(Arc::clone(&discovery) as _, Arc::new(connect), clock, settings, metrics);
    Ok(Discovered { endpoints: Arc::new(endpoints), discovery })
}

fn duration(duration: PromDuration) -> Duration {
    Duration::from_millis(duration.as_millis().max(0).unsigned_abs())
}

/// The endpoints of flags, each once.
fn entries(flags: &EndpointFlags) -> Vec<EndpointEntry> {
    let lists = [
        (&flags.endpoints, false, false),
        (&flags.groups, false, true),
        (&flags.strict, true, false),
        (&flags.strict_groups, true, true),
    ];
    let entry = |address: &String, strict, group| EndpointEntry {
        address: address.clone(),
        strict,
        group,
        ..EndpointEntry::default()
    };
    lists
        .into_iter()
        .flat_map(|(addresses, strict, group)| {
            addresses.iter().map(move |address| entry(address, strict, group))
        })
        .collect()
}

/// What the flags say for endpoints that say nothing themselves.
fn client_config(client: &GrpcClientFlags) -> ClientConfig {
    let compression = client.compression().to_owned();
    let Some(tls) = client.tls() else { return ClientConfig { compression, ..ClientConfig::default() } };
    ClientConfig {
        tls_config: TlsConfig {
            enabled: Some(true),
            insecure_skip_verify: Some(tls.insecure_skip_verify),
            cert_file: tls.certificate,
            key_file: tls.key,
            ca_file: tls.ca,
            min_version: Some(match tls.min_version {
                TlsVersion::V1_2 => "1.2".to_owned(),
                TlsVersion::V1_3 => "1.3".to_owned(),
            }),
        },
        server_name: tls.server_name.unwrap_or_default(),
        compression,
    }
}
