//! `thanos_bucket_store_*`.

use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::call::{Amount, Used};

type Labels = Vec<(&'static str, String)>;
type Histograms = Family<Labels, Histogram, fn() -> Histogram>;

/// How long things take.
const SECONDS: [f64; 14] = [0.001, 0.01, 0.1, 0.3, 0.6, 1.0, 3.0, 6.0, 9.0, 20.0, 30.0, 60.0, 90.0, 120.0];

/// Of index-headers.
#[derive(Debug, Clone)]
pub(super) struct HeaderMetrics {
    pub(super) download: Histogram,
    pub(super) load: Histogram,
    pub(super) loads: Counter,
    pub(super) load_failures: Counter,
    pub(super) unloads: Counter,
}

/// Of the whole store.
#[derive(Debug, Clone)]
pub struct Metrics {
    pub(super) block_loads: Counter,
    pub(super) block_load_failures: Counter,
    pub(super) block_drops: Counter,
    pub(super) block_drop_failures: Counter,
    pub(super) blocks_loaded: Gauge,
    pub(super) last_loaded: Gauge<f64, AtomicU64>,
    pub(super) block_load: Histogram,
    pub(super) headers: HeaderMetrics,
    dropped: Family<Labels, Counter>,
    touched: Histograms,
    fetched: Histograms,
    touched_bytes: Histograms,
    fetched_bytes: Histograms,
    pub(super) blocks_queried: Histograms,
    pub(super) get_all: Histograms,
    pub(super) merge: Histograms,
    pub(super) result_series: Histograms,
    pub(super) sent_chunk_bytes: Histograms,
    postings_bytes: Histograms,
    pub(super) postings_fetch: Histograms,
    pub(super) series_fetch: Histograms,
    pub(super) chunks_fetch: Histograms,
    pub(super) empty_postings: Family<Labels, Counter>,
    pub(super) lazy_postings: Counter,
    pub(super) lazy_bytes: Counter,
    pub(super) series_refetches: Family<Labels, Counter>,
    pub(super) chunk_refetches: Family<Labels, Counter>,
    pub(super) gate: GateMetrics,
}

/// Of the gate before `Series`.
#[derive(Debug, Clone)]
pub(super) struct GateMetrics {
    pub(super) max: Gauge,
    pub(super) in_flight: Gauge,
    pub(super) total: Counter,
    pub(super) waited: Histogram,
}

fn seconds() -> Histogram {
    Histogram::new(SECONDS)
}

fn doubling(start: f64, count: u16) -> impl Iterator<Item = f64> {
    (0..count).map(move |power| start * f64::from(1u32 << power))
}

impl Metrics {
    /// Registers Thanos' names.
    pub fn register(registry: &mut Registry) -> Self {
        let items: fn() -> Histogram = || Histogram::new(doubling(200.0, 15));
        let bytes: fn() -> Histogram = || Histogram::new(doubling(1024.0, 15));
        let few: fn() -> Histogram = || Histogram::new(doubling(1.0, 10));
        let results: fn() -> Histogram = || Histogram::new(doubling(100.0, 15));
        let sizes: fn() -> Histogram = || {
            let k = 1024.0;
            Histogram::new([
                32.0,
                256.0,
                512.0,
                k,
                32.0 * k,
                256.0 * k,
                512.0 * k,
                k * k,
                32.0 * k * k,
                256.0 * k * k,
                512.0 * k * k,
            ])
        };
        let family = |make: fn() -> Histogram| Histograms::new_with_constructor(make);
        let metrics = Metrics {
            block_loads: Counter::default(),
            block_load_failures: Counter::default(),
            block_drops: Counter::default(),
            block_drop_failures: Counter::default(),
            blocks_loaded: Gauge::default(),
            last_loaded: Gauge::default(),
            block_load: Histogram::new([0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 15.0, 30.0, 60.0, 90.0, 120.0, 300.0]),
            headers: HeaderMetrics {
                download: Histogram::new([
                    0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 15.0, 30.0, 60.0, 90.0, 120.0, 300.0,
                ]),
                load: Histogram::new([
                    0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 15.0, 30.0, 60.0, 90.0, 120.0, 300.0,
                ]),
                loads: Counter::default(),
                load_failures: Counter::default(),
                unloads: Counter::default(),
            },
            dropped: Family::default(),
            touched: family(items),
            fetched: family(items),
            touched_bytes: family(bytes),
            fetched_bytes: family(bytes),
            blocks_queried: family(few),
            get_all: family(seconds),
            merge: family(seconds),
            result_series: family(results),
            sent_chunk_bytes: family(sizes),
            postings_bytes: family(sizes),
            postings_fetch: family(seconds),
            series_fetch: family(seconds),
            chunks_fetch: family(seconds),
            empty_postings: Family::default(),
            lazy_postings: Counter::default(),
            lazy_bytes: Counter::default(),
            series_refetches: Family::default(),
            chunk_refetches: Family::default(),
            gate: GateMetrics {
                max: Gauge::default(),
                in_flight: Gauge::default(),
                total: Counter::default(),
                waited: Histogram::new(SECONDS),
            },
        };
        metrics.clone().name(registry.sub_registry_with_prefix("thanos_bucket_store"));
        metrics
    }

    fn name(self, to: &mut Registry) {
        to.register("block_loads", "Blocks of the bucket that were to be loaded", self.block_loads);
        to.register("block_load_failures", "Blocks that could not be loaded", self.block_load_failures);
        to.register("block_drops", "Blocks that are served no longer", self.block_drops);
        to.register(
            "block_drop_failures",
            "Blocks whose files could not be removed",
            self.block_drop_failures,
        );
        to.register("blocks_loaded", "Blocks that are served", self.blocks_loaded);
        to.register("blocks_last_loaded_timestamp_seconds", "When a block was last loaded", self.last_loaded);
        to.register("block_load_duration_seconds", "How long it took to load a block", self.block_load);
        let h = self.headers;
        to.register(
            "indexheader_download_duration_seconds",
            "How long it took to make an index-header",
            h.download,
        );
        to.register(
            "indexheader_load_duration_seconds",
            "How long it took to open an index-header",
            h.load.clone(),
        );
        to.register(
            "indexheader_lazy_load_duration_seconds",
            "How long it took to open an index-header",
            h.load,
        );
        to.register("indexheader_lazy_load", "Index-headers that were to be opened", h.loads);
        to.register(
            "indexheader_lazy_load_failed",
            "Index-headers that could not be opened",
            h.load_failures,
        );
        to.register(
            "indexheader_lazy_unload",
            "Index-headers that were closed for not being used",
            h.unloads,
        );
        to.register(
            "indexheader_lazy_unload_failed",
            "Index-headers that could not be closed",
            Counter::<u64>::default(),
        );
        to.register("queries_dropped", "Calls that were refused for a limit", self.dropped);
        to.register("series_data_touched", "Things that a call looked at", self.touched);
        to.register("series_data_fetched", "Things that were read from the bucket for a call", self.fetched);
        to.register("series_data_size_touched_bytes", "Bytes that a call looked at", self.touched_bytes);
        to.register(
            "series_data_size_fetched_bytes",
            "Bytes that were read from the bucket for a call",
            self.fetched_bytes,
        );
        to.register("series_blocks_queried", "Blocks that a call looked at", self.blocks_queried);
        to.register(
            "series_get_all_duration_seconds",
            "How long it took until all blocks knew their series",
            self.get_all,
        );
        to.register(
            "series_merge_duration_seconds",
            "How long it took to send the series of all blocks",
            self.merge,
        );
        to.register("series_result_series", "Series in the answer to a call", self.result_series);
        to.register(
            "sent_chunk_size_bytes",
            "Bytes of the chunks of a series that was sent",
            self.sent_chunk_bytes,
        );
        to.register("postings_size_bytes", "Bytes of the postings of a call", self.postings_bytes);
        to.register(
            "postings_fetch_duration_seconds",
            "How long it took to read postings",
            self.postings_fetch,
        );
        to.register(
            "series_fetch_duration_seconds",
            "How long it took to read a batch of series",
            self.series_fetch.clone(),
        );
        to.register(
            "series_fetch_duration_sum_seconds",
            "How long it took to read series",
            self.series_fetch,
        );
        to.register(
            "chunks_fetch_duration_seconds",
            "How long it took to read a batch of chunks",
            self.chunks_fetch.clone(),
        );
        to.register(
            "chunks_fetch_duration_sum_seconds",
            "How long it took to read chunks",
            self.chunks_fetch,
        );
        to.register("empty_postings", "Blocks without a series that was asked for", self.empty_postings);
        to.register(
            "lazy_expanded_postings",
            "Blocks whose series were filtered by what postings were not read for",
            self.lazy_postings,
        );
        to.register(
            "lazy_expanded_posting_size_bytes",
            "Bytes of postings that were not read",
            self.lazy_bytes,
        );
        to.register(
            "lazy_expanded_posting_series_overfetched_size_bytes",
            "Bytes of series that were read and filtered out",
            Counter::<u64>::default(),
        );
        to.register(
            "series_refetches",
            "Reads of series that had to be done again for more bytes",
            self.series_refetches,
        );
        to.register(
            "chunk_refetches",
            "Reads of chunks that had to be done again for more bytes",
            self.chunk_refetches,
        );
        to.register("series_gate_queries_max", "Calls that may be served at the same time", self.gate.max);
        to.register("series_gate_queries_in_flight", "Calls that are being served", self.gate.in_flight);
        to.register("series_gate_queries", "Calls that were served", self.gate.total);
        to.register(
            "series_gate_queries_duration_seconds",
            "How long calls waited for their turn",
            self.gate.waited,
        );
    }

    /// Counts calls of a tenant that were refused for a limit.
    pub(super) fn refused(&self, reason: &str, tenant: &str) -> Counter {
        let of = vec![("reason", reason.to_owned()), ("tenant", tenant.to_owned())];
        self.dropped.get_or_create(&of).clone()
    }

    /// Takes down what a call has used.
    pub(super) fn observe(&self, used: &Used, tenant: &str) {
        for (data, amount) in
            [("postings", &used.postings), ("series", &used.series), ("chunks", &used.chunks)]
        {
            let Amount { touched, touched_bytes, fetched, fetched_bytes } = amount;
            let of = vec![("data_type", data.to_owned()), ("tenant", tenant.to_owned())];
            for (family, count) in [
                (&self.touched, touched),
                (&self.fetched, fetched),
                (&self.touched_bytes, touched_bytes),
                (&self.fetched_bytes, fetched_bytes),
            ] {
                family.get_or_create(&of).observe(count.load(Ordering::Relaxed) as f64);
            }
        }
        let postings = used.postings.touched_bytes.load(Ordering::Relaxed);
        self.postings_bytes.get_or_create(&of_tenant(tenant)).observe(postings as f64);
    }
}

/// The labels of a metric by tenants.
pub(super) fn of_tenant(tenant: &str) -> Labels {
    vec![("tenant", tenant.to_owned())]
}
