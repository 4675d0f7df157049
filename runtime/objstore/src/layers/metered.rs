//! A bucket that is counted, under the names that Thanos' dashboards and alerts read.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::task::{Context, Poll};

use async_trait::async_trait;
use bytes::Bytes;
use futures::Stream;
use futures::stream::BoxStream;
use prom_model::Clock;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use tokio::time::Instant;

use super::Operation;
use crate::read::ByteStream;
use crate::{Attributes, Body, Bucket, BucketError, BucketRef, Entry, Get, Listing, Put, Written};

type Labels = Vec<(&'static str, String)>;
type Histograms = Family<Labels, Histogram, fn() -> Histogram>;

/// Metrics of all buckets of a process, registered once.
#[derive(Debug, Clone)]
pub struct BucketMetrics {
    operations: Family<Labels, Counter>,
    failures: Family<Labels, Counter>,
    fetched: Family<Labels, Counter>,
    transferred: Histograms,
    seconds: Histograms,
    last_upload: Family<Labels, Gauge<f64, AtomicU64>>,
    requests: Family<Labels, Counter>,
}

impl BucketMetrics {
    /// Registers `thanos_objstore_bucket_*` and `pronoia_objstore_requests_total`.
    pub fn register(registry: &mut Registry) -> Self {
        let seconds: fn() -> Histogram = || {
            Histogram::new([0.001, 0.01, 0.1, 0.3, 0.6, 1.0, 3.0, 6.0, 9.0, 20.0, 30.0, 60.0, 90.0, 120.0])
        };
        // 32 KiB to 1 GiB.
        let bytes: fn() -> Histogram = || Histogram::new((15..31).map(|power| f64::from(1_u32 << power)));
        let metrics = Self {
            operations: Family::default(),
            failures: Family::default(),
            fetched: Family::default(),
            transferred: Family::new_with_constructor(bytes),
            seconds: Family::new_with_constructor(seconds),
            last_upload: Family::default(),
            requests: Family::default(),
        };
        let m = metrics.clone();
        let one = registry.sub_registry_with_prefix("thanos_objstore_bucket");
        one.register("operations", "Operations on a bucket that were attempted", m.operations);
        one.register(
            "operation_failures",
            "Operations on a bucket that failed; not finding an object is no failure",
            m.failures,
        );
        one.register("operation_fetched_bytes", "Bytes that came from a bucket", m.fetched);
        one.register("operation_transferred_bytes", "Bytes to or from a bucket by operation", m.transferred);
        one.register(
            "operation_duration_seconds",
            "How long operations on a bucket took that succeeded",
            m.seconds,
        );
        one.register(
            "last_successful_upload_time",
            "When an upload to the bucket was last successful, in seconds since 1970",
            m.last_upload,
        );
        let ours = registry.sub_registry_with_prefix("pronoia_objstore");
        ours.register(
            "requests",
            "Requests to a bucket by price: A writes and lists, B reads, free deletes",
            m.requests,
        );
        metrics
    }

    /// Counts requests of this bucket by what they cost.
    pub fn requests_of(&self, bucket: &str) -> RequestCounts {
        let class = |class: &str| {
            let labels = vec![("bucket", bucket.to_owned()), ("class", class.to_owned())];
            self.requests.get_or_create(&labels).clone()
        };
        RequestCounts { writes: class("A"), reads: class("B"), free: class("free") }
    }
}

/// Requests of one bucket by what they cost.
#[derive(Debug, Clone)]
pub struct RequestCounts {
    writes: Counter,
    reads: Counter,
    free: Counter,
}

impl RequestCounts {
    /// Counts an HTTP request.
    pub(crate) fn count(&self, method: &str, query: &str) {
        let is_list = query.split('&').any(|part| part.starts_with("list-type=") || part == "comp=list");
        let class = match method {
            "DELETE" => &self.free,
            "GET" | "HEAD" if !is_list => &self.reads,
            _ => &self.writes,
        };
        class.inc();
    }
}

/// Counts every operation, with how long it took and how much it carried.
pub struct Metered {
    inner: BucketRef,
    metrics: BucketMetrics,
    /// The label.
    bucket: String,
    clock: Arc<dyn Clock>,
}

impl Metered {
    /// Wraps a bucket; `label` is what the label `bucket` says.
    pub fn new(inner: BucketRef, metrics: BucketMetrics, label: &str, clock: Arc<dyn Clock>) -> Self {
        let metered = Self { inner, metrics, bucket: label.to_owned(), clock };
        // Dashboards divide by these: they are there before the first operation.
        use Operation::{Attributes, Delete, Exists, Get, GetRange, List, Put};
        for operation in [List, Get, GetRange, Exists, Put, Delete, Attributes] {
            let labels = metered.labels(operation);
            drop(metered.metrics.operations.get_or_create(&labels));
            drop(metered.metrics.failures.get_or_create(&labels));
            drop(metered.metrics.seconds.get_or_create(&labels));
            if matches!(operation, Get | GetRange | Put) {
                drop(metered.metrics.fetched.get_or_create(&labels));
                drop(metered.metrics.transferred.get_or_create(&labels));
            }
        }
        drop(metered.metrics.last_upload.get_or_create(&metered.bucket_label()));
        metered
    }

    fn labels(&self, operation: Operation) -> Labels {
        vec![("bucket", self.bucket.clone()), ("operation", operation.to_string())]
    }

    fn bucket_label(&self) -> Labels {
        vec![("bucket", self.bucket.clone())]
    }

    fn begin(&self, operation: Operation) -> Timing {
        let labels = self.labels(operation);
        self.metrics.operations.get_or_create(&labels).inc();
        Timing { metrics: self.metrics.clone(), labels, began: Instant::now() }
    }
}

/// An operation that runs.
struct Timing {
    metrics: BucketMetrics,
    labels: Labels,
    began: Instant,
}

impl Timing {
    fn succeeded(&self) {
        self.metrics.seconds.get_or_create(&self.labels).observe(self.began.elapsed().as_secs_f64());
    }

    fn failed(&self, error: &BucketError) {
        // That something is or is not there is an answer.
        if !matches!(error, BucketError::NotFound { .. } | BucketError::AlreadyExists { .. }) {
            self.metrics.failures.get_or_create(&self.labels).inc();
        }
    }

    fn end<T>(&self, done: Result<T, BucketError>) -> Result<T, BucketError> {
        match &done {
            Ok(_) => self.succeeded(),
            Err(error) => self.failed(error),
        }
        done
    }

    fn carried(&self, bytes: u64, fetched: bool) {
        self.metrics.transferred.get_or_create(&self.labels).observe(bytes as f64);
        if fetched {
            self.metrics.fetched.get_or_create(&self.labels).inc_by(bytes);
        }
    }
}

/// A stream whose end is the end of the operation.
struct Counted<S> {
    inner: S,
    timing: Timing,
    /// Bytes that came, for bodies.
    bytes: Option<u64>,
    failed: bool,
}

impl<T: Length, S: Stream<Item = Result<T, BucketError>> + Unpin> Stream for Counted<S> {
    type Item = Result<T, BucketError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = Pin::new(&mut self.inner).poll_next(context);
        match &next {
            Poll::Ready(Some(Ok(item))) => {
                let length = item.length();
                self.bytes = self.bytes.map(|bytes| bytes.saturating_add(length));
            }
            Poll::Ready(Some(Err(error))) => {
                self.failed = true;
                self.timing.failed(error);
            }
            _ => {}
        }
        next
    }
}

