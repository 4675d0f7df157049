//! Caches of the store gateway and the query frontend.

use serde_json::json;

use super::super::output::Output;
use super::super::yaml;
use crate::diagnostic::Diagnostic;
use crate::model::{Cluster, Sourced};
use crate::pipeline::Origin;

/// Where cached bytes are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cache {
    /// In the process, at most so many megabytes.
    Memory(u64),
    /// In memcached servers.
    Memcached(Vec<String>),
    /// In a Redis server.
    Redis(String),
}

impl Cache {
    /// Reads `memory`, `memcached[:ADDRESS]` or `redis[:ADDRESS]`.
    ///
    /// Without an address it is the one of the store gateway's cache, or the usual name in the cluster's namespace.
    pub fn read(out: &mut Output, written: &Sourced<String>, megabytes: u64) -> Option<Cache> {
        let cluster = out.cluster;
        let (kind, address) = match written.split_once(':') {
            Some((kind, address)) => (kind, Some(address.to_string())),
            None => (written.as_str(), shared_address(cluster, &written.value)),
        };
        match kind {
            "" | "none" if address.is_none() => None,
            "memory" => Some(Cache::Memory(megabytes)),
            "memcached" => {
                let address = address
                    .unwrap_or_else(|| format!("dnssrvnoa+_client._tcp.memcached.{}.svc", cluster.namespace));
                Some(Cache::Memcached(
                    address.split(',').map(str::trim).filter(|a| !a.is_empty()).map(String::from).collect(),
                ))
            }
            "redis" => {
                Some(Cache::Redis(address.unwrap_or_else(|| format!("redis.{}.svc:6379", cluster.namespace))))
            }
            _ => {
                let span = match written.origin {
                    Origin::Line(span) => Some(span),
                    _ => None,
                };
                out.diagnostics.push(
                    Diagnostic::error("KDL007", span, format!("`{}` is no cache", written.value))
                        .help("write memory, \"memcached:ADDRESS\" or \"redis:ADDRESS\""),
                );
                None
            }
        }
    }

    /// The configuration as Thanos reads it.
    pub fn yaml(&self) -> String {
        let value = match self {
            Cache::Memory(megabytes) => {
                json!({ "type": "IN-MEMORY", "config": { "max_size": format!("{megabytes}MB") } })
            }
            Cache::Memcached(addresses) => {
                json!({ "type": "MEMCACHED", "config": { "addresses": addresses } })
            }
            Cache::Redis(address) => json!({ "type": "REDIS", "config": { "addr": address } }),
        };
        super::literal(&yaml::to_yaml(&value))
    }
}

fn shared_address(cluster: &Cluster, kind: &str) -> Option<String> {
    let cache = cluster.topology.store.as_ref()?.cache.as_ref()?;
    let (other, address) = cache.value.split_once(':')?;
    (other == kind).then(|| address.to_string())
}
