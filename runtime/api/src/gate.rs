//! The gate of the querier: so many queries at once, counted under Thanos' names.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// Seconds that queries wait.
const BUCKETS: [f64; 16] =
    [0.01, 0.1, 0.3, 0.6, 1.0, 3.0, 6.0, 9.0, 20.0, 30.0, 60.0, 90.0, 120.0, 240.0, 360.0, 720.0];

/// Lets so many queries pass at once (`--query.max-concurrent`).
#[derive(Debug)]
pub struct Gate {
    /// `None`: everybody passes.
    places: Option<Arc<Semaphore>>,
    waited: Histogram,
    passed: Counter,
    inside: Gauge<i64, AtomicI64>,
}

impl Gate {
    /// A gate for so many queries (0: no gate), with its metrics `thanos_query_concurrent_gate_queries_*`.
    pub fn register(registry: &mut Registry, queries_max: usize) -> Self {
        let name = |name: &str| format!("thanos_query_concurrent_gate_queries_{name}");
        let (waited, passed, inside) = (Histogram::new(BUCKETS), Counter::default(), Gauge::default());
        let max: Gauge = Gauge::default();
        max.set(i64::try_from(queries_max).unwrap_or(i64::MAX));
        registry.register(name("max"), "Maximum number of concurrent queries", max);
        registry.register(
            name("in_flight"),
            "Number of queries that are currently in flight",
            inside.clone(),
        );
        // The total's name gets its ending from the exposition.
        registry.register("thanos_query_concurrent_gate_queries", "Total number of queries", passed.clone());
        registry.register(
            name("duration_seconds"),
            "How many seconds it took for queries to wait at the gate",
            waited.clone(),
        );
        let places = (queries_max > 0).then(|| Arc::new(Semaphore::new(queries_max)));
        Gate { places, waited, passed, inside }
    }

    /// Waits for a place; it is given back when the result is dropped. `None` when the gate is closed.
    pub(crate) async fn enter(&self) -> Option<Inside> {
        let begun = Instant::now();
        let place = match &self.places {
            Some(places) => Some(Arc::clone(places).acquire_owned().await.ok()?),
            None => None,
        };
        self.waited.observe(begun.elapsed().as_secs_f64());
        self.passed.inc();
        self.inside.inc();
        Some(Inside { _place: place, inside: self.inside.clone() })
    }
}

/// A place behind the gate.
#[derive(Debug)]
pub(crate) struct Inside {
    _place: Option<OwnedSemaphorePermit>,
    inside: Gauge<i64, AtomicI64>,
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.inside.dec();
    }
}
