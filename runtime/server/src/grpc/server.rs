//! The gRPC server of a component.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::service::{Routes, RoutesBuilder};
use tonic_health::pb::health_server::HealthServer;
use tower::Service;
use tracing::info;

use super::REQUEST_MAX;
use super::health::ProbeHealth;
use super::methods::{self, Methods};
use super::metrics::{CallMetrics, Side};
use super::observe::{Observed, Settings};
use crate::connections::{Connections, CurrentTls};
use crate::listen::{self, ListenError};
use crate::probe::Probe;
use crate::request_log::RequestLog;
use crate::tls::{ServerTls, ServerTlsSettings, TlsError};

/// Why there is no gRPC server.
#[derive(Debug, Error)]
pub enum GrpcError {
    /// The address does not do.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The certificates do not do.
    #[error("gRPC server TLS")]
    Tls(#[from] TlsError),
    /// The descriptors of the services are damaged.
    #[error("descriptors of the gRPC services")]
    Descriptors(#[from] prost::DecodeError),
    /// The descriptors cannot be served.
    #[error("gRPC reflection")]
    Reflection(#[from] tonic_reflection::server::Error),
}

/// Settings of the server: what `--grpc-*` flags say.
#[derive(Debug, Clone)]
pub struct GrpcSettings {
    /// `HOST:PORT`
    pub address: String,
    /// Certificates, if it speaks TLS.
    pub tls: Option<ServerTlsSettings>,
    /// A connection older than this takes no new calls; zero means no limit.
    pub connection_age_max: Duration,
    /// How long open calls may go on when the server stops.
    pub grace: Duration,
    /// The largest message from a client, in bytes, after it was unpacked.
    pub request_max: usize,
}

impl Default for GrpcSettings {
    /// Thanos' defaults.
    fn default() -> Self {
        Self {
            address: "0.0.0.0:10901".to_owned(),
            tls: None,
            connection_age_max: Duration::from_secs(3600),
            grace: Duration::from_secs(120),
            request_max: REQUEST_MAX,
        }
    }
}

/// A server to which services are added; it comes with health and reflection.
pub struct GrpcServer {
    settings: GrpcSettings,
    tls: Option<ServerTls>,
    routes: RoutesBuilder,
    methods: Methods,
    served: Vec<&'static str>,
    calls: CallMetrics,
    panics: Counter,
    log: RequestLog,
}

impl std::fmt::Debug for GrpcServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GrpcServer")
            .field("settings", &self.settings)
            .field("served", &self.served)
            .finish_non_exhaustive()
    }
}

impl GrpcServer {
    /// A server of services that `descriptors` (an encoded `FileDescriptorSet`) describes.
    ///
    /// Metrics are registered here; the probe is what the health service answers.
    ///
    /// # Errors
    /// When certificates cannot be read or descriptors cannot be decoded.
    pub fn new(
        settings: GrpcSettings,
        descriptors: &[u8],
        probe: Probe,
        registry: &mut Registry,
    ) -> Result<Self, GrpcError> {
        let tls = settings.tls.as_ref().map(|tls| ServerTls::new(tls, &["h2"])).transpose()?;
        let all = [
            descriptors,
            tonic_health::pb::FILE_DESCRIPTOR_SET,
            tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
            tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
        ];
        let mut methods = Methods::new();
        for set in all {
            methods.append(&mut methods::read(set)?);
        }
        let reflection = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(descriptors)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        };
        let panics = Counter::default();
        registry.register(
            "grpc_req_panics_recovered",
            "Total number of gRPC requests recovered from internal panic",
            panics.clone(),
        );
        let server = Self {
            settings,
            tls,
            routes: Routes::builder(),
            methods,
            served: Vec::new(),
            calls: CallMetrics::register(Side::Server, registry),
            panics,
            log: RequestLog::default(),
        };
        Ok(server
            .add(HealthServer::new(ProbeHealth(probe)))
            .add(reflection().build_v1()?)
            .add(reflection().build_v1alpha()?))
    }

    /// Adds a service. Its own limit on the size of messages should be lifted: the server has one.
    #[must_use]
    #[expect(clippy::should_implement_trait, reason = "a server and a service have no sum")]
    pub fn add<S>(mut self, service: S) -> Self
    where
        S: Service<Request<Body>, Error = Infallible> + NamedService + Clone + Send + Sync + 'static,
        S::Response: axum::response::IntoResponse,
        S::Future: Send + 'static,
    {
        self.routes.add_service(service);
        self.served.push(S::NAME);
        self
    }

    /// Logs calls as `--request.logging-config` says.
    #[must_use]
    pub fn with_request_log(self, log: RequestLog) -> Self {
        Self { log, ..self }
    }

    /// Listens; nothing is answered before [`ListeningGrpcServer::run`].
    ///
    /// # Errors
    /// When the address is malformed or taken.
    pub async fn listen(self) -> Result<ListeningGrpcServer, GrpcError> {
        let listener = listen::bind(&self.settings.address, listen::GRPC).await?;
        let address = listener
            .local_addr()
            .map_err(|cause| ListenError::Listen { address: self.settings.address.clone(), cause })?;
        Ok(ListeningGrpcServer { server: self, listener, address })
    }
}

/// A server that has its address.
#[derive(Debug)]
pub struct ListeningGrpcServer {
    server: GrpcServer,
    listener: TcpListener,
    address: SocketAddr,
}

impl ListeningGrpcServer {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` is cancelled; open calls then have the grace period to end.
    pub async fn run(self, stop: CancellationToken) {
        let server = self.server;
        info!(msg = "listening for serving gRPC", service = "gRPC/server", address = %self.address);
        let methods: BTreeMap<_, _> = server
            .methods
            .iter()
            .filter(|(_, method)| server.served.contains(&method.service.as_str()))
            .map(|(path, method)| (path.clone(), server.calls.method(method)))
            .collect();
        let settings = Settings {
            methods,
            services: server.served,
            panics: server.panics,
            request_max: server.settings.request_max,
            log: server.log,
        };
        let service = Observed { routes: server.routes.routes().prepare(), settings: Arc::new(settings) };
        let age = server.settings.connection_age_max;
        let tls = server.tls.map(|tls| -> CurrentTls { Arc::new(move || Arc::clone(&tls.config)) });
        let connections = Connections { builder: builder(), tls, age_max: (!age.is_zero()).then_some(age) };
        connections.serve(self.listener, service, stop, server.settings.grace).await;
        info!(msg = "internal server is shutdown", service = "gRPC/server");
    }
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new()).http2_only();
    builder
        .http2()
        .timer(TokioTimer::new())
        // The default holds back large requests on links with a delay.
        .initial_stream_window_size(Some(1 << 20))
        .initial_connection_window_size(Some(4 << 20))
        // A querier puts all its calls into one connection.
        .max_concurrent_streams(10_000)
        // Finds peers that went away without a word.
        .keep_alive_interval(Some(Duration::from_secs(60)))
        .keep_alive_timeout(Duration::from_secs(20));
    builder
}
