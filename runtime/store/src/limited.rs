//! Any store with limits for each call to `Series`, and with counts of what the calls ask for.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Poll, ready};

use async_trait::async_trait;
use futures::{Stream, StreamExt};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use storeapi::SeriesFrame;
use storeapi::thanos::{
    LabelNamesRequest, LabelNamesResponse, LabelValuesRequest, LabelValuesResponse, SeriesRequest,
};
use tonic::Status;

use crate::{About, Context, Frames, Store};

/// Samples that a chunk is taken to have.
const SAMPLES_PER_CHUNK: u64 = 120;

/// Limits of one call to `Series`; 0 means none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SeriesLimits {
    /// `--store.limits.request-series`
    pub series: u64,
    /// `--store.limits.request-samples`: counted as 120 for each chunk.
    pub samples: u64,
}

/// `thanos_store_server_*` and `thanos_store_selects_dropped_total`.
#[derive(Debug, Clone)]
struct SeriesMetrics {
    series: Histogram,
    chunks: Histogram,
    pending: Gauge,
    dropped: Family<[(&'static str, &'static str); 1], Counter>,
}

impl SeriesMetrics {
    fn register(registry: &mut Registry) -> Self {
        let metrics = SeriesMetrics {
            series: Histogram::new([1.0, 10.0, 1e2, 1e3, 1e4, 1e5, 1e6]),
            chunks: Histogram::new([1.0, 1e2, 1e3, 1e4, 1e5, 1e7, 1e8, 1e9]),
            pending: Gauge::default(),
            dropped: Family::default(),
        };
        for reason in ["series", "chunks"] {
            drop(metrics.dropped.get_or_create(&[("reason", reason)]));
        }
        let server = registry.sub_registry_with_prefix("thanos_store_server");
        server.register("series_requested", "Series in each answer to Series", metrics.series.clone());
        server.register("chunks_requested", "Chunks in each answer to Series", metrics.chunks.clone());
        server.register(
            "pending_series_requests",
            "Calls of Series that are being answered",
            metrics.pending.clone(),
        );
        registry.register(
            "thanos_store_selects_dropped",
            "Calls of Series that were dropped for a limit",
            metrics.dropped.clone(),
        );
        metrics
    }
}

/// A store whose answers to `Series` are counted, and end with an error where they exceed a limit.
#[derive(Debug, Clone)]
pub struct LimitedStore {
    inner: Arc<dyn Store>,
    limits: SeriesLimits,
    metrics: SeriesMetrics,
}

impl LimitedStore {
    /// Puts limits around a store and registers the metrics.
    pub fn new(inner: Arc<dyn Store>, limits: SeriesLimits, registry: &mut Registry) -> Self {
        LimitedStore { inner, limits, metrics: SeriesMetrics::register(registry) }
    }
}

#[async_trait]
impl Store for LimitedStore {
    async fn series(&self, request: SeriesRequest, context: Context) -> Result<Frames, Status> {
        self.metrics.pending.inc();
        // From here on the end of `counted` is the end of the call, whatever happens.
        let mut counted = Counted {
            frames: None,
            limits: self.limits,
            metrics: self.metrics.clone(),
            series: 0,
            chunks: 0,
        };
        counted.frames = Some(self.inner.series(request, context).await?);
        Ok(counted.boxed())
    }

    async fn label_names(
        &self,
        request: LabelNamesRequest,
        context: Context,
    ) -> Result<LabelNamesResponse, Status> {
        self.inner.label_names(request, context).await
    }

    async fn label_values(
        &self,
        request: LabelValuesRequest,
        context: Context,
    ) -> Result<LabelValuesResponse, Status> {
        self.inner.label_values(request, context).await
    }

    fn about(&self) -> About {
        self.inner.about()
    }
}

struct Counted {
    /// `None` after an error.
    frames: Option<Frames>,
    limits: SeriesLimits,
    metrics: SeriesMetrics,
    series: u64,
    chunks: u64,
}

impl Counted {
    fn check(&mut self, frame: &SeriesFrame) -> Result<(), Status> {
        let list = match frame {
            SeriesFrame::Series(series) => std::slice::from_ref(series),
            SeriesFrame::Batch(list) => list,
            SeriesFrame::Warning(_) | SeriesFrame::Hints(_) => &[],
        };
        self.series += list.len() as u64;
        self.chunks += list.iter().map(|series| series.chunks.len() as u64).sum::<u64>();
        let exceeded = |limit, found| limit > 0 && found > limit;
        let refuse = |reason, what: &str, limit: u64, found: u64| {
            self.metrics.dropped.get_or_create(&[("reason", reason)]).inc();
            Err(Status::unknown(format!("failed to send {what}: limit {limit} violated (got {found})")))
        };
        let (series, samples) = (self.series, self.chunks.saturating_mul(SAMPLES_PER_CHUNK));
        if exceeded(self.limits.series, series) {
            return refuse("series", "series", self.limits.series, series);
        }
        if exceeded(self.limits.samples, samples) {
            return refuse("chunks", "samples", self.limits.samples, samples);
        }
        Ok(())
    }
}

impl Stream for Counted {
    type Item = Result<SeriesFrame, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut std::task::Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(frames) = &mut self.frames else { return Poll::Ready(None) };
        let next = match ready!(frames.poll_next_unpin(context)) {
            Some(Ok(frame)) => self.check(&frame).map(|()| frame),
            Some(Err(status)) => Err(status),
            None => return Poll::Ready(None),
        };
        if next.is_err() {
            self.frames = None;
        }
        Poll::Ready(Some(next))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.metrics.pending.dec();
        self.metrics.series.observe(self.series as f64);
        self.metrics.chunks.observe(self.chunks as f64);
    }
}
