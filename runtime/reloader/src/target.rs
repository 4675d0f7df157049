//! The process that loads the configuration: Prometheus or Alertmanager, seen through its HTTP API.

mod answers;
mod signal;

use std::time::Duration;

use prom_config::Version;
use reqwest::{RequestBuilder, StatusCode};
use server::http_client::HttpClient;
use thiserror::Error;
use tokio::time::{sleep, timeout};

use crate::settings::{Method, TargetKind};

/// A reload of a large configuration takes its time.
const RELOAD_TIMEOUT: Duration = Duration::from_secs(120);
/// Any other question.
const QUESTION_TIMEOUT: Duration = Duration::from_secs(10);
/// How long after SIGHUP the process may take.
const SIGNAL_TIMEOUT: Duration = Duration::from_secs(60);
/// How often it is looked at meanwhile.
const SIGNAL_POLL: Duration = Duration::from_millis(100);
/// Answers are cut here: only error texts and small JSON are read.
const BODY_MAX: usize = 8 << 20;

/// The process and the way to it.
#[derive(Debug, Clone)]
pub struct Target {
    client: HttpClient,
    base: String,
    kind: TargetKind,
    method: Method,
}

/// Whether the process can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// Nobody answers.
    Away,
    /// It is up and reads its data; it has not loaded its configuration yet, and a reload would wait for that.
    Starting,
    /// It serves.
    Ready,
}

/// Why a reload did not happen.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReloadError {
    /// Nobody answers.
    #[error("{0}")]
    Unreachable(String),
    /// It has read the configuration and does not want it.
    #[error("{0}")]
    Refused(String),
    /// It does not let itself be asked: credentials, or a missing flag.
    #[error("{0}")]
    CannotAsk(String),
}

/// What the process says of its configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// Whether its last try to load was successful.
    pub successful: bool,
    /// When it last loaded successfully, in its own words; grows with each success.
    pub at: String,
}

impl Target {
    /// The process behind a base URL, as `--prometheus.url` gives it; its path is kept.
    pub fn new(client: HttpClient, base: &str, kind: TargetKind, method: Method) -> Self {
        Self { client, base: base.trim_end_matches('/').to_owned(), kind, method }
    }

