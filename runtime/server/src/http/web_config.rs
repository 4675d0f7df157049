//! `--http.config`: TLS, passwords, headers, in the YAML of Prometheus' exporter toolkit.
//!
//! The file and what it names are read again when they change; what cannot be used is logged and the last good one stays.
//! Relative paths start at the file's folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use http::{HeaderName, HeaderValue};
use serde::Deserialize;
use thiserror::Error;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tracing::{error, info};

use super::auth::{self, Remembered};
use crate::connections::CurrentTls;
use crate::duration::GoDuration;
use crate::tls::{ClientAuth, ServerTls, ServerTlsSettings, TlsError, TlsVersion};
use crate::yaml::{self, YamlError};

/// How often the file's time is looked at, at most.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The headers that may be set.
const HEADERS: [&str; 5] = [
    "Content-Security-Policy",
    "X-Frame-Options",
    "X-Content-Type-Options",
    "X-XSS-Protection",
    "Strict-Transport-Security",
];

/// Why a web configuration cannot be used.
#[derive(Debug, Error)]
pub enum WebConfigError {
    /// The file cannot be read.
    #[error("--http.config: cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        cause: std::io::Error,
    },
    /// It is not the YAML that it should be.
    #[error("--http.config: {}", path.display())]
    Yaml {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        cause: YamlError,
    },
    /// Its TLS section cannot be used.
    #[error("--http.config: tls_server_config")]
    Tls(#[from] TlsError),
    /// A certificate without key, or the reverse, or neither.
    #[error("--http.config: tls_server_config: missing {0}")]
    Missing(&'static str),
    /// A header that may not be set.
    #[error("--http.config: HTTP header {0:?} can not be configured")]
    Header(String),
    /// A header with a value that is none.
    #[error("--http.config: invalid value for {0}")]
    HeaderValue(String),
    /// A password that is not hashed with bcrypt.
    #[error("--http.config: basic_auth_users: the password of {0} is no bcrypt hash")]
    Password(String),
}

/// A web configuration that follows its file; clones share it.
#[derive(Debug, Clone)]
pub struct WebConfig(Arc<Watched>);

#[derive(Debug)]
struct Watched {
    path: PathBuf,
    looked: Mutex<(Instant, Option<SystemTime>)>,
    loaded: ArcSwap<Loaded>,
    remembered: Remembered,
    turns: Semaphore,
}

/// What the file says.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    tls: Option<ServerTls>,
    http2: bool,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) users: BTreeMap<String, String>,
    pub(super) rate: Option<Rate>,
}

impl WebConfig {
    /// Reads a file.
    ///
    /// # Errors
    /// When it, or a certificate that it names, cannot be used.
    pub fn read(path: &Path) -> Result<Self, WebConfigError> {
        let modified = modified(path);
        Ok(Self(Arc::new(Watched {
            path: path.to_owned(),
            looked: Mutex::new((Instant::now(), modified)),
            loaded: ArcSwap::from_pointee(load(path)?),
            remembered: Remembered::default(),
            turns: auth::turns(),
        })))
    }

    /// TLS of each connection to come, if it is on. A reload cannot switch it on or off.
    pub(super) fn tls(&self) -> Option<CurrentTls> {
        let first = Arc::clone(&self.current().tls.as_ref()?.config);
        let web = self.clone();
        Some(Arc::new(move || web.current().tls.as_ref().map_or(&first, |tls| &tls.config).clone()))
    }

    pub(super) fn http2(&self) -> bool {
        self.current().http2
    }

    /// What the file says now.
    pub(super) fn current(&self) -> Arc<Loaded> {
        self.0.look();
        self.0.loaded.load_full()
    }

    pub(super) fn remembered(&self) -> &Remembered {
        &self.0.remembered
    }

    pub(super) fn turns(&self) -> &Semaphore {
        &self.0.turns
    }
}

