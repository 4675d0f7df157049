//! `--tracing.config`: the YAML of Thanos, as far as traces can go out by OTLP.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;
use tracing::warn;

use super::sampler::Sampler;
use crate::duration::GoDuration;
use crate::tls::{ClientTlsSettings, TlsError, TlsVersion};
use crate::yaml::{self, YamlError};

/// Why there are no traces.
#[derive(Debug, Error)]
pub enum TracingError {
    /// It is not the YAML that it should be.
    #[error("tracing configuration")]
    Yaml(#[from] YamlError),
    /// Traces do not go there.
    #[error("tracing with type {0} is not supported; collectors take OTLP: use type OTLP")]
    Type(String),
    /// Neither of the two.
    #[error("otlp: invalid client type. Only 'http' and 'grpc' are accepted.")]
    ClientType,
    /// Jaeger's own protocols.
    #[error(
        "tracing type JAEGER: {0} speaks a protocol of Jaeger alone; Jaeger takes OTLP since 1.35: \
         use type OTLP with its port 4317 (client_type grpc) or 4318 (client_type http)"
    )]
    Jaeger(String),
    /// A sampler that asks somebody.
    #[error("tracing type JAEGER: sampler_type {0} is not supported; use const or probabilistic")]
    JaegerSampler(String),
    /// A ratio that is none.
    #[error("tracing configuration: sampler_param {0:?} is no number")]
    Ratio(String),
    /// The endpoint is none.
    #[error("tracing configuration: endpoint {0:?} is no HOST:PORT")]
    Endpoint(String),
    /// A header is none.
    #[error("tracing configuration: header {0:?} is none")]
    Header(String),
    /// The certificates do not do.
    #[error("tracing configuration: tls_config")]
    Tls(#[from] TlsError),
    /// The client cannot be made.
    #[error("tracing configuration")]
    Client(#[from] reqwest::Error),
}

/// Where traces go, and which.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) transport: Transport,
    /// `HOST:PORT`
    pub(super) endpoint: String,
    pub(super) url_path: String,
    pub(super) tls: Option<ClientTlsSettings>,
    pub(super) gzip: bool,
    pub(super) timeout: Duration,
    pub(super) retry: Retry,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) resource: BTreeMap<String, String>,
    pub(super) sampler: Sampler,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transport {
    Grpc,
    Http,
}

