//! `--endpoint.sd-config`: endpoints with TLS settings of their own, in YAML.

use std::path::PathBuf;
use std::sync::Arc;

use serde::Deserialize;
use serde_saphyr::Error;

/// The document.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EndpointConfig {
    /// For endpoints that say nothing themselves.
    pub default_client_config: ClientConfig,
    /// The endpoints.
    pub endpoints: Vec<EndpointEntry>,
}

/// One endpoint, or a name that stands for several.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EndpointEntry {
    /// `host:port`, or a name with a prefix as in `dns+`.
    pub address: String,
    /// It is asked whether it is healthy or not.
    pub strict: bool,
    /// What the name resolves to counts as one endpoint.
    pub group: bool,
    /// gRPC's service configuration of a group, in JSON.
    pub service_config: String,
    /// How to connect.
    pub client_config: ClientConfig,
}

/// How to connect to an endpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClientConfig {
    /// TLS.
    pub tls_config: TlsConfig,
    /// The name to expect on the server's certificate; empty: that of the address.
    pub server_name: String,
    /// `none` (or nothing) or `snappy`.
    pub compression: String,
}

/// TLS; what is absent is inherited.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TlsConfig {
    /// Whether there is TLS; where a certificate or an authority is named there is.
    pub enabled: Option<bool>,
    /// Trust whatever answers.
    pub insecure_skip_verify: Option<bool>,
    /// Our certificate, PEM.
    pub cert_file: Option<PathBuf>,
    /// Its key, PEM.
    pub key_file: Option<PathBuf>,
    /// Authorities to trust, PEM; without it, those of the system.
    pub ca_file: Option<PathBuf>,
    /// The oldest version: `1.2` or `1.3`.
    pub min_version: Option<String>,
}

/// A configuration that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A key that means nothing.
    #[error(
        "endpoint.sd-config: line {line}: unknown key `{key}`{}",
        .suggestion.as_ref().map(|known| format!("; did you mean `{known}`?")).unwrap_or_default()
    )]
    UnknownKey {
        /// The key.
        key: String,
        /// Where it stands, from 1.
        line: u64,
        /// What may have been meant.
        suggestion: Option<String>,
    },
    /// It is no YAML of this kind.
    #[error("endpoint.sd-config: line {line}: {text}")]
    Yaml {
        /// Where, from 1.
        line: u64,
        /// What is wrong.
        text: String,
    },
    /// An endpoint that is always asked must have a fixed address.
    #[error(
        "{0} is a dynamically specified endpoint i.e. it uses SD and that is not permitted under strict mode."
    )]
    StrictName(String),
    /// Only groups are balanced.
    #[error("{0} service_config is only valid for endpoint groups.")]
    ServiceConfig(String),
    /// A way to pack that is not known.
    #[error("endpoint {address}: invalid compression: {compression}, must be 'none' or 'snappy'")]
    Compression {
        /// The endpoint.
        address: String,
        /// As it was given.
        compression: String,
    },
    /// An endpoint without an address.
    #[error("endpoint.sd-config: an endpoint has no address")]
    NoAddress,
}

impl EndpointConfig {
    /// Reads the YAML; an empty text is no endpoints.
    ///
    /// # Errors
    /// When it is malformed or says something that cannot be.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let config: Self = serde_saphyr::from_str(text).map_err(|error| refused(&error))?;
        config.check()?;
        Ok(config)
    }

    /// Judges it as Thanos does.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        for entry in &self.endpoints {
            let address = || entry.address.clone();
            if entry.address.is_empty() {
                return Err(ConfigError::NoAddress);
            }
            // A group has one address that never changes.
            if super::dns::is_name(&entry.address) && entry.strict {
                return Err(ConfigError::StrictName(address()));
            }
            if !entry.group && !entry.service_config.is_empty() {
                return Err(ConfigError::ServiceConfig(address()));
            }
            let compression = &entry.client_config.compression;
            if !matches!(compression.as_str(), "" | "none" | "snappy") {
                return Err(ConfigError::Compression {
                    address: address(),
                    compression: compression.clone(),
                });
            }
        }
        Ok(())
    }

    /// How to connect to an endpoint: its own settings, else those for all.
    pub(crate) fn client_of(&self, entry: &EndpointEntry) -> Arc<ClientConfig> {
        Arc::new(entry.client_config.inheriting(&self.default_client_config))
    }
}

