//! `grpc.health.v1.Health` for the service "": serving while the probe is ready.

use std::pin::Pin;

use futures::{Stream, StreamExt};
use tokio::sync::watch;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::Health;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use crate::probe::Probe;

/// Answers from the component's probe.
#[derive(Debug, Clone)]
pub(super) struct ProbeHealth(pub(super) Probe);

fn answer(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}

fn status(ready: bool) -> ServingStatus {
    if ready { ServingStatus::Serving } else { ServingStatus::NotServing }
}

#[tonic::async_trait]
impl Health for ProbeHealth {
    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        if request.get_ref().service.is_empty() {
            return Ok(Response::new(answer(status(self.0.is_ready()))));
        }
        Err(Status::not_found("unknown service"))
    }

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        if !request.get_ref().service.is_empty() {
            // The stream stays open, as the protocol asks: the service might come.
            let once = futures::stream::once(async { Ok(answer(ServingStatus::ServiceUnknown)) });
            return Ok(Response::new(once.chain(futures::stream::pending()).boxed()));
        }
        let mut changes: watch::Receiver<bool> = self.0.watch();
        changes.mark_changed();
        let stream = futures::stream::unfold(changes, |mut changes| async move {
            changes.changed().await.ok()?;
            let ready = *changes.borrow_and_update();
            Some((Ok(answer(status(ready))), changes))
        });
        Ok(Response::new(stream.boxed()))
    }
}
