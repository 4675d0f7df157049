//! `type: GCS`.

use serde::Deserialize;

use super::http::{self, HttpSettings, HttpYaml};
use super::{ConfigError, Secret};

const MIB: u64 = 1 << 20;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct GcsYaml {
    bucket: Option<String>,
    service_account: Option<Secret>,
    use_grpc: Option<bool>,
    /// No effect without gRPC.
    #[serde(rename = "grpc_conn_pool_size")]
    _grpc_conn_pool_size: Option<u32>,
    http_config: Option<HttpYaml>,
    chunk_size_bytes: Option<u64>,
    max_retries: Option<u32>,
}

/// Google Cloud Storage.
pub struct GcsSettings {
    /// The bucket.
    pub bucket: String,
    /// The JSON of a service account; the default credentials of the machine where there is none.
    pub service_account: Option<Secret>,
    /// Objects above this size are sent in parts of it.
    pub part_size: u64,
    /// How often a request is tried.
    pub attempts: Option<u32>,
    /// Connections.
    pub http: HttpSettings,
}

pub(super) fn check(yaml: GcsYaml) -> Result<GcsSettings, ConfigError> {
    let mut problems = Vec::new();
    let mut problem = |text: &str| problems.push(text.to_owned());
    let bucket = yaml.bucket.unwrap_or_default();
    if bucket.is_empty() {
        problem("`bucket` is missing");
    } else if bucket.contains(['/', '?', '#', '@', ':', ' ']) {
        problem("`bucket` is the name of a bucket, not a path or a URL");
    }
    if yaml.use_grpc == Some(true) {
        problem("`use_grpc` is not supported: leave it out, objects go over HTTP");
    }
    let service_account = yaml.service_account.filter(|account| !account.expose().trim().is_empty());
    if let Some(account) = &service_account {
        match serde_json::from_str::<serde_json::Value>(account.expose()) {
            Ok(json) if json.is_object() => {}
            _ => problem("`service_account` is not the JSON of a service account; a path does not do"),
        }
    }
    let http = http::check(yaml.http_config, &mut problems);
    ConfigError::unless_good("GCS", problems)?;
    // The store takes no smaller parts.
    let part_size = yaml.chunk_size_bytes.filter(|size| *size > 0).map_or(16 * MIB, |size| size.max(5 * MIB));
    Ok(GcsSettings {
        bucket,
        service_account,
        part_size,
        attempts: yaml.max_retries.filter(|attempts| *attempts > 0),
        http,
    })
}
