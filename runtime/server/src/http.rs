//! The HTTP server of a component: `/metrics`, `/-/healthy`, `/-/ready`, and whatever the component adds.
//!
//! Around each request: its id, its span, its metrics, a panic answered with 500; TLS and passwords as `--http.config` says.

mod around;
mod auth;
mod metrics;
mod web_config;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower_http::compression::CompressionLayer;

use self::around::Around;
use crate::connections::Connections;
use crate::listen::{self, ListenError};
use crate::metrics::Metrics;
use crate::probe::Probe;
use crate::request_log::RequestLog;

pub use metrics::{HttpMetrics, TenantHeader};
pub use web_config::{WebConfig, WebConfigError};

/// Why the server does not run.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The address does not do.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The server ended.
    #[error("HTTP server")]
    Serve(#[source] std::io::Error),
}

/// A server that listens already, and serves as soon as [`Server::run`] is called.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    local: SocketAddr,
    words: Words,
    web: Option<WebConfig>,
    metrics: Option<HttpMetrics>,
    log: RequestLog,
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
        Words { healthy: "OK", ready: "OK", not_ready: "NOT OK\n" }
    }
}

impl Server {
    /// Listens on `HOST:PORT`; `:PORT` means every address, as in Go; port 0 picks a free one.
    ///
    /// # Errors
    /// When the address is malformed or taken.
    pub async fn listen(address: &str) -> Result<Self, ServeError> {
        let listener = listen::bind(address, listen::HTTP).await?;
        let local = listener.local_addr().map_err(ServeError::Serve)?;
        Ok(Self {
            listener,
            local,
            words: Words::default(),
            web: None,
            metrics: None,
            log: RequestLog::default(),
        })
    }

    /// The same with other answers of the probes.
    #[must_use]
    pub fn with_words(self, words: Words) -> Self {
        Self { words, ..self }
    }

    /// The same with TLS, passwords and headers of a web configuration.
    #[must_use]
    pub fn with_web_config(self, web: WebConfig) -> Self {
        Self { web: Some(web), ..self }
    }

    /// The same with metrics of the API's requests.
    #[must_use]
    pub fn with_metrics(self, metrics: HttpMetrics) -> Self {
        Self { metrics: Some(metrics), ..self }
    }

    /// Logs requests as `--request.logging-config` says.
    #[must_use]
    pub fn with_request_log(self, log: RequestLog) -> Self {
        Self { log, ..self }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.local
    }

    /// Serves until `stop` is cancelled; then open requests have `grace` to end.
    ///
    /// # Errors
    /// None today: a connection that breaks ends alone.
    pub async fn run(
        self,
        routes: Router,
        metrics: Metrics,
        probe: Probe,
        stop: CancellationToken,
        grace: Duration,
    ) -> Result<(), ServeError> {
        let words = self.words;
        let around = Arc::new(Around { metrics: self.metrics, log: self.log });
        let mut router = routes
            .merge(Router::new().route("/metrics", get(exposition)).with_state(metrics))
            .route("/-/healthy", get(move || async move { words.healthy }))
            .merge(Router::new().route("/-/ready", get(ready)).with_state((probe, words)))
            .route("/debug/pprof/", any(no_profile))
            .route("/debug/pprof/{*profile}", any(no_profile))
            .route("/debug/fgprof", any(no_profile))
            .layer(from_fn(around::not_found))
            .layer(CompressionLayer::new())
            .layer(from_fn_with_state(around, around::around));
        let (mut tls, mut http2) = (None, true);
        if let Some(web) = self.web {
            (tls, http2) = (web.tls(), web.http2());
            router = router.layer(from_fn_with_state(web, auth::guard));
        }
        Connections::http(tls, http2).serve(self.listener, router, stop, grace).await;
        Ok(())
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
        // Go's errors end with a new line, and forbid to guess what they are.
        false if words.not_ready.ends_with('\n') => {
            let sniff = (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
            (StatusCode::SERVICE_UNAVAILABLE, [sniff], words.not_ready).into_response()
        }
        false => (StatusCode::SERVICE_UNAVAILABLE, words.not_ready).into_response(),
    }
}

/// Profiles of Go's runtime do not exist here; whoever collects them hears it, instead of getting something else.
async fn no_profile() -> Response {
    let text = "this program has no Go runtime to profile; use perf, or any profiler of native programs\n";
    (StatusCode::NOT_IMPLEMENTED, text).into_response()
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
