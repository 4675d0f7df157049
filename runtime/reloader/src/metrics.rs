//! The reloader's metrics: Thanos' names under `thanos_sidecar_`, and ours under `pronoia_reloader_`.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::finding::Reason;
use crate::settings::Method;
use crate::status::Phase;

type Labels = Vec<(&'static str, &'static str)>;

/// Handles to all metrics.
#[derive(Debug, Clone)]
pub struct ReloaderMetrics {
    pub(crate) reloads: Counter,
    pub(crate) reloads_failed: Counter,
    pub(crate) last_reload_successful: Gauge,
    pub(crate) last_reload_success_timestamp: Gauge<f64, AtomicU64>,
    pub(crate) applies: Counter,
    pub(crate) applies_failed: Counter,
    pub(crate) expansion_errors: Gauge,
    pub(crate) watches: Gauge,
    pub(crate) watch_events: Counter,
    pub(crate) watch_errors: Counter,
    rejections: Family<Labels, Counter>,
    pub(crate) restores: Counter,
    phase: Family<Labels, Gauge>,
    pub(crate) in_sync: Gauge,
    apply_seconds: Histogram,
}

impl ReloaderMetrics {
    /// Registers everything; `ours` adds what the original does not have.
    pub fn register(registry: &mut Registry, method: &Method, ours: bool) -> Self {
        let metrics = Self {
            reloads: Counter::default(),
            reloads_failed: Counter::default(),
            last_reload_successful: Gauge::default(),
            last_reload_success_timestamp: Gauge::default(),
            applies: Counter::default(),
            applies_failed: Counter::default(),
            expansion_errors: Gauge::default(),
            watches: Gauge::default(),
            watch_events: Counter::default(),
            watch_errors: Counter::default(),
            rejections: Family::default(),
            restores: Counter::default(),
            phase: Family::default(),
            in_sync: Gauge::default(),
            apply_seconds: Histogram::new([0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0]),
        };
        let info = Family::<Labels, Gauge>::default();
        let word = if *method == Method::Http { "http" } else { "signal" };
        info.get_or_create(&vec![("method", word)]).set(1);
        let one = registry.sub_registry_with_prefix("thanos_sidecar_reloader");
        let m = metrics.clone();
        one.register("reloads", "Reloads that were asked for", m.reloads);
        one.register("reloads_failed", "Reloads that were asked for and failed", m.reloads_failed);
        one.register(
            "last_reload_successful",
            "Whether the last reload was successful",
            m.last_reload_successful,
        );
        one.register(
            "last_reload_success_timestamp_seconds",
            "When a reload was last successful, in seconds since 1970",
            m.last_reload_success_timestamp,
        );
        one.register("config_apply_operations", "Looks at the inputs after the first one", m.applies);
        one.register("config_apply_operations_failed", "Looks at the inputs that failed", m.applies_failed);
        one.register(
            "config_environment_variable_expansion_errors",
            "References to unset variables in the last look at the inputs",
            m.expansion_errors,
        );
        one.register("watches", "Files and folders that are watched", m.watches);
        one.register("watch_events", "Events from the file system", m.watch_events);
        one.register("watch_errors", "Errors from the file system's watches", m.watch_errors);
        one.register("info", "How reloads are asked for", info);
        if ours {
            metrics.register_ours(registry.sub_registry_with_prefix("pronoia_reloader"));
        }
        metrics
    }

    fn register_ours(&self, registry: &mut Registry) {
        for reason in Reason::ALL {
            drop(self.rejections.get_or_create(&vec![("reason", reason.word())]));
        }
        self.set_phase(Phase::Starting);
        registry.register(
            "rejected_inputs",
            "Inputs that were not taken because Prometheus would refuse them, by reason",
            self.rejections.clone(),
        );
        registry.register(
            "restores",
            "Times that the last good files were put back because Prometheus refused the new ones",
            self.restores.clone(),
        );
        registry.register("state", "1 for the state that the reloader is in", self.phase.clone());
        registry.register("in_sync", "Whether Prometheus runs what the inputs say", self.in_sync.clone());
        registry.register(
            "apply_duration_seconds",
            "Time from reading the inputs to the confirmed reload",
            self.apply_seconds.clone(),
        );
    }

    pub(crate) fn reject(&self, reason: Reason) {
        self.rejections.get_or_create(&vec![("reason", reason.word())]).inc();
    }

    pub(crate) fn set_phase(&self, now: Phase) {
        for phase in Phase::ALL {
            self.phase.get_or_create(&vec![("state", phase.word())]).set(i64::from(phase == now));
        }
        self.in_sync.set(i64::from(now == Phase::Confirmed));
    }

    pub(crate) fn observe_apply(&self, duration: Duration) {
        self.apply_seconds.observe(duration.as_secs_f64());
    }
}
