//! Azure from its settings.

use std::sync::Arc;

use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::{Attributes, ClientOptions, RetryConfig};

use super::Cloud;
use super::answer::Redactor;
use super::connector::{Connector, Habits};
use crate::config::{AzureCredentials, AzureSettings, ConfigError, Environment};
use crate::layers::RequestCounts;

/// Blocks of this size; 50,000 of them make an object.
const PART_SIZE: u64 = 16 << 20;

/// What the environment may say of credentials, as Azure's tools name it.
const CHAIN: [(&str, AzureConfigKey); 6] = [
    ("AZURE_TENANT_ID", AzureConfigKey::AuthorityId),
    ("AZURE_CLIENT_ID", AzureConfigKey::ClientId),
    ("AZURE_CLIENT_SECRET", AzureConfigKey::ClientSecret),
    ("AZURE_FEDERATED_TOKEN_FILE", AzureConfigKey::FederatedTokenFile),
    ("AZURE_AUTHORITY_HOST", AzureConfigKey::AuthorityHost),
    ("IDENTITY_ENDPOINT", AzureConfigKey::MsiEndpoint),
];

/// The container of these settings.
pub(crate) fn bucket(
    settings: &AzureSettings,
    environment: Environment<'_>,
    counts: Option<RequestCounts>,
) -> Result<Cloud, ConfigError> {
    let refused = |error| ConfigError::Client { kind: "AZURE", source: Box::new(error) };
    let connector = Connector::new("AZURE", &settings.http, environment, Habits::default(), counts)?;
    let plain = settings.endpoint.starts_with("http://");
    let mut secrets = Vec::new();
    let mut builder = MicrosoftAzureBuilder::new()
        .with_account(&settings.account)
        .with_container_name(&settings.container)
        .with_endpoint(settings.endpoint.clone())
        .with_client_options(ClientOptions::new().with_allow_http(plain))
        .with_retry(RetryConfig { max_retries: 0, ..RetryConfig::default() })
        .with_http_connector(connector);
    builder = match &settings.credentials {
        AzureCredentials::AccountKey(key) => {
            secrets.push(key.expose().to_owned());
            builder.with_access_key(key.expose())
        }
        AzureCredentials::Signature(signature) => {
            secrets.push(signature.expose().to_owned());
            builder.with_config(AzureConfigKey::SasKey, signature.expose())
        }
        AzureCredentials::Client { tenant, client, secret } => {
            secrets.push(secret.expose().to_owned());
            builder.with_client_secret_authorization(client, secret.expose(), tenant)
        }
        AzureCredentials::UserAssigned(id) => builder.with_client_id(id),
        AzureCredentials::Chain => with_chain(builder, environment, &mut secrets),
    };
    Ok(Cloud {
        name: format!("azure://{}/{}", settings.account, settings.container),
        client: Arc::new(builder.build().map_err(refused)?),
        redactor: Redactor::new(secrets),
        part_size: Some(PART_SIZE),
        attributes: Attributes::new(),
    })
}

fn with_chain(
    mut builder: MicrosoftAzureBuilder,
    environment: Environment<'_>,
    secrets: &mut Vec<String>,
) -> MicrosoftAzureBuilder {
    for (name, key) in CHAIN {
        if let Some(value) = environment(name).filter(|value| !value.is_empty()) {
            if key == AzureConfigKey::ClientSecret {
                secrets.push(value.clone());
            }
            builder = builder.with_config(key, value);
        }
    }
    builder
}
