//! Flags that several components share, as Thanos spells them.

pub(crate) mod bytes;
pub(crate) mod go_only;
pub(crate) mod grpc;
pub(crate) mod http;
pub(crate) mod label_pair;
pub(crate) mod negation;
pub(crate) mod objstore;
pub(crate) mod path_or_content;
pub(crate) mod reloader;
pub(crate) mod request_logging;
pub(crate) mod selector;
pub(crate) mod size;
pub(crate) mod tracing;
pub(crate) mod viewer;

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use prom_model::PromDuration;
use server::duration::GoDuration;
use server::http_client::{HttpClient, Settings};
use server::logging::{self, Format};

pub(crate) use http::HttpFlags;

/// `--log.level`, `--log.format`.
#[derive(Debug, Args)]
pub(crate) struct LogFlags {
    /// Log filtering level
    #[arg(long = "log.level", id = "log.level", value_name = "LEVEL", default_value = "info", value_parser = ["debug", "info", "warn", "error"])]
    level: String,
    /// Log format
    #[arg(long = "log.format", id = "log.format", value_name = "FORMAT", default_value = "logfmt", value_parser = ["logfmt", "json", "journald"])]
    format: String,
}

impl LogFlags {
    /// From here on the component logs.
    pub(crate) fn start(&self) {
        if let (Some(level), Some(format)) =
            (logging::level_from_word(&self.level), Format::from_word(&self.format))
        {
            logging::start(level, format);
        }
    }
}

/// `--prometheus.url` and the client for it.
#[derive(Debug, Args)]
pub(crate) struct PrometheusFlags {
    /// URL at which to reach Prometheus' API; its path is kept
    #[arg(
        long = "prometheus.url",
        id = "prometheus.url",
        value_name = "URL",
        default_value = "http://localhost:9090"
    )]
    pub(crate) url: String,
    /// YAML with the HTTP client's configuration: basic_auth, bearer_token, proxy_url, tls_config, transport_config
    #[arg(
        long = "prometheus.http-client",
        id = "prometheus.http-client",
        value_name = "YAML",
        conflicts_with = "client_file"
    )]
    client: Option<String>,
    /// File with the HTTP client's configuration
    #[arg(long = "prometheus.http-client-file", value_name = "FILE", id = "client_file")]
    client_file: Option<PathBuf>,
}

impl PrometheusFlags {
    /// The client that the flags describe.
    pub(crate) fn client(&self) -> anyhow::Result<HttpClient> {
        let url = &self.url;
        if !(url.starts_with("http://") || url.starts_with("https://")) {
            bail!("--prometheus.url={url}: write it with its scheme, as in http://localhost:9090");
        }
        let yaml = match (&self.client, &self.client_file) {
            (Some(text), _) => text.clone(),
            (None, Some(path)) => read(path).context("--prometheus.http-client-file")?,
            (None, None) => String::new(),
        };
        Ok(HttpClient::new(Settings::from_yaml(&yaml)?)?)
    }
}

/// A path that may be empty, which stands for none.
pub(crate) fn path(text: &str) -> Result<PathBuf, std::convert::Infallible> {
    Ok(PathBuf::from(text))
}

#[expect(clippy::disallowed_methods, reason = "commands are the world outside")]
fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// A duration of a flag in the terms of blocks.
pub(crate) fn prom_duration(duration: GoDuration) -> anyhow::Result<PromDuration> {
    let millis = i64::try_from(duration.0.as_millis()).context("a duration that is too long")?;
    Ok(PromDuration::from_millis(millis))
}
