//! One scrape job in Prometheus' own fields: order as in its documentation, defaults left out.

use std::collections::BTreeMap;

use prom_model::PromDuration;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::rule::Rule;

/// A member of `scrape_configs`.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[allow(missing_docs, reason = "the fields are Prometheus' own")]
pub struct ScrapeConfig {
    pub job_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scrape_interval: Option<PromDuration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scrape_timeout: Option<PromDuration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fallback_scrape_protocol: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics_path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub honor_labels: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub honor_timestamps: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheme: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, Vec<String>>,
    #[serde(flatten)]
    pub http: HttpClient,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dns_sd_configs: Vec<DnsSd>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub file_sd_configs: Vec<FileSd>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub http_sd_configs: Vec<HttpSd>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kubernetes_sd_configs: Vec<KubernetesSd>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub static_configs: Vec<StaticConfig>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub relabel_configs: Vec<Rule>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub metric_relabel_configs: Vec<Rule>,
    #[serde(flatten)]
    pub limits: Limits,
    /// Fields of a `raw` job that have no place above, as the user wrote them.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// How Prometheus proves who it is and checks who answers.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the fields are Prometheus' own")]
pub struct HttpClient {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basic_auth: Option<BasicAuth>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorization: Option<Authorization>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_config: Option<TlsConfig>,
    /// The form before 2.26.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bearer_token_file: Option<String>,
}

/// `basic_auth`.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs, reason = "the fields are Prometheus' own")]
pub struct BasicAuth {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_file: Option<String>,
}

/// `authorization`; the type is `Bearer` unless stated.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs, reason = "the fields are Prometheus' own")]
pub struct Authorization {
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credentials: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credentials_file: Option<String>,
}

impl std::fmt::Debug for BasicAuth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let password = self.password.as_ref().map(|_| "<redacted>");
        f.debug_struct("BasicAuth")
            .field("username", &self.username)
            .field("password", &password)
            .field("password_file", &self.password_file)
            .finish()
    }
}

impl std::fmt::Debug for Authorization {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let credentials = self.credentials.as_ref().map(|_| "<redacted>");
        f.debug_struct("Authorization")
            .field("type", &self.kind)
            .field("credentials", &credentials)
            .field("credentials_file", &self.credentials_file)
            .finish()
    }
}

/// `tls_config`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs, reason = "the fields are Prometheus' own")]
pub struct TlsConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cert_file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub insecure_skip_verify: Option<bool>,
}

/// A member of `static_configs`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs, reason = "the fields are Prometheus' own")]
pub struct StaticConfig {
    pub targets: Vec<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// A member of `file_sd_configs`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs, reason = "the fields are Prometheus' own")]
pub struct FileSd {
    pub files: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_interval: Option<PromDuration>,
}

/// A member of `http_sd_configs`.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[allow(missing_docs, reason = "the fields are Prometheus' own")]
pub struct HttpSd {
    pub url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_interval: Option<PromDuration>,
}

/// A member of `dns_sd_configs`.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[allow(missing_docs, reason = "the fields are Prometheus' own")]
pub struct DnsSd {
    pub names: Vec<String>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub record: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_interval: Option<PromDuration>,
}

/// What kind of object discovery turns into targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SdRole {
    /// One target per node, at the kubelet's port.
    #[default]
    Node,
    /// One target per container port.
    Pod,
    /// One target per Service port.
    Service,
    /// One target per address and port of an Endpoints object.
    Endpoints,
    /// One target per address and port of an EndpointSlice.
    Endpointslice,
    /// One target per path of an Ingress.
    Ingress,
}

/// A member of `kubernetes_sd_configs`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the fields are Prometheus' own")]
pub struct KubernetesSd {
    pub role: SdRole,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespaces: Option<SdNamespaces>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub selectors: Vec<SdSelector>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attach_metadata: Option<AttachMetadata>,
}

/// Namespaces that discovery looks into.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs, reason = "the fields are Prometheus' own")]
pub struct SdNamespaces {
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub own_namespace: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
}

/// A selection that the API server makes, so that other objects are not even sent.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the fields are Prometheus' own")]
pub struct SdSelector {
    pub role: SdRole,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

/// Labels of other objects that discovery adds to targets.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs, reason = "the fields are Prometheus' own")]
pub struct AttachMetadata {
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub node: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub namespace: bool,
}

impl KubernetesSd {
    /// Discovery of one role, in the given namespaces or, when there are none, everywhere.
    pub fn new(role: SdRole, namespaces: &[String]) -> KubernetesSd {
        let mut names = namespaces.to_vec();
        names.sort();
        names.dedup();
        let namespaces = (!names.is_empty()).then_some(SdNamespaces { own_namespace: false, names });
        KubernetesSd { role, namespaces, ..KubernetesSd::default() }
    }
}

/// Limits; a target past one of them fails as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the fields are Prometheus' own")]
pub struct Limits {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_size_limit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample_limit: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_limit: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_name_length_limit: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_value_length_limit: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_limit: Option<u64>,
}

impl Limits {
    /// These limits, and those of `other` where nothing is said.
    pub fn or(self, other: Limits) -> Limits {
        Limits {
            body_size_limit: self.body_size_limit.or(other.body_size_limit),
            sample_limit: self.sample_limit.or(other.sample_limit),
            label_limit: self.label_limit.or(other.label_limit),
            label_name_length_limit: self.label_name_length_limit.or(other.label_name_length_limit),
            label_value_length_limit: self.label_value_length_limit.or(other.label_value_length_limit),
            target_limit: self.target_limit.or(other.target_limit),
        }
    }
}
