//! The HTTP server of a component: `/metrics`, `/-/healthy`, `/-/ready`, and whatever the component adds.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower_http::compression::CompressionLayer;

use crate::metrics::Metrics;
use crate::probe::Probe;

/// A predecessor that was killed may keep its port for a moment, through a child that it was just starting.
const TAKEN_TRIES: u32 = 10;
const TAKEN_PAUSE: Duration = Duration::from_millis(100);

/// Why the server does not run.
#[derive(Debug, Error)]
pub enum ServeError {
    /// `--http-address` is no address.
    #[error("--http-address={address}: {reason}; write HOST:PORT, as in 0.0.0.0:10902")]
    Address {
        /// As it was given.
        address: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {cause}")]
    Listen {
        /// As it was given.
        address: String,
        /// Why not.
        cause: std::io::Error,
    },
    /// The server ended.
    #[error("HTTP server: {0}")]
    Serve(std::io::Error),
}

/// A server that listens already, and serves as soon as [`Server::run`] is called.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    local: SocketAddr,
    words: Words,
}

/// What the probes answer; monitors of some programs look for their own words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Words {
    /// `/-/healthy`
    pub healthy: &'static str,
    /// `/-/ready`
    pub ready: &'static str,
    /// `/-/ready` before and after, with status 503.
    pub not_ready: &'static str,
}

impl Default for Words {
    /// Thanos'.
    fn default() -> Self {
        Words { healthy: "OK", ready: "OK", not_ready: "NOT OK" }
    }
}

impl Server {
    /// Listens on `HOST:PORT`; `:PORT` means every address, as in Go; port 0 picks a free one.
    ///
    /// # Errors
    /// When the address is malformed or taken.
    pub async fn listen(address: &str) -> Result<Self, ServeError> {
        let full = match address.strip_prefix(':') {
            Some(port) => format!("0.0.0.0:{port}"),
            None => address.to_owned(),
        };
        if full.rsplit_once(':').is_none_or(|(_, port)| port.parse::<u16>().is_err()) {
            let reason = "it has no port between 0 and 65535".to_owned();
            return Err(ServeError::Address { address: address.to_owned(), reason });
        }
        let failed = |cause| ServeError::Listen { address: address.to_owned(), cause };
        let mut listener = TcpListener::bind(&full).await;
        for _ in 0..TAKEN_TRIES {
            if !matches!(&listener, Err(error) if error.kind() == ErrorKind::AddrInUse) {
                break;
            }
            tokio::time::sleep(TAKEN_PAUSE).await;
            listener = TcpListener::bind(&full).await;
        }
        let listener = listener.map_err(failed)?;
        let local = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, local, words: Words::default() })
    }

    /// The same with other answers of the probes.
    #[must_use]
    pub fn with_words(self, words: Words) -> Self {
        Self { words, ..self }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.local
    }

    /// Serves until `stop` is cancelled; then open requests have `grace` to end.
    ///
    /// # Errors
    /// When the listener breaks.
    pub async fn run(
        self,
        routes: Router,
        metrics: Metrics,
        probe: Probe,
        stop: CancellationToken,
        grace: Duration,
    ) -> Result<(), ServeError> {
        let words = self.words;
        let router = routes
            .merge(Router::new().route("/metrics", get(exposition)).with_state(metrics))
            .route("/-/healthy", get(move || async move { words.healthy }))
            .merge(Router::new().route("/-/ready", get(ready)).with_state((probe, words)))
            .layer(CompressionLayer::new());
        let stopped = stop.clone();
        let serving = axum::serve(self.listener, router)
            .with_graceful_shutdown(async move { stop.cancelled().await })
            .into_future();
        tokio::select! {
            result = serving => result.map_err(ServeError::Serve),
            () = async { stopped.cancelled().await; tokio::time::sleep(grace).await } => Ok(()),
        }
    }
}

async fn exposition(State(metrics): State<Metrics>, headers: HeaderMap) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match metrics.exposition(accept) {
        Ok((kind, body)) => ([(header::CONTENT_TYPE, HeaderValue::from_static(kind))], body).into_response(),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, "a metric cannot be encoded\n").into_response(),
    }
}

async fn ready(State((probe, words)): State<(Probe, Words)>) -> Response {
    match probe.is_ready() {
        true => words.ready.into_response(),
        false => (StatusCode::SERVICE_UNAVAILABLE, words.not_ready).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_bad_address_says_how_to_write_it() {
        for address in ["", "localhost", "127.0.0.1:http", "127.0.0.1:99999"] {
            let error = Server::listen(address).await.unwrap_err().to_string();
            assert!(error.contains("write HOST:PORT"), "{address}: {error}");
        }
    }

    #[tokio::test]
    async fn a_taken_port_is_named() {
        let first = Server::listen("127.0.0.1:0").await.unwrap();
        let address = first.address().to_string();
        let error = Server::listen(&address).await.unwrap_err().to_string();
        assert!(error.starts_with(&format!("cannot listen on {address}: ")), "{error}");
    }
}
