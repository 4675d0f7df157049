//! Questions to DNS.

use std::fmt;
use std::net::IpAddr;

use async_trait::async_trait;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::LookupIpStrategy;
use hickory_resolver::net::NetError;
use hickory_resolver::proto::rr::RData;

/// What a SRV record says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// The name of the host, perhaps with a dot at its end.
    pub target: String,
    /// The port.
    pub port: u16,
}

/// DNS could not be asked, or answered with an error other than that there is nothing.
#[derive(Debug, thiserror::Error)]
#[error("lookup {name}")]
pub struct LookupError {
    /// The name that was asked for.
    pub name: String,
    /// Why there is no answer.
    #[source]
    pub cause: Box<dyn std::error::Error + Send + Sync>,
}

/// Asks DNS. A name that does not exist has no addresses: that is an answer, not an error.
#[async_trait]
pub trait Lookup: fmt::Debug + Send + Sync {
    /// The addresses of a host: version 6 first if `six_first`, else as the resolver orders them.
    async fn addresses(&self, host: &str, six_first: bool) -> Result<Vec<IpAddr>, LookupError>;

    /// What the SRV records of a name say.
    async fn services(&self, name: &str) -> Result<Vec<Service>, LookupError>;
}

/// The resolver that `/etc/resolv.conf` describes.
pub struct HickoryLookup(TokioResolver);

impl fmt::Debug for HickoryLookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HickoryLookup")
    }
}

impl HickoryLookup {
    /// Reads the settings of the system.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn from_system() -> Result<Self, LookupError> {
        let failed = |cause: Box<dyn std::error::Error + Send + Sync>| LookupError {
            name: "settings of the system".to_owned(),
            cause,
        };
        let mut builder = TokioResolver::builder_tokio().map_err(|cause| failed(cause.into()))?;
        let options = builder.options_mut();
        options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        // Whoever asks wants to know what is so now.
        options.cache_size = 0;
        Ok(HickoryLookup(builder.build().map_err(|cause| failed(cause.into()))?))
    }
}

/// That there is nothing is an answer.
fn unless_absent<T: Default>(name: &str, answer: Result<T, NetError>) -> Result<T, LookupError> {
    match answer {
        Err(error) if error.is_no_records_found() || error.is_nx_domain() => Ok(T::default()),
        answer => answer.map_err(|cause| LookupError { name: name.to_owned(), cause: cause.into() }),
    }
}

#[async_trait]
impl Lookup for HickoryLookup {
    async fn addresses(&self, host: &str, six_first: bool) -> Result<Vec<IpAddr>, LookupError> {
        let found = self.0.lookup_ip(host).await.map(|found| found.iter().collect::<Vec<_>>());
        let mut addresses = unless_absent(host, found)?;
        if six_first {
            addresses.sort_by_key(IpAddr::is_ipv4);
        }
        Ok(addresses)
    }

    async fn services(&self, name: &str) -> Result<Vec<Service>, LookupError> {
        let found = self.0.srv_lookup(name).await.map(|found| {
            let service = |data: &RData| match data {
                RData::SRV(srv) => Some(Service { target: srv.target.to_utf8(), port: srv.port }),
                _ => None,
            };
            found.answers().iter().filter_map(|record| service(&record.data)).collect::<Vec<_>>()
        });
        unless_absent(name, found)
    }
}
