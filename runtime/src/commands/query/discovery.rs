//! The endpoints of a querier as its flags describe them, and how they are connected to.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use prom_model::{Clock, PromDuration};
use prometheus_client::registry::Registry;
use querier::discovery::{
    ClientConfig, Discovery, DiscoverySettings, EndpointConfig, EndpointEntry, EndpointSpec, HickoryLookup,
    TlsConfig,
};
use querier::endpoints::{Connect, ConnectionLabel, ConnectionMetrics, EndpointSet, EndpointSettings};
use server::grpc::{Channel, ChannelMetrics, ChannelSettings, Compression};
use server::run::RunGroup;
use server::tls::{ClientTlsSettings, TlsVersion};
use tokio_util::sync::CancellationToken;

use super::endpoint_flags::EndpointFlags;
use crate::flags::grpc::GrpcClientFlags;
use crate::flags::path_or_content::content;

/// How groups are written in addresses.
const GROUP: &str = "thanos:///";

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
    let mut config = EndpointConfig::parse(&text.unwrap_or_default())?;
    if config.default_client_config == ClientConfig::default() {
        config.default_client_config = client_config(client);
    }
    let settings = DiscoverySettings {
        endpoints: entries(flags),
        config,
        config_file: flags.sd_config_file.clone(),
        config_interval: duration(flags.sd_config_reload_interval),
        files: flags.sd_files.clone(),
        dns_interval: duration(flags.dns_interval),
    };
    let lookup = Arc::new(HickoryLookup::from_system().context("cannot look names up")?);
    let discovery = Arc::new(Discovery::new(settings, lookup, "query", registry)?);
    let labels: Vec<ConnectionLabel> =
        flags.connection_labels.iter().map(|word| word.parse()).collect::<Result<_, _>>()?;
    let connect = Channels {
        compression: client.compression(),
        metrics: ChannelMetrics::register(storeapi::DESCRIPTORS, registry)?,
        made: Mutex::default(),
    };
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
    let Some(tls) = client.tls() else { return ClientConfig::default() };
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
        compression: String::new(),
    }
}

/// Makes channels; settings that are the same are read once.
#[derive(Debug)]
struct Channels {
    /// Where an endpoint says nothing.
    compression: Compression,
    metrics: ChannelMetrics,
    made: Mutex<BTreeMap<String, Arc<ChannelSettings>>>,
}

impl Channels {
    fn settings(&self, config: &ClientConfig) -> Result<Arc<ChannelSettings>, String> {
        let key = format!("{config:?}");
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = made.get(&key) {
            return Ok(Arc::clone(known));
        }
        let compression = match config.compression.as_str() {
            "" => self.compression,
            word => word.parse()?,
        };
        let tls = tls(config)?;
        let new = ChannelSettings::new(tls.as_ref(), compression, Some(self.metrics.clone()));
        let new = Arc::new(new.map_err(|error| format!("{:#}", anyhow::Error::from(error)))?);
        made.insert(key, Arc::clone(&new));
        Ok(new)
    }
}

fn tls(config: &ClientConfig) -> Result<Option<ClientTlsSettings>, String> {
    let tls = &config.tls_config;
    let named: [&Option<PathBuf>; 3] = [&tls.cert_file, &tls.key_file, &tls.ca_file];
    let given = |file: &Option<PathBuf>| file.clone().filter(|path| !path.as_os_str().is_empty());
    let enabled = tls.enabled.unwrap_or_else(|| named.iter().any(|file| given(file).is_some()));
    if !enabled {
        return Ok(None);
    }
    let min_version = tls.min_version.as_deref().filter(|version| !version.is_empty()).unwrap_or("1.3");
    Ok(Some(ClientTlsSettings {
        insecure_skip_verify: tls.insecure_skip_verify.unwrap_or(false),
        certificate: given(&tls.cert_file),
        key: given(&tls.key_file),
        ca: given(&tls.ca_file),
        server_name: Some(config.server_name.clone()).filter(|name| !name.is_empty()),
        min_version: min_version.parse().map_err(|error| format!("{:#}", anyhow::Error::from(error)))?,
    }))
}

impl Connect for Channels {
    fn connect(&self, spec: &EndpointSpec) -> Result<store::Channel, String> {
        let settings = self.settings(&spec.client)?;
        let address = spec.address.strip_prefix(GROUP).unwrap_or(&spec.address);
        let address = address.rsplit_once('+').map_or(address, |(_, address)| address);
        let channel = Channel::lazy(address, &settings).map_err(|error| error.to_string())?;
        let channel = tower::util::MapErr::new(channel, Into::into);
        Ok(tower::util::BoxCloneSyncService::new(channel))
    }
}