impl Watched {
    /// Reads the file again if it changed.
    fn look(&self) {
        {
            let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
            if looked.0.elapsed() < LOOK_EVERY {
                return;
            }
            let now = modified(&self.path);
            let changed = now != looked.1;
            *looked = (Instant::now(), now);
            if !changed {
                return;
            }
        }
        match load(&self.path) {
            Ok(loaded) if loaded.tls.is_some() != self.loaded.load().tls.is_some() => {
                error!(
                    msg = "the web configuration was not replaced",
                    err = "TLS is switched on or off by a restart"
                );
            }
            Ok(loaded) => {
                self.loaded.store(Arc::new(loaded));
                info!(msg = "the web configuration was replaced", file = %self.path.display());
            }
            Err(failure) => {
                let failure: &dyn std::error::Error = &failure;
                error!(msg = "the web configuration was not replaced", err = failure);
            }
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct File {
    tls_server_config: Option<TlsSection>,
    http_server_config: HttpSection,
    basic_auth_users: BTreeMap<String, String>,
    rate_limit: Option<RateSection>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct TlsSection {
    cert_file: String,
    key_file: String,
    client_auth_type: String,
    client_ca_file: String,
    cipher_suites: Vec<String>,
    curve_preferences: Vec<String>,
    min_version: Option<String>,
    max_version: Option<String>,
    /// Has no effect, as in Go.
    #[serde(rename = "prefer_server_cipher_suites")]
    _prefer_server_cipher_suites: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct HttpSection {
    http2: bool,
    headers: BTreeMap<String, String>,
}

impl Default for HttpSection {
    fn default() -> Self {
        Self { http2: true, headers: BTreeMap::new() }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RateSection {
    interval: GoDuration,
    burst: u32,
}

#[expect(clippy::disallowed_methods, reason = "the file is what the flag names")]
fn modified(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}

#[expect(clippy::disallowed_methods, reason = "the file is what the flag names")]
fn load(path: &Path) -> Result<Loaded, WebConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|cause| WebConfigError::Read { path: path.to_owned(), cause })?;
    let file: File = if text.trim().is_empty() {
        File::default()
    } else {
        yaml::read(&text).map_err(|cause| WebConfigError::Yaml { path: path.to_owned(), cause })?
    };
    let folder = path.parent().unwrap_or(Path::new(""));
    let tls = file.tls_server_config.map(|section| tls(&section, folder, file.http_server_config.http2));
    let header = |(name, value): (String, String)| {
        if !HEADERS.contains(&name.as_str()) {
            return Err(WebConfigError::Header(name));
        }
        let parsed = HeaderName::try_from(&name).ok().zip(HeaderValue::try_from(value).ok());
        parsed.ok_or(WebConfigError::HeaderValue(name))
    };
    for (user, hash) in &file.basic_auth_users {
        if hash.parse::<bcrypt::HashParts>().is_err() {
            return Err(WebConfigError::Password(user.clone()));
        }
    }
    Ok(Loaded {
        tls: tls.transpose()?,
        http2: file.http_server_config.http2,
        headers: file.http_server_config.headers.into_iter().map(header).collect::<Result<_, _>>()?,
        users: file.basic_auth_users,
        rate: file.rate_limit.map(|section| Rate::new(section.interval.0, section.burst)),
    })
}

fn tls(section: &TlsSection, folder: &Path, http2: bool) -> Result<ServerTls, WebConfigError> {
    if section.cert_file.is_empty() {
        return Err(WebConfigError::Missing("cert_file"));
    }
    if section.key_file.is_empty() {
        return Err(WebConfigError::Missing("key_file"));
    }
    let version = |text: &Option<String>, default| text.as_deref().map_or(Ok(default), str::parse);
    let settings = ServerTlsSettings {
        certificate: folder.join(&section.cert_file),
        key: folder.join(&section.key_file),
        client_auth: section.client_auth_type.parse::<ClientAuth>()?,
        client_ca: (!section.client_ca_file.is_empty()).then(|| folder.join(&section.client_ca_file)),
        min_version: version(&section.min_version, TlsVersion::V1_2)?,
        max_version: version(&section.max_version, TlsVersion::V1_3)?,
        cipher_suites: section.cipher_suites.clone(),
        curves: section.curve_preferences.clone(),
    };
    let protocols: &[&str] = if http2 { &["h2", "http/1.1"] } else { &["http/1.1"] };
    Ok(ServerTls::new(&settings, protocols)?)
}

/// A bucket of tokens: one request takes one.
#[derive(Debug)]
pub(super) struct Rate {
    interval: Duration,
    burst: u32,
    state: Mutex<(Instant, f64)>,
}

impl Rate {
    fn new(interval: Duration, burst: u32) -> Self {
        Self { interval, burst, state: Mutex::new((Instant::now(), f64::from(burst))) }
    }

    /// Whether one more request may pass.
    pub(super) fn take(&self) -> bool {
        if self.interval.is_zero() {
            return true;
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let earned = state.0.elapsed().as_secs_f64() / self.interval.as_secs_f64();
        let tokens = (state.1 + earned).min(f64::from(self.burst));
        let passes = tokens >= 1.0;
        *state = (Instant::now(), if passes { tokens - 1.0 } else { tokens });
        passes
    }
}
