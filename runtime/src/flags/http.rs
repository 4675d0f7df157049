//! `--http-*`, `--http.config`: the HTTP server.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use server::duration::GoDuration;
use server::http::{Server, WebConfig};

/// `--http-address`, `--http-grace-period`, `--http.config`.
#[derive(Debug, Args)]
pub(crate) struct HttpFlags {
    /// Listen host:port for HTTP endpoints
    #[arg(
        long = "http-address",
        id = "http-address",
        value_name = "HOST:PORT",
        default_value = "0.0.0.0:10902"
    )]
    pub(crate) address: String,
    /// Time to wait for open requests when the component stops
    #[arg(
        long = "http-grace-period",
        id = "http-grace-period",
        value_name = "DURATION",
        default_value = "2m"
    )]
    grace: GoDuration,
    /// File with the configuration of TLS and authentication for all HTTP endpoints
    #[arg(
        long = "http.config",
        id = "http.config",
        value_name = "FILE",
        default_value = "", value_parser = crate::flags::path,
        hide_default_value = true
    )]
    config: PathBuf,
}

impl HttpFlags {
    pub(crate) fn grace(&self) -> Duration {
        self.grace.0
    }

    /// A server that listens, with TLS and passwords if the flags ask for them.
    pub(crate) async fn listen(&self) -> anyhow::Result<Server> {
        let web = match self.config.as_os_str().is_empty() {
            true => None,
            false => Some(WebConfig::read(&self.config)?),
        };
        let server = Server::listen(&self.address).await?;
        Ok(match web {
            Some(web) => server.with_web_config(web),
            None => server,
        })
    }
}