    /// The name of its kind, for messages.
    pub fn name(&self) -> &'static str {
        match self.kind {
            TargetKind::Prometheus => "Prometheus",
            TargetKind::Alertmanager => "Alertmanager",
        }
    }

    /// How the names of its metrics begin.
    fn prefix(&self) -> &'static str {
        match self.kind {
            TargetKind::Prometheus => "prometheus_",
            TargetKind::Alertmanager => "alertmanager_",
        }
    }

    /// Whether somebody is there, and serves.
    pub async fn presence(&self) -> Presence {
        let Ok(request) = self.client.get(&format!("{}/-/ready", self.base)) else { return Presence::Away };
        match timeout(QUESTION_TIMEOUT, request.send()).await {
            Ok(Ok(answer)) if answer.status() == StatusCode::SERVICE_UNAVAILABLE => Presence::Starting,
            // Whatever else it answers: a proxy that hides the path must not keep us from asking for the reload.
            Ok(Ok(_)) => Presence::Ready,
            _ => Presence::Away,
        }
    }

    /// Its version; `None` when it does not tell.
    pub async fn version(&self) -> Option<Version> {
        let path = match self.kind {
            TargetKind::Prometheus => "/api/v1/status/buildinfo",
            TargetKind::Alertmanager => "/api/v2/status",
        };
        answers::version(&self.text(path).await?)
    }

    /// What it says of its configuration; `None` when it does not tell.
    pub async fn loaded(&self) -> Option<Loaded> {
        // The runtime information counts in seconds, the metrics finer; after a signal only the time tells anything.
        if matches!(self.method, Method::Signal { .. })
            && let Some(metrics) = self.text("/metrics").await
            && let Some(loaded) = answers::metrics(&metrics, self.prefix())
        {
            return Some(loaded);
        }
        match self.kind {
            TargetKind::Prometheus => answers::runtime_info(&self.text("/api/v1/status/runtimeinfo").await?),
            TargetKind::Alertmanager => answers::metrics(&self.text("/metrics").await?, self.prefix()),
        }
    }

    /// The configuration as it has it in memory; secrets are masked by the process itself.
    pub async fn configuration(&self) -> Option<String> {
        match self.kind {
            TargetKind::Prometheus => answers::configuration(&self.text("/api/v1/status/config").await?),
            TargetKind::Alertmanager => answers::original(&self.text("/api/v2/status").await?),
        }
    }

    async fn text(&self, path: &str) -> Option<String> {
        let request = self.client.get(&format!("{}{path}", self.base)).ok()?;
        let (status, body) = timeout(QUESTION_TIMEOUT, answer(request)).await.ok()?.ok()?;
        (status == StatusCode::OK).then_some(body)
    }

    /// Asks for a reload and makes sure that it happened.
    ///
    /// # Errors
    /// When it did not.
    pub async fn reload(&self) -> Result<(), ReloadError> {
        let before = self.loaded().await;
        match &self.method {
            Method::Http => self.post(before).await,
            Method::Signal { process_name } => self.signal(process_name, before).await,
        }
    }

    async fn post(&self, before: Option<Loaded>) -> Result<(), ReloadError> {
        let unreachable = |error: &dyn std::fmt::Display| {
            ReloadError::Unreachable(format!("{} does not answer: {error}", self.name()))
        };
        let request = self
            .client
            .post(&format!("{}/-/reload", self.base))
            .map_err(|error| ReloadError::CannotAsk(error.to_string()))?;
        let (status, body) = match timeout(RELOAD_TIMEOUT, answer(request)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Err(unreachable(&innermost(&error))),
            Err(_) => return Err(unreachable(&"no answer to the reload in 120 s")),
        };
        match status {
            StatusCode::OK => {}
            // What proxies say, and Prometheus itself while it starts.
            StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => {
                return Err(unreachable(&format!("status {status}")));
            }
            StatusCode::INTERNAL_SERVER_ERROR => return Err(ReloadError::Refused(body.trim().to_owned())),
            _ => {
                let text = body.trim();
                return Err(ReloadError::CannotAsk(format!(
                    "{} answers the reload with {status} ({text}); does it run with --web.enable-lifecycle, and are \
                     the credentials right?",
                    self.name()
                )));
            }
        }
        // Good answers from something in between do not count, its own word does.
        match (self.loaded().await, before) {
            (Some(after), _) if !after.successful => Err(ReloadError::Refused(format!(
                "{} says that its last reload was not successful",
                self.name()
            ))),
            _ => Ok(()),
        }
    }

    async fn signal(&self, process_name: &str, before: Option<Loaded>) -> Result<(), ReloadError> {
        signal::hang_up(process_name).map_err(ReloadError::Unreachable)?;
        let Some(before) = before else { return Ok(()) };
        // A failure does not change the time of the last success. When the flag says failure already, only patience tells
        // an old failure from a new one.
        let patience = if before.successful { SIGNAL_TIMEOUT } else { Duration::from_secs(10) };
        let confirmed = async {
            loop {
                sleep(SIGNAL_POLL).await;
                match self.loaded().await {
                    Some(now) if now.successful && now.at != before.at => return Ok(()),
                    Some(now) if !now.successful && before.successful => {
                        return Err(ReloadError::Refused(format!(
                            "{} says that its last reload was not successful",
                            self.name()
                        )));
                    }
                    _ => {}
                }
            }
        };
        timeout(patience, confirmed).await.unwrap_or_else(|_| match before.successful {
            true => Err(ReloadError::Unreachable(format!(
                "{} did not reload within {} s of SIGHUP",
                self.name(),
                patience.as_secs()
            ))),
            false => Err(ReloadError::Refused(format!(
                "{} has not reloaded successfully within {} s of SIGHUP",
                self.name(),
                patience.as_secs()
            ))),
        })
    }
}

/// The cause at the bottom, without URLs, which may hold credentials.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

async fn answer(request: RequestBuilder) -> Result<(StatusCode, String), reqwest::Error> {
    let mut response = request.send().await?;
    let status = response.status();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() > BODY_MAX {
            break;
        }
    }
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}
