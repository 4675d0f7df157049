//! Which endpoints are configured: addresses of flags and files, names resolved by DNS.

mod addresses;
mod config;
mod dns;
mod files;
mod lookup;
mod metrics;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

pub use addresses::{Discovery, DiscoverySettings};
pub use config::{ClientConfig, ConfigError, EndpointConfig, EndpointEntry, TlsConfig};
pub(crate) use dns::resolve_group;
pub use lookup::{HickoryLookup, Lookup, LookupError, Service};

/// An endpoint that is configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointSpec {
    /// `host:port`; for a group `thanos:///` and the name that is resolved again and again.
    pub address: String,
    /// It is asked whether it is healthy or not.
    pub strict: bool,
    /// The name that DNS gave the address for; `None` where the address itself is configured.
    pub name: Option<String>,
    /// How to connect to it.
    pub client: Arc<ClientConfig>,
}

impl EndpointSpec {
    /// An address that is configured as it is.
    pub fn fixed(address: impl Into<String>) -> Self {
        EndpointSpec { address: address.into(), strict: false, name: None, client: Arc::default() }
    }
}

/// What a configured name resolves to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// At least one address.
    Found,
    /// DNS says that there is none.
    Nothing,
    /// DNS could not be asked, ever: why.
    Failing(String),
}

/// What is configured now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Configured {
    /// The endpoints, each address once.
    pub endpoints: Vec<EndpointSpec>,
    /// The names that DNS is asked for.
    pub names: BTreeMap<String, Resolution>,
}

/// Says what is configured.
pub trait Discover: fmt::Debug + Send + Sync {
    /// Now, from memory.
    fn configured(&self) -> Configured;
}