impl ClientConfig {
    /// Whether there is TLS.
    pub fn has_tls(&self) -> bool {
        self.tls_config.enabled.unwrap_or_else(|| self.tls_config.says_something())
    }

    /// These settings, with those of `other` for what is absent.
    #[must_use]
    pub fn inheriting(&self, other: &Self) -> Self {
        let text = |own: &String, other: &String| if own.is_empty() { other.clone() } else { own.clone() };
        let (own, its) = (&self.tls_config, &other.tls_config);
        // Switched on or off here: nothing of the other's TLS is meant.
        let tls_config = if own.enabled.is_some() {
            own.clone()
        } else {
            TlsConfig {
                enabled: if own.says_something() { Some(true) } else { its.enabled },
                insecure_skip_verify: own.insecure_skip_verify.or(its.insecure_skip_verify),
                cert_file: own.cert_file.clone().or_else(|| its.cert_file.clone()),
                key_file: own.key_file.clone().or_else(|| its.key_file.clone()),
                ca_file: own.ca_file.clone().or_else(|| its.ca_file.clone()),
                min_version: own.min_version.clone().or_else(|| its.min_version.clone()),
            }
        };
        ClientConfig {
            tls_config,
            server_name: text(&self.server_name, &other.server_name),
            compression: text(&self.compression, &other.compression),
        }
    }
}

impl TlsConfig {
    /// Whether anything is set that only makes sense with TLS.
    fn says_something(&self) -> bool {
        self.cert_file.is_some()
            || self.key_file.is_some()
            || self.ca_file.is_some()
            || self.insecure_skip_verify.is_some()
    }
}

fn refused(error: &Error) -> ConfigError {
    let error = error.without_snippet();
    let line = error.location().map_or(0, |location| location.line());
    let text = match error {
        Error::SerdeUnknownField { field, expected, .. } => {
            let likeness = |word: &&&str| strsim::jaro_winkler(field, word);
            let suggestion = expected
                .iter()
                .filter(|word| likeness(word) > 0.8)
                .max_by(|one, two| likeness(one).total_cmp(&likeness(two)))
                .map(|word| (*word).to_owned());
            return ConfigError::UnknownKey { key: field.clone(), line, suggestion };
        }
        other => other.to_string(),
    };
    ConfigError::Yaml { line, text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_is_refused_with_its_line_and_what_was_meant() {
        let text = "endpoints:\n  - address: a:1\n    client_config:\n      tls_config:\n        cafile: x\n";
        let error = EndpointConfig::parse(text).expect_err("cafile is no key").to_string();
        assert_eq!(error, "endpoint.sd-config: line 5: unknown key `cafile`; did you mean `ca_file`?");
    }

    #[test]
    fn what_cannot_be_is_refused_in_the_words_of_thanos() {
        let error = |text: &str| EndpointConfig::parse(text).expect_err("refused").to_string();
        assert_eq!(
            error("endpoints: [{address: dns+a:1, strict: true}]"),
            "dns+a:1 is a dynamically specified endpoint i.e. it uses SD and that is not permitted under strict mode."
        );
        assert_eq!(
            error("endpoints: [{address: a:1, service_config: '{}'}]"),
            "a:1 service_config is only valid for endpoint groups."
        );
        assert_eq!(
            error("endpoints: [{address: a:1, client_config: {compression: gzip}}]"),
            "endpoint a:1: invalid compression: gzip, must be 'none' or 'snappy'"
        );
    }

    #[test]
    fn settings_are_inherited_and_files_imply_tls() {
        let text = "
default_client_config: {tls_config: {enabled: false, ca_file: all.pem}, compression: snappy}
endpoints:
  - {address: 'a:1'}
  - {address: 'b:1', client_config: {tls_config: {cert_file: b.pem}}}
  - {address: 'c:1', client_config: {tls_config: {enabled: true}, server_name: c}}
";
        let config = EndpointConfig::parse(text).expect("valid");
        let of = |at: usize| config.client_of(&config.endpoints[at]);
        assert!(!of(0).has_tls());
        assert_eq!(of(0).compression, "snappy");
        assert!(of(1).has_tls());
        assert_eq!(of(1).tls_config.ca_file, Some("all.pem".into()));
        assert!(of(2).has_tls());
        assert_eq!((of(2).tls_config.ca_file.clone(), of(2).server_name.as_str()), (None, "c"));
    }
}
