//! S3 from its settings.

use std::sync::Arc;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, S3ConditionalPut};
use object_store::{Attribute, Attributes, ClientOptions, RetryConfig};

use super::answer::Redactor;
use super::connector::{Connector, Habits, base64, file};
use super::{Cloud, aws_profile};
use crate::config::{ConfigError, Encryption, Environment, Lookup, S3Credentials, S3Settings, Secret};
use crate::layers::RequestCounts;

/// What the environment may say of credentials, as Amazon's tools name it.
const CHAIN: [(&str, AmazonS3ConfigKey); 9] = [
    ("AWS_WEB_IDENTITY_TOKEN_FILE", AmazonS3ConfigKey::WebIdentityTokenFile),
    ("AWS_ROLE_ARN", AmazonS3ConfigKey::RoleArn),
    ("AWS_ROLE_SESSION_NAME", AmazonS3ConfigKey::RoleSessionName),
    ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", AmazonS3ConfigKey::ContainerCredentialsRelativeUri),
    ("AWS_CONTAINER_CREDENTIALS_FULL_URI", AmazonS3ConfigKey::ContainerCredentialsFullUri),
    ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", AmazonS3ConfigKey::ContainerAuthorizationTokenFile),
    ("AWS_EC2_METADATA_SERVICE_ENDPOINT", AmazonS3ConfigKey::MetadataEndpoint),
    ("AWS_METADATA_ENDPOINT", AmazonS3ConfigKey::MetadataEndpoint),
    ("AWS_ENDPOINT_URL_STS", AmazonS3ConfigKey::StsEndpoint),
];

/// The bucket of these settings.
pub(crate) fn bucket(
    settings: &S3Settings,
    environment: Environment<'_>,
    counts: Option<RequestCounts>,
) -> Result<Cloud, ConfigError> {
    let S3Settings { bucket, endpoint, .. } = settings;
    let habits = Habits { content_md5: settings.send_content_md5, trace: settings.trace };
    let connector = Connector::new("S3", &settings.http, environment, habits, counts)?;
    let scheme = if settings.insecure { "http" } else { "https" };
    let hosted = is_virtual_hosted(settings);
    let url = match hosted {
        true => format!("{scheme}://{bucket}.{endpoint}"),
        false => format!("{scheme}://{endpoint}"),
    };
    let mut secrets = Vec::new();
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(bucket)
        .with_endpoint(url)
        .with_virtual_hosted_style_request(hosted)
        .with_region(region(settings, environment))
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .with_disable_bulk_delete(true)
        // Below TLS the sum of the body need not be in the signature; `Content-MD5` holds it.
        .with_unsigned_payload(!settings.insecure && settings.send_content_md5)
        .with_client_options(ClientOptions::new().with_allow_http(settings.insecure))
        .with_retry(RetryConfig { max_retries: 0, ..RetryConfig::default() })
        .with_http_connector(connector);
    if let Some(sts) = &settings.sts_endpoint {
        builder = builder.with_config(AmazonS3ConfigKey::StsEndpoint, sts);
    }
    builder = match &settings.credentials {
        S3Credentials::Static { access_key, secret_key, session_token } => {
            with_keys(builder, access_key, secret_key, session_token.as_ref(), &mut secrets)
        }
        S3Credentials::Chain => with_chain(builder, environment, &mut secrets),
    };
    match &settings.encryption {
        None => {}
        Some(Encryption::SseS3) => {
            let key = "aws_server_side_encryption".parse().map_err(refused)?;
            builder = builder.with_config(key, "AES256");
        }
        Some(Encryption::SseKms(id)) => builder = builder.with_sse_kms_encryption(id),
        Some(Encryption::SseC(path)) => {
            let key = file("sse_config.encryption_key", path)?;
            if key.len() != 32 {
                let problems =
                    vec![format!("the file of `sse_config.encryption_key` has {} bytes, not 32", key.len())];
                return Err(ConfigError::Settings { kind: "S3", problems });
            }
            let key = base64(&key);
            secrets.push(key.clone());
            builder = builder.with_ssec_encryption(key);
        }
    }
    let mut attributes = Attributes::new();
    for (key, value) in &settings.metadata {
        attributes.insert(Attribute::Metadata(key.clone().into()), value.clone().into());
    }
    if let Some(class) = &settings.storage_class {
        attributes.insert(Attribute::StorageClass, class.clone().into());
    }
    Ok(Cloud {
        name: format!("s3://{bucket}"),
        client: Arc::new(builder.build().map_err(refused)?),
        redactor: Redactor::new(secrets),
        part_size: settings.part_size,
        attributes,
        maker: None,
    })
}

fn refused(error: object_store::Error) -> ConfigError {
    ConfigError::Client { kind: "S3", source: Box::new(error) }
}

