//! All configured endpoints together.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;
use tokio_util::sync::CancellationToken;

use super::config::{ConfigError, EndpointConfig, EndpointEntry};
use super::dns::{Names, is_name};
use super::files::Files;
use super::lookup::Lookup;
use super::metrics::{CountedLookup, DnsMetrics};
use super::{Configured, Discover, EndpointSpec};

/// What the flags say.
#[derive(Debug, Clone)]
pub struct DiscoverySettings {
    /// `--endpoint`, `--endpoint-strict`, `--endpoint-group`, `--endpoint-group-strict`; what connects to them inherits nothing
    /// but the defaults of the configuration.
    pub endpoints: Vec<EndpointEntry>,
    /// The content of `--endpoint.sd-config`, or what stands in its file at the start.
    pub config: EndpointConfig,
    /// The file of `--endpoint.sd-config-file`, which is read again.
    pub config_file: Option<PathBuf>,
    /// How often (`--endpoint.sd-config-reload-interval`).
    pub config_interval: Duration,
    /// `--store.sd-files`.
    pub files: Vec<String>,
    /// How often names are resolved (`--store.sd-dns-interval`).
    pub dns_interval: Duration,
}

/// The configured endpoints; see [`Discover`].
#[derive(Debug)]
pub struct Discovery {
    settings: DiscoverySettings,
    config: RwLock<EndpointConfig>,
    files: Files,
    names: Names,
    groups: Arc<CountedLookup>,
    duplicates: Counter,
}

/// How often files are looked at; what did not change is not read.
const FILES: Duration = Duration::from_secs(5);

impl Discovery {
    /// Takes the settings and registers metrics, whose names begin with `thanos_<component>_`.
    ///
    /// # Errors
    /// When endpoints of the flags contradict themselves.
    pub fn new(
        settings: DiscoverySettings,
        lookup: Arc<dyn Lookup>,
        component: &str,
        registry: &mut Registry,
    ) -> Result<Self, ConfigError> {
        let flags = EndpointConfig { endpoints: settings.endpoints.clone(), ..EndpointConfig::default() };
        flags.check()?;
        settings.config.check()?;
        let duplicates = Counter::default();
        registry.register(
            format!("thanos_{component}_duplicated_endpoint_addresses"),
            "The number of times a duplicated endpoint addresses is detected from the different configs",
            duplicates.clone(),
        );
        let metrics = DnsMetrics::register(&format!("thanos_{component}_endpoints_"), registry);
        let groups = DnsMetrics::register(&format!("thanos_{component}_endpoint_groups_"), registry);
        Ok(Discovery {
            groups: Arc::new(CountedLookup::new(Arc::clone(&lookup), groups)),
            config: RwLock::new(settings.config.clone()),
            files: Files::new(settings.files.clone()),
            names: Names::new(lookup, metrics),
            duplicates,
            settings,
        })
    }

    /// What groups resolve their names with: the same DNS, counted as `thanos_<component>_endpoint_groups_dns_*`.
    pub fn group_lookup(&self) -> Arc<dyn Lookup> {
        Arc::clone(&self.groups) as Arc<dyn Lookup>
    }

    /// Reads files and resolves names once. Before that, names stand for nothing.
    pub async fn refresh(&self) {
        self.files.refresh();
        self.names.resolve(&self.dynamic()).await;
    }

    /// Does so again and again until cancelled.
    pub async fn run(&self, stop: CancellationToken) {
        let mut names = tokio::time::interval(self.settings.dns_interval);
        let mut files = tokio::time::interval(FILES);
        let mut config = tokio::time::interval(self.settings.config_interval);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                _ = config.tick() => self.read_config(),
                _ = files.tick() => {
                    let before = self.dynamic();
                    self.files.refresh();
                    if self.dynamic() != before {
                        names.reset_immediately();
                    }
                }
                _ = names.tick() => {
                    let dynamic = self.dynamic();
                    tokio::select! {
                        () = stop.cancelled() => return,
                        () = self.names.resolve(&dynamic) => {}
                    }
                }
            }
        }
    }

    /// Takes the file if it is good; else what was there before stays.
    #[expect(clippy::disallowed_methods, reason = "the file that the flag names is read here")]
    fn read_config(&self) {
        let Some(path) = &self.settings.config_file else { return };
        let read = std::fs::read_to_string(path)
            .map_err(|error| error.to_string())
            .and_then(|text| EndpointConfig::parse(&text).map_err(|error| error.to_string()));
        let mut config = self.config.write().unwrap_or_else(PoisonError::into_inner);
        match read {
            Ok(new) if new == *config => {}
            Ok(new) => {
                tracing::info!(path = %path.display(), "reloading endpoint config");
                *config = new;
            }
            Err(why) => {
                tracing::error!(path = %path.display(), err = %why, "failed to reload endpoint config")
            }
        }
    }

    /// All names to resolve, with their prefix.
    fn dynamic(&self) -> BTreeSet<String> {
        let config = self.config.read().unwrap_or_else(PoisonError::into_inner);
        let entries = config.endpoints.iter().chain(&self.settings.endpoints);
        entries
            .filter(|entry| !entry.group)
            .map(|entry| entry.address.clone())
            .chain(self.files.addresses())
            .filter(|address| is_name(address))
            .collect()
    }
}

impl Discover for Discovery {
    fn configured(&self) -> Configured {
        let config = self.config.read().unwrap_or_else(PoisonError::into_inner).clone();
        let mut endpoints: BTreeMap<String, EndpointSpec> = BTreeMap::new();
        let mut names = BTreeMap::new();
        let mut add = |spec: EndpointSpec| {
            if let Some(known) = endpoints.get_mut(&spec.address) {
                tracing::warn!(addr = %spec.address, "Duplicate endpoint address is provided");
                self.duplicates.inc();
                known.strict |= spec.strict;
            } else {
                endpoints.insert(spec.address.clone(), spec);
            }
        };
        let from_files: Vec<EndpointEntry> = self
            .files
            .addresses()
            .into_iter()
            .map(|address| EndpointEntry { address, ..EndpointEntry::default() })
            .collect();
        for entry in config.endpoints.iter().chain(&self.settings.endpoints).chain(&from_files) {
            let client = config.client_of(entry);
            let strict = entry.strict;
            if entry.group {
                let address = format!("thanos:///{}", entry.address);
                add(EndpointSpec { address, strict, name: None, client });
            } else if is_name(&entry.address) {
                let (addresses, resolution) = self.names.get(&entry.address);
                for address in addresses {
                    let name = Some(entry.address.clone());
                    add(EndpointSpec { address, strict: false, name, client: Arc::clone(&client) });
                }
                names.insert(entry.address.clone(), resolution);
            } else {
                add(EndpointSpec { address: entry.address.clone(), strict, name: None, client });
            }
        }
        Configured { endpoints: endpoints.into_values().collect(), names }
    }
}