/// How long a batch that is refused for the moment is tried.
#[derive(Debug, Clone, Copy)]
pub(super) struct Retry {
    pub(super) first: Duration,
    pub(super) longest: Duration,
    pub(super) all: Duration,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct File {
    r#type: String,
    config: Value,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Otlp {
    client_type: String,
    service_name: String,
    resource_attributes: BTreeMap<String, String>,
    #[serde(rename = "reconnection_period")]
    _reconnection_period: Option<Value>,
    compression: String,
    insecure: bool,
    endpoint: String,
    url_path: String,
    timeout: Option<GoDuration>,
    retry_config: RetryConfig,
    headers: BTreeMap<String, String>,
    tls_config: TlsConfig,
    sampler_type: String,
    sampler_param: Value,
    #[serde(flatten)]
    unknown: BTreeMap<String, Value>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct RetryConfig {
    retry_enabled: bool,
    retry_initial_interval: Option<GoDuration>,
    retry_max_interval: Option<GoDuration>,
    retry_max_elapsed_time: Option<GoDuration>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct TlsConfig {
    ca_file: String,
    cert_file: String,
    key_file: String,
    server_name: String,
    insecure_skip_verify: bool,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Jaeger {
    service_name: String,
    disabled: bool,
    tags: String,
    sampler_type: String,
    sampler_param: f64,
    endpoint: String,
    user: String,
    password: String,
    agent_host: String,
    #[serde(flatten)]
    unknown: BTreeMap<String, Value>,
}

impl Settings {
    /// Reads the YAML. `None` if it is empty or tracing is disabled.
    pub(super) fn from_yaml(text: &str, component: &str) -> Result<Option<Self>, TracingError> {
        if text.trim().is_empty() {
            return Ok(None);
        }
        let file: File = yaml::read(text)?;
        let config = if file.config.is_null() { "{}".to_owned() } else { file.config.to_string() };
        match file.r#type.to_ascii_uppercase().as_str() {
            "OTLP" => otlp(yaml::read(&config)?, component).map(Some),
            "JAEGER" => jaeger(yaml::read(&config)?, component),
            _ => Err(TracingError::Type(file.r#type)),
        }
    }
}

fn otlp(config: Otlp, component: &str) -> Result<Settings, TracingError> {
    // Thanos ignores them without a word.
    for key in config.unknown.keys() {
        warn!(msg = "tracing configuration has a key without effect", key);
    }
    let (transport, port) = match config.client_type.as_str() {
        "grpc" => (Transport::Grpc, 4317),
        "http" => (Transport::Http, 4318),
        _ => return Err(TracingError::ClientType),
    };
    let ratio = match &config.sampler_param {
        Value::Null => 1.0,
        Value::String(text) if text.is_empty() => 1.0,
        Value::String(text) => text.parse().map_err(|_| TracingError::Ratio(text.clone()))?,
        other => other.as_f64().ok_or_else(|| TracingError::Ratio(other.to_string()))?,
    };
    let sampler = Sampler::from_word(&config.sampler_type, ratio).unwrap_or_else(|| {
        // As Thanos, which says nothing.
        warn!(msg = "unknown sampler_type, all traces are sampled", sampler_type = config.sampler_type);
        Sampler { by_parent: true, ratio: 1.0 }
    });
    let mut resource = config.resource_attributes;
    let service = if config.service_name.is_empty() { component } else { &config.service_name };
    resource.insert("service.name".to_owned(), service.to_owned());
    let given = |text: String| (!text.is_empty()).then_some(text);
    let path = |text: String| given(text).map(PathBuf::from);
    let tls = config.tls_config;
    let retry = config.retry_config;
    let or = |given: Option<GoDuration>, default| {
        given.filter(|_| retry.retry_enabled).map_or(Duration::from_secs(default), Duration::from)
    };
    Ok(Settings {
        transport,
        endpoint: given(config.endpoint).unwrap_or_else(|| format!("localhost:{port}")),
        url_path: given(config.url_path).unwrap_or_else(|| "/v1/traces".to_owned()),
        tls: (!config.insecure).then(|| ClientTlsSettings {
            insecure_skip_verify: tls.insecure_skip_verify,
            certificate: path(tls.cert_file),
            key: path(tls.key_file),
            ca: path(tls.ca_file),
            server_name: given(tls.server_name),
            min_version: TlsVersion::V1_2,
        }),
        gzip: config.compression == "gzip",
        timeout: config.timeout.map_or(Duration::from_secs(10), Duration::from),
        retry: Retry {
            first: or(retry.retry_initial_interval, 5),
            longest: or(retry.retry_max_interval, 30),
            all: or(retry.retry_max_elapsed_time, 60),
        },
        headers: config.headers,
        resource,
        sampler,
    })
}

/// What was meant for Jaeger's client, if its endpoint takes OTLP.
fn jaeger(config: Jaeger, component: &str) -> Result<Option<Settings>, TracingError> {
    if config.disabled {
        return Ok(None);
    }
    for key in config.unknown.keys() {
        warn!(msg = "tracing configuration has a key without effect", key);
    }
    let (secure, rest) = match config.endpoint.split_once("://") {
        Some(("https", rest)) => (true, rest),
        Some((_, rest)) => (false, rest),
        None => (false, config.endpoint.as_str()),
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let transport = match (authority.rsplit_once(':').map(|(_, port)| port), path) {
        (Some("4317"), "" | "/") => Transport::Grpc,
        (Some("4318"), _) | (_, "/v1/traces") => Transport::Http,
        _ if config.endpoint.is_empty() => {
            let host = if config.agent_host.is_empty() { "localhost" } else { &config.agent_host };
            return Err(TracingError::Jaeger(format!("the agent at {host}")));
        }
        _ => return Err(TracingError::Jaeger(config.endpoint)),
    };
    let ratio = match config.sampler_type.as_str() {
        "const" => f64::from(u8::from(config.sampler_param >= 1.0)),
        "probabilistic" => config.sampler_param,
        "" => 1.0,
        other => return Err(TracingError::JaegerSampler(other.to_owned())),
    };
    let mut resource: BTreeMap<String, String> = config
        .tags
        .split(',')
        .filter_map(|tag| tag.split_once('='))
        .map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()))
        .collect();
    let service = if config.service_name.is_empty() { component } else { &config.service_name };
    resource.insert("service.name".to_owned(), service.to_owned());
    let mut headers = BTreeMap::new();
    if !config.user.is_empty() {
        let credentials = crate::base64::encode(format!("{}:{}", config.user, config.password).as_bytes());
        headers.insert("authorization".to_owned(), format!("Basic {credentials}"));
    }
    let settings = Settings {
        transport,
        endpoint: authority.to_owned(),
        url_path: if path.len() > 1 { path.to_owned() } else { "/v1/traces".to_owned() },
        tls: secure
            .then(|| ClientTlsSettings { min_version: TlsVersion::V1_2, ..ClientTlsSettings::default() }),
        gzip: false,
        timeout: Duration::from_secs(10),
        retry: Retry {
            first: Duration::from_secs(5),
            longest: Duration::from_secs(30),
            all: Duration::from_secs(60),
        },
        headers,
        resource,
        sampler: Sampler { by_parent: true, ratio },
    };
    Ok(Some(settings))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Option<Settings>, String> {
        Settings::from_yaml(text, "thanos-store").map_err(|error| {
            let text = yaml::chain(&error);
            assert!(!text.contains('\n'), "{text}");
            text
        })
    }

    #[test]
    fn otlp_is_read_as_thanos_reads_it() {
        let settings = read(
            "type: otlp\nconfig:\n  client_type: http\n  endpoint: tempo:4318\n  insecure: true\n  \
             compression: gzip\n  headers: {x-scope-orgid: a}\n  resource_attributes: {zone: eu}\n  \
             sampler_type: traceidratiobased\n  sampler_param: \"0.5\"\n  timeout: 3s\n  \
             retry_config: {retry_enabled: true, retry_initial_interval: 1s}\n",
        )
        .unwrap()
        .unwrap();
        assert_eq!((settings.transport, settings.endpoint.as_str()), (Transport::Http, "tempo:4318"));
        assert!(settings.gzip && settings.tls.is_none());
        assert_eq!(settings.resource["service.name"], "thanos-store");
        assert_eq!(settings.sampler, Sampler { by_parent: false, ratio: 0.5 });
        assert_eq!(settings.timeout, Duration::from_secs(3));
        assert_eq!(settings.retry.first, Duration::from_secs(1));
        let grpc = read("{type: OTLP, config: {client_type: grpc, service_name: me}}").unwrap().unwrap();
        assert_eq!((grpc.endpoint.as_str(), grpc.tls.is_some()), ("localhost:4317", true));
        assert_eq!(grpc.resource["service.name"], "me");
        assert!(read(" ").unwrap().is_none());
    }

    #[test]
    fn jaeger_goes_out_by_otlp_where_its_endpoint_takes_that() {
        let settings = read(
            "type: JAEGER\nconfig: {endpoint: 'http://jaeger:4318', sampler_type: const, sampler_param: 1, tags: 'a=b, c=d'}",
        )
        .unwrap()
        .unwrap();
        assert_eq!((settings.transport, settings.endpoint.as_str()), (Transport::Http, "jaeger:4318"));
        assert_eq!(settings.resource["c"], "d");
        assert!(read("{type: JAEGER, config: {disabled: true}}").unwrap().is_none());
    }

    #[test]
    fn what_is_not_supported_is_said_in_one_line() {
        for (text, says) in [
            ("type: LIGHTSTEP", "tracing with type LIGHTSTEP is not supported"),
            ("{type: OTLP, config: {client_type: udp}}", "Only 'http' and 'grpc' are accepted"),
            (
                "{type: OTLP, config: {client_type: grpc, sampler_type: traceidratiobased, sampler_param: x}}",
                "no number",
            ),
            ("{type: JAEGER, config: {agent_host: node}}", "the agent at node speaks a protocol of Jaeger"),
            ("{type: JAEGER, config: {endpoint: 'http://j:14268/api/traces'}}", "http://j:14268/api/traces"),
            (
                "{type: JAEGER, config: {endpoint: 'http://j:4318', sampler_type: remote}}",
                "sampler_type remote",
            ),
            ("{typ: OTLP}", "did you mean `type`?"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
