//! Channels to endpoints, as the configuration says.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use server::grpc::{ChannelMetrics, ChannelSettings, Compression};
use server::tls::{ClientTlsSettings, TlsVersion};
use store::Channel;

use super::Connect;
use super::group::Group;
use crate::discovery::{ClientConfig, EndpointConfig, EndpointSpec, Lookup};

/// Connects over gRPC.
pub struct GrpcConnect {
    /// `--grpc-client-*`: for endpoints whose configuration says nothing.
    default: ClientConfig,
    metrics: Option<ChannelMetrics>,
    /// For groups.
    lookup: Arc<dyn Lookup>,
    /// Certificates are read once for all endpoints with the same settings.
    settings: Mutex<BTreeMap<String, Arc<ChannelSettings>>>,
}

impl fmt::Debug for GrpcConnect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GrpcConnect").finish_non_exhaustive()
    }
}

/// What the name of a group's address begins with.
const GROUP: &str = "thanos:///";

impl GrpcConnect {
    /// Connects with these defaults; groups are resolved with `lookup`.
    pub fn new(default: ClientConfig, metrics: Option<ChannelMetrics>, lookup: Arc<dyn Lookup>) -> Self {
        GrpcConnect { default, metrics, lookup, settings: Mutex::default() }
    }

    /// Looks whether channels can be made as the configuration says, and as it says for endpoints of flags: that files are there
    /// and hold what they should.
    ///
    /// # Errors
    /// What is wrong first, with the endpoint.
    pub fn check(&self, config: &EndpointConfig) -> Result<(), String> {
        self.settings(&ClientConfig::default()).map_err(|why| format!("gRPC client: {why}"))?;
        self.settings(&config.default_client_config)
            .map_err(|why| format!("endpoint.sd-config: default_client_config: {why}"))?;
        for entry in &config.endpoints {
            self.settings(&config.client_of(entry))
                .map_err(|why| format!("endpoint.sd-config: endpoint {}: {why}", entry.address))?;
        }
        Ok(())
    }

    fn settings(&self, client: &ClientConfig) -> Result<Arc<ChannelSettings>, String> {
        let client = client.inheriting(&self.default);
        let key = format!("{client:?}");
        let mut known = self.settings.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(settings) = known.get(&key) {
            return Ok(Arc::clone(settings));
        }
        let tls = client.has_tls().then(|| tls(&client)).transpose()?;
        let compression: Compression = client.compression.parse()?;
        let settings = ChannelSettings::new(tls.as_ref(), compression, self.metrics.clone())
            .map_err(|error| with_causes(&error))?;
        let settings = Arc::new(settings);
        known.insert(key, Arc::clone(&settings));
        Ok(settings)
    }
}

fn tls(client: &ClientConfig) -> Result<ClientTlsSettings, String> {
    let tls = &client.tls_config;
    let min_version = match &tls.min_version {
        Some(version) => version.parse().map_err(|error| with_causes(&error))?,
        None => TlsVersion::V1_3,
    };
    let file = |path: &Option<std::path::PathBuf>| path.clone().filter(|path| !path.as_os_str().is_empty());
    Ok(ClientTlsSettings {
        insecure_skip_verify: tls.insecure_skip_verify.unwrap_or(false),
        certificate: file(&tls.cert_file),
        key: file(&tls.key_file),
        ca: file(&tls.ca_file),
        server_name: Some(client.server_name.clone()).filter(|name| !name.is_empty()),
        min_version,
    })
}

fn with_causes<E: std::error::Error>(error: &E) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

impl Connect for GrpcConnect {
    fn connect(&self, spec: &EndpointSpec) -> Result<Channel, String> {
        let settings = self.settings(&spec.client)?;
        if let Some(name) = spec.address.strip_prefix(GROUP) {
            return Ok(Channel::new(Group::new(name.to_owned(), Arc::clone(&self.lookup), settings)));
        }
        let channel =
            server::grpc::Channel::lazy(&spec.address, &settings).map_err(|error| error.to_string())?;
        Ok(Channel::new(channel))
    }
}
