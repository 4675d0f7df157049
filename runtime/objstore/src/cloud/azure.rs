//! Azure from its settings.

use std::sync::Arc;

use async_trait::async_trait;
use object_store::azure::{AzureAuthorizer, AzureConfigKey, MicrosoftAzure, MicrosoftAzureBuilder};
use object_store::client::{HttpClient, HttpConnector, HttpRequest, HttpRequestBody};
use object_store::{Attributes, ClientOptions, HeaderValue, RetryConfig};

use super::answer::Redactor;
use super::connector::{Connector, Habits};
use super::{Cloud, Maker};
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
    let options = ClientOptions::new().with_allow_http(settings.endpoint.starts_with("http://"));
    let mut secrets = Vec::new();
    let mut builder = MicrosoftAzureBuilder::new()
        .with_account(&settings.account)
        .with_container_name(&settings.container)
        .with_endpoint(settings.endpoint.clone())
        .with_client_options(options.clone())
        .with_retry(RetryConfig { max_retries: 0, ..RetryConfig::default() })
        .with_http_connector(connector.clone());
    builder = match &settings.credentials {
        AzureCredentials::AccountKey(key) => {
            secrets.push(key.expose().to_owned());
            builder.with_access_key(key.expose())
        }
        AzureCredentials::Signature(signature) => {
            secrets.push(signature.expose().to_owned());
            // A store that says what is wrong with a request shows this part.
            let part = |part: &str| part.trim_start_matches('?').strip_prefix("sig=").map(str::to_owned);
            secrets.extend(signature.expose().split('&').filter_map(part));
            builder.with_config(AzureConfigKey::SasKey, signature.expose())
        }
        AzureCredentials::Client { tenant, client, secret } => {
            secrets.push(secret.expose().to_owned());
            builder.with_client_secret_authorization(client, secret.expose(), tenant)
        }
        AzureCredentials::UserAssigned(id) => builder.with_client_id(id),
        AzureCredentials::Chain => with_chain(builder, environment, &mut secrets),
    };
    let client = Arc::new(builder.build().map_err(refused)?);
    let maker: Option<Arc<dyn Maker>> = match settings.create_container {
        true => Some(Arc::new(ContainerMaker {
            client: Arc::clone(&client),
            http: connector.connect(&options).map_err(refused)?,
            account: settings.account.clone(),
            url: format!("{}/{}?restype=container", settings.endpoint, settings.container),
        })),
        false => None,
    };
    Ok(Cloud {
        name: format!("azure://{}/{}", settings.account, settings.container),
        client,
        redactor: Redactor::new(secrets),
        part_size: Some(PART_SIZE),
        attributes: Attributes::new(),
        maker,
    })
}

/// Makes a container, which `object_store` does not.
struct ContainerMaker {
    client: Arc<MicrosoftAzure>,
    http: HttpClient,
    account: String,
    url: String,
}

/// The store did not make the container.
#[derive(Debug, thiserror::Error)]
#[error("the container was not made: status {0}")]
struct NotMade(u16);

#[async_trait]
impl Maker for ContainerMaker {
    async fn make(&self) -> object_store::Result<()> {
        let failed = |source: Box<dyn std::error::Error + Send + Sync>| object_store::Error::Generic {
            store: "Azure",
            source,
        };
        let mut request = HttpRequest::new(HttpRequestBody::empty());
        *request.method_mut() = "PUT".parse().map_err(|error| failed(Box::new(error)))?;
        *request.uri_mut() = self.url.parse().map_err(|error| failed(Box::new(error)))?;
        request.headers_mut().insert("content-length", HeaderValue::from_static("0"));
        let credential = self.client.credentials().get_credential().await?;
        AzureAuthorizer::new(&credential, &self.account).try_authorize(&mut request)?;
        let answer = self.http.execute(request).await.map_err(|error| failed(Box::new(error)))?;
        match answer.status().as_u16() {
            // Somebody else was faster.
            200..=299 | 409 => Ok(()),
            status => Err(failed(Box::new(NotMade(status)))),
        }
    }
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