impl<S> Drop for Counted<S> {
    /// A reader that has enough ends the operation as one does that has all.
    fn drop(&mut self) {
        if !self.failed {
            self.timing.succeeded();
        }
        if let Some(bytes) = self.bytes {
            self.timing.carried(bytes, true);
        }
    }
}

/// How many bytes an item of a stream brings.
trait Length {
    fn length(&self) -> u64;
}

impl Length for Bytes {
    fn length(&self) -> u64 {
        self.len() as u64
    }
}

impl Length for Entry {
    fn length(&self) -> u64 {
        0
    }
}

#[async_trait]
impl Bucket for Metered {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn creates_atomically(&self) -> bool {
        self.inner.creates_atomically()
    }

    fn list<'a>(&'a self, folder: &str, listing: Listing) -> BoxStream<'a, Result<Entry, BucketError>> {
        let folder = folder.to_owned();
        let entries = async move {
            let timing = self.begin(Operation::List);
            Counted { inner: self.inner.list(&folder, listing), timing, bytes: None, failed: false }
        };
        Box::pin(futures::FutureExt::flatten_stream(entries))
    }

    async fn get(&self, name: &str) -> Result<Get, BucketError> {
        let timing = self.begin(Operation::Get);
        match self.inner.get(name).await {
            Ok(Get { attributes, body }) => {
                let body: ByteStream =
                    Box::pin(Counted { inner: body, timing, bytes: Some(0), failed: false });
                Ok(Get { attributes, body })
            }
            Err(error) => timing.end(Err(error)),
        }
    }

    async fn get_range(&self, name: &str, offset: u64, length: u64) -> Result<Bytes, BucketError> {
        let timing = self.begin(Operation::GetRange);
        let bytes = timing.end(self.inner.get_range(name, offset, length).await)?;
        timing.carried(bytes.len() as u64, true);
        Ok(bytes)
    }

    async fn exists(&self, name: &str) -> Result<bool, BucketError> {
        self.begin(Operation::Exists).end(self.inner.exists(name).await)
    }

    async fn attributes(&self, name: &str) -> Result<Attributes, BucketError> {
        self.begin(Operation::Attributes).end(self.inner.attributes(name).await)
    }

    async fn put(&self, name: &str, body: Arc<dyn Body>, put: Put) -> Result<Written, BucketError> {
        let timing = self.begin(Operation::Put);
        let size = body.size();
        let written = timing.end(self.inner.put(name, body, put).await)?;
        timing.carried(size, false);
        let now = self.clock.now().as_secs_f64();
        self.metrics.last_upload.get_or_create(&self.bucket_label()).set(now);
        Ok(written)
    }

    async fn delete(&self, name: &str) -> Result<(), BucketError> {
        self.begin(Operation::Delete).end(self.inner.delete(name).await)
    }
}

impl fmt::Debug for Metered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Metered({:?})", self.inner)
    }
}