fn with_keys(
    builder: AmazonS3Builder,
    access_key: &str,
    secret_key: &Secret,
    session_token: Option<&Secret>,
    secrets: &mut Vec<String>,
) -> AmazonS3Builder {
    secrets.push(secret_key.expose().to_owned());
    let builder = builder.with_access_key_id(access_key).with_secret_access_key(secret_key.expose());
    match session_token {
        None => builder,
        Some(token) => {
            secrets.push(token.expose().to_owned());
            builder.with_token(token.expose())
        }
    }
}

/// Environment, file, web identity, container, instance.
fn with_chain(
    mut builder: AmazonS3Builder,
    environment: Environment<'_>,
    secrets: &mut Vec<String>,
) -> AmazonS3Builder {
    let set = |name: &str| environment(name).filter(|value| !value.is_empty());
    let access_key = set("AWS_ACCESS_KEY_ID").or_else(|| set("AWS_ACCESS_KEY"));
    let secret_key = set("AWS_SECRET_ACCESS_KEY").or_else(|| set("AWS_SECRET_KEY"));
    if let Some((access_key, secret_key)) = access_key.zip(secret_key) {
        let token = set("AWS_SESSION_TOKEN").map(Secret::new);
        return with_keys(builder, &access_key, &Secret::new(secret_key), token.as_ref(), secrets);
    }
    if let Some(keys) = aws_profile::read(environment) {
        return with_keys(builder, &keys.access_key, &keys.secret_key, keys.session_token.as_ref(), secrets);
    }
    for (name, key) in CHAIN {
        if let Some(value) = set(name) {
            builder = builder.with_config(key, value);
        }
    }
    builder
}

fn is_virtual_hosted(settings: &S3Settings) -> bool {
    let host = settings.endpoint.split(':').next().unwrap_or_default();
    match settings.lookup {
        Lookup::VirtualHosted => true,
        Lookup::Path => false,
        // A certificate for *.host does not cover a bucket with dots.
        Lookup::Auto if !settings.insecure && settings.bucket.contains('.') => false,
        Lookup::Auto => {
            is_amazon(host) || host.ends_with("storage.googleapis.com") || host.ends_with(".aliyuncs.com")
        }
    }
}

fn is_amazon(host: &str) -> bool {
    host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.com.cn")
}

/// The region as configured, as the host has it, as the environment has it, or the one that other stores take.
fn region(settings: &S3Settings, environment: Environment<'_>) -> String {
    let host = settings.endpoint.split(':').next().unwrap_or_default();
    let in_host = || {
        let host = host.strip_suffix(".cn").unwrap_or(host).strip_suffix(".amazonaws.com")?;
        let part = host.rsplit(['.']).next()?;
        let region = part.strip_prefix("s3-").unwrap_or(part);
        let is_region = region != "s3" && region.contains('-') && region != "accelerate";
        is_region.then(|| region.to_owned())
    };
    let in_environment = || {
        if !is_amazon(host) {
            return None;
        }
        environment("AWS_REGION")
            .or_else(|| environment("AWS_DEFAULT_REGION"))
            .filter(|region| !region.is_empty())
    };
    settings.region.clone().or_else(in_host).or_else(in_environment).unwrap_or_else(|| "us-east-1".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{BucketConfig, Provider};

    fn settings(config: &str) -> S3Settings {
        let yaml = format!("type: S3\nconfig: {{bucket: b, access_key: a, secret_key: s, {config}}}");
        match BucketConfig::parse(&yaml, &|_| None).unwrap().provider {
            Provider::S3(settings) => settings,
            _ => unreachable!("it is S3"),
        }
    }

    #[test]
    fn the_region_is_that_of_the_host_unless_it_is_given() {
        let environment = |name: &str| (name == "AWS_REGION").then(|| "eu-south-2".to_owned());
        for (config, expected) in [
            ("endpoint: s3.eu-central-1.amazonaws.com", "eu-central-1"),
            ("endpoint: s3-us-west-2.amazonaws.com", "us-west-2"),
            ("endpoint: s3.dualstack.ap-south-1.amazonaws.com", "ap-south-1"),
            ("endpoint: s3.cn-north-1.amazonaws.com.cn", "cn-north-1"),
            ("endpoint: s3.eu-central-1.amazonaws.com, region: us-east-2", "us-east-2"),
            ("endpoint: s3.amazonaws.com", "eu-south-2"),
            ("endpoint: 'minio:9000'", "us-east-1"),
        ] {
            assert_eq!(region(&settings(config), &environment), expected, "{config}");
        }
    }

    #[test]
    fn the_bucket_is_in_the_host_where_minio_go_puts_it() {
        for (config, hosted) in [
            ("endpoint: s3.eu-central-1.amazonaws.com", true),
            ("endpoint: storage.googleapis.com", true),
            ("endpoint: oss-eu-central-1.aliyuncs.com", true),
            ("endpoint: 'minio:9000'", false),
            ("endpoint: 'minio:9000', bucket_lookup_type: virtual-hosted", true),
            ("endpoint: s3.eu-central-1.amazonaws.com, bucket_lookup_type: path", false),
        ] {
            assert_eq!(is_virtual_hosted(&settings(config)), hosted, "{config}");
        }
    }
}
