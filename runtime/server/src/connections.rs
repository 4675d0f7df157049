//! Takes connections, speaks TLS where it is set up, and lets open requests end when the server stops.
//!
//! One loop for HTTP and gRPC: both are hyper connections that carry a tower service.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;
use tracing::{debug, warn};

/// Whoever has not finished its handshake by then is gone.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// After an error that concerns the listener, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The TLS configuration for the next connection; asked each time, so that certificates can be replaced.
pub(crate) type CurrentTls = Arc<dyn Fn() -> Arc<ServerConfig> + Send + Sync>;

/// Where a request came from.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

/// How connections are served.
#[derive(Clone)]
pub(crate) struct Connections {
    pub(crate) builder: Builder<TokioExecutor>,
    pub(crate) tls: Option<CurrentTls>,
    /// A connection older than this takes no new requests.
    pub(crate) age_max: Option<Duration>,
}

impl Connections {
    /// Connections of the HTTP server: HTTP/1 and HTTP/2.
    pub(crate) fn http(tls: Option<CurrentTls>, http2: bool) -> Self {
        let mut builder = Builder::new(TokioExecutor::new());
        // Longer than what clients keep idle connections for, so that it is they who close them.
        builder.http1().timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(300));
        if http2 {
            builder.http2().timer(TokioTimer::new()).max_concurrent_streams(1000);
        } else {
            builder = builder.http1_only();
        }
        Self { builder, tls, age_max: None }
    }

    /// Serves until `stop` is cancelled; what is open then has `grace` to end.
    pub(crate) async fn serve<S, B>(
        self,
        listener: TcpListener,
        service: S,
        stop: CancellationToken,
        grace: Duration,
    ) where
        S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let tracker = TaskTracker::new();
        let end = CancellationToken::new();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = stop.cancelled() => break,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let one = self.clone().connection(stream, peer, service.clone(), stop.clone());
                    let end = end.clone();
                    tracker.spawn(async move {
                        tokio::select! {
                            () = one => {}
                            () = end.cancelled() => {}
                        }
                    });
                }
                Err(error) => {
                    warn!(msg = "a connection was not accepted", err = %error);
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop(listener);
        tracker.close();
        if tokio::time::timeout(grace, tracker.wait()).await.is_err() {
            end.cancel();
            tracker.wait().await;
        }
    }

    async fn connection<S, B>(self, stream: TcpStream, peer: SocketAddr, service: S, stop: CancellationToken)
    where
        S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let _ = stream.set_nodelay(true);
        let service = WithPeer { service, peer };
        let Some(tls) = &self.tls else {
            return self.drive(stream, peer, service, stop).await;
        };
        let handshake = TlsAcceptor::from(tls()).accept(stream);
        match tokio::time::timeout(HANDSHAKE_TIMEOUT, handshake).await {
            Ok(Ok(stream)) => self.drive(stream, peer, service, stop).await,
            // Probes of load balancers open a connection and say nothing.
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                debug!(msg = "TLS handshake error", remote = %peer, err = %error);
            }
            Ok(Err(error)) => warn!(msg = "TLS handshake error", remote = %peer, err = %error),
            Err(_) => debug!(msg = "TLS handshake took too long", remote = %peer),
        }
    }

    async fn drive<I, S, B>(self, io: I, peer: SocketAddr, service: WithPeer<S>, stop: CancellationToken)
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let served =
            self.builder.serve_connection_with_upgrades(TokioIo::new(io), TowerToHyperService::new(service));
        let mut served = pin!(served);
        let age = async {
            match self.age_max {
                Some(age) => tokio::time::sleep(age).await,
                None => std::future::pending().await,
            }
        };
        let ended = tokio::select! {
            ended = served.as_mut() => Some(ended),
            () = stop.cancelled() => None,
            () = age => None,
        };
        let ended = match ended {
            Some(ended) => ended,
            None => {
                served.as_mut().graceful_shutdown();
                served.await
            }
        };
        if let Err(error) = ended {
            debug!(msg = "connection ended", remote = %peer, err = %error);
        }
    }
}

/// Tells the service whose request it is.
#[derive(Clone)]
struct WithPeer<S> {
    service: S,
    peer: SocketAddr,
}

impl<S: Service<Request<Incoming>>> Service<Request<Incoming>> for WithPeer<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(
        &mut self,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Self::Error>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(Peer(self.peer));
        self.service.call(request)
    }
}
