//! Names with a prefix that says how to resolve them: `dns+host:port`, `dnssrv+_port._proto.name`, `dnssrvnoa+…`,
//! `dnsdualstack+host:port`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock};

use super::Resolution;
use super::lookup::{Lookup, LookupError};
use super::metrics::DnsMetrics;

/// How a name is resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Addresses of a host.
    Host,
    /// The same, version 6 first.
    DualStack,
    /// SRV records, and the addresses of their hosts.
    Service,
    /// SRV records.
    ServiceNames,
}

/// Why a name cannot be resolved.
#[derive(Debug, thiserror::Error)]
enum ResolveError {
    #[error("missing port in address given for {kind} lookup: {name}")]
    NoPort { kind: &'static str, name: String },
    #[error("invalid lookup scheme \"{0}\"")]
    Scheme(String),
    #[error(transparent)]
    Lookup(#[from] LookupError),
}

/// Whether an address is a name to be resolved.
pub(super) fn is_name(address: &str) -> bool {
    address.contains('+')
}

/// Names and what they resolved to last.
#[derive(Debug)]
pub(super) struct Names {
    lookup: Arc<dyn Lookup>,
    metrics: DnsMetrics,
    resolved: RwLock<BTreeMap<String, Resolved>>,
}

/// What a name resolved to when DNS answered last, and why it did not answer since.
#[derive(Debug, Clone, Default)]
struct Resolved {
    addresses: Option<Vec<String>>,
    failed: Option<String>,
}

impl Names {
    pub(super) fn new(lookup: Arc<dyn Lookup>, metrics: DnsMetrics) -> Self {
        Names { lookup, metrics, resolved: RwLock::default() }
    }

    /// Asks for all names and forgets others. Where DNS does not answer, what it said before stays.
    pub(super) async fn resolve(&self, names: &BTreeSet<String>) {
        let answers = futures::future::join_all(names.iter().map(|name| async move {
            self.metrics.lookups.inc();
            (name, resolve(&*self.lookup, name).await)
        }))
        .await;
        let mut resolved = self.resolved.write().unwrap_or_else(PoisonError::into_inner);
        resolved.retain(|name, _| names.contains(name));
        for (name, answer) in answers {
            let known = resolved.entry(name.clone()).or_default();
            match answer {
                Ok(addresses) => {
                    if addresses.is_empty() {
                        tracing::warn!(host = %name, "IP address lookup yielded no results. No host found or no addresses found");
                    }
                    *known = Resolved { addresses: Some(addresses), failed: None };
                }
                Err(error) => {
                    self.metrics.failures.inc();
                    let why = with_causes(&error);
                    tracing::error!(host = %name, err = %why, "failed to resolve addresses");
                    known.failed = Some(why);
                }
            }
        }
        self.metrics.results.clear();
        for (name, known) in &*resolved {
            let count = known.addresses.as_ref().map_or(0, Vec::len);
            let labels = vec![("addr".to_owned(), name.clone())];
            self.metrics.results.get_or_create(&labels).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    /// The addresses of a name and how that stands; a name that was not asked for yet is failing.
    pub(super) fn get(&self, name: &str) -> (Vec<String>, Resolution) {
        let resolved = self.resolved.read().unwrap_or_else(PoisonError::into_inner);
        let Some(known) = resolved.get(name) else {
            return (Vec::new(), Resolution::Failing("it was not looked up yet".to_owned()));
        };
        match (&known.addresses, &known.failed) {
            (Some(addresses), _) if !addresses.is_empty() => (addresses.clone(), Resolution::Found),
            (_, Some(why)) => (Vec::new(), Resolution::Failing(why.clone())),
            _ => (Vec::new(), Resolution::Nothing),
        }
    }
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// The addresses behind the name of a group; one that is no name is its own address. Errors are in words for users.
pub(crate) async fn resolve_group(lookup: &dyn Lookup, name: &str) -> Result<Vec<String>, String> {
    if !is_name(name) {
        return Ok(vec![name.to_owned()]);
    }
    resolve(lookup, name).await.map_err(|error| with_causes(&error))
}

async fn resolve(lookup: &dyn Lookup, name: &str) -> Result<Vec<String>, ResolveError> {
    let (scheme, rest) = name.split_once('+').unwrap_or(("", name));
    let kind = match scheme {
        "dns" => Kind::Host,
        "dnsdualstack" => Kind::DualStack,
        "dnssrv" => Kind::Service,
        "dnssrvnoa" => Kind::ServiceNames,
        other => return Err(ResolveError::Scheme(other.to_owned())),
    };
    let (host, port) = split_port(rest);
    let needs_port = |kind| port.ok_or_else(|| ResolveError::NoPort { kind, name: rest.to_owned() });
    match kind {
        Kind::Host => {
            let port = needs_port("dns")?;
            let found = lookup.addresses(host, false).await?;
            Ok(found.into_iter().map(|ip| join(&ip.to_string(), port)).collect())
        }
        Kind::DualStack => {
            let port = needs_port("dnsdualstack")?;
            let found = lookup.addresses(host, true).await?;
            Ok(found.into_iter().map(|ip| join(&ip.to_string(), port)).collect())
        }
        Kind::Service | Kind::ServiceNames => {
            let mut all = Vec::new();
            for service in lookup.services(host).await? {
                let own = service.port.to_string();
                // A port that is written overrides that of the record.
                let port = port.unwrap_or(&own);
                if kind == Kind::ServiceNames {
                    all.push(join(service.target.trim_end_matches('.'), port));
                    continue;
                }
                let found = lookup.addresses(&service.target, false).await?;
                all.extend(found.into_iter().map(|ip| join(&ip.to_string(), port)));
            }
            Ok(all)
        }
    }
}

/// Host and port of `host:port` and `[v6]:port`; no port where there is none.
fn split_port(text: &str) -> (&str, Option<&str>) {
    if let Some((host, rest)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return (host, rest.strip_prefix(':').filter(|port| !port.is_empty()));
    }
    match text.split_once(':') {
        Some((host, port)) if !port.is_empty() && !port.contains(':') => (host, Some(port)),
        _ => (text, None),
    }
}

fn join(host: &str, port: &str) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::sync::Mutex;

    use async_trait::async_trait;

    use super::super::lookup::Service;
    use super::*;

    /// A DNS that knows one host and one service, until it is switched off.
    #[derive(Debug, Default)]
    struct Fake {
        down: Mutex<bool>,
        empty: Mutex<bool>,
    }

    impl Fake {
        fn check(&self, name: &str) -> Result<bool, LookupError> {
            if *self.down.lock().expect("no panic") {
                return Err(LookupError { name: name.to_owned(), cause: "server failure".into() });
            }
            Ok(!*self.empty.lock().expect("no panic"))
        }
    }

    #[async_trait]
    impl Lookup for Fake {
        async fn addresses(&self, host: &str, six_first: bool) -> Result<Vec<IpAddr>, LookupError> {
            let known = self.check(host)? && host.trim_end_matches('.') == "store.local";
            let mut all: Vec<IpAddr> =
                vec!["10.0.0.1".parse().expect("valid"), "fd00::1".parse().expect("valid")];
            if six_first {
                all.reverse();
            }
            Ok(if known { all } else { Vec::new() })
        }

        async fn services(&self, name: &str) -> Result<Vec<Service>, LookupError> {
            let known = self.check(name)? && name == "_grpc._tcp.store.local";
            let service = Service { target: "store.local.".to_owned(), port: 10901 };
            Ok(if known { vec![service] } else { Vec::new() })
        }
    }

    async fn resolved(name: &str) -> Result<Vec<String>, String> {
        resolve(&Fake::default(), name).await.map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn each_scheme_gives_what_thanos_gives() {
        assert_eq!(
            resolved("dns+store.local:1").await,
            Ok(vec!["10.0.0.1:1".to_owned(), "[fd00::1]:1".to_owned()])
        );
        assert_eq!(
            resolved("dnsdualstack+store.local:1").await,
            Ok(vec!["[fd00::1]:1".to_owned(), "10.0.0.1:1".to_owned()])
        );
        assert_eq!(
            resolved("dnssrv+_grpc._tcp.store.local").await,
            Ok(vec!["10.0.0.1:10901".to_owned(), "[fd00::1]:10901".to_owned()])
        );
        assert_eq!(
            resolved("dnssrv+_grpc._tcp.store.local:7").await,
            Ok(vec!["10.0.0.1:7".to_owned(), "[fd00::1]:7".to_owned()])
        );
        assert_eq!(
            resolved("dnssrvnoa+_grpc._tcp.store.local").await,
            Ok(vec!["store.local:10901".to_owned()])
        );
        assert_eq!(resolved("dns+other.local:1").await, Ok(Vec::new()));
        assert_eq!(
            resolved("dns+store.local").await,
            Err("missing port in address given for dns lookup: store.local".to_owned())
        );
        assert_eq!(resolved("udp+store.local").await, Err("invalid lookup scheme \"udp\"".to_owned()));
    }

    #[tokio::test]
    async fn old_addresses_stay_while_dns_does_not_answer_and_go_when_it_says_so() {
        let fake = Arc::new(Fake::default());
        let names = Names::new(Arc::clone(&fake) as Arc<dyn Lookup>, DnsMetrics::default());
        let name = "dnssrvnoa+_grpc._tcp.store.local";
        let asked = BTreeSet::from([name.to_owned()]);
        *fake.down.lock().expect("no panic") = true;
        names.resolve(&asked).await;
        assert!(matches!(names.get(name), (none, Resolution::Failing(why))
            if none.is_empty() && why.contains("server failure")));
        *fake.down.lock().expect("no panic") = false;
        names.resolve(&asked).await;
        assert_eq!(names.get(name), (vec!["store.local:10901".to_owned()], Resolution::Found));
        *fake.down.lock().expect("no panic") = true;
        names.resolve(&asked).await;
        assert_eq!(names.get(name), (vec!["store.local:10901".to_owned()], Resolution::Found));
        *fake.down.lock().expect("no panic") = false;
        *fake.empty.lock().expect("no panic") = true;
        names.resolve(&asked).await;
        assert_eq!(names.get(name), (Vec::new(), Resolution::Nothing));
        assert_eq!((names.metrics.lookups.get(), names.metrics.failures.get()), (4, 2));
    }
}
