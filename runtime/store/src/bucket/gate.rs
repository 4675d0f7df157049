//! How many calls of `Series` are served at the same time; `--store.grpc.series-max-concurrency`.

use std::sync::Arc;

use prom_model::Clock;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::Status;

use super::metrics::GateMetrics;

/// Lets some in and makes the others wait.
#[derive(Debug)]
pub(super) struct Gate {
    places: Arc<Semaphore>,
    metrics: GateMetrics,
}

/// A place inside; left when dropped.
#[derive(Debug)]
pub(super) struct Turn {
    _place: Option<OwnedSemaphorePermit>,
    metrics: GateMetrics,
}

impl Gate {
    /// 0 lets everybody in.
    pub(super) fn new(places: usize, metrics: GateMetrics) -> Self {
        metrics.max.set(places as i64);
        let places = if places == 0 { Semaphore::MAX_PERMITS } else { places.min(Semaphore::MAX_PERMITS) };
        Gate { places: Arc::new(Semaphore::new(places)), metrics }
    }

    /// Waits for a place.
    pub(super) async fn enter(&self, clock: &dyn Clock) -> Result<Turn, Status> {
        let start = clock.now();
        let place = Arc::clone(&self.places).acquire_owned().await;
        let place = place.map_err(|_| Status::unavailable("failed to wait for turn: the store is closed"))?;
        self.metrics.waited.observe(clock.now().since(start).as_secs_f64());
        self.metrics.total.inc();
        self.metrics.in_flight.inc();
        Ok(Turn { _place: Some(place), metrics: self.metrics.clone() })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.metrics.in_flight.dec();
    }
}
