//! What runs in a component, and the order in which it stops.
//!
//! Stopping: not ready first, so that nobody sends more; then open gRPC calls end within their grace period, then HTTP requests
//! within theirs, so that the last scrape still sees what happened; then the component's own tasks are joined.

use std::future::Future;
use std::time::Duration;

use axum::Router;
use thiserror::Error;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::grpc::ListeningGrpcServer;
use crate::http::Server;
use crate::metrics::Metrics;
use crate::probe::Probe;

/// Why a component ended by itself.
#[derive(Debug, Error)]
#[error("{task}")]
pub struct RunError {
    task: &'static str,
    #[source]
    cause: Box<dyn std::error::Error + Send + Sync>,
}

/// All tasks of a component. The first that fails ends all.
#[derive(Debug)]
pub struct RunGroup {
    probe: Probe,
    stop: CancellationToken,
    tasks: JoinSet<Result<(), RunError>>,
    grpc: Vec<JoinHandle<()>>,
    grpc_stop: CancellationToken,
    http: Vec<JoinHandle<()>>,
    http_stop: CancellationToken,
    /// What failed before the component served.
    failed: Option<RunError>,
}

impl RunGroup {
    /// An empty group. Cancelling `stop` ends it in order.
    pub fn new(probe: Probe, stop: CancellationToken) -> Self {
        Self {
            probe,
            stop,
            tasks: JoinSet::new(),
            grpc: Vec::new(),
            grpc_stop: CancellationToken::new(),
            http: Vec::new(),
            http_stop: CancellationToken::new(),
            failed: None,
        }
    }

    /// Serves HTTP from now on.
    pub fn http(&mut self, server: Server, routes: Router, metrics: Metrics, grace: Duration) {
        info!(msg = "listening for requests and metrics", service = "http/server", address = %server.address());
        let serving = server.run(routes, metrics, self.probe.clone(), self.http_stop.clone(), grace);
        self.http.push(tokio::spawn(async move {
            if let Err(failure) = serving.await {
                let failure: &dyn std::error::Error = &failure;
                error!(msg = "HTTP server ended", err = failure);
            }
        }));
    }

    /// Serves gRPC from now on.
    pub fn grpc(&mut self, server: ListeningGrpcServer) {
        self.grpc.push(tokio::spawn(server.run(self.grpc_stop.clone())));
    }

    /// Runs a task of the component. It should end soon after `stop` is cancelled; when it fails, the component ends.
    pub fn task<E>(&mut self, name: &'static str, task: impl Future<Output = Result<(), E>> + Send + 'static)
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.tasks
            .spawn(async move { task.await.map_err(|cause| RunError { task: name, cause: cause.into() }) });
    }

    /// Waits for what has to come before the component serves; `None` if it has to stop first, or a task failed.
    pub async fn before<T>(&mut self, preparation: impl Future<Output = T>) -> Option<T> {
        let mut preparation = std::pin::pin!(preparation);
        loop {
            tokio::select! {
                done = &mut preparation => return Some(done),
                () = self.stop.cancelled() => return None,
                Some(ended) = self.tasks.join_next() => {
                    if let Err(failure) = flat(ended) {
                        self.failed = Some(failure);
                        return None;
                    }
                }
            }
        }
    }

    /// Waits until the component is told to stop or a task fails, and stops everything in order.
    ///
    /// # Errors
    /// That of the first task that failed.
    pub async fn wait(mut self) -> Result<(), RunError> {
        let mut result = loop {
            if let Some(failure) = self.failed.take() {
                break Err(failure);
            }
            tokio::select! {
                () = self.stop.cancelled() => break Ok(()),
                Some(ended) = self.tasks.join_next() => {
                    if let Err(failure) = flat(ended) {
                        break Err(failure);
                    }
                }
            }
        };
        self.probe.not_ready(if result.is_ok() { "stopping" } else { "a task failed" });
        self.stop.cancel();
        self.grpc_stop.cancel();
        for server in self.grpc {
            let _ = server.await;
        }
        self.http_stop.cancel();
        for server in self.http {
            let _ = server.await;
        }
        while let Some(ended) = self.tasks.join_next().await {
            result = result.and(flat(ended));
        }
        result
    }
}

/// A panic is a failure.
fn flat(ended: Result<Result<(), RunError>, tokio::task::JoinError>) -> Result<(), RunError> {
    ended.unwrap_or_else(|cause| Err(RunError { task: "a task", cause: cause.into() }))
}
