//! Remote write and remote read, from their nodes.

use std::collections::BTreeMap;

use prom_model::PromDuration;
use serde::Serialize;

use crate::diagnostic::Diagnostic;
use crate::model::scrape::Surroundings;
use crate::model::scrape::config::{Authorization, BasicAuth, HttpClient, TlsConfig};
use crate::model::scrape::rule::Rule;
use crate::topology::decode::Written;
use crate::topology::nodes::prometheus as nodes;
use crate::topology::values::SecretValue;

/// A member of `remote_write`.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[allow(missing_docs, reason = "the fields are Prometheus' own")]
pub struct RemoteWrite {
    pub url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote_timeout: Option<PromDuration>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub write_relabel_configs: Vec<Rule>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub send_native_histograms: Option<bool>,
    #[serde(flatten)]
    pub http: HttpClient,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue_config: Option<QueueConfig>,
}

/// `queue_config`.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[allow(missing_docs, reason = "the fields are Prometheus' own")]
pub struct QueueConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capacity: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_shards: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_shards: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_samples_per_send: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_send_deadline: Option<PromDuration>,
}

/// A member of `remote_read`.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[allow(missing_docs, reason = "the fields are Prometheus' own")]
pub struct RemoteRead {
    pub url: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub required_matchers: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote_timeout: Option<PromDuration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_recent: Option<bool>,
    #[serde(flatten)]
    pub http: HttpClient,
}

/// The remote ends of a group.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Remotes {
    /// Where samples are sent.
    pub writes: Vec<RemoteWrite>,
    /// Where else queries look.
    pub reads: Vec<RemoteRead>,
    /// Secrets that must be mounted: name and key; sorted.
    pub secrets: Vec<(String, String)>,
}

/// Resolves the `remote-write` and `remote-read` nodes of a group.
pub fn remotes(node: &nodes::Prometheus, around: &Surroundings) -> (Remotes, Vec<Diagnostic>) {
    let mut reader = Reader { around, remotes: Remotes::default(), diagnostics: Vec::new() };
    for write in &node.remote_writes {
        let write = reader.write(write);
        reader.remotes.writes.push(write);
    }
    for read in &node.remote_reads {
        let read = reader.read(read);
        reader.remotes.reads.push(read);
    }
    reader.remotes.secrets.sort();
    reader.remotes.secrets.dedup();
    (reader.remotes, reader.diagnostics)
}

struct Reader<'a> {
    around: &'a Surroundings,
    remotes: Remotes,
    diagnostics: Vec<Diagnostic>,
}

impl Reader<'_> {
    fn write(&mut self, node: &nodes::RemoteWrite) -> RemoteWrite {
        let tls_config = (node.ca.is_some() || node.insecure_skip_verify.is_some()).then(|| TlsConfig {
            ca_file: node.ca.as_ref().and_then(|ca| self.file(ca).ok()),
            insecure_skip_verify: node
                .insecure_skip_verify
                .as_ref()
                .and_then(|skip| skip.value.then_some(true)),
            ..TlsConfig::default()
        });
        if tls_config.as_ref().is_some_and(|tls| tls.insecure_skip_verify == Some(true)) {
            self.diagnostics.push(
                Diagnostic::warning("SEC007", node.span, "remote write accepts any certificate")
                    .help("name the authority with `ca=`"),
            );
        }
        let basic_auth = (node.user.is_some() || node.password.is_some()).then(|| {
            let mut basic = BasicAuth {
                username: node.user.as_ref().map(|user| user.value.clone()),
                ..BasicAuth::default()
            };
            match node.password.as_ref().map(|password| self.file(password)) {
                Some(Ok(path)) => basic.password_file = Some(path),
                Some(Err(text)) => basic.password = Some(text),
                None => {}
            }
            basic
        });
        let http = HttpClient {
            basic_auth,
            authorization: node.token.as_ref().map(|token| self.bearer(token)),
            tls_config,
            ..HttpClient::default()
        };
        let mut write_relabel_configs = Vec::new();
        for rule in &node.relabel {
            let written = Rule::from(rule);
            match written.compile(self.around.prometheus.major) {
                Ok(_) => write_relabel_configs.push(written),
                Err(error) => self.diagnostics.push(Diagnostic::error("KDL007", rule.span, error)),
            }
        }
        let headers = node.headers.iter().flat_map(|headers| &headers.headers);
        RemoteWrite {
            url: node.url.value.clone(),
            remote_timeout: node.timeout.as_ref().map(|timeout| timeout.value),
            headers: headers.map(|(name, value)| (name.value.clone(), value.value.clone())).collect(),
            write_relabel_configs,
            name: node.name.as_ref().map(|name| name.value.clone()),
            send_native_histograms: node.native_histograms.as_ref().map(|send| send.value),
            http,
            queue_config: node.queue.as_ref().map(|queue| QueueConfig {
                capacity: queue.capacity.as_ref().map(|number| number.value),
                max_shards: queue.max_shards.as_ref().map(|number| number.value),
                min_shards: queue.min_shards.as_ref().map(|number| number.value),
                max_samples_per_send: queue.max_samples_per_send.as_ref().map(|number| number.value),
                batch_send_deadline: queue.batch_send_deadline.as_ref().map(|time| time.value),
            }),
        }
    }

    fn read(&mut self, node: &nodes::RemoteRead) -> RemoteRead {
        RemoteRead {
            url: node.url.value.clone(),
            required_matchers: node
                .required
                .iter()
                .map(|(name, value)| (name.value.clone(), value.value.clone()))
                .collect(),
            remote_timeout: node.timeout.as_ref().map(|timeout| timeout.value),
            read_recent: node.read_recent.as_ref().map(|recent| recent.value),
            http: HttpClient {
                authorization: node.token.as_ref().map(|token| self.bearer(token)),
                ..HttpClient::default()
            },
        }
    }

    fn bearer(&mut self, token: &Written<SecretValue>) -> Authorization {
        match self.file(token) {
            Ok(path) => Authorization { credentials_file: Some(path), ..Authorization::default() },
            Err(text) => Authorization { credentials: Some(text), ..Authorization::default() },
        }
    }

    /// The path of a mounted secret, or the literal that only `bare` tolerates.
    fn file(&mut self, secret: &Written<SecretValue>) -> Result<String, String> {
        match &secret.value {
            SecretValue::Reference { name, key } => {
                self.remotes.secrets.push((name.clone(), key.clone()));
                Ok(format!("{}/{name}/{key}", self.around.secrets_dir))
            }
            SecretValue::File(path) => Ok(path.clone()),
            SecretValue::Literal(text) => {
                let finding = if self.around.bare { Diagnostic::info } else { Diagnostic::error };
                self.diagnostics.push(
                    finding("SEC001", Some(secret.span), "a secret in plain text".to_owned())
                        .help("put it into a Secret and write \"secret:NAME/KEY\""),
                );
                Err(text.clone())
            }
        }
    }
}
