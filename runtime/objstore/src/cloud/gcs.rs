//! GCS from its settings.

use std::sync::Arc;

use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::{Attributes, ClientOptions, RetryConfig};

use super::Cloud;
use super::answer::Redactor;
use super::connector::{Connector, Habits};
use crate::config::{ConfigError, Environment, GcsSettings};
use crate::layers::RequestCounts;

/// The bucket of these settings. `STORAGE_EMULATOR_HOST` leads to an emulator, as it does for Google's own clients.
pub(crate) fn bucket(
    settings: &GcsSettings,
    environment: Environment<'_>,
    counts: Option<RequestCounts>,
) -> Result<Cloud, ConfigError> {
    let refused = |error| ConfigError::Client { kind: "GCS", source: Box::new(error) };
    let connector = Connector::new("GCS", &settings.http, environment, Habits::default(), counts)?;
    let emulator = environment("STORAGE_EMULATOR_HOST").filter(|host| !host.is_empty());
    let mut secrets = Vec::new();
    let mut builder = GoogleCloudStorageBuilder::new()
        .with_bucket_name(&settings.bucket)
        .with_client_options(ClientOptions::new().with_allow_http(emulator.is_some()))
        .with_retry(RetryConfig { max_retries: 0, ..RetryConfig::default() })
        .with_http_connector(connector);
    if let Some(host) = &emulator {
        let url = if host.contains("://") { host.clone() } else { format!("http://{host}") };
        // A token of no value, so that nobody asks the machine for one.
        builder = builder.with_base_url(url.trim_end_matches('/')).with_bearer_token("emulator");
    } else if let Some(account) = &settings.service_account {
        builder = builder.with_service_account_key(account.expose());
        secrets.extend(secrets_of(account.expose()));
    } else if let Some(path) = environment("GOOGLE_APPLICATION_CREDENTIALS").filter(|path| !path.is_empty()) {
        builder = builder.with_config(GoogleConfigKey::ApplicationCredentials, path);
    }
    Ok(Cloud {
        name: format!("gs://{}", settings.bucket),
        client: Arc::new(builder.build().map_err(refused)?),
        redactor: Redactor::new(secrets),
        part_size: Some(settings.part_size),
        attributes: Attributes::new(),
        maker: None,
    })
}

/// What must not be shown of a service account.
fn secrets_of(account: &str) -> Vec<String> {
    let json: serde_json::Value = serde_json::from_str(account).unwrap_or_default();
    let secret = |key: &str| json.get(key).and_then(|value| value.as_str()).map(str::to_owned);
    ["private_key", "private_key_id", "client_secret", "refresh_token"]
        .into_iter()
        .filter_map(secret)
        .collect()
}
