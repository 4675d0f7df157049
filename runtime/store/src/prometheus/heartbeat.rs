//! Keeps what is known of the Prometheus up to date: waits for it at the start, and asks it again and again.
//!
//! The order at the start is Thanos': flags (where blocks are shipped), version, lowest time and external labels. Only then is
//! the component ready; it is not ready while Prometheus does not answer.

mod checks;

use std::sync::Arc;
use std::time::Duration;

use block::filter::TimeBound;
use prom_model::Clock;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use server::probe::Probe;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

pub use checks::{FlagsError, UploadChecks};

use super::client::{PrometheusClient, line};
use super::facts::FactError;
use super::peer::Peer;

/// While the component starts, Prometheus may be starting as well: it is asked at least this often.
const START_INTERVAL: Duration = Duration::from_secs(2);

/// How often, and how long.
#[derive(Debug, Clone)]
pub struct HeartbeatSettings {
    /// `--prometheus.get_config_interval`
    pub interval: Duration,
    /// `--prometheus.get_config_timeout`
    pub timeout: Duration,
    /// `--min-time`; seen anew each time.
    pub min_time: TimeBound,
    /// What is asked of Prometheus' flags; `None` where no blocks are shipped.
    pub checks: Option<UploadChecks>,
}

/// Why the component cannot start.
#[derive(Debug, thiserror::Error)]
pub enum HeartbeatError {
    /// Nobody could tell this Prometheus' series from another's.
    #[error(
        "no external labels configured on Prometheus server, uniquely identifying external labels must be configured; \
         see https://thanos.io/tip/thanos/storage.md#external-labels for details."
    )]
    NoLabels,
}

/// Asks a Prometheus and tells [`Peer`] and [`Probe`] what it says.
#[derive(Debug)]
pub struct Heartbeat {
    client: PrometheusClient,
    peer: Peer,
    probe: Probe,
    clock: Arc<dyn Clock>,
    settings: HeartbeatSettings,
    up: Gauge,
}

/// One round of questions that failed.
#[derive(Debug, thiserror::Error)]
enum RoundError {
    #[error("Prometheus does not answer within {0:?}")]
    Timeout(Duration),
    #[error(transparent)]
    Fact(#[from] FactError),
    #[error(transparent)]
    Flags(#[from] FlagsError),
}

impl Heartbeat {
    /// Registers `thanos_sidecar_prometheus_up`.
    pub fn new(
        client: PrometheusClient,
        peer: Peer,
        probe: Probe,
        clock: Arc<dyn Clock>,
        settings: HeartbeatSettings,
        registry: &mut Registry,
    ) -> Self {
        let up = Gauge::default();
        registry.register(
            "thanos_sidecar_prometheus_up",
            "Boolean indicator whether the sidecar can reach its Prometheus peer",
            up.clone(),
        );
        Heartbeat { client, peer, probe, clock, settings, up }
    }

    /// Waits until Prometheus has said what must be known, and makes the component ready; `false` when it was stopped before.
    ///
    /// # Errors
    /// [`HeartbeatError::NoLabels`].
    pub async fn start(&self, stop: &CancellationToken) -> Result<bool, HeartbeatError> {
        for question in [Question::Flags, Question::Version, Question::Facts] {
            if question == Question::Flags && self.settings.checks.is_none() {
                continue;
            }
            if !self.until_answered(question, stop).await {
                return Ok(false);
            }
        }
        if self.peer.labels().is_empty() {
            return Err(HeartbeatError::NoLabels);
        }
        self.set_up(true);
        Ok(true)
    }

    /// Asks again and again until it is stopped.
    pub async fn run(&self, stop: &CancellationToken) {
        while !sleep(self.settings.interval, stop).await {
            match self.within(Question::Facts).await {
                Ok(()) => self.set_up(true),
                Err(error) => {
                    warn!(msg = "updating timestamps and labels failed", err = %line(&error));
                    self.set_up(false);
                }
            }
        }
    }

    async fn ask(&self, question: Question) -> Result<(), RoundError> {
        match (question, &self.settings.checks) {
            (Question::Flags, Some(checks)) => checks.run(&self.client).await?,
            (Question::Flags, None) => {}
            (Question::Version, _) => self.peer.set_version(self.client.version().await?),
            (Question::Facts, _) => self.refresh().await?,
        }
        Ok(())
    }

    async fn within(&self, question: Question) -> Result<(), RoundError> {
        let limit = self.settings.timeout;
        timeout(limit, self.ask(question)).await.unwrap_or(Err(RoundError::Timeout(limit)))
    }

    /// Asks until there is an answer; `false` when it was stopped before.
    async fn until_answered(&self, question: Question, stop: &CancellationToken) -> bool {
        loop {
            let asked = tokio::select! {
                asked = self.within(question) => asked,
                () = stop.cancelled() => return false,
            };
            match asked {
                Ok(()) => {
                    self.tell(question);
                    return true;
                }
                Err(error) => warn!(msg = question.failed(), err = %line(&error)),
            }
            if sleep(self.settings.interval.min(START_INTERVAL), stop).await {
                return false;
            }
        }
    }

    /// The lowest time, then the external labels.
    async fn refresh(&self) -> Result<(), FactError> {
        let lowest = self.client.lowest_time().await?;
        let bound = self.settings.min_time.resolve(self.clock.now());
        self.peer.set_min_time(lowest.max(bound.as_millis()));
        let labels = self.client.external_labels().await?;
        if labels != *self.peer.labels() {
            if !self.peer.labels().is_empty() {
                info!(msg = "external labels of prometheus changed", external_labels = %labels);
            }
            self.peer.set_labels(labels);
        }
        Ok(())
    }

    fn set_up(&self, up: bool) {
        self.up.set(i64::from(up));
        self.probe.set_ready(up);
    }

    fn tell(&self, question: Question) {
        match question {
            Question::Flags => info!(msg = "successfully validated prometheus flags"),
            Question::Version => info!(msg = "successfully loaded prometheus version"),
            Question::Facts => {
                let labels = self.peer.labels();
                info!(msg = "successfully loaded prometheus external labels", external_labels = %labels);
            }
        }
    }
}

/// What is asked at the start, one after another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Question {
    Flags,
    Version,
    /// The lowest time and the external labels.
    Facts,
}

impl Question {
    const fn failed(self) -> &'static str {
        match self {
            Question::Flags => "failed to validate prometheus flags. Is Prometheus running? Retrying",
            Question::Version => "failed to fetch prometheus version. Is Prometheus running? Retrying",
            Question::Facts => "failed to fetch initial external labels. Is Prometheus running? Retrying",
        }
    }
}

/// Sleeps; `true` when it was stopped meanwhile.
async fn sleep(time: Duration, stop: &CancellationToken) -> bool {
    tokio::select! {
        () = tokio::time::sleep(time) => stop.is_cancelled(),
        () = stop.cancelled() => true,
    }
}
