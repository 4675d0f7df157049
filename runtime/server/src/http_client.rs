//! The HTTP client towards Prometheus, set up as `--prometheus.http-client` says.
//!
//! The YAML is Thanos' (`prometheus.http-client`): `basic_auth`, `bearer_token(_file)`, `proxy_url`, `tls_config`,
//! `transport_config`. Files with secrets are read at each request, so that rotation needs no restart.

mod settings;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::header::{self, HeaderValue};
use reqwest::{Client, Method, Proxy, RequestBuilder};
use thiserror::Error;

use crate::tls::{self, ClientTls, ClientTlsSettings, TlsError, TlsVersion};
use crate::trace;

pub use settings::{BasicAuth, Settings, TlsConfig};

/// Why there is no client.
#[derive(Debug, Error)]
pub enum ClientError {
    /// The YAML does not say what it has to.
    #[error("HTTP client configuration: {0}")]
    Settings(String),
    /// A file that it names cannot be read.
    #[error("HTTP client configuration: {what} {path}: {cause}")]
    File {
        /// Which setting.
        what: &'static str,
        /// The file.
        path: String,
        /// Why not.
        cause: std::io::Error,
    },
    /// Its certificates cannot be used.
    #[error("HTTP client configuration: tls_config")]
    Tls(#[from] TlsError),
    /// What it says cannot be used.
    #[error("HTTP client: {0}")]
    Build(reqwest::Error),
}

/// A client with its credentials. `Debug` shows no secret.
#[derive(Clone)]
pub struct HttpClient {
    client: Client,
    settings: Settings,
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient").finish_non_exhaustive()
    }
}

impl HttpClient {
    /// A client from settings.
    ///
    /// # Errors
    /// When a file cannot be read, a certificate or a URL is malformed.
    pub fn new(settings: Settings) -> Result<Self, ClientError> {
        let _ = tls::provider();
        let transport = &settings.transport_config;
        let mut builder = Client::builder()
            .user_agent(concat!("pronoia/", env!("CARGO_PKG_VERSION")))
            .pool_idle_timeout(Some(
                transport.idle_conn_timeout.map_or(Duration::from_secs(90), Duration::from),
            ))
            .no_proxy();
        if let Some(url) = &settings.proxy_url {
            builder = builder.proxy(Proxy::all(url).map_err(ClientError::Build)?);
        }
        builder = with_tls(builder, &settings.tls_config)?;
        Ok(Self { client: builder.build().map_err(ClientError::Build)?, settings })
    }

    /// A GET request with credentials.
    ///
    /// # Errors
    /// When a file with a secret cannot be read.
    pub fn get(&self, url: &str) -> Result<RequestBuilder, ClientError> {
        self.request(Method::GET, url)
    }

    /// A POST request with credentials.
    ///
    /// # Errors
    /// When a file with a secret cannot be read.
    pub fn post(&self, url: &str) -> Result<RequestBuilder, ClientError> {
        self.request(Method::POST, url)
    }

    fn request(&self, method: Method, url: &str) -> Result<RequestBuilder, ClientError> {
        let mut traced = header::HeaderMap::new();
        trace::inject(&mut traced);
        let request = self.client.request(method, url).headers(traced);
        if let Some(auth) = &self.settings.basic_auth {
            let password = match &auth.password_file {
                Some(path) => secret("password_file", path)?,
                None => auth.password.clone().unwrap_or_default(),
            };
            return Ok(request.basic_auth(&auth.username, Some(password)));
        }
        let token = match (&self.settings.bearer_token, &self.settings.bearer_token_file) {
            (Some(token), _) => token.clone(),
            (None, Some(path)) => secret("bearer_token_file", path)?,
            (None, None) => return Ok(request),
        };
        let mut value = HeaderValue::try_from(format!("Bearer {token}"))
            .map_err(|_| ClientError::Settings("the bearer token is no text for a header".to_owned()))?;
        value.set_sensitive(true);
        Ok(request.header(header::AUTHORIZATION, value))
    }
}

/// Certificates are read again when they change, also those of the client.
fn with_tls(builder: reqwest::ClientBuilder, tls: &TlsConfig) -> Result<reqwest::ClientBuilder, ClientError> {
    let given = |path: &Option<PathBuf>| path.clone().filter(|path| !path.as_os_str().is_empty());
    let settings = ClientTlsSettings {
        insecure_skip_verify: tls.insecure_skip_verify,
        certificate: given(&tls.cert_file),
        key: given(&tls.key_file),
        ca: given(&tls.ca_file),
        server_name: tls.server_name.clone().filter(|name| !name.is_empty()),
        min_version: TlsVersion::V1_2,
    };
    let asked = settings.insecure_skip_verify
        || settings.certificate.is_some()
        || settings.key.is_some()
        || settings.ca.is_some()
        || settings.server_name.is_some();
    if !asked {
        return Ok(builder);
    }
    let tls = ClientTls::new(&settings, &["h2", "http/1.1"])?;
    Ok(builder.tls_backend_preconfigured(tls.to_config()))
}

#[expect(
    clippy::disallowed_methods,
    reason = "certificates and secrets come from files that the settings name"
)]
fn file(what: &'static str, path: &Path) -> Result<Vec<u8>, ClientError> {
    std::fs::read(path).map_err(|cause| ClientError::File { what, path: path.display().to_string(), cause })
}

fn secret(what: &'static str, path: &Path) -> Result<String, ClientError> {
    let bytes = file(what, path)?;
    let text = String::from_utf8(bytes)
        .map_err(|_| ClientError::Settings(format!("{what} {} is not UTF-8", path.display())))?;
    Ok(text.trim().to_owned())
}
