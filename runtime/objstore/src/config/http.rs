//! `http_config`, which S3, GCS and Azure have alike.

use std::path::PathBuf;
use std::time::Duration;

use prom_model::PromDuration;
use serde::Deserialize;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct HttpYaml {
    idle_conn_timeout: Option<PromDuration>,
    response_header_timeout: Option<PromDuration>,
    insecure_skip_verify: Option<bool>,
    tls_handshake_timeout: Option<PromDuration>,
    /// No effect: no request asks before it sends.
    #[serde(rename = "expect_continue_timeout")]
    _expect_continue_timeout: Option<PromDuration>,
    /// No effect: a bucket is one host.
    #[serde(rename = "max_idle_conns")]
    _max_idle_conns: Option<u32>,
    max_idle_conns_per_host: Option<usize>,
    max_conns_per_host: Option<usize>,
    tls_config: Option<TlsYaml>,
    /// No effect: objects are taken as they are.
    #[serde(rename = "disable_compression")]
    _disable_compression: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct TlsYaml {
    ca_file: Option<String>,
    cert_file: Option<String>,
    key_file: Option<String>,
    server_name: Option<String>,
    insecure_skip_verify: Option<bool>,
}

/// How the store is talked to.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// How long a connection without work is kept.
    pub idle: Duration,
    /// How long a store may take until it begins to answer a request that it has in full.
    pub response_header: Duration,
    /// How long a connection may take until it is there, with its TLS.
    pub handshake: Duration,
    /// Connections without work that are kept.
    pub idle_connections: usize,
    /// Requests at a time; `None` for any number.
    pub connections: Option<usize>,
    /// Certificates.
    pub tls: TlsFiles,
}

/// Certificates, as PEM.
#[derive(Debug, Clone, Default)]
pub struct TlsFiles {
    /// Authorities to trust instead of those of the system.
    pub ca: Option<PathBuf>,
    /// Our certificate and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// Whether to trust whatever answers.
    pub insecure_skip_verify: bool,
}

/// The settings; what is wrong with them goes to `problems`.
pub(super) fn check(yaml: Option<HttpYaml>, problems: &mut Vec<String>) -> HttpSettings {
    let yaml = yaml.unwrap_or_default();
    let tls = yaml.tls_config.unwrap_or_default();
    let path = |text: Option<String>| text.filter(|text| !text.is_empty()).map(PathBuf::from);
    let identity = match (path(tls.cert_file), path(tls.key_file)) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (None, None) => None,
        _ => {
            problems.push("http_config.tls_config needs cert_file and key_file together".to_owned());
            None
        }
    };
    if tls.server_name.is_some_and(|name| !name.is_empty()) {
        let text = "http_config.tls_config.server_name is not supported: give `endpoint` the name of its certificate";
        problems.push(text.to_owned());
    }
    let or = |duration: Option<PromDuration>, default: u64| match duration {
        // As in Go, zero means without a limit.
        Some(PromDuration::ZERO) => Duration::MAX,
        Some(duration) => duration.to_std(),
        None => Duration::from_secs(default),
    };
    HttpSettings {
        idle: or(yaml.idle_conn_timeout, 90),
        response_header: or(yaml.response_header_timeout, 120),
        handshake: or(yaml.tls_handshake_timeout, 10),
        idle_connections: yaml.max_idle_conns_per_host.unwrap_or(100),
        connections: yaml.max_conns_per_host.filter(|limit| *limit > 0),
        tls: TlsFiles {
            ca: path(tls.ca_file),
            identity,
            insecure_skip_verify: yaml.insecure_skip_verify.unwrap_or(false)
                || tls.insecure_skip_verify.unwrap_or(false),
        },
    }
}
