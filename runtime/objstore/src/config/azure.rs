//! `type: AZURE`.

use std::time::Duration;

use prom_model::PromDuration;
use serde::Deserialize;

use super::http::{self, HttpSettings, HttpYaml};
use super::{ConfigError, Secret};

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct AzureYaml {
    az_tenant_id: Option<String>,
    client_id: Option<String>,
    client_secret: Option<Secret>,
    storage_account: Option<String>,
    storage_account_key: Option<Secret>,
    storage_connection_string: Option<Secret>,
    storage_create_container: Option<bool>,
    container: Option<String>,
    endpoint: Option<String>,
    user_assigned_id: Option<String>,
    max_retries: Option<u32>,
    reader_config: Option<ReaderYaml>,
    pipeline_config: Option<PipelineYaml>,
    http_config: Option<HttpYaml>,
    /// No effect, as in Thanos.
    #[serde(rename = "msi_resource")]
    _msi_resource: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ReaderYaml {
    max_retry_requests: Option<i64>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct PipelineYaml {
    max_tries: Option<i64>,
    try_timeout: Option<PromDuration>,
    retry_delay: Option<PromDuration>,
    max_retry_delay: Option<PromDuration>,
}

/// Azure Blob Storage.
pub struct AzureSettings {
    /// The storage account.
    pub account: String,
    /// The container.
    pub container: String,
    /// The URL of the account's blobs.
    pub endpoint: String,
    /// Who we are.
    pub credentials: AzureCredentials,
    /// Whether a container that is missing is made.
    pub create_container: bool,
    /// How often a request is tried.
    pub attempts: Option<u32>,
    /// How long one try may take.
    pub try_timeout: Option<Duration>,
    /// The first pause between tries, and the longest.
    pub pauses: (Option<Duration>, Option<Duration>),
    /// Connections.
    pub http: HttpSettings,
}

/// Who we are.
pub enum AzureCredentials {
    /// `storage_account_key`.
    AccountKey(Secret),
    /// A shared access signature, from a connection string.
    Signature(Secret),
    /// An application with its secret.
    Client {
        /// `az_tenant_id`.
        tenant: String,
        /// `client_id`.
        client: String,
        /// `client_secret`.
        secret: Secret,
    },
    /// A managed identity, by its client id.
    UserAssigned(String),
    /// Environment, workload identity, the identity of the machine.
    Chain,
}

pub(super) fn check(yaml: AzureYaml) -> Result<AzureSettings, ConfigError> {
    let mut problems = Vec::new();
    let mut problem = |text: &str| problems.push(text.to_owned());
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let secret = |secret: Option<Secret>| secret.filter(|secret| !secret.expose().is_empty());

    let (tenant, client) = (given(yaml.az_tenant_id), given(yaml.client_id));
    let client_secret = secret(yaml.client_secret);
    let user = given(yaml.user_assigned_id);
    let key = secret(yaml.storage_account_key);
    let connection = secret(yaml.storage_connection_string);
    if user.is_some() && key.is_some() {
        problem("give `user_assigned_id` or `storage_account_key`, not both");
    }
    if user.is_some() && connection.is_some() {
        problem("give `user_assigned_id` or `storage_connection_string`, not both");
    }
    if user.is_some() && client.is_some() {
        problem("give `user_assigned_id` or `client_id`, not both");
    }
    if key.is_some() && connection.is_some() {
        problem("give `storage_account_key` or `storage_connection_string`, not both");
    }
    let parts = [tenant.is_some(), client.is_some(), client_secret.is_some()];
    if parts.contains(&true) && parts.contains(&false) {
        problem("`az_tenant_id`, `client_id` and `client_secret` go together");
    }
    let account = given(yaml.storage_account).unwrap_or_default();
    if account.is_empty() {
        problem("`storage_account` is missing");
    }
    let container = given(yaml.container).unwrap_or_default();
    if container.is_empty() {
        problem("`container` is missing");
    } else if container.contains(['/', '?', '#', '@', ':', ' ']) {
        problem("`container` is the name of a container, not a path or a URL");
    }
    let suffix = given(yaml.endpoint).unwrap_or_else(|| "blob.core.windows.net".to_owned());
    let mut endpoint = format!("https://{account}.{suffix}");
    if suffix.contains("://") || suffix.contains('/') {
        problem("`endpoint` is the host behind the account, as in blob.core.windows.net");
    }
    let mut credentials = match (key, tenant.zip(client).zip(client_secret), user) {
        (Some(key), ..) => AzureCredentials::AccountKey(key),
        (None, Some(((tenant, client), secret)), _) => AzureCredentials::Client { tenant, client, secret },
        (None, None, Some(id)) => AzureCredentials::UserAssigned(id),
        (None, None, None) => AzureCredentials::Chain,
    };
    if let Some(connection) = connection {
        match connection_string(connection.expose()) {
            Ok((url, found)) => (endpoint, credentials) = (url, found),
            Err(text) => problem(text),
        }
    }
    let pipeline = yaml.pipeline_config.unwrap_or_default();
    let reader = yaml.reader_config.unwrap_or_default();
    if pipeline.max_tries.unwrap_or(0) < 0 {
        problem("`pipeline_config.max_tries` is 0 or more");
    }
    if reader.max_retry_requests.unwrap_or(0) < 0 {
        problem("`reader_config.max_retry_requests` is 0 or more");
    }
    let http = http::check(yaml.http_config, &mut problems);
    ConfigError::unless_good("AZURE", problems)?;
    let tries = pipeline.max_tries.and_then(|tries| u32::try_from(tries).ok());
    let time = |duration: Option<PromDuration>| {
        duration.map(PromDuration::to_std).filter(|duration| !duration.is_zero())
    };
    Ok(AzureSettings {
        account,
        container,
        endpoint,
        credentials,
        create_container: yaml.storage_create_container.unwrap_or(true),
        attempts: tries.filter(|tries| *tries > 0).or(yaml.max_retries.filter(|tries| *tries > 0)),
        try_timeout: time(pipeline.try_timeout),
        pauses: (time(pipeline.retry_delay), time(pipeline.max_retry_delay)),
        http,
    })
}

/// The URL of the blobs and the credentials of `Key=Value;…`.
fn connection_string(text: &str) -> Result<(String, AzureCredentials), &'static str> {
    let part = |wanted: &str| {
        text.split(';').find_map(|part| {
            let (name, value) = part.split_once('=')?;
            (name.trim().eq_ignore_ascii_case(wanted) && !value.is_empty()).then(|| value.trim().to_owned())
        })
    };
    let endpoint = match (part("BlobEndpoint"), part("AccountName")) {
        (Some(url), _) => url.trim_end_matches('/').to_owned(),
        (None, Some(account)) => {
            let protocol = part("DefaultEndpointsProtocol").unwrap_or_else(|| "https".to_owned());
            let suffix = part("EndpointSuffix").unwrap_or_else(|| "core.windows.net".to_owned());
            format!("{protocol}://{account}.blob.{suffix}")
        }
        (None, None) => {
            return Err("`storage_connection_string` has neither AccountName nor BlobEndpoint");
        }
    };
    let credentials = match (part("AccountKey"), part("SharedAccessSignature")) {
        (Some(key), _) => AzureCredentials::AccountKey(Secret::new(key)),
        (None, Some(signature)) => AzureCredentials::Signature(Secret::new(signature)),
        (None, None) => {
            return Err("`storage_connection_string` has neither AccountKey nor SharedAccessSignature");
        }
    };
    Ok((endpoint, credentials))
}
