//! The YAML of `--prometheus.http-client`.

use std::fmt;
use std::path::PathBuf;

use serde::Deserialize;

use super::ClientError;
use crate::duration::GoDuration;

/// All of it; everything is optional.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// User and password.
    pub basic_auth: Option<BasicAuth>,
    /// A token.
    pub bearer_token: Option<String>,
    /// A file with a token, read at each request.
    pub bearer_token_file: Option<PathBuf>,
    /// A proxy for all requests.
    pub proxy_url: Option<String>,
    /// Certificates.
    pub tls_config: TlsConfig,
    /// Connections.
    pub transport_config: TransportConfig,
}

/// User and password.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BasicAuth {
    /// The user.
    pub username: String,
    /// The password.
    #[serde(default)]
    pub password: Option<String>,
    /// A file with the password, read at each request.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
}

/// Certificates.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TlsConfig {
    /// Authorities to trust, PEM; without it, those of the system.
    pub ca_file: Option<PathBuf>,
    /// Our certificate, PEM.
    pub cert_file: Option<PathBuf>,
    /// Its key, PEM.
    pub key_file: Option<PathBuf>,
    /// The name to expect on the server's certificate.
    pub server_name: Option<String>,
    /// Trust whatever answers.
    pub insecure_skip_verify: bool,
}

/// Connections. What the client has no counterpart for is accepted and has no effect.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TransportConfig {
    /// How long an idle connection is kept, in Go's notation.
    pub idle_conn_timeout: Option<GoDuration>,
    /// No effect: requests state their own timeout.
    pub response_header_timeout: Option<GoDuration>,
    /// No effect.
    pub expect_continue_timeout: Option<GoDuration>,
    /// No effect: one Prometheus needs one connection.
    pub max_idle_conns: Option<u32>,
    /// No effect.
    pub max_idle_conns_per_host: Option<u32>,
    /// No effect.
    pub max_conns_per_host: Option<u32>,
    /// No effect: answers are small.
    pub disable_compression: bool,
    /// No effect.
    pub tls_handshake_timeout: Option<GoDuration>,
}

impl Settings {
    /// Reads the YAML; an empty text means defaults.
    ///
    /// # Errors
    /// When it is malformed, has an unknown key, or states a secret twice.
    pub fn from_yaml(text: &str) -> Result<Self, ClientError> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let settings: Self =
            serde_saphyr::from_str(text).map_err(|error| ClientError::Settings(error.to_string()))?;
        settings.one_way_in().map_err(|text| ClientError::Settings(text.to_owned()))?;
        Ok(settings)
    }

    fn one_way_in(&self) -> Result<(), &'static str> {
        if self.bearer_token.is_some() && self.bearer_token_file.is_some() {
            return Err("give bearer_token or bearer_token_file, not both");
        }
        let bearer = self.bearer_token.is_some() || self.bearer_token_file.is_some();
        match &self.basic_auth {
            Some(_) if bearer => Err("give basic_auth or a bearer token, not both"),
            Some(auth) if auth.password.is_some() && auth.password_file.is_some() => {
                Err("give password or password_file, not both")
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("tls_config", &self.tls_config).finish_non_exhaustive()
    }
}

impl fmt::Debug for BasicAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BasicAuth").field("username", &self.username).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn settings_are_read_and_unknown_keys_refused() {
        let settings = Settings::from_yaml(
            "basic_auth: {username: me, password: s3cret}\ntls_config: {insecure_skip_verify: true}\n\
             transport_config: {idle_conn_timeout: 1m30s}\n",
        )
        .unwrap();
        assert_eq!(settings.basic_auth.as_ref().unwrap().username, "me");
        assert!(settings.tls_config.insecure_skip_verify);
        assert_eq!(settings.transport_config.idle_conn_timeout, Some(GoDuration(Duration::from_secs(90))));
        assert!(!format!("{settings:?}").contains("s3cret"));
        assert!(!format!("{:?}", settings.basic_auth).contains("s3cret"));
        let error = Settings::from_yaml("basic_aut: {}").unwrap_err().to_string();
        assert!(error.contains("basic_aut"), "{error}");
    }

    #[test]
    fn two_ways_in_are_refused() {
        for (text, says) in [
            ("bearer_token: a\nbearer_token_file: b", "not both"),
            ("bearer_token: a\nbasic_auth: {username: u}", "not both"),
            ("basic_auth: {username: u, password: a, password_file: b}", "not both"),
        ] {
            let error = Settings::from_yaml(text).unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
